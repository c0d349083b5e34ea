//! Lambda's event source mapping: what a function is handed, and what becomes of the messages afterwards.

use serde_json::{Map, Value, json};

use super::{Message, Sqs, text};
use crate::domain::time::Timestamp;
use crate::standin::account::REGION;

/// The most messages that one event of this mapping holds.
const BATCH: usize = 10;

impl Sqs {
    pub(crate) fn poll_mapping(&mut self, now: Timestamp, queue: &str, max: usize) -> Option<Value> {
        let arn = self.queues.get(queue)?.arn();
        let messages = self.receive(now, queue, max.clamp(1, BATCH), None);
        if messages.is_empty() {
            return None;
        }
        let records: Vec<Value> = messages.iter().map(|message| record(message, &arn)).collect();
        Some(json!({"Records": records}))
    }

    pub(crate) fn settle_mapping(&mut self, queue: &str, event: &Value, outcome: Result<&Value, ()>) {
        // After an error nothing is deleted, and every message comes back when its visibility timeout is over.
        let Ok(response) = outcome else { return };
        let records: Vec<&Value> = event["Records"].as_array().into_iter().flatten().collect();
        let known = |id: &str| records.iter().any(|record| record["messageId"] == id);
        let mut failed = Vec::new();
        match &response["batchItemFailures"] {
            Value::Null => {}
            Value::Array(items) => {
                for item in items {
                    match item["itemIdentifier"].as_str().filter(|id| known(id)) {
                        Some(id) => failed.push(id),
                        // An identifier that is empty or not of this batch fails the whole batch.
                        None => return,
                    }
                }
            }
            _ => return,
        }
        for record in records {
            let id = record["messageId"].as_str().unwrap_or_default();
            if let (false, Some(handle)) = (failed.contains(&id), record["receiptHandle"].as_str()) {
                self.delete(queue, handle);
            }
        }
    }
}

/// One record of the event that a function is invoked with.
fn record(message: &Message, arn: &str) -> Value {
    let mut attributes = Map::new();
    attributes.insert("ApproximateReceiveCount".into(), json!(message.receive_count.to_string()));
    attributes.insert("SentTimestamp".into(), json!(message.sent.as_millis().to_string()));
    attributes.insert("SenderId".into(), json!(message.sender));
    let first = message.first_received.unwrap_or(message.sent);
    attributes.insert("ApproximateFirstReceiveTimestamp".into(), json!(first.as_millis().to_string()));
    if let Some(header) = &message.trace_header {
        attributes.insert("AWSTraceHeader".into(), json!(header));
    }
    let named: Map<String, Value> = message
        .attributes
        .iter()
        .map(|(name, value)| {
            let value = json!({"stringValue": value["StringValue"], "stringListValues": [], "binaryListValues": [],
                "dataType": value["DataType"]});
            (name.clone(), value)
        })
        .collect();
    json!({
        "messageId": message.id,
        "receiptHandle": message.handle(),
        "body": message.body,
        "attributes": attributes,
        "messageAttributes": named,
        "md5OfBody": text::md5(&message.body),
        "eventSource": "aws:sqs",
        "eventSourceARN": arn,
        "awsRegion": REGION,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::QueueSpec;
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn sqs() -> Sqs {
        let mut sqs = Sqs::new(NOW, 1);
        sqs.create(QueueSpec::new("work"));
        sqs.inject(NOW, "work", "good");
        sqs.inject(NOW, "work", "bad");
        sqs
    }

    #[test]
    fn what_succeeded_is_deleted_and_what_failed_comes_back() {
        let mut sqs = sqs();
        let event = sqs.poll_mapping(NOW, "work", 10).unwrap();
        assert_eq!(event["Records"][0]["eventSourceARN"], "arn:aws:sqs:us-east-1:123456789012:work");
        let id = &event["Records"][1]["messageId"];
        sqs.settle_mapping("work", &event, Ok(&json!({"batchItemFailures": [{"itemIdentifier": id}]})));
        assert_eq!(sqs.bodies("work"), ["bad"]);
        let again = sqs.poll_mapping(NOW + Duration::from_secs(30), "work", 10).unwrap();
        assert_eq!(again["Records"][0]["attributes"]["ApproximateReceiveCount"], "2");
    }

    #[test]
    fn an_error_and_an_unknown_identifier_fail_the_whole_batch() {
        let mut sqs = sqs();
        let event = sqs.poll_mapping(NOW, "work", 10).unwrap();
        sqs.settle_mapping("work", &event, Err(()));
        sqs.settle_mapping("work", &event, Ok(&json!({"batchItemFailures": [{"itemIdentifier": ""}]})));
        assert_eq!(sqs.bodies("work").len(), 2);
        sqs.settle_mapping("work", &event, Ok(&json!({})));
        assert!(sqs.is_empty("work"));
        assert_eq!(sqs.poll_mapping(NOW, "work", 10), None);
    }
}
