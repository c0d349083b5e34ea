//! Stories about builds, told through the API.

use serde_json::{Value, json};

use super::*;
use crate::standin::World;
use crate::standin::codepipeline::{ActionSpec, Outcome, PipelineSpec, Release, Script, StageSpec};
use crate::standin::story::{Told, ask};

const NOW: Timestamp = Timestamp::from_secs(1_769_292_000);
/// When the build of the classic pipeline begins: the source takes three seconds.
const BUILDS: u64 = 3;

fn after(seconds: u64) -> Timestamp {
    NOW + Duration::from_secs(seconds)
}

/// A world whose pipeline has begun an execution, with what its build does.
fn world(build: impl Into<Outcome>) -> Told {
    let mut world = Told(World::new(NOW, 1));
    world.pipelines().create(PipelineSpec::classic("app", "octo-org/app"));
    world.pipelines().script("app", Script::new().on("Build", "Build", build));
    world.pipelines().release_change(NOW, "app", Release::WebhookV2).unwrap();
    world
}

/// The one build of the project, a number of seconds after the execution began.
fn at(world: &mut World, seconds: u64) -> Value {
    world.advance(after(seconds));
    let id = world.builds().builds("app")[0].to_owned();
    let answer = ask(world, after(seconds), "CodeBuild_20161006.BatchGetBuilds", &json!({"ids": [id]})).unwrap();
    answer["builds"][0].clone()
}

/// The phases of a build as `PHASE STATUS seconds`.
fn phases(build: &Value) -> Vec<String> {
    let word = |phase: &Value, member: &str| phase[member].as_str().unwrap_or("-").to_owned();
    let line = |phase: &Value| {
        format!("{} {} {}", word(phase, "phaseType"), word(phase, "phaseStatus"), phase["durationInSeconds"])
    };
    build["phases"].as_array().unwrap().iter().map(line).collect()
}

