//! The queue as Lambda's event source mapping deals with it: receiving for the worker, and deleting what it has done.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_lambda_events::encodings::Base64Data;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage, SqsMessageAttribute};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName};

use crate::aws::unread::{Unread, sort};
use crate::aws::{Patience, own_retries, with_patience};

/// The most messages of a batch (botocore: `ReceiveMessage`, `MaxNumberOfMessages` 1 to 10).
pub(super) const BATCH: usize = 10;

/// How long after a long poll's own time its answer is waited for. A poll that fails is repeated by who polls.
const ANSWER: Duration = Duration::from_secs(5);

/// How often it is tried to delete what was done.
const TRIES: u32 = 4;

/// The queue, for the one who works on what it holds.
pub(super) struct Inbox {
    polls: Client,
    calls: Client,
    url: String,
    arn: String,
    region: String,
}

/// What a queue says of itself, as far as it matters here.
pub(super) struct Nature {
    pub(super) arn: String,
    /// How long a message that was received is hidden from others.
    pub(super) visibility: Option<Duration>,
    /// Whether what can't be handled gets out of its way, some day.
    pub(super) has_dead_letters: bool,
}

impl Inbox {
    /// `wait` is the longest time of a poll.
    pub(super) fn new(sdk_config: &SdkConfig, url: String, wait: Duration) -> Self {
        let client = |patience| {
            let config = with_patience(sdk_config, patience);
            Client::from_conf(Builder::from(&config).retry_partition(own_retries()).build())
        };
        let poll = Patience { attempt: wait + ANSWER, call: wait + ANSWER, attempts: 1 };
        let region = sdk_config.region().map(ToString::to_string).unwrap_or_default();
        Self { polls: client(poll), calls: client(Patience::WORKER), url, arn: String::new(), region }
    }

    /// As [`Self::new`], once it is known what the queue is.
    pub(super) fn named(self, nature: Nature) -> Self {
        Self { arn: nature.arn, ..self }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Asks the queue what it is.
    ///
    /// # Errors
    /// Where there is no such queue, its attributes may not be read, or there is no answer.
    pub(super) async fn nature(&self) -> Result<Nature, Unread> {
        use QueueAttributeName::{QueueArn, RedrivePolicy, VisibilityTimeout};
        let wanted = [QueueArn, VisibilityTimeout, RedrivePolicy];
        let call = self.calls.get_queue_attributes().queue_url(&self.url).set_attribute_names(Some(wanted.into()));
        let attributes = call.send().await.map_err(sort)?.attributes.unwrap_or_default();
        let seconds = attributes.get(&VisibilityTimeout).and_then(|seconds| seconds.parse().ok());
        let arn = attributes.get(&QueueArn).cloned().unwrap_or_default();
        let has_dead_letters = attributes.contains_key(&RedrivePolicy);
        Ok(Nature { arn, visibility: seconds.map(Duration::from_secs), has_dead_letters })
    }

    /// Waits for messages, up to `max` of them and for so many whole seconds; none is no error.
    ///
    /// # Errors
    /// Where the queue does not give any.
    pub(super) async fn receive(&self, max: usize, wait: Duration) -> Result<Vec<SqsMessage>, Unread> {
        let call = self
            .polls
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(max).unwrap_or(1))
            .wait_time_seconds(i32::try_from(wait.as_secs()).unwrap_or(0))
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All");
        let messages = call.send().await.map_err(sort)?.messages.unwrap_or_default();
        Ok(messages.into_iter().map(|message| self.record(message)).collect())
    }

    /// A message as the event source mapping hands it over.
    fn record(&self, message: aws_sdk_sqs::types::Message) -> SqsMessage {
        let mut record = SqsMessage::default();
        record.message_id = message.message_id;
        record.receipt_handle = message.receipt_handle;
        record.body = message.body;
        record.md5_of_body = message.md5_of_body;
        record.md5_of_message_attributes = message.md5_of_message_attributes;
        let system = message.attributes.unwrap_or_default();
        record.attributes = system.into_iter().map(|(name, value)| (name.as_str().to_owned(), value)).collect();
        let own = message.message_attributes.unwrap_or_default();
        record.message_attributes = own.into_iter().map(|(name, value)| (name, attribute(value))).collect();
        record.event_source = Some("aws:sqs".to_owned());
        record.event_source_arn = Some(self.arn.clone());
        record.aws_region = Some(self.region.clone());
        record
    }

