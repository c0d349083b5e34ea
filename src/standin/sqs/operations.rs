//! SQS on the wire.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{MAX_DELAY, Message, Queue, Sqs, read_handle, shapes, text};
use crate::domain::time::Timestamp;
use crate::standin::account::ACCOUNT;
use crate::standin::check;
use crate::standin::wire::{AwsError, AwsService};

impl Sqs {
    /// `base` is the address under which the caller reached this world; queue URLs begin with it.
    pub(crate) fn call(
        &mut self,
        now: Timestamp,
        operation: &str,
        body: &Value,
        base: &str,
    ) -> Result<Option<Value>, AwsError> {
        let shape = match operation {
            "SendMessage" => shapes::SEND,
            "SendMessageBatch" => shapes::SEND_BATCH,
            "ReceiveMessage" => shapes::RECEIVE,
            "DeleteMessage" => shapes::DELETE,
            "DeleteMessageBatch" => shapes::DELETE_BATCH,
            "ChangeMessageVisibility" => shapes::CHANGE_VISIBILITY,
            "GetQueueAttributes" => shapes::GET_ATTRIBUTES,
            "GetQueueUrl" => shapes::GET_URL,
            "CreateQueue" => shapes::CREATE,
            "StartMessageMoveTask" => shapes::START_MOVE,
            "ListMessageMoveTasks" => shapes::LIST_MOVES,
            "CancelMessageMoveTask" => shapes::CANCEL_MOVE,
            other => return Err(AwsService::Sqs.unknown(other)),
        };
        check::check(shape, body).map_err(|error| match (error.code, operation) {
            // Besides the queue, all that this one is given is names of attributes.
            ("ValidationException", "GetQueueAttributes") if body["QueueUrl"].is_string() => {
                AwsError::new("InvalidAttributeName", error.message)
            }
            ("ValidationException", _) => invalid(error.message),
            _ => error,
        })?;
        if let Some(name) = body["QueueName"].as_str() {
            let name = if operation == "CreateQueue" { self.create_queue(body)? } else { self.known(name)? };
            return Ok(Some(json!({"QueueUrl": format!("{base}/{ACCOUNT}/{name}")})));
        }
        match operation {
            "StartMessageMoveTask" => return self.start_move(now, body).map(Some),
            "ListMessageMoveTasks" => return self.list_moves(body).map(Some),
            "CancelMessageMoveTask" => return self.cancel_move(body).map(Some),
            _ => {}
        }
        let url = body["QueueUrl"].as_str().unwrap_or_default();
        let name = self.known(url.rsplit('/').next().unwrap_or_default())?;
        match operation {
            "SendMessage" => self.send(now, &name, body).map(Some),
            "SendMessageBatch" => self.send_batch(now, &name, body).map(Some),
            "ReceiveMessage" => self.receive_message(now, &name, body).map(Some),
            "DeleteMessage" => self.delete_one(&name, body).map(|()| None),
            "DeleteMessageBatch" => self.delete_batch(&name, body).map(Some),
            "ChangeMessageVisibility" => self.change_visibility(now, &name, body).map(|()| None),
            _ => self.attributes(now, &name, body).map(Some),
        }
    }

    fn known(&self, name: &str) -> Result<String, AwsError> {
        if self.queues.contains_key(name) {
            return Ok(name.to_owned());
        }
        Err(AwsError::new("QueueDoesNotExist", "The specified queue does not exist."))
    }

