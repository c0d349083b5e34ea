//! Message move tasks: a dead-letter queue is emptied message by message, into a queue or back to where each came from.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::operations::invalid;
use super::{Queue, Sqs};
use crate::domain::time::Timestamp;
use crate::standin::wire::AwsError;

/// Messages a second, where the caller leaves it to the service (SQS API reference, `StartMessageMoveTask`: it is optimised
/// for the backlog; how, is not said).
const RATE: u64 = 50;

/// The bounds of what callers ask for (botocore: `MaxNumberOfMessagesPerSecond`, `MaxResults`).
const FASTEST: u64 = 500;
const MOST_LISTED: u64 = 10;

/// A task, with the names of its queues.
#[derive(Debug)]
pub(super) struct Task {
    handle: String,
    source: String,
    destination: Option<String>,
    rate: Option<u64>,
    started: Timestamp,
    to_move: usize,
    moved: usize,
    status: &'static str,
    failure: Option<&'static str>,
}

impl Task {
    fn is_running(&self) -> bool {
        self.status == "RUNNING"
    }

    /// When its next message moves; the end comes with the last one.
    fn next(&self) -> Timestamp {
        let nth = self.moved as u64 + 1;
        self.started + Duration::from_millis((nth * 1000).div_ceil(self.rate.unwrap_or(RATE)))
    }
}

impl Sqs {
    pub(super) fn start_move(&mut self, now: Timestamp, body: &Value) -> Result<Value, AwsError> {
        let source = self.of_arn(body, "SourceArn")?;
        let is_target = |queue: &Queue| queue.spec.redrive.as_ref().is_some_and(|(target, _)| *target == source);
        if !self.queues.values().any(is_target) {
            return Err(invalid("Source queue must be configured as a Dead Letter Queue."));
        }
        let destination = match body["DestinationArn"].is_string() {
            true => Some(self.of_arn(body, "DestinationArn")?),
            false => None,
        };
        let rate = bounded(body, "MaxNumberOfMessagesPerSecond", FASTEST)?;
        if self.tasks.iter().any(|task| task.source == source && task.is_running()) {
            let message = "There is already a task running. Only one active task is allowed for a source queue arn at a \
                           given time.";
            return Err(AwsError::new("UnsupportedOperation", message));
        }
        let to_move = self.count_visible(now, &source);
        let handle = hex::encode(format!("{}#{source}", self.ids.uuid()));
        let (answer, status) = (json!({"TaskHandle": handle}), "RUNNING");
        let (moved, failure, started) = (0, None, now);
        self.tasks.push(Task { handle, source, destination, rate, started, to_move, moved, status, failure });
        Ok(answer)
    }

    pub(super) fn list_moves(&self, body: &Value) -> Result<Value, AwsError> {
        let source = self.of_arn(body, "SourceArn")?;
        let most = bounded(body, "MaxResults", MOST_LISTED)?.unwrap_or(1);
        let arn = |name: &String| self.queues.get(name).map(|queue| json!(queue.arn()));
        let show = |task: &Task| {
            let members = [
                ("TaskHandle", task.is_running().then(|| json!(task.handle))),
                ("Status", Some(json!(task.status))),
                ("SourceArn", arn(&task.source)),
                ("DestinationArn", task.destination.as_ref().and_then(arn)),
                ("MaxNumberOfMessagesPerSecond", task.rate.map(|rate| json!(rate))),
                ("ApproximateNumberOfMessagesMoved", Some(json!(task.moved))),
                ("ApproximateNumberOfMessagesToMove", Some(json!(task.to_move))),
                ("FailureReason", task.failure.map(|reason| json!(reason))),
                ("StartedTimestamp", Some(json!(task.started.as_millis()))),
            ];
            let shown = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
            Value::Object(shown.collect::<Map<_, _>>())
        };
        let of_source = self.tasks.iter().rev().filter(|task| task.source == source);
        let shown: Vec<Value> = of_source.take(usize::try_from(most).unwrap_or(1)).map(show).collect();
        Ok(if shown.is_empty() { json!({}) } else { json!({"Results": shown}) })
    }

