//! `CreateQueue`: a queue of the caller's own.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value;

use super::operations::invalid;
use super::{QueueSpec, Sqs};
use crate::standin::wire::AwsError;

/// The bounds of the settings: SQS API reference, `CreateQueue`, and the quotas of messages for the receives.
const VISIBILITY: RangeInclusive<u64> = 0..=43_200;
const RETENTION: RangeInclusive<u64> = 60..=1_209_600;
const RECEIVES: RangeInclusive<u32> = 1..=1_000;
/// The longest name of a queue.
const NAME: usize = 80;

impl Sqs {
    /// Creates the queue that a request describes, and gives its name. One that is there with the same settings is as
    /// good; with others it is an error.
    pub(super) fn create_queue(&mut self, body: &Value) -> Result<String, AwsError> {
        let name = body["QueueName"].as_str().unwrap_or_default();
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > NAME || !name.chars().all(legal) {
            let rule = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
            return Err(invalid(rule));
        }
        let mut spec = QueueSpec::new(name);
        for (setting, value) in body["Attributes"].as_object().into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            spec = match setting.as_str() {
                "VisibilityTimeout" => spec.visibility(seconds(setting, value, VISIBILITY)?),
                "MessageRetentionPeriod" => spec.retention(seconds(setting, value, RETENTION)?),
                "RedrivePolicy" => self.redriven(spec, value)?,
                // SQS knows more, which would have to do something here.
                other => {
                    let message = format!("The attribute {other} is unknown, or not stood in for.");
                    return Err(AwsError::new("InvalidAttributeName", message));
                }
            };
        }
        match self.queues.get(name) {
            Some(queue) if queue.spec == spec => {}
            Some(_) => {
                let message = "A queue already exists with the same name and a different value for an attribute.";
                return Err(AwsError::new("QueueNameExists", message));
            }
            None => self.create(spec),
        }
        Ok(name.to_owned())
    }

    fn redriven(&self, spec: QueueSpec, policy: &str) -> Result<QueueSpec, AwsError> {
        let refused =
            |why: &str| invalid(format!("Value {policy} for parameter RedrivePolicy is invalid. Reason: {why}"));
        let read: Value =
            serde_json::from_str(policy).map_err(|_| refused("Redrive policy is not a valid JSON map."))?;
        let arn = read["deadLetterTargetArn"].as_str().unwrap_or_default();
        let target = self.queues.values().find(|queue| queue.arn() == arn);
        let target = target.ok_or_else(|| refused("Dead letter target does not exist."))?;
        // The number may be written as a text, and SQS's own documentation does both.
        let count = &read["maxReceiveCount"];
        let count = count.as_u64().or_else(|| count.as_str()?.parse().ok()).and_then(|count| u32::try_from(count).ok());
        let count = count.filter(|count| RECEIVES.contains(count));
        let count = count.ok_or_else(|| refused("Invalid value for maxReceiveCount: it must be from 1 to 1000."))?;
        Ok(spec.redrive(&target.spec.name, count))
    }
}

fn seconds(setting: &str, value: &str, bounds: RangeInclusive<u64>) -> Result<Duration, AwsError> {
    let seconds = value.parse().ok().filter(|seconds| bounds.contains(seconds));
    let message = || format!("Invalid value for the parameter {setting}.");
    seconds.map(Duration::from_secs).ok_or_else(|| AwsError::new("InvalidAttributeValue", message()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::time::Timestamp;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn create(sqs: &mut Sqs, name: &str, settings: Value) -> Result<Value, &'static str> {
        let body = json!({"QueueName": name, "Attributes": settings});
        let answer = sqs.call(NOW, "CreateQueue", &body, "http://127.0.0.1:1").map_err(|error| error.code)?;
        Ok(answer.unwrap()["QueueUrl"].clone())
    }

    fn policy(target: &str, receives: Value) -> Value {
        let arn = format!("arn:aws:sqs:us-east-1:123456789012:{target}");
        json!({"RedrivePolicy": json!({"deadLetterTargetArn": arn, "maxReceiveCount": receives}).to_string()})
    }

    #[test]
    fn a_queue_is_created_once_with_the_settings_that_it_is_given() {
        let mut sqs = Sqs::new(NOW, 1);
        create(&mut sqs, "dead", json!({})).unwrap();
        let settings = json!({"VisibilityTimeout": "7", "MessageRetentionPeriod": "60"});
        let url = create(&mut sqs, "work", settings.clone()).unwrap();
        assert_eq!(url, "http://127.0.0.1:1/123456789012/work");
        assert_eq!(create(&mut sqs, "work", settings), Ok(url.clone()));
        assert_eq!(create(&mut sqs, "work", json!({"VisibilityTimeout": "8"})), Err("QueueNameExists"));
        let asked = json!({"QueueUrl": url, "AttributeNames": ["VisibilityTimeout"]});
        let answer = sqs.call(NOW, "GetQueueAttributes", &asked, "").unwrap().unwrap();
        assert_eq!(answer["Attributes"]["VisibilityTimeout"], "7");
        for receives in [json!(3), json!("3")] {
            assert!(create(&mut sqs, "redriven", policy("dead", receives)).is_ok());
        }
    }

    #[test]
    fn settings_that_the_service_refuses_are_refused() {
        let mut sqs = Sqs::new(NOW, 1);
        create(&mut sqs, "dead", json!({})).unwrap();
        for (name, settings, code) in [
            ("work.fifo", json!({}), "InvalidParameterValue"),
            ("", json!({}), "InvalidParameterValue"),
            ("work", json!({"VisibilityTimeout": "43201"}), "InvalidAttributeValue"),
            ("work", json!({"MessageRetentionPeriod": "59"}), "InvalidAttributeValue"),
            ("work", json!({"Visibility": "1"}), "InvalidAttributeName"),
            ("work", json!({"RedrivePolicy": "dead"}), "InvalidParameterValue"),
            ("work", policy("gone", json!(3)), "InvalidParameterValue"),
            ("work", policy("dead", json!(0)), "InvalidParameterValue"),
            ("work", policy("dead", json!(1001)), "InvalidParameterValue"),
        ] {
            assert_eq!(create(&mut sqs, name, settings.clone()), Err(code), "{name} {settings}");
        }
        assert_eq!(sqs.queues.len(), 1);
    }
}