    fn send(&mut self, now: Timestamp, name: &str, entry: &Value) -> Result<Value, AwsError> {
        let message = entry["MessageBody"].as_str().unwrap_or_default();
        if message.is_empty() {
            return Err(AwsError::new("MissingParameter", "The request must contain the parameter MessageBody."));
        }
        if !text::is_legal(message) {
            return Err(AwsError::new("InvalidMessageContents", "Invalid characters found in the message body."));
        }
        if !entry["MessageDeduplicationId"].is_null() {
            return Err(invalid("MessageDeduplicationId is not valid for a standard queue."));
        }
        let seconds = entry["DelaySeconds"].as_i64().unwrap_or(0);
        let delay = match u64::try_from(seconds).map(Duration::from_secs) {
            Ok(delay) if delay <= MAX_DELAY => delay,
            _ => {
                return Err(invalid(format!("Value {seconds} for parameter DelaySeconds is invalid.")));
            }
        };
        let attributes = entry["MessageAttributes"].as_object().cloned().unwrap_or_default();
        if attributes.len() > 10 {
            return Err(invalid("Number of message attributes exceeds the allowed maximum 10."));
        }
        for (attribute, value) in &attributes {
            let kind = value["DataType"].as_str().unwrap_or_default().split('.').next().unwrap_or_default();
            if !matches!(kind, "String" | "Number") || value["StringValue"].as_str().is_none_or(str::is_empty) {
                return Err(invalid(format!("The message attribute '{attribute}' is not valid.")));
            }
        }
        if text::size(message, &attributes) > text::LIMIT {
            return Err(invalid(format!("Message must be shorter than {} bytes.", text::LIMIT)));
        }
        let system = entry["MessageSystemAttributes"].as_object().cloned().unwrap_or_default();
        let trace = system.get("AWSTraceHeader").and_then(|value| value["StringValue"].as_str()).map(str::to_owned);
        let mut answer = Map::new();
        answer.insert("MD5OfMessageBody".into(), json!(text::md5(message)));
        if !attributes.is_empty() {
            answer.insert("MD5OfMessageAttributes".into(), json!(text::md5_of_attributes(&attributes)));
        }
        if !system.is_empty() {
            answer.insert("MD5OfMessageSystemAttributes".into(), json!(text::md5_of_attributes(&system)));
        }
        let id = self.push(now, name, message.to_owned(), delay, attributes, trace).unwrap_or_default();
        answer.insert("MessageId".into(), json!(id));
        Ok(Value::Object(answer))
    }

    fn send_batch(&mut self, now: Timestamp, name: &str, body: &Value) -> Result<Value, AwsError> {
        let entries = entries(body)?;
        let total: usize = entries.iter().filter_map(|entry| entry["MessageBody"].as_str()).map(str::len).sum();
        if total > text::LIMIT {
            let message = format!("Batch requests cannot be longer than {} bytes.", text::LIMIT);
            return Err(AwsError::new("BatchRequestTooLong", message));
        }
        Ok(each(entries, |entry| self.send(now, name, entry)))
    }

