//! CloudWatch Logs: the streams that builds write to.

use serde_json::{Value, json};

use super::check::{self, FLAG, Member, Pattern, Shape, may, must};
use super::codebuild::CodeBuild;
use super::wire::{AwsError, AwsService};
use crate::domain::time::Timestamp;

static GROUP: Shape = Shape::Text { min: 1, max: 512, pattern: Pattern::AlphanumericAnd(".-_/#") };
static GROUP_ID: Shape = Shape::Text { min: 1, max: 2048, pattern: Pattern::AlphanumericAnd("_#+=/:,.@-") };
static STREAM: Shape = Shape::Text { min: 1, max: 512, pattern: Pattern::NoneOf(":*") };
static MILLIS: Shape = Shape::Integer { min: 0, max: i64::MAX };
static TOKEN: Shape = Shape::Text { min: 1, max: usize::MAX, pattern: Pattern::Any };
static LIMIT: Shape = Shape::Integer { min: 1, max: 10_000 };
static GET_EVENTS: &[Member] = &[
    may("logGroupName", &GROUP),
    may("logGroupIdentifier", &GROUP_ID),
    must("logStreamName", &STREAM),
    may("startTime", &MILLIS),
    may("endTime", &MILLIS),
    may("nextToken", &TOKEN),
    may("limit", &LIMIT),
    may("startFromHead", &FLAG),
    may("unmask", &FLAG),
];

/// CloudWatch Logs has an error of its own for a constraint that is broken.
fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new("InvalidParameterException", message)
}

pub(crate) fn call(builds: &CodeBuild, now: Timestamp, operation: &str, body: &Value) -> Result<Value, AwsError> {
    if operation != "GetLogEvents" {
        return Err(AwsService::Logs.unknown(operation));
    }
    check::check(GET_EVENTS, body).map_err(|error| match error.code {
        "ValidationException" => invalid(error.message),
        _ => error,
    })?;
    let text = |member: &str| body[member].as_str();
    let group = match (text("logGroupName"), text("logGroupIdentifier")) {
        (Some(name), None) => name,
        (None, Some(id)) => id.rsplit(":log-group:").next().unwrap_or(id),
        _ => return Err(invalid("Exactly one of logGroupName and logGroupIdentifier must be given.")),
    };
    let missing =
        |what| AwsError::new("ResourceNotFoundException", format!("The specified log {what} does not exist."));
    let stream = builds.log(now, group, text("logStreamName").unwrap_or_default()).ok_or_else(|| missing("group"))?;
    let millis = |member: &str| body[member].as_u64();
    let mut events = stream.ok_or_else(|| missing("stream"))?;
    events.retain(|(at, _)| {
        let at = at.as_millis();
        millis("startTime").is_none_or(|start| at >= start) && millis("endTime").is_none_or(|end| at < end)
    });
    // The events are in the order of their time whichever end a page is taken from; the end of the stream is the
    // default.
    let limit = millis("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(10_000);
    let (from, until) = match text("nextToken") {
        None if body["startFromHead"] == true => (0, limit.min(events.len())),
        None => (events.len().saturating_sub(limit), events.len()),
        Some(token) => {
            let (direction, at) =
                token.split_once('/').ok_or_else(|| invalid("The specified nextToken is invalid."))?;
            let at: usize = at.parse().map_err(|_| invalid("The specified nextToken is invalid."))?;
            match direction {
                "f" => (at.min(events.len()), at.saturating_add(limit).min(events.len())),
                "b" => (at.saturating_sub(limit), at.min(events.len())),
                _ => return Err(invalid("The specified nextToken is invalid.")),
            }
        }
    };
    let shown: Vec<Value> = events[from..until]
        .iter()
        .map(|(at, message)| json!({"timestamp": at.as_millis(), "message": message, "ingestionTime": at.as_millis()}))
        .collect();
    Ok(json!({"events": shown, "nextForwardToken": format!("f/{until}"), "nextBackwardToken": format!("b/{from}")}))
}
