//! SQS standard queues, and the event source mapping by which Lambda empties them.

mod creation;
mod mapping;
mod moving;
mod operations;
mod shapes;
mod text;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::account::{ACCOUNT, REGION};
use super::ids::Ids;
use crate::domain::time::Timestamp;

/// The longest delay of a message.
pub(crate) const MAX_DELAY: Duration = Duration::from_secs(900);

/// A queue as it is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSpec {
    name: String,
    visibility: Duration,
    retention: Duration,
    redrive: Option<(String, u32)>,
    policy: Option<String>,
}

impl QueueSpec {
    /// A standard queue with the service's defaults: 30 s of visibility timeout, four days of retention, no redrive.
    pub fn new(name: &str) -> Self {
        let (visibility, retention) = (Duration::from_secs(30), Duration::from_secs(4 * 86_400));
        Self { name: name.to_owned(), visibility, retention, redrive: None, policy: None }
    }

    /// How long a received message stays invisible.
    pub fn visibility(mut self, timeout: Duration) -> Self {
        self.visibility = timeout;
        self
    }

    /// How long a message is kept before it is lost.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.retention = retention;
        self
    }

    /// The queue to which a message goes that was received `max_receive_count` times and is received once more.
    pub fn redrive(mut self, dead_letter_queue: &str, max_receive_count: u32) -> Self {
        self.redrive = Some((dead_letter_queue.to_owned(), max_receive_count));
        self
    }

    /// Who else may use it, as a policy of IAM. It is told to who asks, and nobody is held to it.
    pub fn policy(mut self, policy: &str) -> Self {
        self.policy = Some(policy.to_owned());
        self
    }
}

/// A message as tests see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageView {
    /// The message's id.
    pub id: String,
    /// What was sent.
    pub body: String,
    /// When it was sent.
    pub sent: Timestamp,
    /// From when on it can be received.
    pub available: Timestamp,
    /// How often it was received.
    pub receive_count: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Message {
    id: String,
    body: String,
    sent: Timestamp,
    available: Timestamp,
    receive_count: u32,
    first_received: Option<Timestamp>,
    sender: String,
    attributes: Map<String, Value>,
    trace_header: Option<String>,
    dead_letter_source: Option<String>,
    /// Until when the message is hidden because it was received, and not because it was sent with a delay.
    in_flight: bool,
}

impl Message {
    fn view(&self) -> MessageView {
        MessageView {
            id: self.id.clone(),
            body: self.body.clone(),
            sent: self.sent,
            available: self.available,
            receive_count: self.receive_count,
        }
    }

    /// Makes a new message of one that is moved.
    fn renew(&mut self, id: String, now: Timestamp) {
        self.id = id;
        self.sent = now;
        self.available = now;
        self.receive_count = 0;
        self.first_received = None;
        self.dead_letter_source = None;
        self.in_flight = false;
    }

    fn handle(&self) -> String {
        format!("AQEB{}", hex::encode(format!("{}#{}", self.id, self.receive_count)))
    }
}

/// The message and the count of receives that a receipt handle stands for; `None` for what is no receipt handle.
fn read_handle(handle: &str) -> Option<(String, u32)> {
    let text = String::from_utf8(hex::decode(handle.strip_prefix("AQEB")?).ok()?).ok()?;
    let (id, count) = text.split_once('#')?;
    Some((id.to_owned(), count.parse().ok()?))
}

#[derive(Debug)]
pub(super) struct Queue {
    spec: QueueSpec,
    created: Timestamp,
    messages: Vec<Message>,
    /// So many of the next receives leave their message visible, as a standard queue is allowed to.
    deliver_again: u32,
    /// Whether none of them has come yet.
    is_to_begin: bool,
}

impl Queue {
    fn arn(&self) -> String {
        format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", self.spec.name)
    }
}

/// The queues of the account.
#[derive(Debug)]
pub struct Sqs {
    queues: BTreeMap<String, Queue>,
    tasks: Vec<moving::Task>,
    ids: Ids,
    shuffled: bool,
    /// How often a queue has begun to deliver messages twice, since somebody has asked.
    doublings: u32,
    now: Timestamp,
}

