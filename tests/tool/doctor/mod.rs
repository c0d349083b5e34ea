//! `pipehook doctor`: a healthy deployment, and each way in which one is set up wrong.

#![allow(clippy::unwrap_used)] // A helper that can't go on fails its test.

mod account;
mod github;
mod pipelines;
mod webhook;

use pipehook::local::sample;

use crate::common::Scene;
use crate::scene::{Desk, Ran};

/// The sample deployment, with its webhook at GitHub.
async fn healthy() -> Desk {
    with(Scene::new().await).await
}

/// A deployment of one's own, with its webhook at GitHub.
async fn with(scene: Scene) -> Desk {
    let desk = Desk::of(scene).await;
    desk.install_hook();
    desk
}

/// The webhook is somewhere else, and GitHub knows where.
fn move_webhook(desk: &Desk, url: &str) {
    desk.scene.local.put_webhook_url(url);
    let mut world = desk.scene.local.world();
    let id = world.github().hooks(sample::REPOSITORY)[0].id;
    world.github().change_hook(id, |hook| hook.url = url.to_owned());
}

/// What `doctor` finds that is not well, with what mends it.
async fn troubles(desk: &Desk) -> Ran {
    without_the_well(desk.run(&["doctor"]).await)
}

/// The lines of what is not well, without headings.
fn without_the_well(ran: Ran) -> Ran {
    let is_trouble = |line: &&str| line.starts_with("  ") && !line.starts_with("  ✓");
    let out = ran.out.lines().filter(is_trouble).map(|line| format!("{line}\n")).collect();
    Ran { out, ..ran }
}

#[tokio::test]
async fn where_all_is_well_each_link_is_said_to_be() {
    let desk = healthy().await;
    insta::assert_snapshot!(desk.run(&["doctor"]).await, @"
    The stack pipehook in account 123456789012, us-east-1

    Deployment
      ✓ AWS account: 123456789012 in us-east-1, as arn:aws:iam::123456789012:user/person
      ✓ stack pipehook: CREATE_COMPLETE
      ✓ configuration /pipehook/config: 1 route, told as commit statuses

    Webhook
      ✓ webhook's secret: it is set
      ✓ webhook function: pipehook-Webhook-8XjT0yq3fWkA
      ✓ function URL: everybody may call it
      ✓ signed ping: WEBHOOK/ has accepted it
      ✓ forged ping: it was refused

    Queue
      ✓ queue: messages come back after 180 s, 5 times at most; 0 wait
      ✓ dead-letter queue: it is empty

    Worker
      ✓ worker function: pipehook-Worker-2b9QmLr7sDxC
      ✓ event source mapping: it is enabled, and takes single failures
      ✓ recursion: it may send itself wake-ups
      ✓ concurrency: the account's

    Events
      ✓ event rule: it sends CodePipeline's events to the queue
      ✓ queue's policy: it lets the rule send

    Pipelines
      ✓ pipeline node-server: it is V2
      ✓ source action Source of node-server: it takes octo-org/node-server, and is started by pipehook alone
      ✓ connection of node-server: AVAILABLE
      ✓ service staging/node-server: its circuit breaker rolls back

    Worker's access to GitHub
      ✓ token: octocat's
      ✓ reports in octo-org/node-server: commit statuses may be written

    Webhooks at GitHub
      ✓ webhook of octo-org/node-server: it is active, leads here, and delivers push as JSON
      ✓ deliveries of octo-org/node-server: none within the last day

    Nothing is wrong: 24 well.
    ");
}