    fn receive_message(&mut self, now: Timestamp, name: &str, body: &Value) -> Result<Value, AwsError> {
        let max = bounded(body, "MaxNumberOfMessages", 1, 10)?.unwrap_or(1);
        let timeout = bounded(body, "VisibilityTimeout", 0, 43_200)?.map(Duration::from_secs);
        // A long poll is answered at once: a sync world can't wait for what it does not know yet.
        bounded(body, "WaitTimeSeconds", 0, 20)?;
        let names = |member: &str| -> Vec<String> {
            let list = body[member].as_array().into_iter().flatten();
            list.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let mut system = names("AttributeNames");
        system.extend(names("MessageSystemAttributeNames"));
        let named = names("MessageAttributeNames");
        let max = usize::try_from(max).unwrap_or(10);
        let messages = self.receive(now, name, max, timeout);
        let source_arn = |queue: &str| self.queues.get(queue).map(Queue::arn);
        let shown: Vec<Value> = messages.iter().map(|message| show(message, &system, &named, &source_arn)).collect();
        // Without a message the member is absent, not an empty list.
        Ok(if shown.is_empty() { json!({}) } else { json!({"Messages": shown}) })
    }

    fn delete_one(&mut self, name: &str, entry: &Value) -> Result<(), AwsError> {
        self.delete(name, handle(entry)?).ok_or_else(bad_handle)
    }

    fn delete_batch(&mut self, name: &str, body: &Value) -> Result<Value, AwsError> {
        let entries = entries(body)?;
        Ok(each(entries, |entry| self.delete_one(name, entry).map(|()| json!({}))))
    }

    fn change_visibility(&mut self, now: Timestamp, name: &str, body: &Value) -> Result<(), AwsError> {
        let seconds = bounded(body, "VisibilityTimeout", 0, 43_200)?.unwrap_or(0);
        let (id, count) = read_handle(handle(body)?).ok_or_else(bad_handle)?;
        let queue = self.queues.get_mut(name).ok_or_else(bad_handle)?;
        // No documentation tells what a deleted message gets. This is what people have recorded.
        let message = queue.messages.iter_mut().find(|message| message.id == id).ok_or_else(|| {
            let why = "Message does not exist or is not available for visibility timeout change.";
            invalid(format!("Value for parameter ReceiptHandle is invalid. Reason: {why}"))
        })?;
        if message.receive_count != count || !message.in_flight || message.available <= now {
            return Err(AwsError::new("MessageNotInflight", "The message referred to isn't in flight."));
        }
        message.available = now + Duration::from_secs(seconds);
        Ok(())
    }

    fn attributes(&self, now: Timestamp, name: &str, body: &Value) -> Result<Value, AwsError> {
        let queue = self.queues.get(name).ok_or_else(|| invalid("no such queue"))?;
        let asked: Vec<&str> =
            body["AttributeNames"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let seconds = |duration: Duration| duration.as_secs().to_string();
        let created = queue.created.as_secs().to_string();
        let mut all = vec![
            ("QueueArn", queue.arn()),
            ("VisibilityTimeout", seconds(queue.spec.visibility)),
            ("MessageRetentionPeriod", seconds(queue.spec.retention)),
            ("MaximumMessageSize", text::LIMIT.to_string()),
            ("DelaySeconds", "0".to_owned()),
            ("ReceiveMessageWaitTimeSeconds", "0".to_owned()),
            ("CreatedTimestamp", created.clone()),
            ("LastModifiedTimestamp", created),
            ("ApproximateNumberOfMessages", self.visible(now, name).len().to_string()),
            ("ApproximateNumberOfMessagesNotVisible", self.in_flight(now, name).len().to_string()),
            ("ApproximateNumberOfMessagesDelayed", self.delayed(now, name).len().to_string()),
            ("SqsManagedSseEnabled", "true".to_owned()),
        ];
        if let Some((target, max)) = &queue.spec.redrive {
            let arn = queue.arn().replace(&queue.spec.name, target);
            let policy = json!({"deadLetterTargetArn": arn, "maxReceiveCount": max});
            all.push(("RedrivePolicy", policy.to_string()));
        }
        let wanted = |name: &str| asked.contains(&"All") || asked.contains(&name);
        let shown: Map<String, Value> =
            all.into_iter().filter(|(name, _)| wanted(name)).map(|(name, value)| (name.into(), json!(value))).collect();
        Ok(if shown.is_empty() { json!({}) } else { json!({"Attributes": shown}) })
    }
}

/// A message as `ReceiveMessage` gives it, with the attributes that were asked for.
fn show(message: &Message, system: &[String], named: &[String], arn: &dyn Fn(&str) -> Option<String>) -> Value {
    let mut all = vec![
        ("SenderId", message.sender.clone()),
        ("SentTimestamp", message.sent.as_millis().to_string()),
        ("ApproximateReceiveCount", message.receive_count.to_string()),
    ];
    if let Some(first) = message.first_received {
        all.push(("ApproximateFirstReceiveTimestamp", first.as_millis().to_string()));
    }
    if let Some(header) = &message.trace_header {
        all.push(("AWSTraceHeader", header.clone()));
    }
    if let Some(source) = message.dead_letter_source.as_deref().and_then(arn) {
        all.push(("DeadLetterQueueSourceArn", source));
    }
    let wanted = |asked: &[String], name: &str| asked.iter().any(|one| one == "All" || one == name);
    let attributes: Map<String, Value> = all
        .into_iter()
        .filter(|(name, _)| wanted(system, name))
        .map(|(name, value)| (name.into(), json!(value)))
        .collect();
    let chosen = |name: &str| {
        let prefixed = |asked: &String| asked.strip_suffix(".*").is_some_and(|prefix| name.starts_with(prefix));
        wanted(named, name) || named.iter().any(prefixed)
    };
    let own: Map<String, Value> =
        message.attributes.iter().filter(|(name, _)| chosen(name)).map(|(n, v)| (n.clone(), v.clone())).collect();
    let mut shown = Map::new();
    shown.insert("MessageId".into(), json!(message.id));
    shown.insert("ReceiptHandle".into(), json!(message.handle()));
    shown.insert("MD5OfBody".into(), json!(text::md5(&message.body)));
    shown.insert("Body".into(), json!(message.body));
    if !attributes.is_empty() {
        shown.insert("Attributes".into(), Value::Object(attributes));
    }
    if !own.is_empty() {
        shown.insert("MD5OfMessageAttributes".into(), json!(text::md5_of_attributes(&own)));
        shown.insert("MessageAttributes".into(), Value::Object(own));
    }
    Value::Object(shown)
}

/// The entries of a batch, once they are few enough and told apart.
fn entries(body: &Value) -> Result<&[Value], AwsError> {
    let entries = body["Entries"].as_array().map_or(&[][..], Vec::as_slice);
    if entries.is_empty() {
        return Err(AwsError::new("EmptyBatchRequest", "There should be at least one entry in the request."));
    }
    if entries.len() > 10 {
        let message = "Maximum number of entries per request are 10.";
        return Err(AwsError::new("TooManyEntriesInBatchRequest", message));
    }
    let mut ids: Vec<&str> = entries.iter().filter_map(|entry| entry["Id"].as_str()).collect();
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if ids.iter().any(|id| id.is_empty() || id.len() > 80 || !id.chars().all(legal)) {
        let message = "A batch entry id can only contain alphanumeric characters, hyphens and underscores.";
        return Err(AwsError::new("InvalidBatchEntryId", message));
    }
    ids.sort_unstable();
    if ids.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(AwsError::new("BatchEntryIdsNotDistinct", "Ids of the entries are not distinct."));
    }
    Ok(entries)
}

/// Carries out each entry of a batch by itself, for one that fails does not fail the others.
fn each(entries: &[Value], mut one: impl FnMut(&Value) -> Result<Value, AwsError>) -> Value {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        match one(entry) {
            Ok(mut answer) => {
                answer["Id"] = entry["Id"].clone();
                done.push(answer);
            }
            Err(error) => failed
                .push(json!({"Id": entry["Id"], "SenderFault": true, "Code": error.code, "Message": error.message})),
        }
    }
    json!({"Successful": done, "Failed": failed})
}

