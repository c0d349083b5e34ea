//! Lambda: how a function is set up, who may call it by its URL, and what feeds it.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::SdkConfig;
use serde::Deserialize;
use serde_json::Value;

use super::{found, read};
use crate::aws::signed::{Service, Signed};
use crate::aws::unread::Unread;

const SERVICE: Service = Service { id: "Lambda", name: "lambda", version: "2015-03-31" };

/// How a function is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Why it can't be invoked; `None` where it can.
    pub(crate) failure: Option<String>,
    pub(crate) timeout: Duration,
    pub(crate) variables: BTreeMap<String, String>,
}

/// Who may call a function by its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FunctionUrl {
    /// Whether it is called without credentials of AWS: `AuthType` is `NONE`.
    pub(crate) is_open: bool,
    /// Whether the function's policy lets everybody call the URL, `lambda:InvokeFunctionUrl`.
    pub(crate) allows_url: bool,
    /// Whether it lets everybody invoke the function by the URL, `lambda:InvokeFunction`. URLs since October 2025 need both.
    pub(crate) allows_invoke: bool,
}

/// What feeds a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// The ARN of what it takes from.
    pub(crate) source: String,
    /// `Enabled`, `Disabled`, `Creating` and their like.
    pub(crate) state: String,
    /// Whether the function may say which messages of a batch have failed.
    pub(crate) reports_item_failures: bool,
}

