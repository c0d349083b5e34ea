//! CodePipeline's events, as EventBridge puts them on the queue.
//!
//! They are hints: all that is taken from them is which execution to look at. Numbers in them come as integers, floats
//! or strings, depending on the day, so nothing that is a number is read.

use serde::Deserialize;
use serde_json::Value;

use super::message::Happening;

/// Something happened to an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineEvent {
    pub id: String,
    pub pipeline: String,
    pub execution: String,
    pub what: Happening,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    id: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    source: String,
    #[serde(default)]
    detail: Value,
}

#[derive(Deserialize)]
struct Detail {
    pipeline: String,
    #[serde(rename = "execution-id")]
    execution: String,
    #[serde(default)]
    state: String,
}

/// Whether a queue message is an EventBridge event and not one of pipehook's own.
pub(super) fn is_event(body: &Value) -> bool {
    body.get("detail-type").is_some()
}

/// The event; `None` for one that is not of an execution.
///
/// # Errors
/// Where it says that it is of an execution, and then does not name it.
pub(super) fn parse(body: &Value) -> Result<Option<PipelineEvent>, serde_json::Error> {
    let envelope = Envelope::deserialize(body)?;
    let is_of_execution = envelope.source == "aws.codepipeline"
        && envelope.detail_type.starts_with("CodePipeline ")
        && envelope.detail_type.ends_with(" Execution State Change");
    if !is_of_execution {
        return Ok(None);
    }
    let detail = Detail::deserialize(&envelope.detail)?;
    let what = match (envelope.detail_type.as_str(), detail.state.as_str()) {
        ("CodePipeline Pipeline Execution State Change", "STARTED") => Happening::ExecutionStarted,
        ("CodePipeline Pipeline Execution State Change", "RESUMED") => Happening::ExecutionResumed,
        ("CodePipeline Stage Execution State Change", "STARTED" | "RESUMED") => Happening::StageStarted,
        ("CodePipeline Stage Execution State Change", _) => Happening::OfStage,
        ("CodePipeline Action Execution State Change", "STARTED") => Happening::ActionStarted,
        ("CodePipeline Action Execution State Change", _) => Happening::OfAction,
        _ => Happening::OfExecution,
    };
    Ok(Some(PipelineEvent { id: envelope.id, pipeline: detail.pipeline, execution: detail.execution, what }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(detail_type: &str, state: &str) -> Value {
        serde_json::json!({
            "version": "0", "id": "e1", "source": "aws.codepipeline", "detail-type": detail_type,
            "detail": { "pipeline": "node-server", "execution-id": "x1", "state": state, "version": 3.0 },
        })
    }

    #[test]
    fn an_event_names_the_execution_to_look_at() {
        let started = parse(&event("CodePipeline Pipeline Execution State Change", "STARTED")).unwrap().unwrap();
        assert_eq!((started.pipeline.as_str(), started.execution.as_str()), ("node-server", "x1"));
        assert_eq!(started.what, Happening::ExecutionStarted);
        let stage = parse(&event("CodePipeline Stage Execution State Change", "STARTED")).unwrap().unwrap();
        assert_eq!(stage.what, Happening::StageStarted);
    }

    #[test]
    fn other_events_are_none() {
        assert_eq!(parse(&event("CodeBuild Build State Change", "STARTED")).unwrap(), None);
    }

    #[test]
    fn an_event_that_does_not_name_its_execution_is_an_error() {
        let mut event = event("CodePipeline Action Execution State Change", "FAILED");
        event["detail"] = serde_json::json!({ "pipeline": "node-server" });
        assert!(parse(&event).is_err());
    }
}