fn log(world: &mut World, seconds: u64, more: Value) -> Result<Vec<String>, String> {
    let build = at(world, seconds);
    let mut body = json!({"logGroupName": "/aws/codebuild/app", "logStreamName": build["id"].as_str().unwrap()[4..]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = ask(world, after(seconds), "Logs_20140328.GetLogEvents", &body)?;
    let messages = answer["events"].as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap());
    Ok(messages.map(|message| message.trim_end().to_owned()).collect())
}

#[test]
fn the_phases_of_a_build_follow_one_another_while_its_action_runs() {
    let mut world = world(Build::succeeds(102));
    let build = at(&mut world, BUILDS);
    assert_eq!((&build["currentPhase"], &build["buildStatus"]), (&json!("QUEUED"), &json!("IN_PROGRESS")));
    assert_eq!(build["initiator"], "codepipeline/app");
    assert!(build["logs"]["groupName"].is_null(), "there is no machine yet");
    assert!(build["logs"]["deepLink"].as_str().unwrap().ends_with("group=null;stream=null"));
    let build = at(&mut world, BUILDS + 12);
    assert_eq!(
        phases(&build),
        ["SUBMITTED SUCCEEDED 0", "QUEUED SUCCEEDED 1", "PROVISIONING SUCCEEDED 10", "DOWNLOAD_SOURCE - null"]
    );
    assert_eq!(build["logs"]["groupName"], "/aws/codebuild/app");
    assert_eq!(build["resolvedSourceVersion"], Value::Null);
    let build = at(&mut world, BUILDS + 50);
    assert_eq!(build["currentPhase"], "BUILD");
    assert_eq!(build["resolvedSourceVersion"].as_str().unwrap().len(), 40);
    let build = at(&mut world, BUILDS + 100);
    assert_eq!((&build["buildStatus"], &build["buildComplete"]), (&json!("SUCCEEDED"), &json!(true)));
    assert_eq!(phases(&build).last().unwrap(), "COMPLETED - null");
    assert_eq!(build["endTime"], json!(after(BUILDS + 100).as_millis() as f64 / 1000.0));
    let execution = &world.pipelines().executions("app")[0];
    assert_eq!(execution.stage("Build"), Some("InProgress"), "CodePipeline has not noticed yet");
    world.advance(after(BUILDS + 102));
    assert_eq!(world.pipelines().executions("app")[0].stage("Build"), Some("Succeeded"));
}

#[test]
fn a_failed_command_is_named_in_its_phase_and_what_follows_runs_all_the_same() {
    let build = Build::fails(62, BuildPhase::Build, "make test", 1)
        .and_fails(BuildPhase::UploadArtifacts, "CLIENT_ERROR", "no matching artifact paths found")
        .writes(["running 3 tests", "test orders ... FAILED"]);
    let mut world = world(build);
    let build = at(&mut world, BUILDS + 60);
    assert_eq!(build["buildStatus"], "FAILED");
    let failed: Vec<_> = phases(&build).into_iter().filter(|line| line.contains("FAILED")).collect();
    assert_eq!(failed, ["BUILD FAILED 36", "UPLOAD_ARTIFACTS FAILED 1"]);
    assert!(phases(&build).contains(&"POST_BUILD SUCCEEDED 7".to_owned()));
    let context = &build["phases"][6]["contexts"][0];
    assert_eq!(context["statusCode"], "COMMAND_EXECUTION_ERROR");
    assert_eq!(context["message"], "Error while executing command: make test. Reason: exit status 1");
    assert_eq!(build["phases"][7]["contexts"][0], json!({"statusCode": "", "message": ""}));
    assert!(build["phases"][1]["contexts"].is_null(), "there was no machine");
    let lines = log(&mut world, BUILDS + 60, json!({})).unwrap();
    let from = lines.iter().position(|line| line.contains("running 3 tests")).unwrap();
    let told: Vec<_> = lines[from..from + 5].iter().map(|line| line.split("000 ").last().unwrap()).collect();
    assert_eq!(
        told,
        [
            "running 3 tests",
            "test orders ... FAILED",
            "Command did not exit successfully make test exit status 1",
            "Phase complete: BUILD State: FAILED",
            "Phase context status code: COMMAND_EXECUTION_ERROR Message: Error while executing command: make test. \
         Reason: exit status 1",
        ]
    );
    world.advance(after(200));
    let list = json!({"pipelineName": "app"});
    let answer = ask(&mut world, after(200), "CodePipeline_20150709.ListActionExecutions", &list).unwrap();
    let result = &answer["actionExecutionDetails"][0]["output"]["executionResult"];
    assert_eq!(result["externalExecutionId"], build["id"]);
    assert_eq!(
        result["errorDetails"],
        json!({"code": "JobFailed", "message": "Build terminated with state: FAILED. \
        Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: Error while executing command: make test. \
        Reason: exit status 1"})
    );
}

#[test]
fn where_a_build_breaks_off_depends_on_the_phase() {
    for (build, last) in [
        (Build::fails(50, BuildPhase::PreBuild, "docker login", 255), "FINALIZING SUCCEEDED"),
        (Build::fails(50, BuildPhase::Build, "make", 2).aborts(), "FINALIZING SUCCEEDED"),
        (
            Build::succeeds(50)
                .and_fails(BuildPhase::Queued, "BUILD_TIMED_OUT", "Build queued too long")
                .ends_as("TIMED_OUT"),
            "QUEUED TIMED_OUT",
        ),
        (
            Build::succeeds(50).and_fails(BuildPhase::Provisioning, "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE", "no image"),
            "FINALIZING SUCCEEDED",
        ),
    ] {
        let failed = build.failed[0].phase.wire();
        let status = build.status;
        let build = at(&mut world(build), 60);
        assert_eq!(build["buildStatus"], status);
        let phases = phases(&build);
        assert!(phases[phases.len() - 2].starts_with(last), "{failed}: {phases:?}");
        assert!(!phases.iter().any(|phase| phase.starts_with("POST_BUILD")), "{failed}: {phases:?}");
    }
}

#[test]
fn what_no_script_says_is_told_by_the_outcome() {
    let build = at(&mut world(Outcome::fail(40, "JobFailed", "exit status 1 (make test)")), 60);
    assert_eq!(build["phases"][6]["contexts"][0]["message"], "exit status 1 (make test)");
    let build = at(&mut world(Outcome::Never), 100_000);
    assert_eq!((&build["currentPhase"], &build["buildStatus"]), (&json!("BUILD"), &json!("IN_PROGRESS")));
}

#[test]
fn an_abandoned_action_leaves_its_build_running() {
    let mut world = world(Build::succeeds(100));
    let id = world.pipelines().executions("app")[0].id.clone();
    world.pipelines().stop(after(20), &id, true, "wrong branch");
    assert_eq!(at(&mut world, 60)["buildStatus"], "IN_PROGRESS");
    assert_eq!(at(&mut world, 200)["buildStatus"], "SUCCEEDED");
}

#[test]
fn a_batch_names_the_build_that_failed() {
    let mut world = Told(World::new(NOW, 1));
    let action = ActionSpec::code_build("Build", "app").with("BatchEnabled", "true");
    let source = ActionSpec::github_source("Source", "octo-org/app", "main");
    let spec =
        PipelineSpec::new("app").stage(StageSpec::new("Source", [source])).stage(StageSpec::new("Build", [action]));
    world.pipelines().create(spec);
    let build = Build::fails(100, BuildPhase::Install, "npm ci", 1).in_groups(&["lint", "unit"]);
    world.pipelines().script("app", Script::new().on("Build", "Build", build));
    world.pipelines().release_change(NOW, "app", Release::WebhookV2).unwrap();
    let list = json!({"pipelineName": "app"});
    let answer = ask(&mut world, after(4), "CodePipeline_20150709.ListActionExecutions", &list).unwrap();
    let result = &answer["actionExecutionDetails"][0]["output"]["executionResult"];
    assert!(result["externalExecutionUrl"].is_null(), "the form of a batch's page is not documented");
    let ids = json!({"ids": [result["externalExecutionId"], "app:unknown"]});
    let batch = |world: &mut World, seconds| {
        let answer = ask(world, after(seconds), "CodeBuild_20161006.BatchGetBuildBatches", &ids).unwrap();
        assert_eq!(answer["buildBatchesNotFound"], json!(["app:unknown"]));
        answer["buildBatches"][0].clone()
    };
    assert!(batch(&mut world, 4)["buildGroups"][0]["currentBuildSummary"].is_null(), "its buildspec is being read");
    assert_eq!(batch(&mut world, 50)["currentPhase"], "IN_PROGRESS");
    let over = batch(&mut world, 110);
    assert_eq!((&over["buildBatchStatus"], &over["currentPhase"]), (&json!("FAILED"), &json!("FAILED")));
    let groups: Vec<_> = over["buildGroups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| (group["identifier"].as_str().unwrap(), group["currentBuildSummary"]["buildStatus"].clone()))
        .collect();
    assert_eq!(groups, [("lint", json!("SUCCEEDED")), ("unit", json!("FAILED"))]);
    let arn = over["buildGroups"][1]["currentBuildSummary"]["arn"].as_str().unwrap();
    let (_, id) = arn.split_once(":build/").unwrap();
    let answer = ask(&mut world, after(110), "CodeBuild_20161006.BatchGetBuilds", &json!({"ids": [id]})).unwrap();
    assert_eq!(answer["builds"][0]["phases"][4]["phaseStatus"], "FAILED");
    assert!(answer["builds"][0]["buildBatchArn"].as_str().unwrap().contains(":build-batch/app:"));
}

#[test]
fn a_log_is_read_from_its_end_or_from_its_head_page_by_page() {
    let mut world = world(Build::succeeds(102).writes((0..20).map(|n| format!("line {n}"))));
    assert_eq!(log(&mut world, BUILDS + 5, json!({})).unwrap_err(), "ResourceNotFoundException");
    let lines = log(&mut world, BUILDS + 50, json!({"limit": 1})).unwrap();
    assert_eq!(lines, ["line 8"], "what is not written yet is not there");
    let lines = log(&mut world, BUILDS + 50, json!({"limit": 2, "startFromHead": true})).unwrap();
    assert!(lines[0].ends_with("Entering phase DOWNLOAD_SOURCE"), "{lines:?}");
    assert_eq!(log(&mut world, BUILDS + 50, json!({"nextToken": "f/1000"})).unwrap(), Vec::<String>::new());
    assert_eq!(log(&mut world, BUILDS + 50, json!({"nextToken": "x"})).unwrap_err(), "InvalidParameterException");
    let since = after(BUILDS + 47).as_millis();
    assert_eq!(log(&mut world, BUILDS + 50, json!({"startTime": since})).unwrap(), ["line 8"]);
}
