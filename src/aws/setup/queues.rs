//! SQS: how a queue is set up, and what lies in it.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::Value;

use super::found;
use super::functions::{names, statements};
use crate::aws::unread::{Unread, sort};

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Queue {
    pub(crate) arn: String,
    pub(crate) visibility: Duration,
    pub(crate) redrive: Option<Redrive>,
    /// Messages that wait to be received, about.
    pub(crate) waiting: u64,
    policy: Value,
}

/// Where a message goes that was received too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redrive {
    pub(crate) target: String,
    pub(crate) max_receives: u64,
}

impl Queue {
    /// Whether the queue's policy lets EventBridge send what a rule is about. A condition that is not about the rule may
    /// say anything.
    pub(crate) fn takes_from_rule(&self, rule: &str) -> bool {
        statements(&self.policy).any(|statement| {
            let principal = &statement["Principal"];
            let is_theirs =
                names(principal, |who| who == "*") || names(&principal["Service"], |who| who == "events.amazonaws.com");
            let sends =
                |action: &str| ["sqs:sendmessage", "sqs:*", "*"].contains(&action.to_ascii_lowercase().as_str());
            let operators = statement["Condition"].as_object().into_iter().flat_map(|operators| operators.values());
            let mut keys = operators.filter_map(Value::as_object).flat_map(|keys| keys.iter());
            let is_of_rule = keys.all(|(key, value)| {
                !key.eq_ignore_ascii_case("aws:SourceArn") || names(value, |arn| matches(arn, rule))
            });
            statement["Effect"] == "Allow" && is_theirs && names(&statement["Action"], sends) && is_of_rule
        })
    }
}

/// Whether an ARN is one that a pattern of IAM stands for, in which a star stands for anything.
fn matches(pattern: &str, arn: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| arn.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// A queue by its URL; `None` where there is none.
///
/// # Errors
/// Where it can't be read.
pub(crate) async fn queue(sdk_config: &SdkConfig, url: &str) -> Result<Option<Queue>, Unread> {
    let call = Client::new(sdk_config).get_queue_attributes().queue_url(url);
    let answer = call.attribute_names(QueueAttributeName::All).send().await.map_err(sort);
    let Some(answer) = found(answer)? else { return Ok(None) };
    let attributes = answer.attributes.unwrap_or_default();
    let text = |name: &QueueAttributeName| attributes.get(name).map(String::as_str).unwrap_or_default();
    let number = |name: &QueueAttributeName| text(name).parse::<u64>().unwrap_or_default();
    let json = |name: &QueueAttributeName| serde_json::from_str::<Value>(text(name)).unwrap_or_default();
    let redrive = json(&QueueAttributeName::RedrivePolicy);
    let redrive = redrive["deadLetterTargetArn"].as_str().map(|target| Redrive {
        target: target.to_owned(),
        // The number may be written as a text.
        max_receives: match &redrive["maxReceiveCount"] {
            Value::String(count) => count.parse().unwrap_or_default(),
            count => count.as_u64().unwrap_or_default(),
        },
    });
    Ok(Some(Queue {
        arn: text(&QueueAttributeName::QueueArn).to_owned(),
        visibility: Duration::from_secs(number(&QueueAttributeName::VisibilityTimeout)),
        redrive,
        waiting: number(&QueueAttributeName::ApproximateNumberOfMessages),
        policy: json(&QueueAttributeName::Policy),
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RULE: &str = "arn:aws:events:us-east-1:123456789012:rule/events";

    #[test]
    fn a_star_stands_for_anything() {
        for pattern in
            [RULE, "*", "arn:aws:events:*:123456789012:rule/*", "arn:aws:events:us-east-1:123456789012:rule/ev*s"]
        {
            assert!(matches(pattern, RULE), "{pattern}");
        }
        for pattern in ["", "arn:aws:events:us-east-1:123456789012:rule/other", "arn:*:rule/e", "*x*"] {
            assert!(!matches(pattern, RULE), "{pattern}");
        }
    }

    #[test]
    fn a_queue_takes_from_the_rule_that_its_policy_names() {
        let queue =
            |policy: Value| Queue { arn: String::new(), visibility: Duration::ZERO, redrive: None, waiting: 0, policy };
        let policy = |principal: &str, rule: &str| {
            json!({"Statement": [{"Effect": "Allow", "Principal": {"Service": principal}, "Action": "SQS:SendMessage",
                "Condition": {"ArnEquals": {"aws:SourceArn": rule}}}]})
        };
        assert!(queue(policy("events.amazonaws.com", RULE)).takes_from_rule(RULE));
        assert!(!queue(policy("sns.amazonaws.com", RULE)).takes_from_rule(RULE));
        assert!(!queue(policy("events.amazonaws.com", "arn:aws:events:x")).takes_from_rule(RULE));
        assert!(!queue(Value::Null).takes_from_rule(RULE));
    }
}
