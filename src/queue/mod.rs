//! The queue: the engine between the functions.

pub mod event;
pub mod memory;
pub mod message;
pub mod received;

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::error::DisplayErrorContext;

use crate::aws::own_retries;
use message::Message;

/// SQS takes delays of up to 15 minutes (botocore: `SendMessage`, 0 to 900 s).
pub const MAX_DELAY: Duration = Duration::from_secs(900);

/// Sends messages to pipehook's queue.
#[derive(Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("no queue is configured: set PIPEHOOK_QUEUE_URL")]
    NoQueue,
    #[error("the message can't be written as JSON: {0}")]
    Encode(#[from] serde_json::Error),
    #[error("SQS did not take the message: {0}")]
    Sqs(String),
}

impl Queue {
    pub fn new(sdk_config: &aws_config::SdkConfig, url: String) -> Self {
        let config = Builder::from(sdk_config).retry_partition(own_retries());
        Self { client: Client::from_conf(config.build()), url }
    }

    /// The queue that `PIPEHOOK_QUEUE_URL` names. Where it is not set, every send fails and says so.
    pub fn from_env(sdk_config: &aws_config::SdkConfig) -> Self {
        Self::new(sdk_config, std::env::var("PIPEHOOK_QUEUE_URL").unwrap_or_default())
    }

    /// Sends a message that becomes visible after `delay`, in whole seconds and at most [`MAX_DELAY`]. When this
    /// returns, the message is durable.
    pub async fn send(&self, message: &Message, delay: Duration) -> Result<(), SendError> {
        if self.url.is_empty() {
            return Err(SendError::NoQueue);
        }
        let body = message.to_body()?;
        let seconds = delay.min(MAX_DELAY).as_millis().div_ceil(1000) as i32;
        let send = self.client.send_message().queue_url(&self.url).message_body(body).delay_seconds(seconds);
        let sent = send.send().await.map_err(|error| SendError::Sqs(DisplayErrorContext(&error).to_string()))?;
        // SQS names every message that it took. An answer without a name is some other server's.
        if sent.message_id().is_none_or(str::is_empty) {
            return Err(SendError::Sqs("its answer names no message".to_owned()));
        }
        Ok(())
    }
}