impl Sqs {
    pub(crate) fn new(now: Timestamp, seed: u64) -> Self {
        Self {
            queues: BTreeMap::new(),
            tasks: Vec::new(),
            ids: Ids::new(seed, "sqs"),
            shuffled: false,
            doublings: 0,
            now,
        }
    }

    /// Deletes a queue with what lies in it.
    pub fn delete_queue(&mut self, name: &str) {
        self.queues.remove(name);
    }

    /// Creates a queue, or changes the settings of the one that has this name.
    pub fn create(&mut self, spec: QueueSpec) {
        let now = self.now;
        let queue = self.queues.entry(spec.name.clone()).or_insert_with(|| Queue {
            spec: spec.clone(),
            created: now,
            messages: Vec::new(),
            deliver_again: 0,
            is_to_begin: false,
        });
        queue.spec = spec;
    }

    /// Messages are received in an order drawn from the seed, where a standard queue promises none. Without this they
    /// come in the order in which they became visible.
    pub fn shuffle(&mut self, on: bool) {
        self.shuffled = on;
    }

    /// The next `count` messages received from a queue stay visible and are received once more at once.
    pub fn deliver_twice(&mut self, queue: &str, count: u32) {
        if let Some(queue) = self.queues.get_mut(queue) {
            (queue.deliver_again, queue.is_to_begin) = (count, true);
        }
    }

    /// How often a queue has begun to deliver messages twice, since the last time that this was asked.
    pub(crate) fn take_doublings(&mut self) -> u32 {
        std::mem::take(&mut self.doublings)
    }

    /// Puts a raw message on a queue, without the checks of `SendMessage`. `false` where there is no such queue.
    pub fn inject(&mut self, now: Timestamp, queue: &str, body: &str) -> bool {
        self.inject_after(now, queue, body, Duration::ZERO)
    }

    /// Puts a raw message on a queue that can be received after a delay.
    pub fn inject_after(&mut self, now: Timestamp, queue: &str, body: &str, delay: Duration) -> bool {
        self.now = self.now.max(now);
        self.push(now, queue, body.to_owned(), delay, Map::new(), None).is_some()
    }

    fn push(
        &mut self,
        now: Timestamp,
        queue: &str,
        body: String,
        delay: Duration,
        attributes: Map<String, Value>,
        trace_header: Option<String>,
    ) -> Option<String> {
        let queue = self.queues.get_mut(queue)?;
        let id = self.ids.uuid();
        queue.messages.push(Message {
            id: id.clone(),
            body,
            sent: now,
            available: now + delay,
            receive_count: 0,
            first_received: None,
            sender: format!("AROAEXAMPLE:{ACCOUNT}"),
            attributes,
            trace_header,
            dead_letter_source: None,
            in_flight: false,
        });
        Some(id)
    }

    fn views(&self, queue: &str, wanted: impl Fn(&Message) -> bool) -> Vec<MessageView> {
        let messages = self.queues.get(queue).map_or(&[][..], |queue| &queue.messages);
        messages.iter().filter(|message| wanted(message)).map(Message::view).collect()
    }

    /// The messages of a queue that can be received at `now`, in the order in which they were sent.
    pub fn visible(&self, now: Timestamp, queue: &str) -> Vec<MessageView> {
        self.views(queue, |message| message.available <= now)
    }

    /// How many messages of a queue can be received at `now`.
    pub fn count_visible(&self, now: Timestamp, queue: &str) -> usize {
        let messages = self.queues.get(queue).map_or(&[][..], |queue| &queue.messages);
        messages.iter().filter(|message| message.available <= now).count()
    }

    /// The messages that were received, are not deleted, and are not visible again.
    pub fn in_flight(&self, now: Timestamp, queue: &str) -> Vec<MessageView> {
        self.views(queue, |message| message.available > now && message.in_flight)
    }

