//! `pipehook webhook`: the webhook at GitHub, and its deliveries.

#![allow(clippy::unwrap_used)] // A story that can't go on has failed.

use std::time::Duration;

use pipehook::local::sample;
use pipehook::standin::{EXAMPLE_APP_KEY, Fault, HookView, Permission, Role, When, example_app_credentials};
use serde_json::{Value, json};

use crate::common::{APP, SECRET, Scene, TOKEN, classic};
use crate::scene::Desk;

const HOOKS: &str = "/repos/{owner}/{repo}/hooks";

fn hooks(desk: &Desk) -> Vec<HookView> {
    desk.scene.local.world().github().hooks(sample::REPOSITORY)
}

/// Changes a webhook at GitHub, as somebody's script might.
async fn patch(desk: &Desk, hook: u64, change: Value) {
    let url = format!("/github/repos/{}/hooks/{hook}", sample::REPOSITORY);
    let request = http::Request::patch(url)
        .header("user-agent", "script")
        .header("authorization", format!("Bearer {TOKEN}"))
        .body(change.to_string().into())
        .unwrap();
    let now = desk.scene.now();
    let answer = desk.scene.local.world().handle(now, &request).response().unwrap();
    assert_eq!(answer.status(), 200, "{:?}", answer.body());
}

/// A desk with three pushes, of which the webhook could not take the second, and a ping.
async fn desk_with_deliveries() -> Desk {
    let desk = Desk::new().await;
    desk.install_hook();
    desk.push_at_github("One");
    desk.delivered().await;
    desk.scene.wait(Duration::from_secs(60));
    desk.scene.local.world().faults().add("sqs", "SendMessage", When::Always, Fault::AccessDenied);
    desk.push_at_github("Two");
    desk.delivered().await;
    desk.scene.local.world().faults().clear();
    desk.scene.wait(Duration::from_secs(60));
    desk.push_at_github("Three");
    desk.delivered().await;
    desk
}

