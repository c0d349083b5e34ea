//! EventBridge: what a rule is about, and where it sends it.

use aws_config::SdkConfig;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{found, read};
use crate::aws::signed::{Service, Signed};
use crate::aws::unread::Unread;

const SERVICE: Service = Service { id: "EventBridge", name: "events", version: "AWSEvents" };

/// A rule of the default bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) arn: String,
    pub(crate) enabled: bool,
    /// The sources that it is about; empty where its pattern names none.
    pub(crate) sources: Vec<String>,
    /// The ARNs of where it sends them.
    pub(crate) targets: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    #[serde(default)]
    arn: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    event_pattern: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    #[serde(default)]
    targets: Vec<Target>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Target {
    arn: String,
}

/// A rule by its name; `None` where there is none.
///
/// # Errors
/// Where it can't be read.
pub(crate) async fn rule(sdk_config: &SdkConfig, name: &str) -> Result<Option<Rule>, Unread> {
    let client = Signed::new(sdk_config, SERVICE);
    let Some(described) = found(client.json("DescribeRule", &json!({"Name": name})).await)? else { return Ok(None) };
    // A rule has five targets at most (EventBridge quotas), and a page holds them all.
    let listed: Listed = read(client.json("ListTargetsByRule", &json!({"Rule": name})).await?)?;
    let Described { arn, state, event_pattern } = read(described)?;
    let pattern: Value = serde_json::from_str(&event_pattern).unwrap_or_default();
    let sources = pattern["source"].as_array().into_iter().flatten();
    Ok(Some(Rule {
        arn,
        enabled: state.starts_with("ENABLED"),
        sources: sources.filter_map(Value::as_str).map(str::to_owned).collect(),
        targets: listed.targets.into_iter().map(|target| target.arn).collect(),
    }))
}