    /// Deletes messages by their handles. What can't be deleted comes again, which does no harm.
    pub(super) async fn delete(&self, handles: Vec<String>) {
        let mut left = handles;
        for try_ in 1..=TRIES {
            if left.is_empty() {
                return;
            }
            if try_ > 1 {
                tokio::time::sleep(Duration::from_millis(100 << try_)).await;
            }
            left = self.delete_once(left).await;
        }
        if !left.is_empty() {
            tracing::warn!(
                messages = left.len(),
                "messages that are done could not be deleted; they come once more, and start nothing twice"
            );
        }
    }

    /// One call; what is worth trying again is handed back.
    async fn delete_once(&self, handles: Vec<String>) -> Vec<String> {
        let entry = |(index, handle): (usize, &String)| {
            DeleteMessageBatchRequestEntry::builder().id(index.to_string()).receipt_handle(handle).build().ok()
        };
        let entries: Vec<_> = handles.iter().enumerate().filter_map(entry).collect();
        let call = self.calls.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
        let failed = match call.send().await {
            Ok(answer) => answer.failed,
            Err(error) => {
                tracing::debug!(error = %sort(error), "messages were not deleted");
                return handles;
            }
        };
        let is_worth_it = |index: usize| {
            let entry = failed.iter().find(|entry| entry.id == index.to_string());
            // What is wrong with the entry itself stays wrong.
            entry.is_some_and(|entry| {
                tracing::debug!(code = entry.code, "a message was not deleted");
                !entry.sender_fault
            })
        };
        handles.into_iter().enumerate().filter(|(index, _)| is_worth_it(*index)).map(|(_, handle)| handle).collect()
    }
}

fn attribute(value: aws_sdk_sqs::types::MessageAttributeValue) -> SqsMessageAttribute {
    let mut attribute = SqsMessageAttribute::default();
    attribute.string_value = value.string_value;
    attribute.binary_value = value.binary_value.map(|bytes| {
        let mut binary = Base64Data::default();
        *binary = bytes.into_inner();
        binary
    });
    attribute.data_type = Some(value.data_type);
    attribute
}

/// A batch for the worker.
pub(super) fn event(records: Vec<SqsMessage>) -> SqsEvent {
    let mut event = SqsEvent::default();
    event.records = records;
    event
}

/// The handles of what is done and may be deleted, by the rule of the event source mapping: an identifier that is empty
/// or not of this batch fails the whole of it.
pub(super) fn done(sent: &[(String, String)], response: &SqsBatchResponse) -> Vec<String> {
    let failed: Vec<&str> =
        response.batch_item_failures.iter().map(|failure| failure.item_identifier.as_str()).collect();
    if failed.iter().any(|failed| !sent.iter().any(|(id, _)| id == failed)) {
        return Vec::new();
    }
    sent.iter().filter(|(id, _)| !failed.contains(&id.as_str())).map(|(_, handle)| handle.clone()).collect()
}

#[cfg(test)]
mod tests {
    use aws_lambda_events::sqs::BatchItemFailure;

    use super::*;

    fn response(failed: &[&str]) -> SqsBatchResponse {
        let mut response = SqsBatchResponse::default();
        for id in failed {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = (*id).to_owned();
            response.batch_item_failures.push(failure);
        }
        response
    }

    #[test]
    fn what_failed_stays_on_the_queue_and_a_failure_of_nobody_knows_what_keeps_all_of_it() {
        let sent = [("a".to_owned(), "handle of a".to_owned()), ("b".to_owned(), "handle of b".to_owned())];
        assert_eq!(done(&sent, &response(&[])), ["handle of a", "handle of b"]);
        assert_eq!(done(&sent, &response(&["a"])), ["handle of b"]);
        for unknown in ["", "c"] {
            assert!(done(&sent, &response(&["a", unknown])).is_empty(), "{unknown:?}");
        }
    }
}
