//! Stories about pipelines, told through the API where it has a word for it.

// A `json!` in the place of an argument reads better without a reference in front of each.
#![allow(clippy::needless_pass_by_value)]

use serde_json::{Value, json};

use super::*;
use crate::standin::wire::AwsError;

const NOW: Timestamp = Timestamp::from_secs(1_000_000);
const SHA: &str = "1111111111111111111111111111111111111111";
const OTHER: &str = "2222222222222222222222222222222222222222";

fn after(seconds: u64) -> Timestamp {
    NOW + Duration::from_secs(seconds)
}

fn classic() -> PipelineSpec {
    PipelineSpec::classic("app", "octo-org/app")
}

fn account(spec: PipelineSpec) -> CodePipeline {
    let mut pipelines = CodePipeline::new(NOW, 1);
    pipelines.create(spec);
    pipelines.send_events_to("work", Duration::ZERO);
    pipelines
}

fn ask(pipelines: &mut CodePipeline, now: Timestamp, operation: &str, body: Value) -> Result<Value, AwsError> {
    pipelines.advance(now);
    pipelines.call(now, operation, &body).map(|answer| answer.unwrap_or(Value::Null))
}

fn refused(pipelines: &mut CodePipeline, operation: &str, body: Value) -> &'static str {
    ask(pipelines, NOW, operation, body).unwrap_err().code
}

fn start(pipelines: &mut CodePipeline, now: Timestamp, sha: &str) -> String {
    let pin = json!([{"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": sha}]);
    let answer = ask(pipelines, now, "StartPipelineExecution", json!({"name": "app", "sourceRevisions": pin})).unwrap();
    answer["pipelineExecutionId"].as_str().unwrap().to_owned()
}

fn status(pipelines: &CodePipeline, id: &str) -> &'static str {
    pipelines.execution(id).unwrap().status
}

fn get(pipelines: &mut CodePipeline, now: Timestamp, id: &str) -> Value {
    let body = json!({"pipelineName": "app", "pipelineExecutionId": id});
    ask(pipelines, now, "GetPipelineExecution", body).unwrap()["pipelineExecution"].take()
}

/// The events so far as `detail type's second word: stage, action: state`.
fn told(pipelines: &mut CodePipeline) -> Vec<String> {
    let (events, _) = pipelines.take_events();
    let line = |event: Event| {
        let event: Value = serde_json::from_str(&event.body).unwrap();
        let detail = &event["detail"];
        let names: Vec<&str> = ["stage", "action"].iter().filter_map(|name| detail[name].as_str()).collect();
        format!("{} {}", names.join("/"), detail["state"].as_str().unwrap()).trim().to_owned()
    };
    events.into_iter().map(line).collect()
}

#[test]
fn an_execution_runs_through_its_stages_and_tells_of_each_step() {
    let mut pipelines = account(classic());
    let id = start(&mut pipelines, NOW, SHA);
    assert_eq!(get(&mut pipelines, after(1), &id)["artifactRevisions"], json!([]), "the source is not done yet");
    let running = get(&mut pipelines, after(4), &id);
    assert_eq!(running["artifactRevisions"][0]["revisionId"], SHA);
    assert_eq!(running["status"], "InProgress");
    pipelines.advance(after(1000));
    let view = pipelines.execution(&id).unwrap();
    assert_eq!(view.status, "Succeeded");
    assert_eq!(view.updated, after(3 + 90 + 150), "it ended when it was due, not when somebody looked");
    assert_eq!(
        told(&mut pipelines),
        [
            "STARTED",
            "Source STARTED",
            "Source/Source STARTED",
            "Source/Source SUCCEEDED",
            "Source SUCCEEDED",
            "Build STARTED",
            "Build/Build STARTED",
            "Build/Build SUCCEEDED",
            "Build SUCCEEDED",
            "Staging STARTED",
            "Staging/Deploy STARTED",
            "Staging/Deploy SUCCEEDED",
            "Staging SUCCEEDED",
            "SUCCEEDED",
        ]
    );
}

