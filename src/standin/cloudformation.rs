//! CloudFormation, as far as it tells what a stack holds.

use std::collections::BTreeMap;

use super::account::{ACCOUNT, REGION};
use super::moment::millis;
use super::query::{Form, element, only, page, text, texts};
use super::wire::{AwsError, AwsService};
use crate::domain::time::Timestamp;

/// So many resources a page holds.
const PAGE: &str = "100";

#[derive(Debug)]
struct Stack {
    created: Timestamp,
    status: &'static str,
    outputs: BTreeMap<String, String>,
    /// Type and physical id, by logical id.
    resources: BTreeMap<String, (String, String)>,
}

/// The account's stacks. Nothing is created by them: they tell of what is there.
#[derive(Debug, Default)]
pub struct CloudFormation {
    stacks: BTreeMap<String, Stack>,
}

impl CloudFormation {
    /// A stack of which nothing is known yet.
    pub fn create(&mut self, now: Timestamp, name: &str) {
        let status = "CREATE_COMPLETE";
        let stack = Stack { created: now, status, outputs: BTreeMap::new(), resources: BTreeMap::new() };
        self.stacks.insert(name.to_owned(), stack);
    }

    /// Removes a stack.
    pub fn delete(&mut self, name: &str) {
        self.stacks.remove(name);
    }

    /// Sets the status of a stack that is there.
    pub fn set_status(&mut self, stack: &str, status: &'static str) {
        if let Some(stack) = self.stacks.get_mut(stack) {
            stack.status = status;
        }
    }

    /// Sets an output of a stack that is there.
    pub fn set_output(&mut self, stack: &str, key: &str, value: &str) {
        if let Some(stack) = self.stacks.get_mut(stack) {
            stack.outputs.insert(key.to_owned(), value.to_owned());
        }
    }

    /// Sets a resource of a stack that is there: the template's name, the type, and the name that AWS gave it.
    pub fn set_resource(&mut self, stack: &str, logical: &str, kind: &str, physical: &str) {
        if let Some(stack) = self.stacks.get_mut(stack) {
            stack.resources.insert(logical.to_owned(), (kind.to_owned(), physical.to_owned()));
        }
    }

    /// Takes a resource out of a stack.
    pub fn remove_resource(&mut self, stack: &str, logical: &str) {
        if let Some(stack) = self.stacks.get_mut(stack) {
            stack.resources.remove(logical);
        }
    }

    pub(crate) fn call(&self, operation: &str, form: &Form, request_id: &str) -> Result<String, AwsError> {
        let result = match operation {
            "DescribeStacks" => self.describe(form)?,
            "ListStackResources" => self.list_resources(form)?,
            other => return Err(AwsService::CloudFormation.unknown(other)),
        };
        Ok(format!(
            "<{operation}Response xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\">{}{}</{operation}Response>",
            element(&format!("{operation}Result"), &result),
            element("ResponseMetadata", &text("RequestId", request_id)),
        ))
    }

    fn named(&self, form: &Form) -> Result<(&str, &Stack), AwsError> {
        let name = form.get("StackName").map(String::as_str).unwrap_or_default();
        let found = self.stacks.iter().find(|(own, _)| *own == name || arn(own) == name);
        found
            .map(|(name, stack)| (name.as_str(), stack))
            .ok_or_else(|| AwsError::new("ValidationError", format!("Stack with id {name} does not exist")))
    }

    fn describe(&self, form: &Form) -> Result<String, AwsError> {
        only(form, &[], &["StackName", "NextToken"], "ValidationError")?;
        let stacks: String = match form.get("StackName") {
            Some(_) => self.named(form).map(|(name, stack)| described(name, stack))?,
            None => self.stacks.iter().map(|(name, stack)| described(name, stack)).collect(),
        };
        Ok(element("Stacks", &stacks))
    }

    fn list_resources(&self, form: &Form) -> Result<String, AwsError> {
        only(form, &[], &["StackName", "NextToken"], "ValidationError")?;
        if !form.contains_key("StackName") {
            let message = "1 validation error detected: Value null at 'stackName' failed to satisfy constraint: Member \
                           must not be null";
            return Err(AwsError::new("ValidationError", message));
        }
        let (_, stack) = self.named(form)?;
        let summaries = stack.resources.iter().map(|(logical, (kind, physical))| {
            let fields = [
                ("LogicalResourceId", logical.as_str()),
                ("PhysicalResourceId", physical),
                ("ResourceType", kind),
                ("LastUpdatedTimestamp", &millis(stack.created)),
                ("ResourceStatus", "CREATE_COMPLETE"),
            ];
            element("member", &texts(&fields))
        });
        let token = form.get("NextToken").map(String::as_str);
        let (shown, next) = page(summaries.collect(), Some(PAGE), 1..=100, token)
            .ok_or_else(|| AwsError::new("ValidationError", "NextToken is not valid"))?;
        let next = next.map_or(String::new(), |next| text("NextToken", &next));
        Ok(element("StackResourceSummaries", &shown.concat()) + &next)
    }
}

fn arn(name: &str) -> String {
    format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/51af3dc0-da77-11e4-872e-1234567db123")
}

fn described(name: &str, stack: &Stack) -> String {
    let outputs: String = stack
        .outputs
        .iter()
        .map(|(key, value)| element("member", &texts(&[("OutputKey", key), ("OutputValue", value)])))
        .collect();
    let (id, created) = (arn(name), millis(stack.created));
    let fields =
        [("StackId", id.as_str()), ("StackName", name), ("CreationTime", &created), ("StackStatus", stack.status)];
    element("member", &(texts(&fields) + &element("Outputs", &outputs)))
}