#[tokio::test]
async fn a_repository_gets_its_webhook_and_the_second_time_there_is_nothing_to_do() {
    let desk = Desk::new().await;
    let install = ["webhook", "install", "--repo", sample::REPOSITORY, "--yes"];
    insta::assert_snapshot!(desk.run(&install).await, @"
    octo-org/node-server: webhook 500002 created, for push, to WEBHOOK/
      ✓ ping accepted with 202
    ");
    let hook = hooks(&desk).remove(0);
    assert_eq!((hook.content_type, hook.secret.as_deref(), hook.active), ("json", Some(SECRET), true));
    assert_eq!((hook.events.as_slice(), hook.insecure_ssl.as_str()), (["push".to_owned()].as_slice(), "0"));
    insta::assert_snapshot!(desk.run(&install).await, @"
    octo-org/node-server: webhook 500002 is as it must be, nothing to do
      ✓ ping accepted with 202
    ");
    assert_eq!(hooks(&desk).len(), 1);
    insta::assert_snapshot!(desk.run(&["webhook", "status"]).await, @"
    octo-org/node-server
      webhook 500002 to WEBHOOK/
      active, for push, as json, with a secret
      last answer: 202 OK
      deliveries of the last 24 h: 2 accepted, 0 not
      ✓ as it must be
    ");
}

#[tokio::test]
async fn what_somebody_has_set_up_by_hand_is_mended_and_keeps_what_it_hears_of() {
    let desk = Desk::new().await;
    let hook = desk.install_hook();
    let url = desk.webhook_url().trim_end_matches('/').to_owned();
    patch(&desk, hook, json!({"config": {"url": url}, "events": ["issues"], "active": false})).await;
    insta::assert_snapshot!(desk.run(&["webhook", "status"]).await, @"
    octo-org/node-server
      webhook 500002 to WEBHOOK
      not active, for issues, as form, without a secret
      nothing was delivered yet
      deliveries of the last 24 h: 0 accepted, 0 not
      ✗ it is not active: GitHub delivers nothing
      ✗ it has no secret: nothing that it delivers is accepted
      ✗ it does not hear of push, which the routes need
    --- standard error
    pipehook: the webhook is not as it must be at octo-org/node-server; `pipehook webhook install` mends most
    --- exit code 1
    ");
    let ran = desk.run(&["webhook", "install", "--yes"]).await;
    insta::assert_snapshot!(ran, @"
    octo-org/node-server: webhook 500002 changed
      content type form → json
      secret none → set
      events issues → issues push
      active no → yes
      ✓ ping accepted with 202
    ");
    assert_eq!(hooks(&desk)[0].secret.as_deref(), Some(SECRET));
    let json = ["webhook", "install", "--yes", "--events", "push,pull_request", "--json"];
    insta::assert_snapshot!(desk.run(&json).await, @r#"{"repository":"octo-org/node-server","webhook":500002,"url":"WEBHOOK/","events":["pull_request","push"],"outcome":"updated","changes":[{"what":"events","from":"issues push","to":"pull_request push"}],"ping":{"status_code":202,"status":"OK"}}"#);
    assert_eq!(hooks(&desk).len(), 1);
}

#[tokio::test]
async fn another_secret_at_github_shows_by_the_ping_and_is_replaced() {
    let desk = Desk::new().await;
    let hook = desk.install_hook();
    let config = json!({"url": desk.webhook_url(), "content_type": "json", "secret": "another"});
    patch(&desk, hook, json!({"config": config})).await;
    insta::assert_snapshot!(desk.run(&["webhook", "install", "--yes"]).await, @"
    octo-org/node-server: webhook 500002 changed
      secret another one → set
      ✓ ping accepted with 202
    ");
    assert_eq!(hooks(&desk)[0].secret.as_deref(), Some(SECRET));
}

#[tokio::test]
async fn during_a_rotation_github_gets_the_first_secret_which_is_the_new_one() {
    let desk = Desk::new().await;
    desk.scene.local.put_webhook_secret(&format!("new\n{SECRET}"));
    assert_eq!(desk.run(&["webhook", "install", "--yes"]).await.code, 0);
    assert_eq!(hooks(&desk)[0].secret.as_deref(), Some("new"));
}

/// The webhook takes pings that are signed with the old one, too, so that they tell nothing.
#[tokio::test]
async fn during_a_rotation_a_webhook_that_is_there_gets_the_new_secret() {
    let desk = Desk::new().await;
    desk.install_hook();
    desk.scene.local.put_webhook_secret(&format!("new\n{SECRET}"));
    insta::assert_snapshot!(desk.run(&["webhook", "install", "--yes"]).await, @"
    octo-org/node-server: webhook 500002 changed
      secret one of several → the first of them
      ✓ ping accepted with 202
    ");
    assert_eq!(hooks(&desk)[0].secret.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_route_for_pull_requests_needs_the_webhook_to_hear_of_them() {
    let routes = format!("{}pull_requests = true\n", sample::ROUTES);
    let desk = Desk::of(Scene::with(&routes, classic()).await).await;
    desk.install_hook();
    insta::assert_snapshot!(desk.run(&["webhook", "status"]).await, @"
    octo-org/node-server
      webhook 500002 to WEBHOOK/
      active, for push, as json, with a secret
      nothing was delivered yet
      deliveries of the last 24 h: 0 accepted, 0 not
      ✗ it does not hear of pull_request, which the routes need
    --- standard error
    pipehook: the webhook is not as it must be at octo-org/node-server; `pipehook webhook install` mends most
    --- exit code 1
    ");
    assert_eq!(desk.run(&["webhook", "install", "--yes"]).await.code, 0);
    assert_eq!(hooks(&desk)[0].events, ["pull_request", "push"]);
}

#[tokio::test]
async fn nothing_is_changed_where_nobody_can_be_asked() {
    let desk = Desk::new().await;
    insta::assert_snapshot!(desk.run(&["webhook", "install", "--repo", sample::REPOSITORY]).await, @r#"
    --- standard error
    pipehook: nothing was changed: "Create a webhook of octo-org/node-server for push, to WEBHOOK/?" can only be asked at a terminal; --yes goes on without asking
    --- exit code 1
    "#);
    assert_eq!(hooks(&desk), []);
    desk.install_hook();
    let remove = ["webhook", "remove", "--repo", sample::REPOSITORY];
    assert_eq!(desk.run(&remove).await.code, 1);
    assert_eq!(hooks(&desk).len(), 1);
}

#[tokio::test]
async fn a_webhook_is_removed_once_and_others_stay() {
    let desk = Desk::new().await;
    desk.install_hook();
    let now = desk.scene.now();
    desk.scene.local.world().github().add_hook(now, sample::REPOSITORY, "https://chat.example.com/", None);
    let remove = ["webhook", "remove", "--repo", sample::REPOSITORY, "--yes"];
    insta::assert_snapshot!(desk.run(&remove).await, @"octo-org/node-server: webhook 500002 removed");
    insta::assert_snapshot!(desk.run(&remove).await, @"octo-org/node-server: no webhook leads to WEBHOOK/, nothing to do");
    assert_eq!(hooks(&desk)[0].url, "https://chat.example.com/");
    insta::assert_snapshot!(desk.run(&["webhook", "remove", "--yes"]).await, @"
    --- standard error
    pipehook: a webhook is only removed from a repository that is named: --repo OWNER/NAME
    --- exit code 1
    ");
    insta::assert_snapshot!(desk.run(&["webhook", "status"]).await, @"
    octo-org/node-server
      ✗ no webhook leads to WEBHOOK/
    --- standard error
    pipehook: the webhook is not as it must be at octo-org/node-server; `pipehook webhook install` mends most
    --- exit code 1
    ");
    insta::assert_snapshot!(desk.run(&["webhook", "deliveries"]).await, @"
    --- standard error
    pipehook: no webhook of octo-org/node-server leads to WEBHOOK/; `pipehook webhook install` creates it, and --app asks for a GitHub App's
    --- exit code 1
    ");
}

#[tokio::test]
async fn two_webhooks_that_lead_there_are_told_and_one_can_be_removed() {
    let desk = Desk::new().await;
    let (first, second) = (desk.install_hook(), desk.install_hook());
    insta::assert_snapshot!(desk.run(&["webhook", "install", "--yes"]).await, @"
    octo-org/node-server: webhook 500002 is as it must be, nothing to do
      ✓ ping accepted with 202
    --- standard error
    octo-org/node-server has other webhooks that lead there, and tells everything twice: 500003; `pipehook webhook remove --repo octo-org/node-server --id ID` removes one
    ");
    insta::assert_snapshot!(desk.run(&["webhook", "status", "--json"]).await, @r#"
    {"repository":"octo-org/node-server","webhooks":[{"id":500002,"url":"WEBHOOK/","active":true,"events":["push"],"content_type":"json","secret":true,"last_status_code":202,"last_status":"OK","accepted":1,"failed":0},{"id":500003,"url":"WEBHOOK/","active":true,"events":["push"],"content_type":"json","secret":true,"last_status_code":null,"last_status":null,"accepted":0,"failed":0}],"problems":["2 webhooks lead there: everything is told 2 times"]}
    --- standard error
    pipehook: the webhook is not as it must be at octo-org/node-server; `pipehook webhook install` mends most
    --- exit code 1
    "#);
    let second = second.to_string();
    let remove = ["webhook", "remove", "--repo", sample::REPOSITORY, "--id", &second, "--yes", "--json"];
    insta::assert_snapshot!(desk.run(&remove).await, @r#"{"outcome":"removed","repository":"octo-org/node-server","webhook":500003}"#);
    assert_eq!(hooks(&desk).iter().map(|hook| hook.id).collect::<Vec<_>>(), [first]);
}

#[tokio::test]
async fn a_ping_that_is_not_accepted_says_what_to_do() {
    let desk = Desk::new().await;
    let nobody = ["webhook", "install", "--repo", sample::REPOSITORY, "--yes", "--url", "http://127.0.0.1:1/"];
    insta::assert_snapshot!(desk.run(&nobody).await, @"
    octo-org/node-server: webhook 500002 created, for push, to http://127.0.0.1:1/
      ✗ ping not accepted: failed to connect to host
    --- standard error
    pipehook: the webhook has not accepted GitHub's ping:
      - octo-org/node-server: 502 failed to connect to host; GitHub can't reach it: check the address, and that the stack is there
    --- exit code 1
    ");
    desk.scene.local.put_webhook_secret(SECRET);
    let mut other = desk.command(&["webhook", "install", "--yes", "--secret-from", "env:OWN"]);
    other.env("OWN", "another");
    insta::assert_snapshot!(desk.finish(other).await, @"
    octo-org/node-server: webhook 500004 created, for push, to WEBHOOK/
      ✗ ping not accepted: Invalid HTTP Response: 401: the signature does not fit the body: the secret at GitHub is another one, or this is not GitHub
    --- standard error
    pipehook: the webhook has not accepted GitHub's ping:
      - octo-org/node-server: 401 Invalid HTTP Response: 401; the function has another secret: one that was changed is in force after five minutes at most, and then `pipehook webhook install` tries again
    --- exit code 1
    ");
}

#[tokio::test]
async fn deliveries_are_told_with_what_the_webhook_made_of_them() {
    let desk = desk_with_deliveries().await;
    insta::assert_snapshot!(tidy(&desk, desk.run(&["webhook", "deliveries"]).await), @"
    TIME                  EVENT  DELIVERY                              ANSWER
    2026-01-24T22:02:00Z  push   DELIVERY-000000000000000000000000003  ✓ 202
    2026-01-24T22:01:00Z  push   DELIVERY-000000000000000000000000002  ✗ 500 Invalid HTTP Response: 500
    2026-01-24T22:00:00Z  push   DELIVERY-000000000000000000000000001  ✓ 202
    ");
    insta::assert_snapshot!(tidy(&desk, desk.run(&["webhook", "deliveries", "--failed", "--json"]).await), @r#"{"webhook":"octo-org/node-server","at":"2026-01-24T22:01:00Z","event":"push","action":null,"status_code":500,"status":"Invalid HTTP Response: 500","delivery":"DELIVERY-000000000000000000000000002","id":ATTEMPT-false,"redelivery":false,"accepted":false}"#);
    insta::assert_snapshot!(tidy(&desk, desk.run(&["webhook", "redeliver", "--dry-run"]).await), @"
    1 delivery would be delivered again:
      2026-01-24T22:01:00Z  octo-org/node-server  push  DELIVERY-000000000000000000000000002  Invalid HTTP Response: 500
    ");
    insta::assert_snapshot!(desk.run(&["webhook", "deliveries", "--since", "30s", "--failed"]).await, @"No delivery failed in the last 30 s.");
    assert_eq!(desk.run(&["webhook", "redeliver"]).await.code, 0);
    insta::assert_snapshot!(desk.run(&["webhook", "deliveries", "--failed"]).await, @"No delivery failed in the last 24 h.");
    insta::assert_snapshot!(tidy(&desk, desk.run(&["webhook", "deliveries"]).await), @"
    TIME                  EVENT  DELIVERY                              ANSWER
    2026-01-24T22:02:00Z  push   DELIVERY-000000000000000000000000002  ✓ 202, delivered again
    2026-01-24T22:02:00Z  push   DELIVERY-000000000000000000000000003  ✓ 202
    2026-01-24T22:01:00Z  push   DELIVERY-000000000000000000000000002  ✗ 500 Invalid HTTP Response: 500
    2026-01-24T22:00:00Z  push   DELIVERY-000000000000000000000000001  ✓ 202
    ");
}

#[tokio::test]
async fn pages_of_deliveries_are_all_looked_at() {
    let desk = Desk::new().await;
    desk.install_hook();
    for n in 0..230 {
        desk.push_at_github(&format!("Change {n}"));
    }
    desk.delivered().await;
    assert_eq!(desk.run(&["webhook", "deliveries", "--json"]).await.out.lines().count(), 230);
}

#[tokio::test]
async fn what_fails_again_is_told_and_waits_for_the_next_time() {
    let desk = Desk::new().await;
    desk.install_hook();
    desk.scene.local.world().faults().add("sqs", "SendMessage", When::Always, Fault::AccessDenied);
    desk.push_at_github("One");
    desk.delivered().await;
    insta::assert_snapshot!(tidy(&desk, desk.run(&["webhook", "redeliver"]).await), @"
    1 delivery had failed in the last 24 h
      1 delivered again, 0 accepted
      ✗ push DELIVERY-000000000000000000000000001 failed again: Invalid HTTP Response: 500
    --- standard error
    pipehook: 0 of 1 deliveries were accepted; once what keeps the others is mended, run it again
    --- exit code 1
    ");
    desk.scene.local.world().faults().clear();
    insta::assert_snapshot!(desk.run(&["webhook", "redeliver", "--json"]).await, @r#"{"failed":1,"redelivered":1,"accepted":1,"rejected":[],"unanswered":[],"forgotten":[]}"#);
}

#[tokio::test]
async fn githubs_rate_limit_is_waited_for_and_said() {
    let desk = desk_with_deliveries().await;
    let attempts = format!("POST {HOOKS}/{{hook_id}}/deliveries/{{delivery_id}}/attempts");
    let limit = Fault::SecondaryLimit { status: 403, retry_after: Some(1) };
    desk.scene.local.world().faults().next("github", &attempts, 1, limit);
    insta::assert_snapshot!(desk.run(&["webhook", "redeliver"]).await, @"
    1 delivery had failed in the last 24 h
      1 delivered again, 1 accepted
    --- standard error
    GitHub asks to wait for 1 s: 403 You have exceeded a secondary rate limit.
    ");
}

#[tokio::test]
async fn a_redelivery_of_which_github_does_not_say_that_it_has_taken_it_is_looked_for() {
    let desk = desk_with_deliveries().await;
    let attempts = format!("POST {HOOKS}/{{hook_id}}/deliveries/{{delivery_id}}/attempts");
    desk.scene.local.world().faults().next("github", &attempts, 1, Fault::LostAfter);
    insta::assert_snapshot!(desk.run(&["webhook", "redeliver"]).await, @"
    1 delivery had failed in the last 24 h
      1 delivered again, 1 accepted
    ");
}

#[tokio::test]
async fn a_limit_that_lasts_for_an_hour_is_not_waited_for() {
    // When it ends is told as a moment, which the tool holds against its own clock.
    let desk = Desk::of(Scene::new().await.at_the_systems_time()).await;
    let limit = Fault::PrimaryLimit { reset_after: Duration::from_secs(3000) };
    desk.scene.local.world().faults().add("github", "*", When::Always, limit);
    let limited = desk.run(&["webhook", "status"]).await;
    assert_eq!(limited.code, 1);
    let said = "pipehook: can't list the webhooks of octo-org/node-server: GitHub's rate limit is used up";
    assert!(limited.err.starts_with(said), "{limited}");
}

#[tokio::test]
async fn a_github_that_goes_away_in_the_middle_leaves_the_rest_for_the_next_time() {
    let desk = Desk::new().await;
    desk.install_hook();
    desk.scene.local.world().faults().add("sqs", "SendMessage", When::Always, Fault::AccessDenied);
    for n in 0..5 {
        desk.push_at_github(&format!("Change {n}"));
    }
    desk.delivered().await;
    let attempts = format!("POST {HOOKS}/{{hook_id}}/deliveries/{{delivery_id}}/attempts");
    {
        let mut world = desk.scene.local.world();
        world.faults().clear();
        // Each counts the calls that no other has met: the third, the fourth and the fifth.
        for _ in 0..3 {
            world.faults().add("github", &attempts, When::Nth(3), Fault::BadGateway);
        }
    }
    let redeliver = ["webhook", "redeliver", "--per-minute", "6000"];
    let stopped = desk.run(&redeliver).await;
    insta::assert_snapshot!(stopped.err, @"pipehook: stopped after 2 of 5 redeliveries: GitHub did not say what became of what was sent: 502 Bad Gateway; run it again, and it goes on with the rest");
    assert_eq!(stopped.code, 1);
    desk.scene.local.world().faults().clear();
    desk.delivered().await;
    insta::assert_snapshot!(desk.run(&redeliver).await, @"
    3 deliveries had failed in the last 24 h
      3 delivered again, 3 accepted
    ");
    desk.scene.run().await;
    assert_eq!(desk.scene.executions().len(), 5);
}

#[tokio::test]
async fn a_token_that_may_not_do_it_hears_what_is_needed() {
    let desk = Desk::new().await;
    desk.install_hook();
    {
        let mut world = desk.scene.local.world();
        world.github().add_token("github_pat_reader", "octocat");
        world.github().set_permission("github_pat_reader", Permission::None);
    }
    let mut fine = desk.command(&["webhook", "status"]);
    fine.env("GITHUB_TOKEN", "github_pat_reader");
    insta::assert_snapshot!(desk.finish(fine).await, @"
    --- standard error
    pipehook: can't list the webhooks of octo-org/node-server: GitHub denies access to /repos/octo-org/node-server/hooks: 403 Resource not accessible by personal access token (it takes repository_hooks=read); the token must be of somebody who administers the repository, with *Webhooks: Read and write* (a classic one with the scope admin:repo_hook)
    --- exit code 1
    ");
    desk.scene.local.world().github().set_role(sample::REPOSITORY, "octocat", Role::Write);
    insta::assert_snapshot!(desk.run(&["webhook", "status"]).await, @"
    --- standard error
    pipehook: can't list the webhooks of octo-org/node-server: GitHub denies access to /repos/octo-org/node-server/hooks: 404 Not Found; the token must be of somebody who administers the repository, with *Webhooks: Read and write* (a classic one with the scope admin:repo_hook)
    --- exit code 1
    ");
    let mut revoked = desk.command(&["webhook", "deliveries"]);
    revoked.env("GITHUB_TOKEN", "ghp_revoked");
    insta::assert_snapshot!(desk.finish(revoked).await, @"
    --- standard error
    pipehook: can't list the webhooks of octo-org/node-server: GitHub does not take the token: 401 Bad credentials; put a valid one in place of the expired or revoked one
    --- exit code 1
    ");
    let mut without = desk.command(&["webhook", "redeliver"]);
    without.env_remove("GITHUB_TOKEN");
    insta::assert_snapshot!(desk.finish(without).await, @"
    --- standard error
    pipehook: no GitHub token: set GH_TOKEN or GITHUB_TOKEN, as in GH_TOKEN=$(gh auth token)
    --- exit code 1
    ");
}

/// A token must not go to another GitHub than its own.
#[tokio::test]
async fn without_a_word_the_github_of_the_deployed_configuration_is_asked() {
    let desk = Desk::new().await;
    desk.install_hook();
    let mut status = desk.command(&["webhook", "status", "--repo", sample::REPOSITORY]);
    status.env_remove("GITHUB_API_URL");
    let ran = desk.finish(status).await;
    assert_eq!(ran.code, 0, "{ran}");
}

#[tokio::test]
async fn no_network_and_no_account_are_told_apart() {
    let desk = Desk::new().await;
    let mut no_github = desk.command(&["webhook", "status"]);
    no_github.env("GITHUB_API_URL", "http://127.0.0.1:1");
    insta::assert_snapshot!(desk.finish(no_github).await, @"
    --- standard error
    pipehook: can't list the webhooks of octo-org/node-server: GitHub is out of reach or fails: Service Error: client error (Connect): tcp connect error: Connection refused
    --- exit code 1
    ");
    let mut no_aws = desk.command(&["webhook", "status"]);
    no_aws.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    let ran = desk.finish(no_aws).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("AWS is out of reach: check the network"), "{ran}");
    desk.scene.local.world().faults().add("ssm", "*", When::Always, Fault::AccessDenied);
    insta::assert_snapshot!(desk.run(&["webhook", "status"]).await, @"
    --- standard error
    pipehook: can't read the parameter /pipehook/config: AccessDeniedException: The caller is not authorized to perform: ssm:GetParameter; the credentials are valid, but their policy does not allow this
    --- exit code 1
    ");
    desk.scene.local.world().faults().clear();
    desk.scene.local.world().faults().add("cloudformation", "*", When::Always, Fault::Unauthorized);
    insta::assert_snapshot!(desk.run(&["webhook", "status"]).await, @"
    --- standard error
    pipehook: can't read the stack pipehook: InvalidClientTokenId: The security token is invalid.; the credentials are not valid: check the access key and its secret
    --- exit code 1
    ");
    insta::assert_snapshot!(desk.run(&["webhook", "deliveries", "--since", "yesterday"]).await, @"
    --- standard error
    error: invalid value 'yesterday' for '--since <SPAN>': it must be a number with s, m, h or d, as in 30m, 3h or 2d

    For more information, try '--help'.
    --- exit code 2
    ");
    insta::assert_snapshot!(desk.run(&["webhook", "install", "--repo", "node-server"]).await, @"
    --- standard error
    error: invalid value 'node-server' for '--repo <OWNER/NAME>': it must be OWNER/NAME, as in octo-org/node-server

    For more information, try '--help'.
    --- exit code 2
    ");
}

#[tokio::test]
async fn a_github_that_hangs_is_not_waited_for_without_end() {
    let desk = Desk::new().await;
    desk.install_hook();
    desk.scene.local.world().faults().add("github", "*", When::Always, Fault::LostBefore);
    let ran = desk.run(&["webhook", "status"]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.starts_with("pipehook: can't list the webhooks of octo-org/node-server: "), "{ran}");
}

#[tokio::test]
async fn an_apps_own_deliveries_are_listed_and_delivered_again() {
    // The App's JWT is good for the moment of the real clock.
    let desk = Desk::of(Scene::new().await.at_the_systems_time()).await;
    let now = desk.scene.now();
    {
        let mut world = desk.scene.local.world();
        let github = world.github();
        github.add_app(now, APP, "pipehook", EXAMPLE_APP_KEY).unwrap();
        github.install_app(now, APP, sample::REPOSITORY, &[("metadata", Permission::Read)]).unwrap();
        github.set_app_hook(now, APP, desk.webhook_url(), Some(SECRET), &["push", "check_run"]);
        world.faults().add("sqs", "SendMessage", When::Always, Fault::AccessDenied);
    }
    let ran = desk.run(&["webhook", "deliveries", "--app"]).await;
    insta::assert_snapshot!(ran, @"
    --- standard error
    pipehook: the parameter /aws/reference/secretsmanager/pipehook-github-token holds a token and no GitHub App's id and private key; --app-from says where they are
    --- exit code 1
    ");
    desk.scene.local.put_github_token(&example_app_credentials(APP));
    desk.push_at_github("One");
    desk.delivered().await;
    desk.scene.local.world().faults().clear();
    insta::assert_snapshot!(desk.run(&["webhook", "redeliver", "--app"]).await, @"
    1 delivery had failed in the last 24 h
      1 delivered again, 1 accepted
    ");
    let listed = desk.run(&["webhook", "deliveries", "--app", "--json"]).await;
    let lines: Vec<Value> = listed.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = lines.iter().map(|line| (&line["redelivery"], &line["status_code"])).collect();
    assert_eq!(told, [(&json!(true), &json!(202)), (&json!(false), &json!(500))]);
    desk.scene.run().await;
    assert_eq!(desk.scene.executions().len(), 1);
}

#[tokio::test]
async fn what_others_have_named_never_reaches_the_terminals_controls() {
    let desk = Desk::new().await;
    desk.install_hook();
    let (now, escape) = (desk.scene.now(), "opened\u{1b}]0;gone\u{7}");
    let payload = json!({"action": escape, "repository": {"full_name": sample::REPOSITORY}});
    desk.scene.local.world().github().tell(now, sample::REPOSITORY, "push", &payload).unwrap();
    desk.delivered().await;
    let ran = desk.run(&["webhook", "deliveries"]).await;
    assert!(ran.out.contains("push opened"), "{ran}");
    assert!(!ran.to_string().contains('\u{1b}'), "{ran}");
}

/// Ids of deliveries by their order.
fn tidy(desk: &Desk, ran: crate::scene::Ran) -> String {
    let deliveries = desk.scene.local.world().github().deliveries();
    let mut text = ran.to_string();
    let mut names: Vec<&str> = Vec::new();
    for delivery in &deliveries {
        text = text.replace(&delivery.id.to_string(), &format!("ATTEMPT-{}", delivery.is_redelivery));
        if !names.contains(&delivery.guid.as_str()) {
            names.push(&delivery.guid);
        }
    }
    names.iter().enumerate().fold(text, |text, (n, name)| text.replace(name, &format!("DELIVERY-{:027}", n + 1)))
}