fn bounded(body: &Value, member: &str, min: u64, max: u64) -> Result<Option<u64>, AwsError> {
    let Some(number) = body[member].as_i64() else {
        return Ok(None);
    };
    match u64::try_from(number) {
        Ok(number) if (min..=max).contains(&number) => Ok(Some(number)),
        _ => {
            Err(invalid(format!("Value {number} for parameter {member} is invalid. Must be between {min} and {max}.")))
        }
    }
}

pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new("InvalidParameterValue", message)
}

/// The receipt handle of a request or of an entry.
fn handle(body: &Value) -> Result<&str, AwsError> {
    let missing = || AwsError::new("MissingParameter", "The request must contain the parameter ReceiptHandle.");
    body["ReceiptHandle"].as_str().filter(|handle| !handle.is_empty()).ok_or_else(missing)
}

fn bad_handle() -> AwsError {
    AwsError::new("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
}

#[cfg(test)]
mod tests {
    use super::super::QueueSpec;
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);
    const URL: &str = "http://127.0.0.1:1/123456789012/work";

    fn sqs() -> Sqs {
        let mut sqs = Sqs::new(NOW, 1);
        sqs.create(QueueSpec::new("work"));
        sqs
    }

    fn ask(sqs: &mut Sqs, operation: &str, mut body: Value) -> Result<Option<Value>, AwsError> {
        body["QueueUrl"] = json!(URL);
        sqs.call(NOW, operation, &body, "http://127.0.0.1:1")
    }

    fn refused(body: Value) -> &'static str {
        ask(&mut sqs(), "SendMessage", body).unwrap_err().code
    }

    #[test]
    fn a_message_is_sent_received_and_deleted() {
        let mut sqs = sqs();
        let sent = ask(&mut sqs, "SendMessage", json!({"MessageBody": "abc"})).unwrap().unwrap();
        assert_eq!(sent["MD5OfMessageBody"], "900150983cd24fb0d6963f7d28e17f72");
        let asked = json!({"MessageSystemAttributeNames": ["All"], "WaitTimeSeconds": 20});
        let got = ask(&mut sqs, "ReceiveMessage", asked).unwrap().unwrap();
        let message = &got["Messages"][0];
        assert_eq!(message["MessageId"], sent["MessageId"]);
        assert_eq!(message["Attributes"]["ApproximateReceiveCount"], "1");
        assert_eq!(ask(&mut sqs, "ReceiveMessage", json!({})).unwrap(), Some(json!({})));
        let handle = json!({"ReceiptHandle": message["ReceiptHandle"]});
        assert_eq!(ask(&mut sqs, "DeleteMessage", handle).unwrap(), None);
        assert!(sqs.is_empty("work"));
    }

    #[test]
    fn what_the_service_refuses_is_refused() {
        assert_eq!(refused(json!({"MessageBody": ""})), "MissingParameter");
        assert_eq!(refused(json!({"MessageBody": "a\u{0}"})), "InvalidMessageContents");
        assert_eq!(refused(json!({"MessageBody": "a", "DelaySeconds": 901})), "InvalidParameterValue");
        assert_eq!(refused(json!({"MessageBody": "a", "DelaySeconds": -1})), "InvalidParameterValue");
        assert_eq!(refused(json!({"MessageBody": "x".repeat(1_048_577)})), "InvalidParameterValue");
        assert_eq!(refused(json!({"MessageBody": "a", "Delay": 1})), "SerializationException");
        assert!(ask(&mut sqs(), "SendMessage", json!({"MessageBody": "x".repeat(1_048_576)})).is_ok());
        let unknown = json!({"QueueUrl": "http://127.0.0.1:1/123456789012/other", "MessageBody": "a"});
        let error = sqs().call(NOW, "SendMessage", &unknown, "").unwrap_err();
        assert_eq!(error.code, "QueueDoesNotExist");
    }

    #[test]
    fn a_batch_answers_for_each_entry() {
        let mut sqs = sqs();
        let entries = json!([{"Id": "a", "MessageBody": "x"}, {"Id": "b", "MessageBody": "y", "DelaySeconds": 1000}]);
        let answer = ask(&mut sqs, "SendMessageBatch", json!({"Entries": entries})).unwrap().unwrap();
        assert_eq!(answer["Successful"][0]["Id"], "a");
        assert_eq!(answer["Failed"][0]["Id"], "b");
        let twice = json!([{"Id": "a", "MessageBody": "x"}, {"Id": "a", "MessageBody": "y"}]);
        let error = ask(&mut sqs, "SendMessageBatch", json!({"Entries": twice})).unwrap_err();
        assert_eq!(error.code, "BatchEntryIdsNotDistinct");
    }

    #[test]
    fn a_received_message_is_made_visible_again_early() {
        let mut sqs = sqs();
        ask(&mut sqs, "SendMessage", json!({"MessageBody": "abc"})).unwrap();
        let got = ask(&mut sqs, "ReceiveMessage", json!({})).unwrap().unwrap();
        let change = json!({"ReceiptHandle": got["Messages"][0]["ReceiptHandle"], "VisibilityTimeout": 0});
        assert_eq!(ask(&mut sqs, "ChangeMessageVisibility", change.clone()).unwrap(), None);
        assert_eq!(sqs.visible(NOW, "work").len(), 1);
        let error = ask(&mut sqs, "ChangeMessageVisibility", change).unwrap_err();
        assert_eq!(error.code, "MessageNotInflight");
    }

    #[test]
    fn what_is_deleted_is_not_hidden_any_more_and_no_handle_is_none() {
        let mut sqs = sqs();
        ask(&mut sqs, "SendMessage", json!({"MessageBody": "abc"})).unwrap();
        let got = ask(&mut sqs, "ReceiveMessage", json!({})).unwrap().unwrap();
        let handle = &got["Messages"][0]["ReceiptHandle"];
        ask(&mut sqs, "DeleteMessage", json!({"ReceiptHandle": handle})).unwrap();
        for (handle, code) in [
            (handle.as_str().unwrap(), "InvalidParameterValue"),
            ("made up", "ReceiptHandleIsInvalid"),
            ("", "MissingParameter"),
        ] {
            let change = json!({"ReceiptHandle": handle, "VisibilityTimeout": 0});
            assert_eq!(ask(&mut sqs, "ChangeMessageVisibility", change).unwrap_err().code, code, "{handle:?}");
        }
        assert_eq!(ask(&mut sqs, "DeleteMessage", json!({"ReceiptHandle": ""})).unwrap_err().code, "MissingParameter");
    }

    #[test]
    fn attributes_come_as_asked() {
        let mut sqs = sqs();
        assert_eq!(ask(&mut sqs, "GetQueueAttributes", json!({})).unwrap(), Some(json!({})));
        let asked = json!({"AttributeNames": ["ApproximateNumberOfMessages"]});
        let answer = ask(&mut sqs, "GetQueueAttributes", asked).unwrap().unwrap();
        assert_eq!(answer, json!({"Attributes": {"ApproximateNumberOfMessages": "0"}}));
        let unknown = json!({"AttributeNames": ["NumberOfMessages"]});
        assert_eq!(ask(&mut sqs, "GetQueueAttributes", unknown).unwrap_err().code, "InvalidAttributeName");
        let answer = sqs.call(NOW, "GetQueueUrl", &json!({"QueueName": "work"}), "http://127.0.0.1:1").unwrap();
        assert_eq!(answer.unwrap()["QueueUrl"], URL);
    }
}
