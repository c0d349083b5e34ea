//! `pipehook watch`: the process looks at the stand-ins while the story moves on.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use pipehook::local::sample;
use pipehook::standin::{Build, BuildPhase, Cause, CircuitBreaker, Fault, Release, Rollout, Script, ServiceSpec, When};

use serde_json::Value;

use crate::common::{Scene, with_approval};
use crate::scene::Desk;
use crate::watching::Watching;

const WATCH: [&str; 4] = ["watch", "node-server", "--every", "50ms"];

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A push whose execution has just begun.
async fn pushed(scene: Scene, script: Script) -> Desk {
    let desk = Desk::of(scene).await;
    desk.scene.local.world().pipelines().script(sample::PIPELINE, script);
    desk.scene.push("Say hello").await;
    while desk.scene.handle_one_batch().await {}
    desk
}

/// A line of JSON as a status: `codepipeline/node-server/Build success: Build succeeded in 40 s`.
fn as_github_shows_it(line: &str) -> String {
    let change: Value = serde_json::from_str(line).unwrap();
    let text = |key: &str| change[key].as_str().map(str::to_owned);
    let stage = text("stage").map(|stage| format!("/{stage}")).unwrap_or_default();
    let (pipeline, state, says) = (text("pipeline").unwrap(), text("state").unwrap(), text("description").unwrap());
    format!("codepipeline/{pipeline}{stage} {state}: {says}")
}

