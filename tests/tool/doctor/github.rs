//! What the worker may do at GitHub.

use std::time::Duration;

use pipehook::clock::Clock;
use pipehook::local::sample;
use pipehook::standin::{Permission, example_app_credentials};

use super::troubles;
use crate::common::{APP, Scene, TOKEN, classic};
use crate::scene::Desk;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// As a GitHub App, today: the tool's proof of who it is has the machine's time.
async fn app() -> Desk {
    let scene = Scene::as_app(sample::ROUTES, classic()).await;
    scene.jump_to(Clock::system().now());
    Desk::of(scene).await
}

#[tokio::test]
async fn a_token_that_was_never_set() {
    let desk = Desk::new().await;
    desk.scene.local.put_github_token("not-set-yet");
    insta::assert_snapshot!(troubles(&desk).await, @r#"
      ✗ token: it was never set: nothing is told to GitHub
          → aws secretsmanager put-secret-value --secret-id pipehook-github-token --secret-string "$TOKEN" --region us-east-1
    --- standard error
    pipehook: something is wrong: 1 wrong, 20 well
    --- exit code 1
    "#);
}

#[tokio::test]
async fn a_token_that_was_revoked() {
    let desk = Desk::new().await;
    desk.scene.local.put_github_token("ghp_anotherTokenOfTheStories0123456789abc");
    insta::assert_snapshot!(troubles(&desk).await, @r#"
      ✗ token: GitHub does not take the token: 401 Bad credentials; put a valid one in place of the expired or revoked one
          → aws secretsmanager put-secret-value --secret-id pipehook-github-token --secret-string "$TOKEN" --region us-east-1
      – reports in octo-org/node-server: not checked: the token is not taken
    --- standard error
    pipehook: something is wrong: 1 wrong, 1 not checked, 20 well
    --- exit code 1
    "#);
}

#[tokio::test]
async fn a_token_that_may_only_read() {
    let desk = Desk::new().await;
    desk.scene.local.world().github().set_permission(TOKEN, Permission::Read);
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ reports in octo-org/node-server: commit statuses may not be written: 403 Resource not accessible by personal access token (it takes statuses=write)
          → give the token what it takes: fine-grained, Commit statuses read and write, and Deployments for environments; classic, the scopes repo:status and repo_deployment
    --- standard error
    pipehook: something is wrong: 1 wrong, 21 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_token_that_does_not_see_the_repository() {
    let desk = Desk::new().await;
    desk.scene.local.world().github().limit_token(TOKEN, &[]);
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ reports in octo-org/node-server: GitHub shows the token no such repository
          → check the route's repository, and give the token access to it: fine-grained, with Commit statuses read and write; classic, with the scope repo:status
    --- standard error
    pipehook: something is wrong: 1 wrong, 21 well
    --- exit code 1
    ");
}

#[tokio::test]
async fn a_token_that_is_about_to_expire() {
    let desk = Desk::new().await;
    let at = Clock::system().now() + DAY * 5 + DAY / 2;
    desk.scene.local.world().github().let_expire(TOKEN, at);
    insta::assert_snapshot!(troubles(&desk).await, @r#"
    ! token: octocat's, and expires in 5 days: nothing is told to GitHub from then on
        → make a new one at GitHub, then aws secretsmanager put-secret-value --secret-id pipehook-github-token --secret-string "$TOKEN" --region us-east-1
    "#);
}

#[tokio::test]
async fn nothing_is_posted_by_looking() {
    let desk = Desk::new().await;
    desk.run(&["doctor"]).await;
    assert_eq!(desk.scene.posted(), "");
}

#[tokio::test]
async fn check_runs_with_a_persons_token() {
    let routes = format!("report = \"checks\"\n{}", sample::ROUTES);
    let desk = Desk::of(Scene::with(&routes, classic()).await).await;
    insta::assert_snapshot!(troubles(&desk).await, @r#"
      ✗ check runs: the configuration says report = "checks", and GitHub takes these from a GitHub App alone
          → report = "statuses", or an App's credentials as JSON in place of the token: aws secretsmanager put-secret-value --secret-id pipehook-github-token --secret-string file://app.json --region us-east-1
    --- standard error
    pipehook: something is wrong: 1 wrong, 22 well
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
    pipehook: something is wrong: 1 wrong, 21 well
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
    pipehook: something is wrong: 1 wrong, 21 well
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
    --- standard error
    pipehook: something is wrong: 1 wrong, 20 well
    --- exit code 1
    ");
    desk.scene.local.put_github_token(&example_app_credentials(APP + 1));
    insta::assert_snapshot!(troubles(&desk).await, @"
      ✗ token: GitHub does not take the App's JWT: 404 Integration not found; check app_id and the private key
          → aws secretsmanager put-secret-value --secret-id pipehook-github-token --secret-string file://app.json --region us-east-1
      – reports in octo-org/node-server: not checked: the token is not taken
    --- standard error
    pipehook: something is wrong: 1 wrong, 1 not checked, 20 well
    --- exit code 1
    ");
}
