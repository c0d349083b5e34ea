//! The EventBridge events of CodePipeline, in the shape that the service sends today: `version` and
//! `pipeline-execution-attempt` are floats, and the action type's version is a string.

use serde_json::{Map, Value, json};

use super::model::{ActionRun, Execution, Pipeline};
use crate::domain::time::Timestamp;
use crate::standin::account::{ACCOUNT, REGION};
use crate::standin::moment;

/// An event that waits to be delivered.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) at: Timestamp,
    pub(crate) body: String,
}

/// What changed its state.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    Pipeline,
    Stage(usize),
    Action(&'a ActionRun),
}

/// An event about an execution.
pub(crate) fn event(
    id: &str,
    at: Timestamp,
    pipeline: &Pipeline,
    execution: &Execution,
    subject: Subject<'_>,
    state: &str,
) -> Event {
    let mut detail = Map::new();
    detail.insert("pipeline".into(), json!(pipeline.spec.name));
    detail.insert("execution-id".into(), json!(execution.id));
    detail.insert("state".into(), json!(state));
    detail.insert("version".into(), json!(f64::from(execution.version)));
    detail.insert("pipeline-execution-attempt".into(), json!(f64::from(execution.attempt)));
    let kind = match subject {
        Subject::Pipeline => {
            detail.insert("start-time".into(), json!(moment::millis(execution.started)));
            if state == "STARTED" {
                let (kind, by) = &execution.trigger;
                detail.insert("execution-trigger".into(), json!({"trigger-type": kind, "trigger-detail": by}));
            }
            if let (true, Some(reason)) = (state == "STOPPING", &execution.stop_reason) {
                detail.insert("stop-execution-comments".into(), json!(reason));
            }
            "Pipeline"
        }
        Subject::Stage(stage) => {
            detail.insert("stage".into(), json!(pipeline.spec.stages[stage].name));
            if let Some(run) = &execution.stages[stage] {
                if let Some(retried) = run.retried {
                    detail.insert("stage-last-retry-attempt-time".into(), json!(moment::millis(retried)));
                }
                // The documented sample of a resumed stage has no start time.
                if state != "RESUMED" {
                    detail.insert("start-time".into(), json!(moment::millis(run.started)));
                }
            }
            "Stage"
        }
        Subject::Action(run) => {
            action(&mut detail, pipeline, run, state);
            "Action"
        }
    };
    let body = json!({
        "version": "0",
        "id": id,
        "detail-type": format!("CodePipeline {kind} Execution State Change"),
        "source": "aws.codepipeline",
        "account": ACCOUNT,
        "time": moment::seconds(at),
        "region": REGION,
        "resources": [format!("arn:aws:codepipeline:{REGION}:{ACCOUNT}:{}", pipeline.spec.name)],
        "detail": detail,
    });
    Event { at, body: body.to_string() }
}

fn action(detail: &mut Map<String, Value>, pipeline: &Pipeline, run: &ActionRun, state: &str) {
    let stage = &pipeline.spec.stages[run.stage];
    let spec = &stage.actions[run.action];
    detail.insert("stage".into(), json!(stage.name));
    detail.insert("action".into(), json!(spec.name));
    detail.insert("action-execution-id".into(), json!(run.id));
    detail.insert("region".into(), json!(REGION));
    detail.insert("start-time".into(), json!(moment::millis(run.started)));
    let kind = json!({"owner": spec.owner, "category": spec.category, "provider": spec.provider, "version": "1"});
    detail.insert("type".into(), kind);
    if state == "STARTED" {
        return;
    }
    let mut result = Map::new();
    if let Some(id) = &run.external_id {
        result.insert("external-execution-id".into(), json!(id));
    }
    let summary = run.error.as_ref().map(|(_, message)| message).or(run.summary.as_ref());
    if let Some(summary) = summary {
        result.insert("external-execution-summary".into(), json!(summary));
    }
    if let (true, Some((code, _))) = (state == "FAILED", &run.error) {
        result.insert("error-code".into(), json!(code));
    }
    if !result.is_empty() {
        detail.insert("execution-result".into(), Value::Object(result));
    }
}
