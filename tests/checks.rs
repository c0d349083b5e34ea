//! As a GitHub App: runs as check runs, their buttons, and who may press them.

#![allow(clippy::unwrap_used)] // A test ends where something is not as it must be.

mod common;

use std::time::Duration;

use common::{APP, Scene, TOKEN, classic, with_approval};
use pipehook::domain::event::{CommitSha, RepositoryName};
use pipehook::github::transport::Transport;
use pipehook::github::{
    CheckContent, CheckOutput, CheckState, DeploymentState, GitHub, NewCheckRun, NewDeployment, NewDeploymentStatus,
};
use pipehook::local::{QUEUE, sample};
use pipehook::settings::Secret;
use pipehook::standin::{
    AppEvent, Build, BuildPhase, Cause, EventFault, Fault, Outcome, PipelineMode, Rollout, Script, ServiceSpec, When,
    example_app_credentials,
};
use serde_json::json;

const STAGING: &str = "codepipeline/node-server/Staging";
const BUILD: &str = "codepipeline/node-server/Build";
const WHOLE: &str = "codepipeline/node-server";

impl Scene {
    /// Another one that writes to GitHub, as a second worker does.
    fn github(&self, token: &str) -> GitHub {
        let (api_url, token) = (self.local.server().github_api_url(), Secret::new(token.to_owned()));
        GitHub::new(&api_url, Some(&token), &Transport::Network, self.local.clock().clone()).unwrap()
    }

    /// Somebody presses the button with this label on a check run.
    fn button(&self, sha: &str, name: &str, label: &str, who: &str) -> AppEvent {
        let run = self.check(sha, name);
        let identifier = &run.actions.iter().find(|button| button.label == label).unwrap().identifier;
        self.local.world().github().press_button(sample::REPOSITORY, run.id, identifier, who).unwrap()
    }

    fn rerun(&self, sha: &str, name: &str, who: &str) -> AppEvent {
        let run = self.check(sha, name);
        self.local.world().github().rerequest_check_run(sample::REPOSITORY, run.id, who).unwrap()
    }
}