    pub(super) fn cancel_move(&mut self, body: &Value) -> Result<Value, AwsError> {
        let handle = body["TaskHandle"].as_str().unwrap_or_default();
        let task = self.tasks.iter_mut().find(|task| task.handle == handle);
        let task = task.ok_or_else(|| missing("Task does not exist."))?;
        if !task.is_running() {
            return Err(AwsError::new("UnsupportedOperation", "Only active tasks can be cancelled."));
        }
        task.status = "CANCELLED";
        Ok(json!({"ApproximateNumberOfMessagesMoved": task.moved}))
    }

    /// Moves what is due by now.
    pub(super) fn advance_moves(&mut self, now: Timestamp) {
        let mut tasks = std::mem::take(&mut self.tasks);
        for task in tasks.iter_mut().filter(|task| task.is_running()) {
            while task.is_running() && task.next() <= now {
                self.move_one(task);
            }
        }
        self.tasks = tasks;
    }

    pub(super) fn next_move(&self, now: Timestamp) -> Option<Timestamp> {
        self.tasks.iter().filter(|task| task.is_running()).map(Task::next).filter(|next| *next > now).min()
    }

    /// Moves a message as a new one: its id, its moment and its receives are others.
    fn move_one(&mut self, task: &mut Task) {
        let at = task.next();
        let Some(source) = self.queues.get_mut(&task.source) else { return };
        let visible = source.messages.iter().position(|message| message.available <= at);
        let Some(index) = visible.filter(|_| task.moved < task.to_move) else {
            task.status = "COMPLETED";
            return;
        };
        let target = task.destination.clone().or_else(|| source.messages[index].dead_letter_source.clone());
        let Some(target) = target else {
            (task.status, task.failure) = ("FAILED", Some("CouldNotDetermineMessageSource"));
            return;
        };
        let mut message = source.messages.remove(index);
        message.renew(self.ids.uuid(), at);
        if let Some(queue) = self.queues.get_mut(&target) {
            queue.messages.push(message);
        }
        task.moved += 1;
        if task.moved == task.to_move {
            task.status = "COMPLETED";
        }
    }

    /// The name of the queue that an ARN is of.
    fn of_arn(&self, body: &Value, member: &str) -> Result<String, AwsError> {
        let arn = body[member].as_str().unwrap_or_default();
        let queue = self.queues.values().find(|queue| queue.arn() == arn);
        queue.map(|queue| queue.spec.name.clone()).ok_or_else(|| {
            missing(format!("The resource that you specified for the {member} parameter doesn't exist."))
        })
    }
}

fn missing(message: impl Into<String>) -> AwsError {
    AwsError { status: 404, ..AwsError::new("ResourceNotFoundException", message) }
}

