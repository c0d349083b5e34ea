//! The dead-letter queue: looking into it without taking anything away, and putting messages back.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use futures_util::future::join_all;

use super::moments::Moments;
use super::own_retries;
use super::unread::{Unread, sort};
use crate::domain::time::Timestamp;

/// A message that is looked at is out of sight for this long, unless it is given back before. Reading some hundred takes
/// seconds; where the tool dies on the way, they come back by themselves.
const OUT_OF_SIGHT: Duration = Duration::from_secs(60);

/// SQS gives at most so many messages at a time (botocore: `ReceiveMessage`).
const BATCH: i32 = 10;

/// Only a receive that waits asks all of SQS's servers, and says for sure that nothing is there.
const WAIT_SECONDS: i32 = 1;

/// So many are given back beside each other.
const AT_ONCE: usize = 10;

/// A message in the dead-letter queue.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub(crate) id: String,
    pub(crate) body: String,
    /// When it was put on the main queue: SQS leaves that as it is when it gives a message up.
    pub(crate) sent: Timestamp,
    /// How often it was received, on both queues, this time included.
    pub(crate) receives: u32,
    handle: String,
}

/// How a move of all messages goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) status: MoveStatus,
    pub(crate) moved: u64,
    /// How many there were at the beginning, once SQS has counted them.
    pub(crate) of: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MoveStatus {
    Running,
    Completed,
    /// Somebody has cancelled it.
    Cancelled,
    Failed(String),
}

/// The dead-letter queue, and the queue that its messages come from.
pub(crate) struct DeadLetters {
    client: Client,
    url: String,
    main_url: String,
}

impl DeadLetters {
    pub(crate) fn new(sdk_config: &aws_config::SdkConfig, moments: &Moments, url: String, main_url: String) -> Self {
        let config = Builder::from(sdk_config).retry_partition(own_retries()).interceptor(moments.clone());
        Self { client: Client::from_conf(config.build()), url, main_url }
    }

    /// About how many messages lie there to be had.
    pub(crate) async fn count(&self) -> Result<u64, Unread> {
        self.number_of(QueueAttributeName::ApproximateNumberOfMessages).await
    }

    /// About how many somebody has taken out of sight, for a minute at most where that was this tool.
    pub(crate) async fn in_flight(&self) -> Result<u64, Unread> {
        self.number_of(QueueAttributeName::ApproximateNumberOfMessagesNotVisible).await
    }

    /// Takes messages, at most `most`, out of sight, until `enough` says that those that are needed are among them. Whoever
    /// takes them gives them back with [`Self::release`]. Each take counts as a receive of each message.
    pub(crate) async fn take(&self, most: usize, enough: impl Fn(&[Letter]) -> bool) -> Result<Vec<Letter>, Unread> {
        let mut letters: Vec<Letter> = Vec::new();
        while letters.len() < most && !enough(&letters) {
            let left = i32::try_from(most - letters.len()).unwrap_or(BATCH).min(BATCH);
            let call = self.client.receive_message().queue_url(&self.url).max_number_of_messages(left);
            let call = call.visibility_timeout(OUT_OF_SIGHT.as_secs() as i32).wait_time_seconds(WAIT_SECONDS);
            let received = match call.message_system_attribute_names(MessageSystemAttributeName::All).send().await {
                Ok(received) => received.messages.unwrap_or_default(),
                Err(error) => {
                    self.release(&letters).await;
                    return Err(sort(error));
                }
            };
            if received.is_empty() {
                break;
            }
            received.into_iter().filter_map(letter).for_each(|letter| add(&mut letters, letter));
        }
        Ok(letters)
    }

    /// Gives messages back. One that can't be given back comes back by itself within a minute.
    pub(crate) async fn release(&self, letters: &[Letter]) {
        for some in letters.chunks(AT_ONCE) {
            let given_back = some.iter().map(|letter| {
                let call = self.client.change_message_visibility().queue_url(&self.url);
                call.receipt_handle(&letter.handle).visibility_timeout(0).send()
            });
            for error in join_all(given_back).await.into_iter().filter_map(Result::err) {
                tracing::debug!(%error, "a message can't be given back, and comes back by itself");
            }
        }
    }

