//! What the worker may do at GitHub, and the webhooks there.

use std::time::Duration;

use pipehook::clock::Clock;
use pipehook::local::sample;
use pipehook::standin::{Fault, HookView, Permission, When, example_app_credentials};

use super::{healthy, troubles, with, without_the_well};
use crate::common::{APP, SECRET, Scene, TOKEN, classic};
use crate::scene::Desk;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// As a GitHub App, today: the tool's proof of who it is has the machine's time.
async fn app() -> Desk {
    let scene = Scene::as_app(sample::ROUTES, classic()).await;
    scene.jump_to(Clock::system().now());
    let desk = with(scene).await;
    let (now, url) = (desk.scene.now(), desk.webhook_url());
    desk.scene.local.world().github().set_app_hook(now, APP, url, Some(SECRET), &["push", "check_run"]);
    desk
}

#[tokio::test]
async fn a_token_that_was_never_set() {
    let desk = healthy().await;
    desk.scene.local.put_github_token("not-set-yet");
    insta::assert_snapshot!(troubles(&desk).await, @r#"
      ✗ token: it was never set: nothing is told to GitHub
          → aws secretsmanager put-secret-value --secret-id pipehook-github-token --secret-string "$TOKEN" --region us-east-1
    --- standard error
    pipehook: something is wrong: 1 wrong, 22 well
    --- exit code 1
    "#);
}

#[tokio::test]
async fn a_token_that_was_revoked() {
    let desk = healthy().await;
    desk.scene.local.put_github_token("ghp_anotherTokenOfTheStories0123456789abc");
    insta::assert_snapshot!(troubles(&desk).await, @r#"
      ✗ token: GitHub does not take the token: 401 Bad credentials; put a valid one in place of the expired or revoked one
          → aws secretsmanager put-secret-value --secret-id pipehook-github-token --secret-string "$TOKEN" --region us-east-1
      – reports in octo-org/node-server: not checked: the token is not taken
    --- standard error
    pipehook: something is wrong: 1 wrong, 1 not checked, 22 well
    --- exit code 1
    "#);
}

#[tokio::test]
async fn a_token_that_may_only_read() {
    let desk = healthy().await;
    desk.scene.local.world().github().set_permission(TOKEN, Permission::Read);
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ reports in octo-org/node-server: commit statuses may not be written: 403 Resource not accessible by personal access token (it takes statuses=write)
          → give the token what it takes: fine-grained, Commit statuses read and write, and Deployments for environments; classic, the scopes repo:status and repo_deployment
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_token_that_does_not_see_the_repository() {
    let desk = healthy().await;
    desk.scene.local.world().github().limit_token(TOKEN, &[]);
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ reports in octo-org/node-server: GitHub shows the token no such repository
          → check the route's repository, and give the token access to it: fine-grained, with Commit statuses read and write; classic, with the scope repo:status
      – webhook of octo-org/node-server: not checked: the token may not see them: 404 Not Found
          → set GH_TOKEN to a token of somebody who administers it: fine-grained, with Webhooks read and write; classic, with the scope admin:repo_hook
    --- standard error
    pipehook: something is wrong: 1 wrong, 1 not checked, 21 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_token_that_is_about_to_expire() {
    let desk = healthy().await;
    let at = Clock::system().now() + DAY * 5 + DAY / 2;
    desk.scene.local.world().github().let_expire(TOKEN, at);
    insta::assert_snapshot!(troubles(&desk).await, @r#"
    ! token: octocat's, and expires in 5 days: nothing is told to GitHub from then on
        → make a new one at GitHub, then aws secretsmanager put-secret-value --secret-id pipehook-github-token --secret-string "$TOKEN" --region us-east-1
    "#);
}

#[tokio::test]
async fn nothing_is_posted_by_looking() {
    let desk = healthy().await;
    desk.run(&["doctor"]).await;
    assert_eq!(desk.scene.posted(), "");
}

#[tokio::test]
async fn check_runs_with_a_persons_token() {
    let routes = format!("report = \"checks\"\n{}", sample::ROUTES);
    let desk = with(Scene::with(&routes, classic()).await).await;
    insta::assert_snapshot!(troubles(&desk).await, @r#"
      ✗ check runs: the configuration says report = "checks", and GitHub takes these from a GitHub App alone
          → report = "statuses", or an App's credentials as JSON in place of the token: aws secretsmanager put-secret-value --secret-id pipehook-github-token --secret-string file://app.json --region us-east-1
    --- standard error
    pipehook: something is wrong: 1 wrong, 24 well
    --- exit code 1
    "#);
}

#[tokio::test]
async fn an_app_that_may_do_everything_is_well() {
    let desk = app().await;
    insta::assert_snapshot!(desk.run(&["doctor", "--only", "token"]).await, @"
    The stack pipehook in account 123456789012, us-east-1

    Worker's access to GitHub
      ✓ token: the GitHub App pipehook
      ✓ reports in octo-org/node-server: the App is installed, and may write check runs

    Nothing is wrong: 2 well.
    ");
}

#[tokio::test]
async fn an_app_that_is_not_installed() {
    let desk = app().await;
    desk.scene.local.world().github().uninstall_app(APP, sample::REPOSITORY);
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ reports in octo-org/node-server: the GitHub App is not installed there
          → install it there: the App's page at GitHub, Install App
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn an_app_whose_permissions_were_not_accepted() {
    let desk = app().await;
    let now = desk.scene.now();
    let install = |permissions: &[(&str, Permission)]| {
        desk.scene.local.world().github().install_app(now, APP, sample::REPOSITORY, permissions).unwrap()
    };
    install(&[("checks", Permission::Read), ("statuses", Permission::Write)]);
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ reports in octo-org/node-server: the App may not write checks there
          → ask for it at the App's page, Permissions & events, and accept it where it is installed: https://github.com/organizations/octo-org/settings/installations/40001
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
    install(&[("checks", Permission::Write)]);
    insta::assert_snapshot!(troubles(&desk).await, @"
    ! deployments in octo-org/node-server: a route names an environment, and the App may not write deployments
        → ask for it at the App's page, Permissions & events, and accept it where it is installed: https://github.com/organizations/octo-org/settings/installations/40001
    ");
}

#[tokio::test]
async fn an_apps_credentials_that_are_none() {
    let desk = app().await;
    desk.scene.local.put_github_token(r#"{"app_id": 4711}"#);
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ token: the GitHub token can't be used: a GitHub App's credentials are expected, but private_key is missing: the text of the .pem file that GitHub gave for the App
          → aws secretsmanager put-secret-value --secret-id pipehook-github-token --secret-string file://app.json --region us-east-1
      – webhook of octo-org/node-server: not checked: GitHub does not take the token: 401 Bad credentials; put a valid one in place of the expired or revoked one
          → GH_TOKEN=$(gh auth token) pipehook doctor
    --- standard error
    pipehook: something is wrong: 1 wrong, 1 not checked, 20 well
    --- exit code 1
    ");
    desk.scene.local.put_github_token(&example_app_credentials(APP + 1));
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ token: GitHub does not take the App's JWT: 404 Integration not found; check app_id and the private key
          → aws secretsmanager put-secret-value --secret-id pipehook-github-token --secret-string file://app.json --region us-east-1
      – reports in octo-org/node-server: not checked: the token is not taken
      – the App's webhook: not checked: GitHub does not take the App's JWT
      – webhook of octo-org/node-server: not checked: GitHub does not take the token: 401 Bad credentials; put a valid one in place of the expired or revoked one
          → GH_TOKEN=$(gh auth token) pipehook doctor
    --- standard error
    pipehook: something is wrong: 1 wrong, 3 not checked, 20 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_github_that_does_not_answer() {
    let desk = healthy().await;
    desk.scene.local.world().faults().add("github", "*", When::Always, Fault::BadGateway);
    insta::assert_snapshot!(troubles(&desk).await, @"
      ? token: GitHub is out of reach or fails: 502 Bad Gateway
      – reports in octo-org/node-server: not checked: GitHub could not be asked
      ? webhook of octo-org/node-server: GitHub is out of reach or fails: 502 Bad Gateway
    --- standard error
    pipehook: something is wrong: 2 unreadable, 1 not checked, 20 well
    --- exit code 1
    ");
}

/// The repository's only webhook, changed on GitHub's pages.
fn change_hook(desk: &Desk, change: impl FnOnce(&mut HookView)) {
    let mut world = desk.scene.local.world();
    let id = world.github().hooks(sample::REPOSITORY)[0].id;
    world.github().change_hook(id, change);
}

#[tokio::test]
async fn a_repository_without_a_webhook_or_with_one_that_leads_elsewhere() {
    let desk = Desk::new().await;
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ webhook of octo-org/node-server: none leads to WEBHOOK/: no push gets here
          → pipehook webhook install --repo octo-org/node-server
    --- standard error
    pipehook: something is wrong: 1 wrong, 22 well
    --- exit code 1
    ");
    let desk = healthy().await;
    change_hook(&desk, |hook| hook.url = "https://ci.example.com/".to_owned());
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ webhook of octo-org/node-server: none leads to WEBHOOK/: no push gets here
          → pipehook webhook install --repo octo-org/node-server
    --- standard error
    pipehook: something is wrong: 1 wrong, 22 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_webhook_that_delivers_nothing_or_nothing_that_is_accepted() {
    let desk = healthy().await;
    change_hook(&desk, |hook| hook.active = false);
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ webhook of octo-org/node-server: it is not active: GitHub delivers nothing
          → pipehook webhook install --repo octo-org/node-server
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
    change_hook(&desk, |hook| (hook.active, hook.secret) = (true, None));
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ webhook of octo-org/node-server: it has no secret: nothing that it delivers is accepted
          → pipehook webhook install --repo octo-org/node-server
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
    change_hook(&desk, |hook| (hook.secret, hook.insecure_ssl) = (Some(SECRET.to_owned()), "1".to_owned()));
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ webhook of octo-org/node-server: GitHub does not check the certificate of the URL: somebody between could read along
          → pipehook webhook install --repo octo-org/node-server
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_webhook_that_does_not_hear_of_pull_requests() {
    let routes = format!("{}pull_requests = true\n", sample::ROUTES);
    let desk = with(Scene::with(&routes, classic()).await).await;
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ webhook of octo-org/node-server: it does not hear of pull_request, which a route needs
          → pipehook webhook install --repo octo-org/node-server
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_webhook_that_is_there_twice_or_delivers_forms() {
    let desk = healthy().await;
    change_hook(&desk, |hook| hook.content_type = "form");
    desk.install_hook();
    insta::assert_snapshot!(troubles(&desk).await, @"
    ! webhook of octo-org/node-server: it delivers as form, which is taken, and reaches Lambda's limit sooner than JSON
        → pipehook webhook install --repo octo-org/node-server
    ! webhook of octo-org/node-server: 2 lead here: each push is told so often, and starts once
        → keep one: https://github.com/octo-org/node-server/settings/hooks
    ");
}

#[tokio::test]
async fn deliveries_that_fail_for_another_secret_at_github_are_to_be_delivered_again() {
    let desk = healthy().await;
    change_hook(&desk, |hook| hook.secret = Some("another one".to_owned()));
    desk.push_at_github("Say hello");
    desk.delivered().await;
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ deliveries of octo-org/node-server: the last one failed, with 401 Invalid HTTP Response: 401; 1 of 1 in the last day did
          → GitHub's webhook has another secret: `pipehook webhook install`; then pipehook webhook redeliver --repo octo-org/node-server --since 24h
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
    change_hook(&desk, |hook| hook.secret = Some(SECRET.to_owned()));
    desk.scene.wait(Duration::from_secs(60));
    desk.push_at_github("Say hello again");
    desk.delivered().await;
    insta::assert_snapshot!(troubles(&desk).await, @"
    ! deliveries of octo-org/node-server: not accepted within the last day: 1 of 2
        → pipehook webhook redeliver --repo octo-org/node-server --since 24h
    ");
}

#[tokio::test]
async fn without_a_token_of_the_persons_own_the_webhook_is_not_looked_at() {
    let desk = healthy().await;
    let mut command = desk.command(&["doctor", "--only", "hooks"]);
    command.env_remove("GITHUB_TOKEN");
    insta::assert_snapshot!(desk.finish(command).await, @"
    The stack pipehook in account 123456789012, us-east-1

    Webhooks at GitHub
      – webhooks: not checked: it takes a token of somebody who administers the repositories
          → GH_TOKEN=$(gh auth token) pipehook doctor

    Nothing is wrong: 1 not checked.
    ");
    desk.scene.local.world().github().add_token("ghp_somebodysTokenOfTheStories0123456789", "hubot");
    let set = |permission| {
        let mut world = desk.scene.local.world();
        world.github().set_permission("ghp_somebodysTokenOfTheStories0123456789", permission);
    };
    set(Permission::None);
    let mut command = desk.command(&["doctor", "--only", "hooks"]);
    command.env("GH_TOKEN", "ghp_somebodysTokenOfTheStories0123456789");
    insta::assert_snapshot!(desk.finish(command).await, @"
    The stack pipehook in account 123456789012, us-east-1

    Webhooks at GitHub
      – webhook of octo-org/node-server: not checked: the token may not see them: 404 Not Found
          → set GH_TOKEN to a token of somebody who administers it: fine-grained, with Webhooks read and write; classic, with the scope admin:repo_hook

    Nothing is wrong: 1 not checked.
    ");
    let mut command = desk.command(&["doctor", "--only", "hooks"]);
    command.env("GH_TOKEN", "ghp_nobodys");
    insta::assert_snapshot!(desk.finish(command).await, @"
    The stack pipehook in account 123456789012, us-east-1

    Webhooks at GitHub
      – webhook of octo-org/node-server: not checked: GitHub does not take the token: 401 Bad credentials; put a valid one in place of the expired or revoked one
          → GH_TOKEN=$(gh auth token) pipehook doctor

    Nothing is wrong: 1 not checked.
    ");
}

#[tokio::test]
async fn an_apps_webhook_that_leads_elsewhere_or_has_no_secret() {
    let desk = app().await;
    let set = |url: &str, secret: Option<&str>| {
        let now = desk.scene.now();
        desk.scene.local.world().github().set_app_hook(now, APP, url, secret, &["push"]);
    };
    set("https://ci.example.com/", Some(SECRET));
    let mut command = desk.command(&["doctor"]);
    command.env_remove("GITHUB_TOKEN");
    insta::assert_snapshot!(without_the_well(desk.finish(command).await), @"
      ✗ the App's webhook: it leads to https://ci.example.com/, not to WEBHOOK/: buttons of check runs do nothing
          → the App's page at GitHub, General, Webhook
      – webhooks: not checked: it takes a token of somebody who administers the repositories
          → GH_TOKEN=$(gh auth token) pipehook doctor
    --- standard error
    pipehook: something is wrong: 1 wrong, 1 not checked, 22 well
    --- exit code 1
    ");
    set(desk.webhook_url(), None);
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ the App's webhook: it has no secret: nothing that it delivers is accepted
          → the App's page at GitHub, General, Webhook
    --- standard error
    pipehook: something is wrong: 1 wrong, 23 well
    --- exit code 1
    ");
}
