//! How what pipehook stands on is set up, for the tool: each service's answer cut down to what can be wrong about it.

pub(crate) mod caller;
pub(crate) mod connections;
pub(crate) mod functions;
pub(crate) mod parameters;
pub(crate) mod pipelines;
pub(crate) mod queues;
pub(crate) mod rules;
pub(crate) mod services;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::unread::Unread;

/// What a service says of something that it does not have, by its code (botocore: the operations' errors).
const MISSING: [&str; 8] = [
    "ResourceNotFoundException:",
    "PipelineNotFoundException:",
    "ClusterNotFoundException:",
    "ServiceNotFoundException:",
    "ParameterNotFound:",
    "QueueDoesNotExist:",
    "AWS.SimpleQueueService.NonExistentQueue:",
    "MISSING:",
];

/// Something that may not be there.
pub(crate) fn found<T>(answer: Result<T, Unread>) -> Result<Option<T>, Unread> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Unread::ForGood(why)) if MISSING.iter().any(|code| why.starts_with(code)) => Ok(None),
        Err(unread) => Err(unread),
    }
}

fn read<T: DeserializeOwned>(answer: Value) -> Result<T, Unread> {
    serde_json::from_value(answer).map_err(|error| Unread::ForNow(format!("the answer can't be read: {error}")))
}