    /// The messages that were sent with a delay which is not over.
    pub fn delayed(&self, now: Timestamp, queue: &str) -> Vec<MessageView> {
        self.views(queue, |message| message.available > now && !message.in_flight)
    }

    /// The body of every message that a queue holds, whatever its state: what lies in a dead-letter queue.
    pub fn bodies(&self, queue: &str) -> Vec<String> {
        self.views(queue, |_| true).into_iter().map(|message| message.body).collect()
    }

    /// Whether a queue holds nothing at all.
    pub fn is_empty(&self, queue: &str) -> bool {
        self.queues.get(queue).is_none_or(|queue| queue.messages.is_empty())
    }

    /// Moves every message of a dead-letter queue back to the queue that it came from, as a redrive in the console
    /// does: as new messages, received zero times. Gives how many were moved.
    pub fn redrive(&mut self, now: Timestamp, dead_letter_queue: &str) -> usize {
        self.now = self.now.max(now);
        let Some(queue) = self.queues.get_mut(dead_letter_queue) else {
            return 0;
        };
        let (moved, stays): (Vec<_>, Vec<_>) =
            queue.messages.drain(..).partition(|message| message.dead_letter_source.is_some());
        queue.messages = stays;
        let count = moved.len();
        for mut message in moved {
            let source = message.dead_letter_source.take().unwrap_or_default();
            message.renew(self.ids.uuid(), now);
            if let Some(queue) = self.queues.get_mut(&source) {
                queue.messages.push(message);
            }
        }
        count
    }

