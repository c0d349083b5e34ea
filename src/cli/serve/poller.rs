//! Feeds the worker from the queue, as Lambda's event source mapping does.

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::Duration;

use aws_lambda_events::sqs::SqsMessage;
use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::Instant;

use super::health::{Health, Part};
use super::inbox::{BATCH, Inbox, done, event};
use crate::worker::Worker;

/// The worker's time for a batch, as the template sets it.
pub(super) const BATCH_TIME: Duration = Duration::from_secs(30);

/// The longest poll (botocore: `ReceiveMessage`, `WaitTimeSeconds` 0 to 20).
const LONGEST_POLL: Duration = Duration::from_secs(20);

/// What comes within this time is handled together, as the template's batching window has it: messages about one
/// execution are worth one look.
const WINDOW: Duration = Duration::from_secs(1);

/// Kept for deleting what a batch has done, once it is over.
const SETTLE: Duration = Duration::from_secs(2);

/// With less time than this left, a batch is not begun.
const SHORTEST_BATCH: Duration = Duration::from_secs(2);

/// A queue that answers an empty poll sooner than this does not do long polls. It is not asked again at once.
const TOO_SOON: Duration = Duration::from_millis(500);
const NAP: Duration = Duration::from_millis(100);

/// Waits after polls that failed: doubled each time, with jitter.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// When everything has to be over; `None` as long as nobody has asked for the end.
pub(super) type Ending = watch::Receiver<Option<Instant>>;

/// How long things may take, so that what has begun before the end can be over within the grace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) poll: Duration,
    pub(super) batch: Duration,
}

impl Times {
    /// A poll that hangs when the end comes is waited for: SQS goes on handing messages to one that nobody listens to,
    /// and hides them for minutes. So it is shorter than the grace, and leaves time for what it brings.
    pub(super) fn within(grace: Duration) -> Self {
        let second = Duration::from_secs(1);
        let poll = grace.saturating_sub(SETTLE + Duration::from_secs(3)).clamp(second, LONGEST_POLL);
        let batch = grace.saturating_sub(SETTLE).clamp(second, BATCH_TIME);
        Self { poll, batch }
    }
}

/// What all pollers share.
pub(super) struct Pollers {
    pub(super) inbox: Rc<Inbox>,
    pub(super) worker: RefCell<Rc<Worker>>,
    /// Another worker, as after a cold start.
    pub(super) fresh: Box<dyn Fn() -> Worker>,
    pub(super) health: Rc<Health>,
    pub(super) times: Times,
    pub(super) ending: Ending,
}

impl Pollers {
    /// Receives and handles one batch after the other, until the end is asked for and the last one is over.
    pub(super) async fn run(self: Rc<Self>, number: usize) {
        let mut ending = self.ending.clone();
        let mut failed: u32 = 0;
        while ending.borrow().is_none() {
            let began = Instant::now();
            let received = self.inbox.receive(BATCH, self.times.poll).await;
            let state = received.as_ref().map(|_| ()).map_err(ToString::to_string);
            self.health.note(Part::Poller(number), state);
            let wait = match received {
                Ok(batch) if batch.is_empty() => {
                    failed = 0;
                    if began.elapsed() < TOO_SOON { NAP } else { Duration::ZERO }
                }
                Ok(batch) => {
                    failed = 0;
                    let batch = self.fill(batch).await;
                    self.handle(batch).await;
                    Duration::ZERO
                }
                Err(_) => {
                    failed = failed.saturating_add(1);
                    wait_after(failed, fastrand::f64())
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = ending.wait_for(Option::is_some) => {}
            }
        }
    }

    /// Waits for what comes right after a batch's first messages.
    async fn fill(&self, mut batch: Vec<SqsMessage>) -> Vec<SqsMessage> {
        if batch.len() < BATCH && self.ending.borrow().is_none() {
            // Where this fails, the next poll will, and tell.
            batch.extend(self.inbox.receive(BATCH - batch.len(), WINDOW).await.unwrap_or_default());
        }
        batch
    }

    /// How much time a batch has that begins now.
    fn time(&self) -> Duration {
        let end = *self.ending.borrow();
        let left = end.map(|end| end.saturating_duration_since(Instant::now()).saturating_sub(SETTLE));
        left.map_or(self.times.batch, |left| left.min(self.times.batch))
    }

    /// One invocation, and what becomes of its messages. What is not done comes back when its visibility timeout is over,
    /// and after five times goes to the dead-letter queue: the queue sees to both.
    async fn handle(&self, batch: Vec<SqsMessage>) {
        let time = self.time();
        if time < SHORTEST_BATCH.min(self.times.batch) {
            tracing::warn!(messages = batch.len(), "no time is left for what the last poll brought; it comes back");
            return;
        }
        let sent: Vec<(String, String)> = batch
            .iter()
            .map(|record| {
                (record.message_id.clone().unwrap_or_default(), record.receipt_handle.clone().unwrap_or_default())
            })
            .collect();
        let worker = self.worker.borrow().clone();
        let handled = AssertUnwindSafe(worker.handle(event(batch), time)).catch_unwind();
        let problem = match tokio::time::timeout(time, handled).await {
            Ok(Ok(response)) => return self.inbox.delete(done(&sent, &response)).await,
            Ok(Err(_)) => "it panicked",
            Err(_) => "it ran out of time",
        };
        tracing::error!(problem, messages = sent.len(), "the worker failed; its messages go back to the queue");
        // As Lambda does, which never goes on with an environment that crashed.
        self.worker.replace(Rc::new((self.fresh)()));
    }
}

/// The wait after so many polls that failed in a row; `chance` is from 0 to 1.
fn wait_after(failed: u32, chance: f64) -> Duration {
    let doubled = FIRST_WAIT.saturating_mul(1_u32.checked_shl(failed.saturating_sub(1)).unwrap_or(u32::MAX));
    doubled.min(LONGEST_WAIT).mul_f64(0.5 + chance / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute_and_are_never_nothing() {
        let waits: Vec<_> = [1, 2, 3, 6, 40].map(|failed| wait_after(failed, 1.0).as_secs()).into();
        assert_eq!(waits, [1, 2, 4, 30, 30]);
        assert_eq!(wait_after(1, 0.0), Duration::from_millis(500));
        assert_eq!(wait_after(u32::MAX, 0.0), Duration::from_secs(15));
    }

    #[test]
    fn what_has_begun_is_over_within_the_grace() {
        let seconds = |grace| {
            let times = Times::within(Duration::from_secs(grace));
            (times.poll.as_secs(), times.batch.as_secs())
        };
        assert_eq!(seconds(25), (20, 23));
        assert_eq!(seconds(300), (20, 30));
        assert_eq!(seconds(10), (5, 8));
        assert_eq!(seconds(1), (1, 1));
    }
}
