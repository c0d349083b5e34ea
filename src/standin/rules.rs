//! EventBridge's rules, as far as they tell what they are.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::account::{ACCOUNT, REGION};
use super::check::{self, Member, Pattern, Shape, TEXT, may, must};
use super::json::without_nulls;
use super::wire::{AwsError, AwsService};

static NAME: Shape = Shape::Text { min: 1, max: 64, pattern: Pattern::AlphanumericAnd("._-") };
static LIMIT: Shape = Shape::Integer { min: 1, max: 100 };
static DESCRIBE: &[Member] = &[must("Name", &NAME), may("EventBusName", &TEXT)];
static LIST_TARGETS: &[Member] =
    &[must("Rule", &NAME), may("EventBusName", &TEXT), may("NextToken", &TEXT), may("Limit", &LIMIT)];

/// A rule of the default bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSpec {
    /// Its name.
    pub name: String,
    /// Whether it does anything.
    pub enabled: bool,
    /// Which events it is about.
    pub pattern: Value,
    /// The ARNs of where it sends them.
    pub targets: Vec<String>,
}

impl RuleSpec {
    /// A rule that is enabled and sends nothing anywhere.
    pub fn new(name: &str, pattern: Value) -> Self {
        Self { name: name.to_owned(), enabled: true, pattern, targets: Vec::new() }
    }

    /// One more target.
    pub fn target(mut self, arn: &str) -> Self {
        self.targets.push(arn.to_owned());
        self
    }
}

/// The account's rules. Nothing is sent by them: they tell of what is there.
#[derive(Debug, Default)]
pub struct Rules {
    rules: BTreeMap<String, RuleSpec>,
}

impl Rules {
    /// Creates a rule, in place of the one of that name.
    pub fn create(&mut self, spec: RuleSpec) {
        self.rules.insert(spec.name.clone(), spec);
    }

    /// A rule that is there, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut RuleSpec> {
        self.rules.get_mut(name)
    }

    /// Deletes a rule.
    pub fn delete(&mut self, name: &str) {
        self.rules.remove(name);
    }

    pub(crate) fn call(&self, operation: &str, body: &Value) -> Result<Value, AwsError> {
        match operation {
            "DescribeRule" => {
                check::check(DESCRIBE, body)?;
                let rule = self.named(&body["Name"])?;
                Ok(json!({
                    "Name": rule.name,
                    "Arn": format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{}", rule.name),
                    "EventPattern": rule.pattern.to_string(),
                    "State": if rule.enabled { "ENABLED" } else { "DISABLED" },
                    "EventBusName": "default",
                    "CreatedBy": ACCOUNT,
                }))
            }
            "ListTargetsByRule" => {
                check::check(LIST_TARGETS, body)?;
                let rule = self.named(&body["Rule"])?;
                let targets = rule.targets.iter().enumerate();
                let targets: Vec<Value> =
                    targets.map(|(at, arn)| json!({"Id": format!("Target{at}"), "Arn": arn})).collect();
                Ok(without_nulls(json!({"Targets": targets})))
            }
            other => Err(AwsService::Events.unknown(other)),
        }
    }

    fn named(&self, name: &Value) -> Result<&RuleSpec, AwsError> {
        let name = name.as_str().unwrap_or_default();
        let message = || format!("Rule {name} does not exist on EventBus default.");
        self.rules.get(name).ok_or_else(|| AwsError::new("ResourceNotFoundException", message()))
    }
}