    /// When a message of any queue next becomes visible, or is moved.
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let messages = self.queues.values().flat_map(|queue| &queue.messages);
        let visible = messages.map(|message| message.available).filter(|available| *available > now).min();
        visible.into_iter().chain(self.next_move(now)).min()
    }

    /// Forgets what is older than its queue keeps messages.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.advance_moves(self.now);
        for queue in self.queues.values_mut() {
            let retention = queue.spec.retention;
            queue.messages.retain(|message| now.since(message.sent) < retention);
        }
    }

    /// Takes up to `max` visible messages from a queue, hides each for the timeout, and moves those that were received
    /// too often to the dead-letter queue.
    fn receive(&mut self, now: Timestamp, name: &str, max: usize, timeout: Option<Duration>) -> Vec<Message> {
        let Some(queue) = self.queues.get_mut(name) else {
            return Vec::new();
        };
        let mut dead = Vec::new();
        if let Some((target, max_receives)) = queue.spec.redrive.clone() {
            let spent = |message: &Message| message.available <= now && message.receive_count >= max_receives;
            let (moved, kept): (Vec<_>, Vec<_>) = queue.messages.drain(..).partition(spent);
            queue.messages = kept;
            dead.extend(moved.into_iter().map(|message| (target.clone(), message)));
        }
        let mut order: Vec<usize> =
            (0..queue.messages.len()).filter(|at| queue.messages[*at].available <= now).collect();
        order.sort_by_key(|at| queue.messages[*at].available);
        if self.shuffled {
            for at in (1..order.len()).rev() {
                let other = usize::try_from(self.ids.below(at as u64 + 1)).unwrap_or(at);
                order.swap(at, other);
            }
        }
        let hidden_until = now + timeout.unwrap_or(queue.spec.visibility);
        let mut received = Vec::new();
        for at in order.into_iter().take(max) {
            let message = &mut queue.messages[at];
            message.receive_count += 1;
            message.first_received.get_or_insert(now);
            message.in_flight = true;
            if queue.deliver_again > 0 {
                queue.deliver_again -= 1;
                self.doublings += u32::from(std::mem::take(&mut queue.is_to_begin));
            } else {
                message.available = hidden_until;
            }
            received.push(message.clone());
        }
        for (target, mut message) in dead {
            message.dead_letter_source = Some(name.to_owned());
            message.in_flight = false;
            message.available = now;
            if let Some(queue) = self.queues.get_mut(&target) {
                queue.messages.push(message);
            }
        }
        received
    }

    /// Deletes what a receipt handle stands for. A handle from an earlier receive than the last deletes nothing and is
    /// no error, and neither is a handle of a message that is gone. `None` for what is no handle.
    fn delete(&mut self, name: &str, handle: &str) -> Option<()> {
        let (id, count) = read_handle(handle)?;
        let queue = self.queues.get_mut(name)?;
        queue.messages.retain(|message| message.id != id || message.receive_count != count);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn after(seconds: u64) -> Timestamp {
        NOW + Duration::from_secs(seconds)
    }

    fn sqs() -> Sqs {
        let mut sqs = Sqs::new(NOW, 1);
        sqs.create(QueueSpec::new("dead"));
        sqs.create(QueueSpec::new("work").visibility(Duration::from_secs(180)).redrive("dead", 2));
        sqs
    }

    #[test]
    fn a_received_message_comes_back_after_its_visibility_timeout() {
        let mut sqs = sqs();
        sqs.inject(NOW, "work", "a");
        assert_eq!(sqs.receive(NOW, "work", 10, None).len(), 1);
        assert!(sqs.receive(after(179), "work", 10, None).is_empty());
        assert_eq!(sqs.next_change(NOW), Some(after(180)));
        assert_eq!(sqs.in_flight(after(1), "work").len(), 1);
        let again = sqs.receive(after(180), "work", 10, None);
        assert_eq!(again[0].receive_count, 2);
    }

    #[test]
    fn a_delayed_message_waits_and_is_not_in_flight() {
        let mut sqs = sqs();
        sqs.inject_after(NOW, "work", "later", Duration::from_secs(900));
        assert!(sqs.visible(after(899), "work").is_empty());
        assert_eq!(sqs.delayed(after(899), "work").len(), 1);
        assert!(sqs.in_flight(after(899), "work").is_empty());
        assert_eq!(sqs.receive(after(900), "work", 1, None).len(), 1);
    }

    #[test]
    fn a_message_received_too_often_goes_to_the_dead_letter_queue_and_a_redrive_brings_it_back() {
        let mut sqs = sqs();
        sqs.inject(NOW, "work", "poison");
        assert_eq!(sqs.receive(NOW, "work", 1, None).len(), 1);
        assert_eq!(sqs.receive(after(200), "work", 1, None).len(), 1);
        assert!(sqs.receive(after(400), "work", 1, None).is_empty());
        assert_eq!(sqs.bodies("dead"), ["poison"]);
        assert_eq!(sqs.redrive(after(500), "dead"), 1);
        assert!(sqs.is_empty("dead"));
        assert_eq!(sqs.visible(after(500), "work")[0].receive_count, 0);
    }

    #[test]
    fn an_old_handle_deletes_nothing_and_a_made_up_one_is_refused() {
        let mut sqs = sqs();
        sqs.inject(NOW, "work", "a");
        let old = sqs.receive(NOW, "work", 1, None)[0].handle();
        let new = sqs.receive(after(200), "work", 1, None)[0].handle();
        assert_eq!(sqs.delete("work", &old), Some(()));
        assert!(!sqs.is_empty("work"));
        assert_eq!(sqs.delete("work", &new), Some(()));
        assert!(sqs.is_empty("work"));
        assert_eq!(sqs.delete("work", "made up"), None);
    }

    #[test]
    fn a_message_that_nobody_takes_is_lost_after_the_retention() {
        let mut sqs = sqs();
        sqs.inject(NOW, "work", "a");
        sqs.advance(after(4 * 86_400 - 1));
        assert!(!sqs.is_empty("work"));
        sqs.advance(after(4 * 86_400));
        assert!(sqs.is_empty("work"));
    }

    #[test]
    fn a_standard_queue_may_deliver_twice() {
        let mut sqs = sqs();
        sqs.inject(NOW, "work", "a");
        sqs.deliver_twice("work", 1);
        assert_eq!(sqs.receive(NOW, "work", 1, None).len(), 1);
        assert_eq!(sqs.receive(NOW, "work", 1, None).len(), 1);
        assert_eq!(sqs.receive(NOW, "work", 1, None).len(), 0);
    }
}
