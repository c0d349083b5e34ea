//! The main job: a signed push starts its pipeline once, on its commit, and every stage's truth reaches the commit.

#![allow(clippy::unwrap_used)] // A test ends where something is not as it must be.

mod common;

use std::time::Duration;

use common::Scene;
use http::StatusCode;
use pipehook::local::sample;
use pipehook::standin::{
    ActionSpec, Answered, Fault, Outcome, PipelineMode, PipelineSpec, PipelineType, Release, Script, StageSpec, When,
};
use serde_json::{Value, json};

#[tokio::test]
async fn a_push_that_goes_through() {
    let scene = Scene::new().await;
    let sha = scene.push("Say hello").await;
    scene.run().await;
    insta::assert_snapshot!(scene.posted(), @"
    6d995db codepipeline/node-server pending: Source in progress
    6d995db codepipeline/node-server/Source pending: Source in progress
    6d995db codepipeline/node-server pending: In progress
    6d995db codepipeline/node-server/Source success: Source succeeded in 3 s
    6d995db codepipeline/node-server/Build pending: Build in progress
    6d995db codepipeline/node-server/Build pending: Build: PRE_BUILD
    6d995db codepipeline/node-server/Build pending: Build: BUILD
    6d995db codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    6d995db codepipeline/node-server/Staging pending: Staging: Deploy in progress
    6d995db codepipeline/node-server/Staging pending: Rolling out node-server: 1 of 2 tasks on :42
    6d995db codepipeline/node-server/Staging success: Staging succeeded in 2 m 30 s; node-server:42 runs since 22:03 UTC
    6d995db codepipeline/node-server success: Deployed 6d995db to staging in 4 m 3 s; node-server:42 runs since 22:03 UTC
    ");
    assert_eq!(scene.executions(), [(sha, "Succeeded")]);
}

#[tokio::test]
async fn a_push_whose_build_fails() {
    let scene = Scene::new().await;
    let sha = sample::sha("Break it");
    let failing = Script::new().on("Build", "Build", Outcome::fail(40, "JobFailed", "exit status 1 (make test)"));
    scene.local.world().pipelines().script_commit(sample::PIPELINE, &sha, failing);
    scene.push("Break it").await;
    scene.run().await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server failure: Build failed in BUILD: exit status 1 (make test)
    codepipeline/node-server/Build failure: Build failed in BUILD: exit status 1 (make test)
    codepipeline/node-server/Source success: Source succeeded in 3 s
    ");
}

#[tokio::test]
async fn of_quick_pushes_the_overtaken_one_says_by_whom() {
    let scene = Scene::new().await;
    let first = scene.push("One").await;
    scene.run_for(Duration::from_secs(20)).await;
    let second = scene.push("Two").await;
    scene.run_for(Duration::from_secs(20)).await;
    let third = scene.push("Three").await;
    scene.run().await;
    insta::assert_snapshot!(scene.shows(&second), @"
    codepipeline/node-server error: Superseded by 926f52d
    codepipeline/node-server/Source success: Source succeeded in 3 s
    ");
    assert!(scene.shows(&first).contains("success: Deployed"), "{}", scene.shows(&first));
    assert!(scene.shows(&third).contains("success: Deployed"), "{}", scene.shows(&third));
}

#[tokio::test]
async fn an_approval_waits_and_is_given() {
    let deploy = StageSpec::new(
        "Production",
        [ActionSpec::approval("Approve"), ActionSpec::ecs_deploy("Deploy", "production", "node-server").run_order(2)],
    );
    let scene =
        Scene::with(sample::ROUTES, PipelineSpec::classic(sample::PIPELINE, sample::REPOSITORY).stage(deploy)).await;
    let sha = scene.push("Release it").await;
    scene.run_for(Duration::from_secs(3600)).await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server pending: In progress
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Production pending: Production waits for approval of 3fd53df
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging success: Staging succeeded in 2 m 30 s; node-server:42 runs since 22:03 UTC
    ");
    let (now, execution) = (scene.now(), scene.newest_execution());
    assert!(scene.local.world().pipelines().answer_approval(now, &execution, Answered::Approved, "looks good"));
    scene.run().await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server success: Deployed 3fd53df to staging in 1 h 2 m; node-server:42 runs since 23:02 UTC
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Production success: Production succeeded in 58 m 27 s; node-server:42 runs since 23:02 UTC
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging success: Staging succeeded in 2 m 30 s; node-server:42 runs since 22:03 UTC
    ");
}

#[tokio::test]
async fn an_approval_is_rejected() {
    let scene = Scene::with(
        sample::ROUTES,
        PipelineSpec::classic(sample::PIPELINE, sample::REPOSITORY)
            .stage_before("Staging", StageSpec::new("Approve", [ActionSpec::approval("Approve")])),
    )
    .await;
    let rejected = Outcome::ApprovalWaits { answer: Some((Duration::from_secs(600), Answered::Rejected)) };
    scene.local.world().pipelines().script(sample::PIPELINE, Script::new().on("Approve", "Approve", rejected));
    let sha = scene.push("Not today").await;
    scene.run().await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server failure: Approve: approval rejected
    codepipeline/node-server/Approve failure: Approve: approval rejected
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    ");
}

#[tokio::test]
async fn a_held_stage_says_why_and_goes_on_when_it_is_let_go() {
    let scene = Scene::new().await;
    let now = scene.now();
    scene.local.world().pipelines().hold(now, sample::PIPELINE, "Staging", "release freeze");
    let sha = scene.push("Wait").await;
    scene.run_for(Duration::from_secs(1800)).await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server pending: In progress
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging pending: Staging is held: release freeze
    ");
    let now = scene.now();
    scene.local.world().pipelines().let_go(now, sample::PIPELINE, "Staging");
    scene.run().await;
    assert!(!scene.shows(&sha).contains("pending"), "{}", scene.shows(&sha));
}

#[tokio::test]
async fn a_run_that_is_stopped_says_why() {
    let scene = Scene::new().await;
    let sha = scene.push("Oops").await;
    scene.run_for(Duration::from_secs(20)).await;
    let (now, execution) = (scene.now(), scene.newest_execution());
    assert!(scene.local.world().pipelines().stop(now, &execution, true, "wrong branch"));
    scene.run().await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server error: Stopped: wrong branch
    codepipeline/node-server/Build error: Stopped: wrong branch
    codepipeline/node-server/Source success: Source succeeded in 3 s
    ");
}

#[tokio::test]
async fn a_run_that_is_being_stopped_waits_for_what_it_has_begun() {
    let scene = Scene::new().await;
    let sha = scene.push("Wrong one").await;
    scene.run_for(Duration::from_secs(20)).await;
    let (now, execution) = (scene.now(), scene.newest_execution());
    assert!(scene.local.world().pipelines().stop(now, &execution, false, "wrong branch"));
    scene.run_for(Duration::from_secs(20)).await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server pending: Stopping: wrong branch
    codepipeline/node-server/Build pending: Stopping: wrong branch
    codepipeline/node-server/Source success: Source succeeded in 3 s
    ");
    scene.run().await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server error: Stopped: wrong branch
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    ");
    scene.assert_quiet_contexts();
}

#[tokio::test]
async fn a_run_that_is_cancelled_by_a_change_of_the_pipeline() {
    let scene = Scene::new().await;
    let sha = scene.push("Too early").await;
    scene.run_for(Duration::from_secs(20)).await;
    let now = scene.now();
    scene.local.world().pipelines().update(now, sample::PIPELINE, |spec| spec);
    scene.run().await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server error: Cancelled: the pipeline was changed
    codepipeline/node-server/Build error: Cancelled: the pipeline was changed
    codepipeline/node-server/Source success: Source succeeded in 3 s
    ");
}

#[tokio::test]
async fn a_stage_that_is_skipped() {
    let scene = Scene::new().await;
    scene.local.world().pipelines().script(sample::PIPELINE, Script::new().skip("Build"));
    let sha = scene.push("Nothing to build").await;
    scene.run().await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server success: Deployed 28ddc00 to staging in 2 m 33 s; node-server:42 runs since 22:02 UTC
    codepipeline/node-server/Build success: Skipped by its entry condition
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging success: Staging succeeded in 2 m 30 s; node-server:42 runs since 22:02 UTC
    ");
}

#[tokio::test]
async fn a_retried_stage_reopens_a_finished_run() {
    let scene = Scene::new().await;
    let sha = sample::sha("Flaky");
    let flaky = Script::new().on_attempt("Build", "Build", 1, Outcome::fail(40, "JobFailed", "network is down"));
    scene.local.world().pipelines().script_commit(sample::PIPELINE, &sha, flaky);
    scene.push("Flaky").await;
    scene.run().await;
    assert!(scene.shows(&sha).contains("codepipeline/node-server failure: Build failed in BUILD: network is down"));
    let (now, execution) = (scene.now(), scene.newest_execution());
    assert!(scene.local.world().pipelines().retry(now, &execution, "Build", false));
    scene.run_for(Duration::from_secs(5)).await;
    insta::assert_snapshot!(scene.shows(&sha), @"
    codepipeline/node-server pending: In progress
    codepipeline/node-server/Build pending: Build in progress, attempt 2
    codepipeline/node-server/Source success: Source succeeded in 3 s
    ");
    scene.run().await;
    assert!(scene.shows(&sha).contains("codepipeline/node-server success: Deployed"), "{}", scene.shows(&sha));
}

#[tokio::test]
async fn a_run_that_pipehook_did_not_start_is_adopted() {
    for release in [Release::StartPipelineExecution, Release::WebhookV2] {
        let scene = Scene::new().await;
        let sha = sample::sha("By hand");
        let now = scene.now();
        scene.local.world().pipelines().set_head(sample::PIPELINE, &sha);
        scene.local.world().pipelines().release_change(now, sample::PIPELINE, release).unwrap();
        scene.run().await;
        insta::allow_duplicates! { insta::assert_snapshot!(scene.shows(&sha), @"
        codepipeline/node-server success: Deployed 573ad12 to staging in 4 m 3 s; node-server:42 runs since 22:03 UTC
        codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
        codepipeline/node-server/Source success: Source succeeded in 3 s
        codepipeline/node-server/Staging success: Staging succeeded in 2 m 30 s; node-server:42 runs since 22:03 UTC
        "); }
        assert!(scene.posted().contains("pending: Build in progress"), "{}", scene.posted());
    }
}

#[tokio::test]
async fn a_rollback_is_told_on_the_commit_that_it_brings_back() {
    let scene = Scene::new().await;
    let good = scene.push("Good").await;
    scene.run().await;
    let target = scene.newest_execution();
    let bad = scene.push("Bad").await;
    scene.run().await;
    let now = scene.now();
    scene.local.world().pipelines().rollback(now, sample::PIPELINE, "Staging", &target, false).unwrap();
    scene.run().await;
    insta::assert_snapshot!(scene.shows(&good), @"
    codepipeline/node-server success: Rolled back to c939327 in staging in 2 m 30 s; node-server:44 runs since 22:10 UTC
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging success: Staging succeeded in 2 m 30 s; node-server:44 runs since 22:10 UTC
    ");
    assert!(scene.shows(&bad).contains("success: Deployed"));
}

#[tokio::test]
async fn executions_of_one_pipeline_side_by_side() {
    let spec = PipelineSpec::classic(sample::PIPELINE, sample::REPOSITORY).mode(PipelineMode::Parallel);
    let scene = Scene::with(sample::ROUTES, spec).await;
    let broken = sample::sha("Two");
    let failing = Script::new().on("Build", "Build", Outcome::fail(40, "JobFailed", "exit status 1"));
    scene.local.world().pipelines().script_commit(sample::PIPELINE, &broken, failing);
    let fine = scene.push("One").await;
    scene.push("Two").await;
    scene.run().await;
    assert!(scene.shows(&fine).contains("codepipeline/node-server success: Deployed"), "{}", scene.shows(&fine));
    insta::assert_snapshot!(scene.shows(&broken), @"
    codepipeline/node-server failure: Build failed in BUILD: exit status 1
    codepipeline/node-server/Build failure: Build failed in BUILD: exit status 1
    codepipeline/node-server/Source success: Source succeeded in 3 s
    ");
}

#[tokio::test]
async fn queued_executions_wait_their_turn() {
    let spec = PipelineSpec::classic(sample::PIPELINE, sample::REPOSITORY).mode(PipelineMode::Queued);
    let scene = Scene::with(sample::ROUTES, spec).await;
    let shas = [scene.push("One").await, scene.push("Two").await, scene.push("Three").await];
    scene.run().await;
    for sha in &shas {
        assert!(scene.shows(sha).contains("codepipeline/node-server success: Deployed"), "{}", scene.shows(sha));
    }
    assert_eq!(scene.executions().len(), 3);
}

#[tokio::test]
async fn a_v1_pipeline_runs_unpinned_and_the_status_is_on_what_it_built() {
    let routes = "[[route]]\nrepository = \"octo-org/node-server\"\npipeline = \"node-server\"\nsource_action = \"\"\n";
    let spec = PipelineSpec::classic(sample::PIPELINE, sample::REPOSITORY).kind(PipelineType::V1);
    let scene = Scene::with(routes, spec).await;
    let built = sample::sha("Meanwhile");
    scene.local.world().pipelines().set_head(sample::PIPELINE, &built);
    let pushed = scene.push("Pushed").await;
    scene.run().await;
    insta::assert_snapshot!(scene.shows(&pushed), @"
    codepipeline/node-server error: Superseded by 22da70e: the pipeline took the branch's head
    codepipeline/node-server/Source error: Superseded by 22da70e: the pipeline took the branch's head
    ");
    insta::assert_snapshot!(scene.shows(&built), @"
    codepipeline/node-server success: Deployed 22da70e in 4 m 3 s; node-server:42 runs since 22:03 UTC
    codepipeline/node-server/Build success: Build succeeded in 1 m 30 s
    codepipeline/node-server/Source success: Source succeeded in 3 s
    codepipeline/node-server/Staging success: Staging succeeded in 2 m 30 s; node-server:42 runs since 22:03 UTC
    ");
}

#[tokio::test]
async fn a_push_that_a_filter_leaves_out_is_a_success_in_every_context() {
    let routes = format!("{}paths = [\"src/**\"]\n", sample::ROUTES);
    let scene = Scene::with(&routes, PipelineSpec::classic(sample::PIPELINE, sample::REPOSITORY)).await;
    let response = scene.deliver("push", &sample::push("main", "Docs", &["README.md"])).await;
    insta::assert_snapshot!(response.body(), @r#"{"delivery":"72d3162e-cc78-11e3-81ab-4c9367dc0000","event":"push","decisions":[{"decision":"skipped","pipeline":"node-server","commit":"7af023c43013b9a53fbff7dd4b5821588bba3319","reason":"the 1 changed file is left out by the path filters"}]}"#);
    scene.run().await;
    insta::assert_snapshot!(scene.shows(&sample::sha("Docs")), @"
    codepipeline/node-server success: Skipped: the 1 changed file is left out by the path filters
    codepipeline/node-server/Build success: Skipped: the 1 changed file is left out by the path filters
    codepipeline/node-server/Source success: Skipped: the 1 changed file is left out by the path filters
    codepipeline/node-server/Staging success: Skipped: the 1 changed file is left out by the path filters
    ");
    assert_eq!(scene.executions(), []);
}

#[tokio::test]
async fn variables_and_the_pinned_commit_reach_the_pipeline() {
    let routes = format!(
        "{}[route.variables]\nGIT_BRANCH = \"{{branch}}\"\nMESSAGE = \"{{message}}\"\nTAG = \"{{tag}}\"\n",
        sample::ROUTES
    );
    let spec = PipelineSpec::classic(sample::PIPELINE, sample::REPOSITORY);
    let spec = ["GIT_BRANCH", "MESSAGE", "TAG"].into_iter().fold(spec, |spec, name| spec.variable(name, Some("-")));
    let scene = Scene::with(&routes, spec).await;
    let sha = scene.push("Say hello\n\nto \u{7}everybody").await;
    scene.run().await;
    let mut world = scene.local.world();
    let execution = world.pipelines().executions(sample::PIPELINE).remove(0);
    assert_eq!(execution.commit, Some(sha));
    insta::assert_debug_snapshot!(execution.variables, @r#"
    [
        (
            "GIT_BRANCH",
            "main",
        ),
        (
            "MESSAGE",
            "Say hello to everybody",
        ),
        (
            "TAG",
            "-",
        ),
    ]
    "#);
}

/// A delivery of a tag need not say which commit it is about.
fn push_of_tag_without_commit(after: &str) -> Value {
    let mut payload = sample::push_to("refs/tags/v1.0.0", "Release 1.0.0", &[]);
    payload["after"] = json!(after);
    payload["head_commit"] = Value::Null;
    payload["commits"] = json!([]);
    payload
}

#[tokio::test]
async fn the_commit_behind_a_tag_is_asked_for_where_the_delivery_does_not_say_it() {
    let commit = sample::sha("Release 1.0.0");
    let (annotated, signed_again) = (sample::sha("v1.0.0"), sample::sha("v1.0.0, signed"));
    for after in [&commit, &annotated, &signed_again] {
        let scene = Scene::new().await;
        scene.local.world().github().add_tag_object(sample::REPOSITORY, &annotated, &commit);
        scene.local.world().github().add_tag_object(sample::REPOSITORY, &signed_again, &annotated);
        let response = scene.deliver("push", &push_of_tag_without_commit(after)).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED, "{}", response.body());
        scene.run().await;
        assert_eq!(scene.executions(), [(commit.clone(), "Succeeded")]);
        assert!(scene.shows(&commit).contains("codepipeline/node-server success: Deployed"));
    }
}

/// A 404 may say that there is no such tag, or that GitHub shows us nothing for the moment.
#[tokio::test]
async fn a_tag_that_can_t_be_asked_about_is_not_taken_for_a_commit() {
    let scene = Scene::new().await;
    let (commit, tag) = (sample::sha("Release 1.0.0"), sample::sha("v1.0.0"));
    scene.local.world().github().add_tag_object(sample::REPOSITORY, &tag, &commit);
    let minutes = When::Between(scene.now(), scene.now() + Duration::from_secs(300));
    scene.local.world().faults().add("github", "*", minutes, Fault::NotFound);
    scene.deliver("push", &push_of_tag_without_commit(&tag)).await;
    scene.run().await;
    assert_eq!(scene.executions(), [(commit.clone(), "Succeeded")]);
    assert_eq!(scene.shows(&tag), "");
}

/// Promise 6, in numbers.
#[tokio::test]
async fn a_run_is_quiet() {
    let scene = Scene::new().await;
    let sha = scene.push("Say hello").await;
    scene.run().await;
    for stage in ["Source", "Build", "Staging"] {
        assert!(scene.posts(&sha, &format!("codepipeline/node-server/{stage}")) <= 4, "{}", scene.posted());
    }
    assert!(scene.posts(&sha, "codepipeline/node-server") <= 3 + 3, "{}", scene.posted());
}