    /// Puts a message back on the main queue with this body, and then deletes it here: it is never lost, and at worst
    /// twice there.
    pub(crate) async fn put_back(&self, letter: &Letter, body: &str) -> Result<(), Unread> {
        let send = self.client.send_message().queue_url(&self.main_url).message_body(body);
        let sent = send.send().await.map_err(sort)?;
        if sent.message_id().is_none_or(str::is_empty) {
            return Err(Unread::ForNow("its answer names no message".to_owned()));
        }
        let delete = self.client.delete_message().queue_url(&self.url).receipt_handle(&letter.handle);
        delete.send().await.map(drop).map_err(|error| match sort(error) {
            Unread::ForNow(why) | Unread::ForGood(why) => {
                Unread::ForGood(format!("it is on the queue again, but can't be deleted here: {why}"))
            }
        })
    }

    /// Has SQS move all messages to the main queue, and gives what cancels that.
    pub(crate) async fn start_move(&self) -> Result<String, Unread> {
        // Said where to: what was not put here by SQS has no queue that it came from.
        let target = self.attribute(&self.main_url, QueueAttributeName::QueueArn).await?;
        let call = self.client.start_message_move_task().source_arn(self.arn().await?).destination_arn(target);
        let started = call.send().await.map_err(sort)?;
        started.task_handle.ok_or_else(|| Unread::ForNow("its answer names no task".to_owned()))
    }

    /// How the newest move goes.
    pub(crate) async fn newest_move(&self) -> Result<Move, Unread> {
        let listed = self.client.list_message_move_tasks().source_arn(self.arn().await?).send().await.map_err(sort)?;
        let newest = listed.results.unwrap_or_default().into_iter().next();
        let newest = newest.ok_or_else(|| Unread::ForNow("SQS knows no move of its messages".to_owned()))?;
        let number = |number: i64| u64::try_from(number).unwrap_or_default();
        Ok(Move {
            status: match newest.status.as_deref() {
                Some("COMPLETED") => MoveStatus::Completed,
                Some("CANCELLED" | "CANCELLING") => MoveStatus::Cancelled,
                Some("FAILED") => MoveStatus::Failed(newest.failure_reason.unwrap_or_default()),
                _ => MoveStatus::Running,
            },
            moved: number(newest.approximate_number_of_messages_moved),
            of: newest.approximate_number_of_messages_to_move.map(number),
        })
    }

    /// Ends a move. What has been moved stays moved.
    pub(crate) async fn cancel_move(&self, handle: &str) -> Result<(), Unread> {
        self.client.cancel_message_move_task().task_handle(handle).send().await.map(drop).map_err(sort)
    }

    async fn arn(&self) -> Result<String, Unread> {
        self.attribute(&self.url, QueueAttributeName::QueueArn).await
    }

    async fn number_of(&self, messages: QueueAttributeName) -> Result<u64, Unread> {
        Ok(self.attribute(&self.url, messages).await?.parse().unwrap_or_default())
    }

    async fn attribute(&self, url: &str, name: QueueAttributeName) -> Result<String, Unread> {
        let call = self.client.get_queue_attributes().queue_url(url).attribute_names(name.clone());
        let found = call.send().await.map_err(sort)?.attributes.unwrap_or_default().remove(&name);
        found.ok_or_else(|| Unread::ForNow(format!("its answer holds no {name}")))
    }
}

/// `None` for one that could not be given back.
fn letter(message: Message) -> Option<Letter> {
    let attribute = |name| message.attributes.as_ref().and_then(|attributes| attributes.get(&name));
    let sent = attribute(MessageSystemAttributeName::SentTimestamp).and_then(|sent| sent.parse().ok());
    let receives = attribute(MessageSystemAttributeName::ApproximateReceiveCount).and_then(|count| count.parse().ok());
    Some(Letter {
        sent: Timestamp::from_millis(sent.unwrap_or_default()),
        receives: receives.unwrap_or_default(),
        id: message.message_id?,
        handle: message.receipt_handle?,
        body: message.body.unwrap_or_default(),
    })
}

/// Adds what was received. What has come back meanwhile, since it was out of sight for too long, takes its own place: by its old
/// handle it may not be deleted, and SQS does not say so.
fn add(letters: &mut Vec<Letter>, letter: Letter) {
    match letters.iter_mut().find(|known| known.id == letter.id) {
        Some(known) => *known = letter,
        None => letters.push(letter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_received_again_is_known_by_its_new_handle() {
        let received = |id: &str, handle: &str| {
            letter(Message::builder().message_id(id).receipt_handle(handle).body("{}").build()).unwrap()
        };
        let mut letters = Vec::new();
        for (id, handle) in [("one", "a"), ("two", "b"), ("one", "c")] {
            add(&mut letters, received(id, handle));
        }
        let handles: Vec<_> = letters.iter().map(|letter| (letter.id.as_str(), letter.handle.as_str())).collect();
        assert_eq!(handles, [("one", "c"), ("two", "b")]);
    }
}
