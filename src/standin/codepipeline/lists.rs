//! The operations that list, page by page, newest first.

use serde_json::{Value, json};

use super::model::{ActionRun, Execution, Pipeline};
use super::operations::find;
use super::view;
use crate::standin::wire::AwsError;

pub(super) fn actions(pipeline: &Pipeline, body: &Value) -> Result<Value, AwsError> {
    let filter = &body["filter"];
    let latest = &filter["latestInPipelineExecution"];
    if filter["pipelineExecutionId"].is_string() && latest.is_object() {
        return Err(AwsError::validation("Only one of the filters may be given"));
    }
    let wanted = filter["pipelineExecutionId"].as_str().or_else(|| latest["pipelineExecutionId"].as_str());
    let chosen = match wanted {
        Some(id) => find(pipeline, id).map(|e| e..e + 1)?,
        None => 0..pipeline.executions.len(),
    };
    let mut runs: Vec<_> = pipeline.executions[chosen]
        .iter()
        .flat_map(|execution| execution.actions.iter().map(move |run| (execution, run)))
        .collect();
    if latest["startTimeRange"] == "Latest" {
        // Of an action that was tried again, only the attempt that began last.
        let all = runs.clone();
        let newer = |(e, run): &(&Execution, &ActionRun)| {
            let later = all.iter().rev().take_while(|(_, other)| other.id != run.id);
            !later.into_iter().any(|(f, other)| f.id == e.id && other.stage == run.stage && other.action == run.action)
        };
        runs.retain(newer);
    }
    // A stable sort: actions that began at the same moment stay in the order in which they did.
    runs.sort_by_key(|(_, run)| run.started);
    let (from, count) = page(body, runs.len())?;
    let shown: Vec<Value> =
        runs[from - count..from].iter().rev().map(|(execution, run)| view::action(pipeline, execution, run)).collect();
    Ok(with_token(json!({"actionExecutionDetails": shown}), from - count))
}

pub(super) fn executions(pipeline: &Pipeline, body: &Value) -> Result<Value, AwsError> {
    let stage = match body["filter"]["succeededInStage"]["stageName"].as_str() {
        Some(name) => Some(pipeline.stage(name).ok_or_else(|| AwsError::validation("The stage does not exist."))?),
        None => None,
    };
    let succeeded = |execution: &&Execution| {
        stage.is_none_or(|at| execution.stages[at].as_ref().is_some_and(|run| run.status.wire() == "Succeeded"))
    };
    let executions: Vec<_> = pipeline.executions.iter().filter(succeeded).collect();
    let (from, count) = page(body, executions.len())?;
    let shown: Vec<Value> =
        executions[from - count..from].iter().rev().map(|execution| view::summary(pipeline, execution)).collect();
    Ok(with_token(json!({"pipelineExecutionSummaries": shown}), from - count))
}

/// Where a page begins, counted from the oldest item so that what is new does not shift it, and how many items it has.
fn page(body: &Value, total: usize) -> Result<(usize, usize), AwsError> {
    let max = body["maxResults"].as_u64().and_then(|max| usize::try_from(max).ok()).unwrap_or(100);
    let from = match body["nextToken"].as_str() {
        None => total,
        Some(token) => read_token(token).filter(|from| *from <= total).ok_or_else(|| {
            AwsError::new("InvalidNextTokenException", "The next token was specified in an invalid format.")
        })?,
    };
    Ok((from, max.min(from)))
}

fn read_token(token: &str) -> Option<usize> {
    let text = String::from_utf8(hex::decode(token).ok()?).ok()?;
    text.strip_prefix("before ")?.parse().ok()
}

fn with_token(mut answer: Value, left: usize) -> Value {
    if left > 0 {
        answer["nextToken"] = json!(hex::encode(format!("before {left}")));
    }
    answer
}
