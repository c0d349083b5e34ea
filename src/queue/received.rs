//! What comes from the queue: pipehook's own messages, and CodePipeline's events.

use serde_json::Value;

use super::event::{self, PipelineEvent};
use super::message::Message;

/// The body of a message, as it was meant.
#[derive(Clone, Debug)]
pub enum Received {
    Ours(Box<Message>),
    Event(PipelineEvent),
}

/// A body that nobody can have meant. Trying again makes nothing of it: it belongs into the dead-letter queue.
#[derive(Debug, thiserror::Error)]
pub enum ReceivedError {
    #[error("not JSON: {0}")]
    NotJson(serde_json::Error),
    #[error("not an event of an execution: {0}")]
    NotAnEvent(serde_json::Error),
    #[error("not a message of pipehook: {0}")]
    NotOurs(serde_json::Error),
}

impl Received {
    /// Reads the body of a message; `None` for an event that is not about an execution.
    ///
    /// # Errors
    /// Where it is neither a message of pipehook nor an event.
    pub fn parse(body: &str) -> Result<Option<Self>, ReceivedError> {
        let json: Value = serde_json::from_str(body).map_err(ReceivedError::NotJson)?;
        if event::is_event(&json) {
            return Ok(event::parse(&json).map_err(ReceivedError::NotAnEvent)?.map(Self::Event));
        }
        let ours = serde_json::from_value(json).map_err(ReceivedError::NotOurs)?;
        Ok(Some(Self::Ours(Box::new(ours))))
    }
}