#[test]
fn an_event_looks_like_the_services_own() {
    let mut pipelines = account(classic());
    start(&mut pipelines, NOW, SHA);
    let (events, _) = pipelines.take_events();
    let body = &events[0].body;
    assert!(body.contains(r#""version":1.0"#) && body.contains(r#""pipeline-execution-attempt":1.0"#), "{body}");
    let event: Value = serde_json::from_str(body).unwrap();
    assert_eq!(event["version"], "0");
    assert_eq!(event["detail-type"], "CodePipeline Pipeline Execution State Change");
    assert_eq!(event["resources"], json!(["arn:aws:codepipeline:us-east-1:123456789012:app"]));
    assert_eq!(event["detail"]["execution-trigger"]["trigger-type"], "StartPipelineExecution");
    let action: Value = serde_json::from_str(&events[2].body).unwrap();
    assert_eq!(action["detail"]["type"]["version"], "1");
}

#[test]
fn the_same_token_starts_one_execution() {
    let mut pipelines = account(classic());
    let body = json!({"name": "app", "clientRequestToken": "abc-1"});
    let first = ask(&mut pipelines, NOW, "StartPipelineExecution", body.clone()).unwrap();
    assert_eq!(ask(&mut pipelines, after(60), "StartPipelineExecution", body).unwrap(), first);
    let other = json!({"name": "app", "clientRequestToken": "abc-2"});
    assert_ne!(ask(&mut pipelines, after(60), "StartPipelineExecution", other).unwrap(), first);
}

#[test]
fn what_a_pipeline_cannot_do_is_refused() {
    let pin = |action: &str, kind: &str| {
        json!({"name": "app", "sourceRevisions":
            [{"actionName": action, "revisionType": kind, "revisionValue": SHA}]})
    };
    let variable = |value: &str| json!({"name": "app", "variables": [{"name": "BRANCH", "value": value}]});
    let mut v1 = account(classic().kind(PipelineType::V1));
    assert_eq!(refused(&mut v1, "StartPipelineExecution", pin("Source", "COMMIT_ID")), "ValidationException");
    assert!(ask(&mut v1, NOW, "StartPipelineExecution", json!({"name": "app"})).is_ok());
    let mut v2 = account(classic());
    assert_eq!(refused(&mut v2, "StartPipelineExecution", pin("Build", "COMMIT_ID")), "ValidationException");
    assert_eq!(refused(&mut v2, "StartPipelineExecution", pin("Source", "IMAGE_DIGEST")), "ValidationException");
    assert_eq!(refused(&mut v2, "StartPipelineExecution", variable("main")), "ValidationException");
    assert_eq!(refused(&mut v2, "StartPipelineExecution", json!({"name": "b"})), "PipelineNotFoundException");
    let no_variables = json!({"name": "app", "variables": []});
    assert_eq!(refused(&mut v2, "StartPipelineExecution", no_variables), "ValidationException");
    let mut declared = account(classic().variable("BRANCH", None));
    assert_eq!(refused(&mut declared, "StartPipelineExecution", variable("")), "ValidationException");
    assert_eq!(refused(&mut declared, "StartPipelineExecution", json!({"name": "app"})), "ValidationException");
    let answer = ask(&mut declared, NOW, "StartPipelineExecution", variable("main")).unwrap();
    let shown = get(&mut declared, NOW, answer["pipelineExecutionId"].as_str().unwrap());
    assert_eq!(shown["variables"], json!([{"name": "BRANCH", "resolvedValue": "main"}]));
    let unknown = json!({"pipelineName": "app", "pipelineExecutionId": "12345678-1234-4234-8234-123456789012"});
    assert_eq!(refused(&mut declared, "GetPipelineExecution", unknown), "PipelineExecutionNotFoundException");
}

#[test]
fn a_waiting_execution_is_superseded_by_a_newer_one() {
    let mut pipelines = account(classic());
    let first = start(&mut pipelines, NOW, SHA);
    let second = start(&mut pipelines, after(10), OTHER);
    let third = start(&mut pipelines, after(20), SHA);
    pipelines.advance(after(30));
    assert_eq!(status(&pipelines, &second), "Superseded");
    let state = ask(&mut pipelines, after(30), "GetPipelineState", json!({"name": "app"})).unwrap();
    let build = &state["stageStates"][1];
    assert_eq!(build["latestExecution"]["pipelineExecutionId"], first.as_str());
    assert_eq!(build["inboundExecutions"][0]["pipelineExecutionId"], third.as_str());
    pipelines.advance(after(1000));
    assert_eq!((status(&pipelines, &first), status(&pipelines, &third)), ("Succeeded", "Succeeded"));
}

#[test]
fn queued_executions_wait_for_their_turn_and_parallel_ones_do_not() {
    let mut queued = account(classic().mode(PipelineMode::Queued));
    let ids: Vec<String> = (0..3).map(|n| start(&mut queued, after(n), SHA)).collect();
    queued.advance(after(2000));
    let ends: Vec<_> = ids.iter().map(|id| queued.execution(id).unwrap()).collect();
    assert!(ends.iter().all(|view| view.status == "Succeeded"));
    assert!(ends[0].updated < ends[1].updated && ends[1].updated < ends[2].updated);
    let mut parallel = account(classic().mode(PipelineMode::Parallel));
    let ids: Vec<String> = (0..50).map(|_| start(&mut parallel, NOW, SHA)).collect();
    let error = ask(&mut parallel, NOW, "StartPipelineExecution", json!({"name": "app"})).unwrap_err();
    assert_eq!(error.code, "ConcurrentPipelineExecutionsLimitExceededException");
    let state = ask(&mut parallel, after(10), "GetPipelineState", json!({"name": "app"})).unwrap();
    assert!(state["stageStates"][0]["latestExecution"].is_null(), "a parallel pipeline has no state");
    parallel.advance(after(243));
    assert!(ids.iter().all(|id| status(&parallel, id) == "Succeeded"));
}

#[test]
fn a_held_transition_keeps_an_execution_out_until_it_is_let_go() {
    let mut pipelines = account(classic());
    let hold = json!({"pipelineName": "app", "stageName": "Staging", "transitionType": "Inbound"});
    let mut disable = hold.clone();
    disable["reason"] = json!("release freeze: no deploys");
    assert_eq!(refused(&mut pipelines, "DisableStageTransition", disable.clone()), "ValidationException");
    disable["reason"] = json!("release freeze");
    ask(&mut pipelines, NOW, "DisableStageTransition", disable).unwrap();
    let id = start(&mut pipelines, NOW, SHA);
    let state = ask(&mut pipelines, after(500), "GetPipelineState", json!({"name": "app"})).unwrap();
    let staging = &state["stageStates"][2];
    assert_eq!(staging["inboundTransitionState"]["disabledReason"], "release freeze");
    assert_eq!(staging["inboundExecution"]["pipelineExecutionId"], id.as_str());
    ask(&mut pipelines, after(600), "EnableStageTransition", hold).unwrap();
    pipelines.advance(after(750));
    assert_eq!(status(&pipelines, &id), "Succeeded");
}

#[test]
fn a_failed_build_is_retried_under_the_same_id() {
    let mut pipelines = account(classic());
    let failing = Outcome::fail(20, "JobFailed", "exit status 1");
    pipelines.script_commit("app", SHA, Script::new().on_attempt("Build", "Build", 1, failing));
    let id = start(&mut pipelines, NOW, SHA);
    pipelines.advance(after(100));
    assert_eq!(status(&pipelines, &id), "Failed");
    assert_eq!(pipelines.execution(&id).unwrap().stage("Staging"), None);
    told(&mut pipelines);
    let retry = json!({"pipelineName": "app", "stageName": "Build", "pipelineExecutionId": id,
        "retryMode": "FAILED_ACTIONS"});
    ask(&mut pipelines, after(200), "RetryStageExecution", retry.clone()).unwrap();
    assert_eq!(told(&mut pipelines), ["RESUMED", "Build RESUMED", "Build/Build STARTED"]);
    let again = ask(&mut pipelines, after(201), "RetryStageExecution", retry).unwrap_err();
    assert_eq!(again.code, "StageNotRetryableException");
    pipelines.advance(after(1000));
    assert_eq!(status(&pipelines, &id), "Succeeded");
    let list = |pipelines: &mut CodePipeline, filter: Value| {
        let body = json!({"pipelineName": "app", "filter": filter});
        ask(pipelines, after(1000), "ListActionExecutions", body).unwrap()["actionExecutionDetails"].take()
    };
    let all = list(&mut pipelines, json!({"pipelineExecutionId": id}));
    let names: Vec<_> = all.as_array().unwrap().iter().map(|item| item["actionName"].as_str().unwrap()).collect();
    assert_eq!(names, ["Deploy", "Build", "Build", "Source"], "newest first");
    assert_eq!(all[2]["output"]["executionResult"]["errorDetails"]["message"], "exit status 1");
    assert_eq!(all[3]["output"]["outputVariables"]["CommitId"], SHA);
    let range = json!({"latestInPipelineExecution": {"pipelineExecutionId": id, "startTimeRange": "Latest"}});
    assert_eq!(list(&mut pipelines, range).as_array().unwrap().len(), 3);
}

#[test]
fn a_stage_that_a_newer_execution_entered_cannot_be_retried() {
    let mut pipelines = account(classic());
    let failing = Outcome::fail(20, "JobFailed", "exit status 1");
    pipelines.script_commit("app", SHA, Script::new().on("Build", "Build", failing));
    let id = start(&mut pipelines, NOW, SHA);
    start(&mut pipelines, after(50), OTHER);
    pipelines.advance(after(1000));
    let retry = json!({"pipelineName": "app", "stageName": "Build", "pipelineExecutionId": id,
        "retryMode": "ALL_ACTIONS"});
    assert_eq!(refused(&mut pipelines, "RetryStageExecution", retry), "NotLatestPipelineExecutionException");
}

fn with_approval(mode: PipelineMode) -> CodePipeline {
    account(classic().mode(mode).stage_before("Staging", StageSpec::new("Gate", [ActionSpec::approval("Ask")])))
}

#[test]
fn an_approval_waits_for_its_answer() {
    let mut pipelines = with_approval(PipelineMode::Superseded);
    let id = start(&mut pipelines, NOW, SHA);
    let state = ask(&mut pipelines, after(50_000), "GetPipelineState", json!({"name": "app"})).unwrap();
    let token = state["stageStates"][2]["actionStates"][0]["latestExecution"]["token"].clone();
    let approve = |token: &Value, status: &str| {
        json!({"pipelineName": "app", "stageName": "Gate", "actionName": "Ask", "token": token,
            "result": {"summary": "fine", "status": status}})
    };
    let wrong = json!("12345678-1234-4234-8234-123456789012");
    let mut tell = |body| ask(&mut pipelines, after(50_000), "PutApprovalResult", body);
    assert_eq!(tell(approve(&wrong, "Approved")).unwrap_err().code, "InvalidApprovalTokenException");
    assert!(tell(approve(&token, "Approved")).unwrap()["approvedAt"].is_f64());
    assert_eq!(tell(approve(&token, "Rejected")).unwrap_err().code, "ApprovalAlreadyCompletedException");
    pipelines.advance(after(60_000));
    assert_eq!(status(&pipelines, &id), "Succeeded");
}

#[test]
fn a_rejection_fails_the_stage_and_in_parallel_mode_the_action_names_the_token() {
    let mut pipelines = with_approval(PipelineMode::Parallel);
    let id = start(&mut pipelines, NOW, SHA);
    let body = json!({"pipelineName": "app", "filter": {"pipelineExecutionId": id}, "maxResults": 1});
    let list = ask(&mut pipelines, after(200), "ListActionExecutions", body).unwrap();
    let token = &list["actionExecutionDetails"][0]["output"]["executionResult"]["externalExecutionId"];
    let reject = json!({"pipelineName": "app", "stageName": "Gate", "actionName": "Ask", "token": token,
        "result": {"summary": "", "status": "Rejected"}});
    ask(&mut pipelines, after(200), "PutApprovalResult", reject).unwrap();
    assert_eq!(status(&pipelines, &id), "Failed");
}

#[test]
fn a_stop_waits_for_what_runs_or_abandons_it() {
    let mut pipelines = account(classic());
    let stop = |id: &str, abandon: bool| json!({"pipelineName": "app", "pipelineExecutionId": id, "abandon": abandon, "reason": "wrong branch"});
    let id = start(&mut pipelines, NOW, SHA);
    ask(&mut pipelines, after(10), "StopPipelineExecution", stop(&id, false)).unwrap();
    assert_eq!(get(&mut pipelines, after(11), &id)["status"], "Stopping");
    let twice = ask(&mut pipelines, after(12), "StopPipelineExecution", stop(&id, false)).unwrap_err();
    assert_eq!(twice.code, "DuplicatedStopRequestException");
    ask(&mut pipelines, after(13), "StopPipelineExecution", stop(&id, true)).unwrap();
    assert_eq!(status(&pipelines, &id), "Stopped");
    let late = ask(&mut pipelines, after(14), "StopPipelineExecution", stop(&id, true)).unwrap_err();
    assert_eq!(late.code, "PipelineExecutionNotStoppableException");
    let list = ask(&mut pipelines, after(14), "ListPipelineExecutions", json!({"pipelineName": "app"})).unwrap();
    assert_eq!(list["pipelineExecutionSummaries"][0]["stopTrigger"]["reason"], "wrong branch");
    let patient = start(&mut pipelines, after(100), OTHER);
    ask(&mut pipelines, after(110), "StopPipelineExecution", stop(&patient, false)).unwrap();
    pipelines.advance(after(1000));
    let view = pipelines.execution(&patient).unwrap();
    assert_eq!((view.status, view.stage("Build"), view.stage("Staging")), ("Stopped", Some("Succeeded"), None));
    assert_eq!(pipelines.next_change().filter(|at| *at > after(1000)), None, "no timer is left behind");
}

#[test]
fn an_action_shows_its_configuration_and_the_id_of_its_work_from_its_start_on() {
    let mut pipelines = account(classic());
    start(&mut pipelines, NOW, SHA);
    let newest = |pipelines: &mut CodePipeline, seconds| {
        let body = json!({"pipelineName": "app", "maxResults": 1});
        let mut answer = ask(pipelines, after(seconds), "ListActionExecutions", body).unwrap();
        answer["actionExecutionDetails"][0].take()
    };
    let build = newest(&mut pipelines, 3);
    assert_eq!(
        (&build["status"], &build["input"]["actionTypeId"]["provider"]),
        (&json!("InProgress"), &json!("CodeBuild"))
    );
    assert_eq!(build["input"]["resolvedConfiguration"], json!({"ProjectName": "app"}));
    let result = &build["output"]["executionResult"];
    let id = result["externalExecutionId"].as_str().unwrap();
    assert!(id.starts_with("app:") && id.len() == 40, "{id}");
    assert!(result["externalExecutionUrl"].as_str().unwrap().contains(id));
    let state = ask(&mut pipelines, after(3), "GetPipelineState", json!({"name": "app"})).unwrap();
    assert_eq!(state["stageStates"][1]["actionStates"][0]["latestExecution"]["externalExecutionId"], id);
    let deploy = newest(&mut pipelines, 100);
    let configuration = json!({"ClusterName": "staging", "ServiceName": "app"});
    assert_eq!(
        (&deploy["input"]["configuration"], &deploy["input"]["actionTypeId"]["provider"]),
        (&configuration, &json!("ECS"))
    );
    assert!(deploy["output"]["executionResult"].is_null(), "nothing tells of its deployment");
    let shown = ActionSpec::ecs_deploy("Deploy", "staging", "app").showing_deployment();
    let mut pipelines = account(PipelineSpec::new("app").stage(StageSpec::new("Staging", [shown])));
    pipelines.release_change(NOW, "app", Release::WebhookV2).unwrap();
    let deploy = newest(&mut pipelines, 1);
    let id = deploy["output"]["executionResult"]["externalExecutionId"].as_str().unwrap();
    assert!(id.starts_with("ecs-svc/"), "{id}");
}

#[test]
fn what_does_not_run_cannot_be_stopped() {
    let mut pipelines = account(classic());
    let id = start(&mut pipelines, NOW, SHA);
    let unknown = "12345678-1234-4234-8234-123456789012";
    let stop = |id: &str| json!({"pipelineName": "app", "pipelineExecutionId": id});
    assert_eq!(
        refused(&mut pipelines, "StopPipelineExecution", stop(unknown)),
        "PipelineExecutionNotStoppableException"
    );
    ask(&mut pipelines, NOW, "StopPipelineExecution", stop(&id)).unwrap();
    assert_eq!(refused(&mut pipelines, "StopPipelineExecution", stop(&id)), "DuplicatedStopRequestException");
    pipelines.advance(after(1000));
    let late = ask(&mut pipelines, after(1000), "StopPipelineExecution", stop(&id)).unwrap_err();
    assert_eq!(late.code, "PipelineExecutionNotStoppableException");
}

#[test]
fn a_change_of_the_definition_cancels_and_a_rollback_is_an_execution_of_its_own() {
    let mut pipelines = account(classic());
    let good = start(&mut pipelines, NOW, SHA);
    pipelines.advance(after(500));
    let back = pipelines.rollback(after(500), "app", "Staging", &good, true).unwrap();
    pipelines.advance(after(1000));
    let shown = get(&mut pipelines, after(1000), &back);
    assert_eq!(shown["executionType"], "ROLLBACK");
    assert_eq!(shown["rollbackMetadata"]["rollbackTargetPipelineExecutionId"], good.as_str());
    assert_eq!(shown["status"], "Succeeded");
    let running = start(&mut pipelines, after(1000), OTHER);
    told(&mut pipelines);
    pipelines.update(after(1010), "app", |spec| spec.variable("NEW", Some("x")));
    assert_eq!(get(&mut pipelines, after(1011), &running)["status"], "Cancelled");
    assert!(told(&mut pipelines).ends_with(&[
        "Build/Build CANCELED".into(),
        "Build CANCELED".into(),
        "CANCELED".into()
    ]));
    let old = json!({"pipelineName": "app", "stageName": "Staging", "targetPipelineExecutionId": good});
    assert_eq!(refused(&mut pipelines, "RollbackStage", old), "PipelineExecutionOutdatedException");
    let shown = ask(&mut pipelines, after(1011), "GetPipeline", json!({"name": "app"})).unwrap();
    assert_eq!(shown["pipeline"]["version"], 2);
}

#[test]
fn run_orders_follow_each_other_and_a_skipped_stage_is_passed_by() {
    let test = |name: &str, order| ActionSpec::new(name, "Test", "CodeBuild").run_order(order);
    let stage = StageSpec::new("Check", [test("Unit", 1), test("Lint", 1), test("Load", 2)]);
    let mut pipelines = account(classic().stage_before("Staging", stage));
    let fail = Outcome::fail(5, "JobFailed", "lint");
    pipelines.script("app", Script::new().on("Check", "Lint", fail).skip("Build"));
    let id = start(&mut pipelines, NOW, SHA);
    pipelines.advance(after(3 + 60));
    assert_eq!(status(&pipelines, &id), "InProgress", "the other action of the same order runs on");
    pipelines.advance(after(3 + 90));
    let view = pipelines.execution(&id).unwrap();
    assert_eq!((view.status, view.stage("Build"), view.stage("Check")), ("Failed", Some("Skipped"), Some("Failed")));
    assert!(!told(&mut pipelines).iter().any(|line| line.contains("Load")));
}

#[test]
fn pages_are_not_shifted_by_what_is_new() {
    let mut pipelines = account(classic().mode(PipelineMode::Parallel));
    let ids: Vec<String> = (0..5).map(|n| start(&mut pipelines, after(n), SHA)).collect();
    let mut list = |body| ask(&mut pipelines, after(10), "ListPipelineExecutions", body).unwrap();
    let first = list(json!({"pipelineName": "app", "maxResults": 2}));
    start(&mut pipelines, after(10), OTHER);
    let mut list = |body| ask(&mut pipelines, after(10), "ListPipelineExecutions", body);
    let next = list(json!({"pipelineName": "app", "maxResults": 3, "nextToken": first["nextToken"]})).unwrap();
    let id = |page: &Value, at: usize| page["pipelineExecutionSummaries"][at]["pipelineExecutionId"].clone();
    assert_eq!([id(&first, 0), id(&first, 1), id(&next, 0), id(&next, 2)], [&*ids[4], &ids[3], &ids[2], &ids[0]]);
    assert!(next["nextToken"].is_null());
    let error = list(json!({"pipelineName": "app", "nextToken": "made up"})).unwrap_err();
    assert_eq!(error.code, "InvalidNextTokenException");
}

#[test]
fn an_execution_without_an_override_is_about_the_heads_commit() {
    let mut pipelines = account(classic());
    pipelines.set_head("app", OTHER);
    let id = pipelines.release_change(NOW, "app", Release::WebhookV2).unwrap();
    let shown = get(&mut pipelines, after(5), &id);
    assert_eq!(shown["artifactRevisions"][0]["revisionId"], OTHER);
    assert_eq!(shown["trigger"]["triggerType"], "WebhookV2");
}

/// Does many things in an order drawn from a seed, and checks after each that the stages' rules hold.
fn churn(seed: u64, mode: PipelineMode) -> (usize, Vec<String>) {
    let mut dice = Ids::new(seed, "churn");
    let mut pipelines = CodePipeline::new(NOW, seed);
    let gate = ActionSpec::approval("Ask");
    pipelines.create(classic().mode(mode).stage_before("Staging", StageSpec::new("Gate", [gate])));
    let flaky = Outcome::fail(30, "JobFailed", "flaky");
    pipelines.script_commit("app", SHA, Script::new().on_attempt("Build", "Build", 1, flaky));
    let mut now = NOW;
    let mut ids = Vec::new();
    for _ in 0..60 {
        now = now + Duration::from_secs(dice.below(120));
        let chosen = usize::try_from(dice.below(ids.len() as u64)).unwrap();
        match (dice.below(9), ids.get(chosen)) {
            (0..=2, _) | (_, None) => {
                pipelines.set_head("app", if dice.below(2) == 0 { SHA } else { OTHER });
                ids.push(pipelines.release_change(now, "app", Release::WebhookV2).unwrap());
            }
            (3, Some(id)) => drop(pipelines.stop(now, id, dice.below(2) == 0, "churn")),
            (4, Some(id)) => drop(pipelines.retry(now, id, "Build", dice.below(2) == 0)),
            (5 | 6, Some(id)) => drop(pipelines.answer_approval(now, id, Answered::Approved, "")),
            (7, _) => pipelines.hold(now, "app", "Staging", "churn"),
            (_, _) => pipelines.let_go(now, "app", "Staging"),
        }
        check_rules(&pipelines, mode);
    }
    pipelines.let_go(now, "app", "Staging");
    for _ in 0..200 {
        now = now + Duration::from_secs(300);
        for id in &ids {
            pipelines.answer_approval(now, id, Answered::Rejected, "");
        }
    }
    let ends: Vec<&str> = ids.iter().map(|id| status(&pipelines, id)).collect();
    assert!(!ends.iter().any(|status| matches!(*status, "InProgress" | "Stopping")), "seed {seed}: {ends:?}");
    assert!(pipelines.timers.is_empty(), "seed {seed}");
    (ids.len(), told(&mut pipelines))
}

fn check_rules(pipelines: &CodePipeline, mode: PipelineMode) {
    let pipeline = &pipelines.pipelines["app"];
    for (stage, slot) in pipeline.slots.iter().enumerate() {
        let inside = |execution: &&model::Execution| execution.place == model::Place::In(stage);
        let within = pipeline.executions.iter().filter(inside).count();
        assert!(mode == PipelineMode::Parallel || within <= 1, "{within} executions in stage {stage}");
        assert!(mode != PipelineMode::Superseded || slot.waiting.len() <= 1);
        assert!(slot.waiting.iter().all(|e| pipeline.executions[*e].place == model::Place::Before(stage)));
        assert!(mode != PipelineMode::Queued || slot.waiting.iter().is_sorted(), "nobody overtakes");
    }
    for execution in &pipeline.executions {
        let runs = execution.actions.iter().any(|run| run.status == ActionStatus::InProgress);
        assert!(!runs || execution.status.is_running(), "an execution that is over runs nothing");
    }
}

#[test]
fn the_rules_of_stages_hold_whatever_people_do_and_every_execution_ends() {
    for mode in [PipelineMode::Superseded, PipelineMode::Queued, PipelineMode::Parallel] {
        for seed in 0..40 {
            churn(seed, mode);
        }
    }
    let again = churn(7, PipelineMode::Superseded);
    assert_eq!(churn(7, PipelineMode::Superseded), again, "the same seed tells the same story");
}
