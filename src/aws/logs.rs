//! CloudWatch Logs: the end of a build's log.

use aws_config::SdkConfig;
use serde_json::{Value, json};

use super::signed::{Service, Signed};
use super::unread::Unread;

const SERVICE: Service = Service { id: "CloudWatch Logs", name: "logs", version: "Logs_20140328" };

#[derive(Clone, Debug)]
pub struct Logs {
    client: Signed,
}

impl Logs {
    pub fn new(sdk_config: &SdkConfig) -> Self {
        Self { client: Signed::new(sdk_config, SERVICE) }
    }

    /// The last messages of a stream, oldest first, at most `most` (1 to 10,000; botocore: `EventsLimit`). They are as the
    /// build wrote them: with its colours, and with its secrets.
    pub async fn tail(&self, group: &str, stream: &str, most: u32) -> Result<Vec<String>, Unread> {
        let ask = json!({"logGroupName": group, "logStreamName": stream, "limit": most, "startFromHead": false});
        let answer = self.client.json("GetLogEvents", &ask).await?;
        let found = messages(&answer);
        // A page may be empty while there is more before it (API reference: GetLogEvents).
        let Some(before) = answer["nextBackwardToken"].as_str().filter(|_| found.is_empty()) else {
            return Ok(found);
        };
        let mut ask = ask;
        ask["nextToken"] = before.into();
        Ok(messages(&self.client.json("GetLogEvents", &ask).await?))
    }
}

fn messages(answer: &Value) -> Vec<String> {
    let events = answer["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    events.iter().filter_map(|event| event["message"].as_str().map(str::to_owned)).collect()
}