/// Lambda sends a null for some of what there is not, such as the environment of a function without variables.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Configuration {
    timeout: u64,
    environment: Option<Environment>,
    state: Option<String>,
    state_reason: Option<String>,
    last_update_status: Option<String>,
    last_update_status_reason: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Environment {
    variables: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct UrlConfig {
    auth_type: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Policy {
    policy: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Mappings {
    event_source_mappings: Vec<WireMapping>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WireMapping {
    event_source_arn: String,
    state: String,
    function_response_types: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Recursion {
    recursive_loop: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Concurrency {
    reserved_concurrent_executions: Option<u32>,
}

#[derive(Clone, Debug)]
pub(crate) struct Functions {
    client: Signed,
}

impl Functions {
    pub(crate) fn new(sdk_config: &SdkConfig) -> Self {
        Self { client: Signed::new(sdk_config, SERVICE) }
    }

    /// A function by its name; `None` where there is none. The same holds of the others below.
    ///
    /// # Errors
    /// Where it can't be read.
    pub(crate) async fn get(&self, name: &str) -> Result<Option<Function>, Unread> {
        let path = format!("/2015-03-31/functions/{}/configuration", encode(name));
        let Some(answer) = found(self.client.get(&path).await)? else { return Ok(None) };
        let Configuration { timeout, environment, state, state_reason, last_update_status, last_update_status_reason } =
            read(answer)?;
        let state_failure = state
            .filter(|state| !matches!(state.as_str(), "Active" | "Inactive"))
            .map(|state| format!("it is {state}: {}", state_reason.as_deref().unwrap_or("Lambda does not say why")));
        let update_failure = last_update_status.filter(|status| status == "Failed").map(|_| {
            let why = last_update_status_reason.as_deref().unwrap_or("Lambda does not say why");
            format!("its last update failed: {why}")
        });
        Ok(Some(Function {
            failure: state_failure.or(update_failure),
            timeout: Duration::from_secs(timeout),
            variables: environment.and_then(|environment| environment.variables).unwrap_or_default(),
        }))
    }

    /// Who may call a function by its URL; `None` where it has no URL.
    pub(crate) async fn url(&self, name: &str) -> Result<Option<FunctionUrl>, Unread> {
        let path = format!("/2021-10-31/functions/{}/url", encode(name));
        let Some(answer) = found(self.client.get(&path).await)? else { return Ok(None) };
        let is_open = read::<UrlConfig>(answer)?.auth_type == "NONE";
        let path = format!("/2015-03-31/functions/{}/policy", encode(name));
        let policy = match found(self.client.get(&path).await)? {
            Some(answer) => serde_json::from_str(&read::<Policy>(answer)?.policy).unwrap_or_default(),
            None => Value::Null,
        };
        let allows = |action| statements(&policy).any(|statement| lets_everybody(statement, action));
        Ok(Some(FunctionUrl {
            is_open,
            allows_url: allows("lambda:InvokeFunctionUrl"),
            allows_invoke: allows("lambda:InvokeFunction"),
        }))
    }

    /// What feeds a function. A page holds 100, which no function has.
    pub(crate) async fn mappings(&self, name: &str) -> Result<Vec<Mapping>, Unread> {
        let path = format!("/2015-03-31/event-source-mappings?FunctionName={}", encode(name));
        let listed: Mappings = read(self.client.get(&path).await?)?;
        let mapping = |wire: WireMapping| Mapping {
            source: wire.event_source_arn,
            state: wire.state,
            reports_item_failures: wire
                .function_response_types
                .is_some_and(|kinds| kinds.iter().any(|kind| kind == "ReportBatchItemFailures")),
        };
        Ok(listed.event_source_mappings.into_iter().map(mapping).collect())
    }

    /// Whether a function may go on invoking itself over a queue.
    pub(crate) async fn may_recurse(&self, name: &str) -> Result<bool, Unread> {
        let path = format!("/2024-08-31/functions/{}/recursion-config", encode(name));
        Ok(read::<Recursion>(self.client.get(&path).await?)?.recursive_loop == "Allow")
    }

    /// The concurrency that is reserved for a function, and caps it; `None` where none is.
    pub(crate) async fn reserved(&self, name: &str) -> Result<Option<u32>, Unread> {
        let path = format!("/2019-09-30/functions/{}/concurrency", encode(name));
        Ok(read::<Concurrency>(self.client.get(&path).await?)?.reserved_concurrent_executions)
    }
}

/// A name as a part of a path.
fn encode(name: &str) -> String {
    form_urlencoded::byte_serialize(name.as_bytes()).collect()
}

/// A policy's statements: a list, or one alone.
pub(crate) fn statements(policy: &Value) -> impl Iterator<Item = &Value> {
    let statement = &policy["Statement"];
    let alone = statement.is_object().then_some(statement);
    statement.as_array().into_iter().flatten().chain(alone)
}

/// Whether a member of a statement, a text or a list of them, names something.
pub(crate) fn names(member: &Value, wanted: impl Fn(&str) -> bool) -> bool {
    let alone = member.as_str().into_iter();
    alone.chain(member.as_array().into_iter().flatten().filter_map(Value::as_str)).any(wanted)
}

/// Whether a statement lets everybody do something by the function's URL. Other conditions than the URL's own narrow it.
fn lets_everybody(statement: &Value, action: &str) -> bool {
    let principal = &statement["Principal"];
    let is_everybody = names(principal, |who| who == "*") || names(&principal["AWS"], |who| who == "*");
    let conditions = statement["Condition"].as_object().into_iter().flat_map(|operators| operators.values());
    let mut keys = conditions.filter_map(Value::as_object).flat_map(|keys| keys.iter());
    let is_urls_own = keys.all(|(key, value)| match key.to_ascii_lowercase().as_str() {
        "lambda:functionurlauthtype" => names(value, |value| value == "NONE"),
        "lambda:invokedviafunctionurl" => value.as_bool() == Some(true) || names(value, |value| value == "true"),
        _ => false,
    });
    statement["Effect"] == "Allow" && is_everybody && names(&statement["Action"], |own| own == action) && is_urls_own
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_statement_for_everybody_opens_a_url() {
        let statement = |principal: Value, condition: Value| {
            let action = "lambda:InvokeFunctionUrl";
            json!({"Effect": "Allow", "Principal": principal, "Action": action, "Condition": condition})
        };
        let opens = |statement: &Value| lets_everybody(statement, "lambda:InvokeFunctionUrl");
        let none = json!({"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}});
        assert!(opens(&statement(json!("*"), none.clone())));
        assert!(opens(&statement(json!({"AWS": ["*"]}), none.clone())));
        assert!(!opens(&statement(json!({"AWS": "arn:aws:iam::123456789012:root"}), none.clone())));
        assert!(!opens(&statement(json!("*"), json!({"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}}))));
        assert!(!opens(&statement(json!("*"), json!({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}))));
        let mut denies = statement(json!("*"), none);
        denies["Effect"] = json!("Deny");
        assert!(!opens(&denies));
    }

    #[test]
    fn what_there_is_not_may_be_null() {
        let configuration: Configuration = serde_json::from_value(json!({"Timeout": 60, "Environment": null})).unwrap();
        assert!(configuration.environment.is_none());
        let denied = json!({"Environment": {"Variables": null, "Error": {"ErrorCode": "AccessDeniedException"}}});
        let configuration: Configuration = serde_json::from_value(denied).unwrap();
        assert!(configuration.environment.unwrap().variables.is_none());
        let mapping: WireMapping = serde_json::from_value(json!({"FunctionResponseTypes": null})).unwrap();
        assert!(mapping.function_response_types.is_none());
    }

    #[test]
    fn one_statement_may_stand_alone() {
        let policy = json!({"Statement": {"Sid": "one"}});
        assert_eq!(statements(&policy).count(), 1);
        assert_eq!(statements(&Value::Null).count(), 0);
    }
}