#[tokio::test]
async fn a_run_is_told_in_the_words_of_github_until_its_service_runs_it() {
    let script = Script::new().on("Staging", "Deploy", Rollout::succeeds(120));
    let desk = pushed(Scene::new().await, script).await;
    let mut watch = Watching::begin(&desk, &WATCH);
    watch.says("Source").await;
    desk.scene.wait(secs(10));
    watch.says("Build").await;
    desk.scene.wait(secs(40));
    watch.says("BUILD").await;
    desk.scene.wait(secs(60));
    watch.says("Staging").await;
    desk.scene.wait(secs(60));
    watch.says("Rolling out").await;
    desk.scene.wait(secs(120));
    insta::assert_snapshot!(watch.end().await, @"
    node-server e979588e, begun 2026-01-24 22:00:00 UTC by role pipehook-worker
    22:00:00  … Source     in progress
    commit 6d995db
    22:00:10  ✓ Source     succeeded in 3 s
    22:00:10  … Build      in progress
    22:00:50  … Build      BUILD for 27 s
    22:01:50  ✓ Build      succeeded in 1 m 30 s
    22:01:50  … Staging    Deploy in progress
    22:02:50  … Staging    Rolling out node-server: 1 of 2 tasks on :42
    22:04:50  ✓ Staging    succeeded in 2 m 5 s; node-server:42 runs since 22:03 UTC
    ✓ Deployed 6d995db to staging in 3 m 38 s; node-server:42 runs since 22:03 UTC
    ");
}

#[tokio::test]
async fn a_build_that_fails_is_told_with_the_end_of_its_log() {
    let build = Build::fails(60, BuildPhase::Build, "make test", 1).writes([
        "> jest",
        "logging in with ghs_0123456789abcdefghijklmnopqrstuvwxyz",
        "\u{1b}[31m1 test failed\u{1b}[0m",
    ]);
    let desk = pushed(Scene::new().await, Script::new().on("Build", "Build", build)).await;
    desk.scene.wait(secs(90));
    insta::assert_snapshot!(desk.run(&WATCH).await, @r#"
    node-server e979588e, commit 6d995db "Change 6d995db", begun 2026-01-24 22:00:00 UTC by role pipehook-worker
    22:01:30  ✓ Source     succeeded in 3 s
    22:01:30  ✗ Build      failed in BUILD: exit status 1 (make test)
      | > jest
      | logging in with ***
      | 1 test failed
    ✗ Build failed in BUILD: exit status 1 (make test)
    --- exit code 1
    "#);
}

#[tokio::test]
async fn a_rollback_is_no_success_however_long_codepipeline_waits() {
    let service = ServiceSpec::new("staging", sample::PIPELINE).circuit_breaker(CircuitBreaker::WithRollback);
    let script = Script::new().on("Staging", "Deploy", Rollout::fails(60, Cause::ImageNotFound));
    let scene = Scene::new().await;
    scene.local.world().services().create(service);
    let desk = pushed(scene, script).await;
    desk.scene.wait(secs(95));
    let mut watch = Watching::begin(&desk, &WATCH);
    watch.says("Staging").await;
    desk.scene.wait(secs(70));
    watch.says("Rollout failed").await;
    desk.scene.wait(secs(300));
    insta::assert_snapshot!(watch.end().await, @r#"
    node-server e979588e, commit 6d995db "Change 6d995db", begun 2026-01-24 22:00:00 UTC by role pipehook-worker
    22:01:35  ✓ Source     succeeded in 3 s
    22:01:35  ✓ Build      succeeded in 1 m 30 s
    22:01:35  … Staging    Deploy in progress
    22:02:45  ✗ Staging    Rollout failed: tasks failed to start (3 of 3); rolling back to :41; can't pull node-server:6d995dba1af0373913b98421f7b825327673d987: not f…
    22:07:45  ✗ Staging    Rolled back to :41; can't pull node-server:6d995dba1af0373913b98421f7b825327673d987: not found
    ✗ Rolled back to :41; can't pull node-server:6d995dba1af0373913b98421f7b825327673d987: not found
    CodePipeline still waits for the deploy; `pipehook stop node-server e979588e --abandon` ends that
    --- exit code 1
    "#);
}

#[tokio::test]
async fn a_program_gets_a_document_for_each_change() {
    let desk = pushed(Scene::new().await, Script::new()).await;
    desk.scene.run().await;
    let mut arguments = WATCH.to_vec();
    arguments.push("--json");
    let ran = desk.run(&arguments).await;
    let mut told: Vec<String> = ran.out.lines().map(as_github_shows_it).collect();
    told.sort();
    assert_eq!(told.join("\n"), desk.scene.shows(&sample::sha("Say hello")), "it says what GitHub shows");
    insta::assert_snapshot!(ran, @r#"
    {"at":"2026-01-24T22:04:03Z","pipeline":"node-server","execution":"e979588e-3ea3-46b7-9774-1d420e5461a6","commit":"6d995dba1af0373913b98421f7b825327673d987","stage":"Source","state":"success","description":"Source succeeded in 3 s","status":"Succeeded","final":false}
    {"at":"2026-01-24T22:04:03Z","pipeline":"node-server","execution":"e979588e-3ea3-46b7-9774-1d420e5461a6","commit":"6d995dba1af0373913b98421f7b825327673d987","stage":"Build","state":"success","description":"Build succeeded in 1 m 30 s","status":"Succeeded","final":false}
    {"at":"2026-01-24T22:04:03Z","pipeline":"node-server","execution":"e979588e-3ea3-46b7-9774-1d420e5461a6","commit":"6d995dba1af0373913b98421f7b825327673d987","stage":"Staging","state":"success","description":"Staging succeeded in 2 m 30 s; node-server:42 runs since 22:03 UTC","status":"Succeeded","final":false}
    {"at":"2026-01-24T22:04:03Z","pipeline":"node-server","execution":"e979588e-3ea3-46b7-9774-1d420e5461a6","commit":"6d995dba1af0373913b98421f7b825327673d987","stage":null,"state":"success","description":"Deployed 6d995db to staging in 4 m 3 s; node-server:42 runs since 22:03 UTC","status":"Succeeded","final":true}
    "#);
}

#[tokio::test]
async fn an_approval_is_waited_for_and_ctrl_c_leaves_the_run_alone() {
    let desk = pushed(Scene::with(sample::ROUTES, with_approval()).await, Script::new()).await;
    desk.scene.wait(secs(120));
    let mut watch = Watching::begin(&desk, &WATCH);
    watch.says("waits for approval").await;
    watch.interrupt();
    insta::assert_snapshot!(watch.end().await, @r#"
    node-server e979588e, commit 6d995db "Change 6d995db", begun 2026-01-24 22:00:00 UTC by role pipehook-worker
    22:02:00  ✓ Source     succeeded in 3 s
    22:02:00  ✓ Build      succeeded in 1 m 30 s
    22:02:00  … Staging    waits for approval of 6d995db
    --- standard error
    pipehook: not watched any more; the run goes on
    --- exit code 130
    "#);
    assert_eq!(desk.scene.executions()[0].1, "InProgress");
}

#[tokio::test]
async fn a_stage_that_is_held_says_why_and_the_routes_environment_is_left_out_where_it_can_not_be_read() {
    let desk = pushed(Scene::new().await, Script::new()).await;
    let now = desk.scene.now();
    desk.scene.local.world().pipelines().hold(now, sample::PIPELINE, "Staging", "code freeze");
    desk.scene.wait(secs(120));
    let mut watch = Watching::begin(&desk, &[&WATCH[..], &["--stack", "other"]].concat());
    watch.says("held").await;
    let now = desk.scene.now();
    desk.scene.local.world().pipelines().let_go(now, sample::PIPELINE, "Staging");
    watch.says("Deploy in progress").await;
    desk.scene.wait(secs(300));
    insta::assert_snapshot!(watch.end().await, @r#"
    node-server e979588e, commit 6d995db "Change 6d995db", begun 2026-01-24 22:00:00 UTC by role pipehook-worker
    22:02:00  ✓ Source     succeeded in 3 s
    22:02:00  ✓ Build      succeeded in 1 m 30 s
    22:02:00  … Staging    is held: code freeze
    22:02:00  … Staging    Deploy in progress
    22:07:00  ✓ Staging    succeeded in 2 m 30 s; node-server:42 runs since 22:04 UTC
    ✓ Deployed 6d995db in 4 m 30 s; node-server:42 runs since 22:04 UTC
    "#);
}

#[tokio::test]
async fn a_time_that_is_over_has_an_exit_code_of_its_own() {
    let desk = pushed(Scene::with(sample::ROUTES, with_approval()).await, Script::new()).await;
    desk.scene.wait(secs(120));
    let mut arguments = WATCH.to_vec();
    arguments.extend(["--timeout", "1500ms"]);
    let ran = desk.run(&arguments).await;
    assert_eq!(ran.code, 124);
    assert_eq!(ran.err, "pipehook: the time is over; the run goes on\n");
}

#[tokio::test]
async fn a_run_that_a_newer_one_replaced_is_no_success() {
    let scene = Scene::with(sample::ROUTES, with_approval()).await;
    let desk = Desk::of(scene).await;
    let mut ids = Vec::new();
    for minute in 0..3 {
        desk.scene.wait(secs(minute));
        let now = desk.scene.now();
        let mut world = desk.scene.local.world();
        world.pipelines().set_head(sample::PIPELINE, &sample::sha(&format!("Commit {minute}")));
        ids.push(world.pipelines().release_change(now, sample::PIPELINE, Release::WebhookV2).unwrap());
        drop(world);
        desk.scene.wait(secs(150));
    }
    let ran = desk.run(&["watch", "node-server", &ids[1][..8]]).await;
    insta::assert_snapshot!(ran, @r#"
    node-server cff7994c, commit ca28d7b "Change ca28d7b", begun 2026-01-24 22:02:31 UTC by webhook
    22:07:33  ✓ Source     succeeded in 3 s
    22:07:33  ✓ Build      succeeded in 1 m 30 s
    ! Superseded by 9890370
    --- exit code 1
    "#);
}

#[tokio::test]
async fn throttling_is_waited_out_with_a_note() {
    let desk = pushed(Scene::new().await, Script::new()).await;
    desk.scene.run().await;
    // The SDK tries three times by itself.
    desk.scene.local.world().faults().add("codepipeline", "GetPipelineExecution", When::Next(9), Fault::Throttle);
    insta::assert_snapshot!(desk.run(&WATCH).await, @r#"
    node-server e979588e, commit 6d995db "Change 6d995db", begun 2026-01-24 22:00:00 UTC by role pipehook-worker
    22:04:03  ✓ Source     succeeded in 3 s
    22:04:03  ✓ Build      succeeded in 1 m 30 s
    22:04:03  ✓ Staging    succeeded in 2 m 30 s; node-server:42 runs since 22:03 UTC
    ✓ Deployed 6d995db to staging in 4 m 3 s; node-server:42 runs since 22:03 UTC
    --- standard error
    22:04:03 no answer, asking again: ThrottlingException: Rate exceeded
    "#);
}

#[tokio::test]
async fn without_any_answer_it_gives_up_and_says_so() {
    let desk = pushed(Scene::new().await, Script::new()).await;
    desk.scene.local.world().faults().add("codepipeline", "GetPipelineExecution", When::Always, Fault::ServerError);
    let mut arguments = WATCH.to_vec();
    arguments.extend(["--patience", "1s"]);
    insta::assert_snapshot!(desk.run(&arguments).await, @"
    --- standard error
    22:00:00 no answer, asking again: InternalFailure: The service could not handle this request
    pipehook: can't read e979588e of node-server, after 1 s without an answer: InternalFailure: The service could not handle this request
    --- exit code 1
    ");
}

#[tokio::test]
async fn credentials_that_run_out_in_the_middle_are_not_waited_for() {
    let desk = pushed(Scene::with(sample::ROUTES, with_approval()).await, Script::new()).await;
    desk.scene.wait(secs(120));
    let mut watch = Watching::begin(&desk, &WATCH);
    watch.says("waits for approval").await;
    desk.scene.local.world().faults().add("codepipeline", "*", When::Always, Fault::Unauthorized);
    insta::assert_snapshot!(watch.end().await, @r#"
    node-server e979588e, commit 6d995db "Change 6d995db", begun 2026-01-24 22:00:00 UTC by role pipehook-worker
    22:02:00  ✓ Source     succeeded in 3 s
    22:02:00  ✓ Build      succeeded in 1 m 30 s
    22:02:00  … Staging    waits for approval of 6d995db
    --- standard error
    pipehook: can't read e979588e of node-server: UnrecognizedClientException: The security token is invalid.; the credentials are not valid: check the access key and its secret
    --- exit code 1
    "#);
}

#[tokio::test]
async fn what_can_not_be_watched_says_what_to_do() {
    let desk = Desk::new().await;
    let mut told = String::new();
    for arguments in [
        &["watch", "node-server"][..],
        &["watch", "nope"],
        &["watch", "node-server", "8f3c1a2b"],
        &["watch", "node-server", "the-last-one"],
        &["watch", "node-server", "--timeout", "soon"],
    ] {
        let ran = desk.run(arguments).await;
        told += &format!("$ pipehook {}\n{ran}\n", arguments.join(" "));
    }
    insta::assert_snapshot!(told, @r#"
    $ pipehook watch node-server
    --- standard error
    pipehook: node-server has not run yet
    --- exit code 1
    $ pipehook watch nope
    --- standard error
    pipehook: can't list the runs of nope: PipelineNotFoundException: Account '123456789012' does not have a pipeline with name 'nope'
    --- exit code 1
    $ pipehook watch node-server 8f3c1a2b
    --- standard error
    pipehook: node-server has no execution 8f3c1a2b; `pipehook runs node-server` lists the newest
    --- exit code 1
    $ pipehook watch node-server the-last-one
    --- standard error
    pipehook: "the-last-one" is no execution's id, and not the first 4 characters of one; `pipehook runs node-server` lists them
    --- exit code 1
    $ pipehook watch node-server --timeout soon
    --- standard error
    error: invalid value 'soon' for '--timeout <DURATION>': it must be a time, such as 30s, 15m or 2h

    For more information, try '--help'.
    --- exit code 2
    "#);
}

#[tokio::test]
async fn no_network_no_region_and_no_credentials_each_say_so() {
    let desk = Desk::new().await;
    let mut unreachable = desk.command(&["watch", "node-server"]);
    unreachable.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    let mut nowhere = desk.command(&["runs", "node-server"]);
    nowhere.env_remove("AWS_REGION");
    let mut nobody = desk.command(&["stop", "node-server"]);
    nobody.env_remove("AWS_ACCESS_KEY_ID");
    let mut told = String::new();
    for command in [unreachable, nowhere, nobody] {
        told += &desk.finish(command).await.to_string();
        told += "\n";
    }
    insta::assert_snapshot!(told, @"
    --- standard error
    pipehook: can't list the runs of node-server: dispatch failure: io error: client error (Connect): tcp connect error: Connection refused; AWS is out of reach: check the network, the region and AWS_ENDPOINT_URL
    --- exit code 1
    --- standard error
    pipehook: no AWS region: set it with --region, AWS_REGION, or in the profile
    --- exit code 1
    --- standard error
    pipehook: no AWS credentials: neither the environment nor a profile nor this machine has any; set AWS_PROFILE, sign in with `aws sso login`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    --- exit code 1
    ");
}