#[tokio::test]
async fn a_run_has_a_check_run_a_stage_and_one_for_itself() {
    let scene = Scene::as_app(sample::ROUTES, classic()).await;
    let sha = scene.push("Say hello").await;
    scene.run().await;
    insta::assert_snapshot!(scene.checks(&sha), @"
    codepipeline/node-server success: Deployed 6d995db to staging in 4 m 3 s; node-server:42 runs since 22:03 UTC
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging success: Staging succeeded in 2 m 30 s; node-server:42 runs since 22:03 UTC
    ");
    insta::assert_snapshot!(scene.check(&sha, WHOLE).output.summary.unwrap(), @"
    Deployed 6d995db to staging in 4 m 3 s; node-server:42 runs since 22:03 UTC

    Pipeline `node-server`, commit 6d995db, execution `e979588e-3ea3-46b7-9774-1d420e5461a6`.

    | stage | action | state | took |
    | --- | --- | --- | --- |
    | Source | Source | succeeded | 3 s |
    | Build | Build | succeeded | 1 m 30 s |
    | Staging | Deploy | succeeded | 2 m 30 s |
    ");
    let mut world = scene.local.world();
    assert_eq!(world.github().check_runs(sample::REPOSITORY, &sha).len(), 4, "one of each");
    assert_eq!(world.github().posted_since(0).0.len(), 0, "no statuses beside them");
}

/// Two workers that make a check run at the same moment make two; the one that nobody changes does not stay open.
#[tokio::test]
async fn a_check_run_that_was_made_twice_does_not_stay_open() {
    let scene = Scene::as_app(sample::ROUTES, classic()).await;
    let sha = scene.push("Say hello").await;
    scene.run_for(Duration::from_secs(20)).await;
    let run = scene.check(&sha, BUILD);
    let github = scene.github(&example_app_credentials(APP));
    let content = CheckContent {
        state: CheckState::InProgress,
        started_at: None,
        completed_at: None,
        details_url: Some(run.details_url.clone()),
        output: CheckOutput {
            title: "Build in progress".to_owned(),
            summary: "Build in progress".to_owned(),
            ..CheckOutput::default()
        },
        actions: Vec::new(),
    };
    let double = NewCheckRun {
        name: BUILD.to_owned(),
        head_sha: CommitSha::parse(&sha).unwrap(),
        external_id: run.external_id,
        content,
    };
    github.create_check_run(&RepositoryName::parse(sample::REPOSITORY).unwrap(), &double).await.unwrap();
    scene.run().await;
    let mut world = scene.local.world();
    let runs = world.github().check_runs(sample::REPOSITORY, &sha);
    let of_build = runs.iter().filter(|run| run.name == BUILD).map(|run| run.conclusion.unwrap_or(run.status));
    assert_eq!(of_build.collect::<Vec<_>>(), ["neutral", "success"]);
}

#[tokio::test]
async fn a_failed_build_shows_the_end_of_its_log_without_secrets() {
    let scene = Scene::as_app(sample::ROUTES, classic()).await;
    let build = Build::fails(60, BuildPhase::Build, "make test", 1).writes([
        "+ make test",
        "using AKIAIOSFODNN7EXAMPLE, password=hunter2hunter2",
        "src/server.js:12:5: error: port is not defined",
        "make: *** [test] Error 1",
    ]);
    scene.local.world().pipelines().script(sample::PIPELINE, Script::new().on("Build", "Build", build));
    let sha = scene.push("Break it").await;
    scene.run().await;
    insta::assert_snapshot!(scene.checks(&sha), @"
    codepipeline/node-server failure: Build failed in BUILD: exit status 1 (make test)
    codepipeline/node-server/Build failure: Build failed in BUILD: exit status 1 (make test)
    codepipeline/node-server/Source success: Source succeeded in 3 s
    ");
    let run = scene.check(&sha, BUILD);
    insta::assert_snapshot!(run.output.text.unwrap(), @"
    ### Build

    Build failed in BUILD: exit status 1 (make test)

    ```text
    Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: Error while executing command: make test. Reason: exit status 1
    ```

    The log ends with:

    ```text
    [Container] 2026/01/24 22:00:09.380000 Entering phase DOWNLOAD_SOURCE
    [Container] 2026/01/24 22:00:11.120000 Phase complete: DOWNLOAD_SOURCE State: SUCCEEDED
    [Container] 2026/01/24 22:00:11.120000 Phase context status code:  Message: 
    [Container] 2026/01/24 22:00:11.120000 Entering phase INSTALL
    [Container] 2026/01/24 22:00:12.280000 Phase complete: INSTALL State: SUCCEEDED
    [Container] 2026/01/24 22:00:12.280000 Phase context status code:  Message: 
    [Container] 2026/01/24 22:00:12.280000 Entering phase PRE_BUILD
    [Container] 2026/01/24 22:00:15.760000 Phase complete: PRE_BUILD State: SUCCEEDED
    [Container] 2026/01/24 22:00:15.760000 Phase context status code:  Message: 
    [Container] 2026/01/24 22:00:15.760000 Entering phase BUILD
    + make test
    using ***, password=***
    src/server.js:12:5: error: port is not defined
    make: *** [test] Error 1
    [Container] 2026/01/24 22:00:50.560000 Command did not exit successfully make test exit status 1
    [Container] 2026/01/24 22:00:50.560000 Phase complete: BUILD State: FAILED
    ```

    [The whole log](https://console.aws.amazon.com/cloudwatch/home?region=us-east-1#logsV2:log-groups/log-group/$252Faws$252Fcodebuild$252Fnode-server/log-events/40021e3f-e83d-47bd-a182-c275036be86d)
    ");
    let annotations =
        run.output.annotations.iter().map(|one| format!("{}:{} {}", one.path, one.start_line, one.message));
    insta::assert_snapshot!(annotations.collect::<Vec<_>>().join("\n"), @"src/server.js:12 error: port is not defined");
}

#[tokio::test]
async fn an_approval_is_given_by_who_may_write() {
    let scene = Scene::as_app(sample::ROUTES, with_approval()).await;
    let sha = scene.push("Release it").await;
    scene.run_for(Duration::from_secs(600)).await;
    insta::assert_snapshot!(scene.checks(&sha), @"
    codepipeline/node-server in_progress: Staging waits for approval of 3fd53df
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging in_progress: Staging waits for approval of 3fd53df [Approve] [Reject]
    ");
    let approve = scene.button(&sha, STAGING, "Approve", "octocat");
    scene.press(&approve).await;
    assert_eq!(scene.calls("PutApprovalResult"), 1);
    scene.run().await;
    insta::assert_snapshot!(scene.checks(&sha), @"
    codepipeline/node-server success: Deployed 3fd53df to staging in 12 m 30 s; node-server:42 runs since 22:12 UTC
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging success: Staging succeeded in 10 m 57 s; node-server:42 runs since 22:12 UTC
    ");
    // GitHub sends it again, or somebody who recorded it does.
    scene.press(&approve).await;
    assert_eq!(scene.calls("PutApprovalResult"), 1);
}

#[tokio::test]
async fn an_approval_is_refused_at_the_press_of_a_button() {
    let scene = Scene::as_app(sample::ROUTES, with_approval()).await;
    let sha = scene.push("Release it").await;
    scene.run_for(Duration::from_secs(600)).await;
    let reject = scene.button(&sha, STAGING, "Reject", "octocat");
    scene.press(&reject).await;
    scene.run().await;
    insta::assert_snapshot!(scene.checks(&sha), @"
    codepipeline/node-server failure: Staging: approval rejected: Rejected by octocat on the check run at GitHub
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging failure: Staging: approval rejected: Rejected by octocat on the check run at GitHub
    ");
}

#[tokio::test]
async fn who_may_not_write_changes_nothing_and_is_told_so() {
    let scene = Scene::as_app(sample::ROUTES, with_approval()).await;
    let sha = scene.push("Release it").await;
    scene.run_for(Duration::from_secs(600)).await;
    for who in ["hubot", "nobody-we-know"] {
        let press = scene.button(&sha, STAGING, "Approve", who);
        scene.press(&press).await;
        let summary = scene.check(&sha, STAGING).output.summary.unwrap();
        assert!(summary.starts_with(&format!("`{who}` pressed a button here")), "{summary}");
    }
    insta::assert_snapshot!(scene.checks(&sha), @"
    codepipeline/node-server in_progress: Staging waits for approval of 3fd53df
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging in_progress: Staging waits for approval of 3fd53df [Approve] [Reject]
    ");
    insta::assert_snapshot!(scene.check(&sha, STAGING).output.summary.unwrap(), @"
    `nobody-we-know` pressed a button here, which takes write access to the repository.

    Staging waits for approval of 3fd53df

    Pipeline `node-server`, commit 3fd53df, execution `e979588e-3ea3-46b7-9774-1d420e5461a6`.

    | stage | action | state | took |
    | --- | --- | --- | --- |
    | Staging | Approve | waits for approval |  |
    ");
    assert_eq!(scene.calls("PutApprovalResult"), 0);
}

/// What is added to the page must not take back what only ECS knew, even where ECS has forgotten it.
#[tokio::test]
async fn a_refused_press_changes_nothing_of_what_the_check_run_says() {
    let scene = Scene::as_app(sample::ROUTES, classic()).await;
    let rollout = Rollout::fails(60, Cause::Exits(1)).rolls_back_in(20).action_succeeds(100);
    scene.local.world().pipelines().script(sample::PIPELINE, Script::new().on("Staging", "Deploy", rollout));
    let sha = scene.push("Roll out").await;
    scene.run().await;
    let before = scene.checks(&sha);
    scene.local.world().faults().add("ecs", "*", When::Always, Fault::AccessDenied);
    for name in [STAGING, WHOLE] {
        let press = scene.rerun(&sha, name, "hubot");
        scene.press(&press).await;
        assert!(scene.check(&sha, name).output.summary.unwrap().starts_with("`hubot` pressed a button here"));
    }
    assert_eq!(scene.checks(&sha), before);
    assert_eq!(scene.executions().len(), 1);
}

#[tokio::test]
async fn a_press_that_is_forged_or_stale_changes_nothing() {
    let scene = Scene::as_app(sample::ROUTES, with_approval().mode(PipelineMode::Queued)).await;
    let first = scene.push("One").await;
    scene.run_for(Duration::from_secs(600)).await;
    let old = scene.button(&first, STAGING, "Approve", "octocat");
    scene.press(&old).await;
    scene.run().await;
    let second = scene.push("Two").await;
    scene.run_for(Duration::from_secs(600)).await;
    let approvals = scene.calls("PutApprovalResult");
    // The first approval's press, with its parts exchanged for the second's, as who can sign might try.
    let new = scene.button(&second, STAGING, "Approve", "octocat");
    let mut pressed_before = new.clone();
    pressed_before.payload["requested_action"] = old.payload["requested_action"].clone();
    let mut other_run = new.clone();
    other_run.payload["check_run"]["id"] = old.payload["check_run"]["id"].clone();
    let mut other_commit = new.clone();
    other_commit.payload["check_run"]["head_sha"] = old.payload["check_run"]["head_sha"].clone();
    let mut other_button = new.clone();
    other_button.payload["requested_action"]["identifier"] = "approve:ffffffffffff".into();
    for event in [old, pressed_before, other_run, other_commit, other_button] {
        scene.press(&event).await;
        assert_eq!(scene.calls("PutApprovalResult"), approvals, "{:#}", event.payload);
    }
    // Without our signature it does not even get to the queue.
    let payload = new.payload.to_string();
    let refused = scene.local.deliver("d-1", new.event, &payload, "another secret").await;
    assert_eq!(refused.status().as_u16(), 401);
    scene.press(&new).await;
    assert_eq!(scene.calls("PutApprovalResult"), approvals + 1);
}

#[tokio::test]
async fn a_failed_stage_is_retried_at_the_press_of_a_button() {
    let scene = Scene::as_app(sample::ROUTES, classic()).await;
    let sha = sample::sha("Flaky");
    let flaky = Script::new().on_attempt("Build", "Build", 1, Outcome::fail(40, "JobFailed", "network is down"));
    scene.local.world().pipelines().script_commit(sample::PIPELINE, &sha, flaky);
    scene.push("Flaky").await;
    scene.run().await;
    let again = scene.rerun(&sha, BUILD, "octocat");
    scene.press(&again).await;
    insta::assert_snapshot!(scene.checks(&sha), @"
    codepipeline/node-server in_progress: Build in progress, attempt 2
    codepipeline/node-server/Build in_progress: Build in progress, attempt 2
    codepipeline/node-server/Source success: Source succeeded in 3 s
    ");
    assert_eq!(scene.calls("RetryStageExecution"), 1);
    scene.run().await;
    insta::assert_snapshot!(scene.checks(&sha), @"
    codepipeline/node-server success: Deployed cefa8e8 to staging in 4 m 43 s; node-server:42 runs since 22:04 UTC
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging success: Staging succeeded in 2 m 30 s; node-server:42 runs since 22:04 UTC
    ");
    assert_eq!(scene.executions().len(), 1, "the same execution");
    scene.press(&again).await;
    assert_eq!(scene.calls("RetryStageExecution"), 1, "a replay retries nothing");
}

/// A check run that is completed stays so, and here it would let a required check pass.
#[tokio::test]
async fn what_a_filter_left_out_is_pending_while_a_tag_of_the_same_commit_is_built() {
    let scene = Scene::as_app(sample::ROUTES, classic()).await;
    let sha = scene.push("Mend a word [skip ci]").await;
    scene.run().await;
    let mut tag = sample::push_to("refs/tags/v1", "Mend a word [skip ci]", &[]);
    tag["head_commit"]["message"] = "Mend a word".into();
    scene.deliver("push", &tag).await;
    scene.run_for(Duration::from_secs(60)).await;
    insta::assert_snapshot!(scene.checks(&sha), @"
    codepipeline/node-server in_progress: Build in progress
    codepipeline/node-server/Build in_progress: Build: BUILD
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging skipped: Skipped: the commit's message says [skip ci]
    ");
    scene.run().await;
    assert!(scene.checks(&sha).contains("codepipeline/node-server/Staging success: Staging succeeded"));
}

#[tokio::test]
async fn a_replayed_press_does_not_retry_what_failed_again() {
    let scene = Scene::as_app(sample::ROUTES, classic()).await;
    let failing = Script::new().on("Build", "Build", Outcome::fail(40, "JobFailed", "network is down"));
    scene.local.world().pipelines().script(sample::PIPELINE, failing);
    let sha = scene.push("Broken").await;
    scene.run().await;
    let all = scene.local.world().github().rerequest_check_suite(sample::REPOSITORY, APP, &sha, "octocat").unwrap();
    let again = scene.rerun(&sha, WHOLE, "octocat");
    scene.press(&again).await;
    scene.run().await;
    assert_eq!(scene.calls("RetryStageExecution"), 1);
    for press in [&again, &all] {
        scene.press(press).await;
        scene.run().await;
    }
    assert_eq!(scene.calls("RetryStageExecution"), 1);
    let all = scene.local.world().github().rerequest_check_suite(sample::REPOSITORY, APP, &sha, "octocat").unwrap();
    scene.press(&all).await;
    scene.run().await;
    assert_eq!(scene.calls("RetryStageExecution"), 2, "pressed anew, it is retried");
}

#[tokio::test]
async fn what_cannot_be_retried_begins_anew_on_the_same_commit() {
    let scene = Scene::as_app(sample::ROUTES, classic()).await;
    let rollout = Rollout::fails(60, Cause::Exits(1)).rolls_back_in(20).action_succeeds(100);
    let sha = sample::sha("Roll out");
    scene.local.world().pipelines().script_commit(
        sample::PIPELINE,
        &sha,
        Script::new().on("Staging", "Deploy", rollout),
    );
    scene.push("Roll out").await;
    scene.run().await;
    assert!(scene.checks(&sha).contains("codepipeline/node-server failure: Rolled back"), "{}", scene.checks(&sha));
    let again = scene.rerun(&sha, STAGING, "octocat");
    scene.press(&again).await;
    scene.run().await;
    assert_eq!(scene.executions(), [(sha.clone(), "Succeeded"), (sha.clone(), "Succeeded")]);
    scene.press(&again).await;
    scene.run().await;
    assert_eq!(scene.executions().len(), 2, "a replay starts nothing");
}

#[tokio::test]
async fn presses_go_over_the_queue_and_through_outages() {
    let scene = Scene::as_app(sample::ROUTES, with_approval()).await;
    let sha = scene.push("Release it").await;
    scene.run_for(Duration::from_secs(600)).await;
    let approve = scene.button(&sha, STAGING, "Approve", "octocat");
    scene.local.world().faults().add("github", "*", When::Always, Fault::ServerError);
    scene.press(&approve).await;
    scene.run_for(Duration::from_secs(1200)).await;
    assert_eq!(scene.calls("PutApprovalResult"), 0);
    scene.local.world().faults().clear();
    scene.run().await;
    assert_eq!(scene.calls("PutApprovalResult"), 1);
    assert!(scene.checks(&sha).contains("codepipeline/node-server success: Deployed"), "{}", scene.checks(&sha));
}

#[tokio::test]
async fn a_superseded_run_is_cancelled_and_a_skipped_one_skipped() {
    let scene = Scene::as_app(sample::ROUTES, classic()).await;
    scene.push("One").await;
    scene.run_for(Duration::from_secs(20)).await;
    let second = scene.push("Two").await;
    scene.run_for(Duration::from_secs(20)).await;
    scene.push("Three").await;
    scene.run().await;
    insta::assert_snapshot!(scene.checks(&second), @"
    codepipeline/node-server cancelled: Superseded by 926f52d
    codepipeline/node-server/Source success: Source succeeded in 3 s
    ");
    let skipped = scene.push("Mend a word [skip ci]").await;
    scene.run().await;
    insta::assert_snapshot!(scene.checks(&skipped), @"
    codepipeline/node-server skipped: Skipped: the commit's message says [skip ci]
    codepipeline/node-server/Build skipped: Skipped: the commit's message says [skip ci]
    codepipeline/node-server/Source skipped: Skipped: the commit's message says [skip ci]
    codepipeline/node-server/Staging skipped: Skipped: the commit's message says [skip ci]
    ");
}

#[tokio::test]
async fn a_deployment_goes_as_the_rollout_does() {
    let routes = format!("{}environment_url = \"https://staging.example.com\"\n", sample::ROUTES);
    for as_app in [true, false] {
        let scene = match as_app {
            true => Scene::as_app(&routes, classic()).await,
            false => Scene::with(&routes, classic()).await,
        };
        let failing = Rollout::fails(60, Cause::Exits(1)).rolls_back_in(20).action_succeeds(100);
        let broken = sample::sha("Two");
        let script = Script::new().on("Staging", "Deploy", failing);
        scene.local.world().pipelines().script_commit(sample::PIPELINE, &broken, script);
        for message in ["One", "Two", "Three"] {
            scene.push(message).await;
            scene.run().await;
        }
        insta::allow_duplicates! {
            insta::assert_snapshot!(scene.deployments(), @"
            8b12507 staging: queued, in_progress, success, inactive 
            94a72c0 staging: in_progress, failure 
            926f52d staging: in_progress, success https://staging.example.com
            ");
        }
    }
}

#[tokio::test]
async fn a_retry_of_which_only_the_end_is_heard_tells_its_deployment() {
    let scene = Scene::with(sample::ROUTES, classic()).await;
    scene.local.world().faults().events(When::Always, EventFault::Drop);
    let sha = sample::sha("Flaky");
    let flaky = Script::new().on_attempt("Build", "Build", 1, Outcome::fail(40, "JobFailed", "network is down"));
    scene.local.world().pipelines().script_commit(sample::PIPELINE, &sha, flaky);
    scene.push("Flaky").await;
    scene.run().await;
    let (now, execution) = (scene.now(), scene.newest_execution());
    assert!(scene.local.world().pipelines().retry(now, &execution, "Build", false));
    scene.run().await;
    let succeeded = json!({
        "source": "aws.codepipeline", "detail-type": "CodePipeline Pipeline Execution State Change",
        "detail": { "pipeline": sample::PIPELINE, "execution-id": execution, "state": "SUCCEEDED" },
    });
    let now = scene.now();
    scene.local.world().queues().inject(now, QUEUE, &succeeded.to_string());
    scene.run().await;
    insta::assert_snapshot!(scene.deployments(), @"cefa8e8 staging: success http://203.0.113.52:8080");
    assert!(scene.shows(&sha).contains("codepipeline/node-server success: Deployed"), "{}", scene.shows(&sha));
}

#[tokio::test]
async fn a_deployment_leads_to_where_the_service_answers() {
    let mut told = Vec::new();
    let services: [fn(ServiceSpec) -> ServiceSpec; 4] = [
        |service| service,
        |service| service.behind_load_balancer(443),
        |service| service.behind_load_balancer(8080),
        ServiceSpec::private,
    ];
    for service in services {
        let scene = Scene::with(sample::ROUTES, classic()).await;
        scene.local.world().services().create(service(ServiceSpec::new("staging", sample::PIPELINE)));
        scene.push("Say hello").await;
        scene.run().await;
        told.push(scene.deployments());
    }
    insta::assert_snapshot!(told.join("\n"), @"
    6d995db staging: queued, in_progress, success http://203.0.113.181:8080
    6d995db staging: queued, in_progress, success https://node-server-1234567890.us-east-1.elb.amazonaws.com
    6d995db staging: queued, in_progress, success http://node-server-1234567890.us-east-1.elb.amazonaws.com:8080
    6d995db staging: queued, in_progress, success
    ");
}

#[tokio::test]
async fn where_the_token_may_not_write_deployments_there_are_none() {
    let scene = Scene::with(sample::ROUTES, classic()).await;
    let path = "POST /repos/{owner}/{repo}/deployments";
    scene.local.world().faults().add("github", path, When::Always, Fault::AccessDenied);
    let sha = scene.push("Say hello").await;
    scene.run().await;
    assert!(scene.shows(&sha).contains("codepipeline/node-server success: Deployed"));
    assert_eq!(scene.calls(path), 2, "asked as it begins and as it ends, and not at each look");
    assert_eq!(scene.deployments(), "");
}

#[tokio::test]
async fn what_github_refuses_of_a_deployment_for_minutes_is_told_later() {
    let make = "POST /repos/{owner}/{repo}/deployments";
    let tell = "POST /repos/{owner}/{repo}/deployments/{deployment_id}/statuses";
    let routes = format!("{}environment_url = \"https://staging.example.com\"\n", sample::ROUTES);
    let mut told = Vec::new();
    for (once_it_shows, path, fault, seconds) in [
        ("", make, Fault::AccessDenied, 100),
        ("", tell, Fault::AccessDenied, 100),
        ("in_progress", tell, Fault::NotFound, 600),
        ("in_progress", tell, Fault::Unprocessable, 600),
    ] {
        let scene = Scene::with(&routes, classic()).await;
        scene.push("Say hello").await;
        scene.run_until(|scene| scene.deployments().contains(once_it_shows)).await;
        let refuses = When::Between(scene.now(), scene.now() + Duration::from_secs(seconds));
        scene.local.world().faults().add("github", path, refuses, fault);
        scene.run().await;
        told.push(scene.deployments());
    }
    insta::assert_snapshot!(told.join("\n"), @"
    6d995db staging: success https://staging.example.com
    6d995db staging: in_progress, success https://staging.example.com
    6d995db staging: queued, in_progress, success https://staging.example.com
    6d995db staging: queued, in_progress, success https://staging.example.com
    ");
}

/// Two workers that make a deployment at the same moment make two.
#[tokio::test]
async fn a_deployment_that_was_made_twice_does_not_stay_open() {
    let routes = format!("{}environment_url = \"https://staging.example.com\"\n", sample::ROUTES);
    let scene = Scene::with(&routes, classic()).await;
    let sha = scene.push("Say hello").await;
    scene.run_until(|scene| !scene.deployments().is_empty()).await;
    let payload = json!({ "execution": scene.newest_execution(), "pipeline": sample::PIPELINE });
    let double = NewDeployment {
        commit: CommitSha::parse(&sha).unwrap(),
        environment: "staging".to_owned(),
        payload: payload.as_object().cloned().unwrap(),
        description: "node-server of 6d995db".to_owned(),
    };
    let github = scene.github(TOKEN);
    let repository = RepositoryName::parse(sample::REPOSITORY).unwrap();
    let made = github.create_deployment(&repository, &double).await.unwrap();
    let status = NewDeploymentStatus {
        state: DeploymentState::InProgress,
        log_url: None,
        description: "Staging: Deploy in progress".to_owned(),
        environment_url: None,
        auto_inactive: true,
    };
    github.create_deployment_status(&repository, made.id, &status).await.unwrap();
    scene.run().await;
    insta::assert_snapshot!(scene.deployments(), @"
    6d995db staging: queued, in_progress, success https://staging.example.com
    6d995db staging: in_progress, inactive
    ");
}

#[tokio::test]
async fn a_deployment_that_made_room_for_the_next_is_not_told_a_success_again() {
    let scene = Scene::with(sample::ROUTES, classic()).await;
    scene.push("One").await;
    scene.run_for(Duration::from_secs(60)).await;
    let wake_up = scene.follow_messages().remove(0);
    scene.run().await;
    scene.push("Two").await;
    scene.run().await;
    let (before, now) = (scene.deployments(), scene.now());
    scene.local.world().queues().inject(now, QUEUE, &wake_up);
    assert!(scene.handle_one_batch_by(&scene.local.another_worker()).await);
    scene.run().await;
    assert_eq!(scene.deployments(), before);
}

/// A wake-up of before the deploy, put back once the run is over, knows nothing of the rollback.
#[tokio::test]
async fn a_deployment_that_has_failed_is_not_told_a_success_by_who_can_not_ask_ecs() {
    let scene = Scene::with(sample::ROUTES, classic()).await;
    let failing = Rollout::fails(60, Cause::Exits(1)).rolls_back_in(20).action_succeeds(100);
    let script = Script::new().on("Staging", "Deploy", failing);
    scene.local.world().pipelines().script_commit(sample::PIPELINE, &sample::sha("Say hello"), script);
    let sha = scene.push("Say hello").await;
    scene.run_for(Duration::from_secs(60)).await;
    let wake_up = scene.follow_messages().remove(0);
    scene.run().await;
    let (before, shown, now) = (scene.deployments(), scene.shows(&sha), scene.now());
    insta::assert_snapshot!(before, @"6d995db staging: queued, in_progress, failure");
    let closed = When::Between(now, now + Duration::from_secs(1800));
    scene.local.world().faults().add("ecs", "DescribeServices", closed, Fault::Throttle);
    scene.local.world().queues().inject(now, QUEUE, &wake_up);
    assert!(scene.handle_one_batch_by(&scene.local.another_worker()).await);
    scene.run().await;
    assert_eq!((scene.deployments(), scene.shows(&sha)), (before, shown));
}