fn bounded(body: &Value, member: &str, most: u64) -> Result<Option<u64>, AwsError> {
    match &body[member] {
        Value::Null => Ok(None),
        number => match number.as_u64().filter(|number| (1..=most).contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(invalid(format!("Value {number} for parameter {member} is invalid: must be 1 to {most}."))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::QueueSpec;
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);
    const DEAD: &str = "arn:aws:sqs:us-east-1:123456789012:dead";
    const WORK: &str = "arn:aws:sqs:us-east-1:123456789012:work";

    fn sqs(messages: usize) -> Sqs {
        let mut sqs = Sqs::new(NOW, 1);
        sqs.create(QueueSpec::new("dead"));
        sqs.create(QueueSpec::new("work").redrive("dead", 2));
        for number in 0..messages {
            sqs.inject(NOW, "dead", &format!("message {number}"));
        }
        sqs
    }

    fn ask(sqs: &mut Sqs, operation: &str, body: Value) -> Result<Value, &'static str> {
        sqs.call(NOW, operation, &body, "").map(Option::unwrap_or_default).map_err(|error| error.code)
    }

    #[test]
    fn messages_move_one_after_the_other_as_new_ones() {
        let mut sqs = sqs(3);
        let id = sqs.visible(NOW, "dead")[0].id.clone();
        let asked = json!({"SourceArn": DEAD, "DestinationArn": WORK, "MaxNumberOfMessagesPerSecond": 1});
        let handle = ask(&mut sqs, "StartMessageMoveTask", asked.clone()).unwrap()["TaskHandle"].clone();
        assert_eq!(ask(&mut sqs, "StartMessageMoveTask", asked), Err("UnsupportedOperation"));
        assert_eq!(sqs.next_change(NOW), Some(NOW + Duration::from_secs(1)));
        sqs.advance(NOW + Duration::from_secs(2));
        let listed = ask(&mut sqs, "ListMessageMoveTasks", json!({"SourceArn": DEAD})).unwrap();
        let task = &listed["Results"][0];
        assert_eq!((&task["Status"], &task["TaskHandle"]), (&json!("RUNNING"), &handle));
        assert_eq!(task["ApproximateNumberOfMessagesMoved"], 2);
        assert_eq!(task["ApproximateNumberOfMessagesToMove"], 3);
        sqs.advance(NOW + Duration::from_secs(3));
        let listed = ask(&mut sqs, "ListMessageMoveTasks", json!({"SourceArn": DEAD})).unwrap();
        assert_eq!(listed["Results"][0]["Status"], "COMPLETED");
        assert!(listed["Results"][0]["TaskHandle"].is_null());
        let moved = sqs.visible(NOW + Duration::from_secs(3), "work");
        assert_eq!(moved.len(), 3);
        assert!(moved.iter().all(|message| message.id != id && message.sent > NOW && message.receive_count == 0));
    }

    #[test]
    fn a_task_that_is_cancelled_leaves_the_rest() {
        let mut sqs = sqs(3);
        let asked = json!({"SourceArn": DEAD, "DestinationArn": WORK, "MaxNumberOfMessagesPerSecond": 1});
        let task = ask(&mut sqs, "StartMessageMoveTask", asked).unwrap();
        sqs.advance(NOW + Duration::from_secs(1));
        let cancelled = ask(&mut sqs, "CancelMessageMoveTask", task.clone()).unwrap();
        assert_eq!(cancelled, json!({"ApproximateNumberOfMessagesMoved": 1}));
        sqs.advance(NOW + Duration::from_secs(60));
        assert_eq!(sqs.bodies("dead").len(), 2);
        assert_eq!(ask(&mut sqs, "CancelMessageMoveTask", task), Err("UnsupportedOperation"));
        let made_up = json!({"TaskHandle": "made up"});
        assert_eq!(ask(&mut sqs, "CancelMessageMoveTask", made_up), Err("ResourceNotFoundException"));
    }

    #[test]
    fn a_message_that_came_from_nowhere_does_not_go_back_there() {
        let mut sqs = sqs(1);
        ask(&mut sqs, "StartMessageMoveTask", json!({"SourceArn": DEAD})).unwrap();
        sqs.advance(NOW + Duration::from_secs(1));
        let listed = ask(&mut sqs, "ListMessageMoveTasks", json!({"SourceArn": DEAD, "MaxResults": 10})).unwrap();
        assert_eq!(listed["Results"][0]["FailureReason"], "CouldNotDetermineMessageSource");
        assert_eq!(sqs.bodies("dead").len(), 1);
    }

    #[test]
    fn what_the_service_refuses_is_refused() {
        for (asked, code) in [
            (json!({"SourceArn": "arn:aws:sqs:us-east-1:123456789012:gone"}), "ResourceNotFoundException"),
            (json!({"SourceArn": WORK}), "InvalidParameterValue"),
            (json!({"SourceArn": DEAD, "DestinationArn": "work"}), "ResourceNotFoundException"),
            (json!({"SourceArn": DEAD, "MaxNumberOfMessagesPerSecond": 501}), "InvalidParameterValue"),
            (json!({}), "InvalidParameterValue"),
        ] {
            assert_eq!(ask(&mut sqs(1), "StartMessageMoveTask", asked.clone()), Err(code), "{asked}");
        }
        let too_many = json!({"SourceArn": DEAD, "MaxResults": 11});
        assert_eq!(ask(&mut sqs(1), "ListMessageMoveTasks", too_many), Err("InvalidParameterValue"));
    }
}
