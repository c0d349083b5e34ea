//! Lambda, as far as it tells how functions are set up. What they do is done by their own handlers.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{Method, Uri};
use serde_json::{Value, json};

use super::account::{ACCOUNT, REGION};
use super::json::without_nulls;
use super::moment::epoch;
use super::wire::{AwsError, AwsService};
use crate::domain::time::Timestamp;

/// When everything was last changed.
const CHANGED: &str = "2026-01-23T22:01:07.000+0000";
const CHANGED_AT: Timestamp = Timestamp::from_secs(1_769_205_667);

/// Who may call a function's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlAuth {
    /// Everybody whom the function's policy lets.
    None,
    /// Who signs with credentials of AWS.
    AwsIam,
}

/// A function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionSpec {
    /// Its name.
    pub name: String,
    /// How long an invocation may take.
    pub timeout: Duration,
    /// Its environment.
    pub variables: BTreeMap<String, String>,
    /// Why it can't be invoked, where it can't.
    pub failure: Option<String>,
    /// Who may call its URL; `None` where it has none.
    pub url: Option<UrlAuth>,
    /// Whether its policy lets everybody call its URL.
    pub allows_url: bool,
    /// Whether its policy lets everybody invoke it by its URL, which they need besides.
    pub allows_invoke: bool,
    /// Whether it may go on invoking itself over a queue.
    pub may_recurse: bool,
    /// The concurrency that is reserved for it, and caps it.
    pub reserved: Option<u32>,
}

impl FunctionSpec {
    /// A function that works, without a URL. Lambda's default timeout is 3 s.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            timeout: Duration::from_secs(3),
            variables: BTreeMap::new(),
            failure: None,
            url: None,
            allows_url: false,
            allows_invoke: false,
            may_recurse: false,
            reserved: None,
        }
    }

    /// How long an invocation may take.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// One more variable of its environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// It has a URL that everybody may call.
    pub fn with_public_url(mut self) -> Self {
        (self.url, self.allows_url, self.allows_invoke) = (Some(UrlAuth::None), true, true);
        self
    }

    /// It may go on invoking itself over a queue.
    pub fn recursive(mut self) -> Self {
        self.may_recurse = true;
        self
    }

    fn arn(&self) -> String {
        format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", self.name)
    }
}

/// An event source mapping: what feeds a function from a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingSpec {
    /// The function's name.
    pub function: String,
    /// The queue's ARN.
    pub queue: String,
    /// Whether it does so.
    pub enabled: bool,
    /// Whether the function may say which messages of a batch have failed.
    pub reports_item_failures: bool,
}

impl MappingSpec {
    /// A mapping that is enabled and takes the failures of single messages.
    pub fn new(function: &str, queue: &str) -> Self {
        let (function, queue) = (function.to_owned(), queue.to_owned());
        Self { function, queue, enabled: true, reports_item_failures: true }
    }
}

/// The account's functions and what feeds them.
#[derive(Debug, Default)]
pub struct Lambda {
    functions: BTreeMap<String, FunctionSpec>,
    /// To be changed at will.
    pub mappings: Vec<MappingSpec>,
}

/// The operation that a method and a path name, with its input; `None` where the path is none of Lambda's.
pub(crate) fn route(method: &Method, uri: &Uri) -> Option<(&'static str, Value)> {
    let parts: Vec<&str> = uri.path().trim_start_matches('/').split('/').collect();
    if method != Method::GET {
        return None;
    }
    let query = || form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let (operation, name) = match parts.as_slice() {
        ["2015-03-31", "functions", name, "configuration"] => ("GetFunctionConfiguration", Some(*name)),
        ["2021-10-31", "functions", name, "url"] => ("GetFunctionUrlConfig", Some(*name)),
        ["2015-03-31", "functions", name, "policy"] => ("GetPolicy", Some(*name)),
        ["2019-09-30", "functions", name, "concurrency"] => ("GetFunctionConcurrency", Some(*name)),
        ["2024-08-31", "functions", name, "recursion-config"] => ("GetFunctionRecursionConfig", Some(*name)),
        ["2015-03-31", "event-source-mappings"] => ("ListEventSourceMappings", None),
        _ => return None,
    };
    let mut input: serde_json::Map<String, Value> =
        query().map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect();
    input.extend(name.map(|name| ("FunctionName".to_owned(), json!(name))));
    Some((operation, Value::Object(input)))
}

impl Lambda {
    /// Creates a function, in place of the one of that name.
    pub fn create(&mut self, spec: FunctionSpec) {
        self.functions.insert(spec.name.clone(), spec);
    }

    /// A function that is there, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut FunctionSpec> {
        self.functions.get_mut(name)
    }

    /// Deletes a function.
    pub fn delete(&mut self, name: &str) {
        self.functions.remove(name);
    }

    pub(crate) fn call(&self, operation: &str, input: &Value) -> Result<Value, AwsError> {
        if let Some(unknown) = unknown(input, operation) {
            let message = format!("The parameter {unknown} is not stood in for");
            return Err(AwsError::new("InvalidParameterValueException", message));
        }
        let name = input["FunctionName"].as_str();
        if operation == "ListEventSourceMappings" {
            return Ok(self.list_mappings(name, input["EventSourceArn"].as_str()));
        }
        let name = name.unwrap_or_default();
        let arn = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}");
        let missing = |what: String| AwsError { status: 404, ..AwsError::new("ResourceNotFoundException", what) };
        let function = self.functions.get(name).ok_or_else(|| missing(format!("Function not found: {arn}")))?;
        match operation {
            "GetFunctionConfiguration" => Ok(configuration(function)),
            "GetFunctionUrlConfig" => {
                let auth = match function.url {
                    Some(UrlAuth::None) => "NONE",
                    Some(UrlAuth::AwsIam) => "AWS_IAM",
                    None => return Err(missing("The resource you requested does not exist.".to_owned())),
                };
                Ok(json!({
                    // It is reached elsewhere: where the stack's output says.
                    "FunctionUrl": format!("https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.{REGION}.on.aws/"),
                    "FunctionArn": arn,
                    "AuthType": auth,
                    "CreationTime": CHANGED,
                    "LastModifiedTime": CHANGED,
                    "InvokeMode": "BUFFERED",
                }))
            }
            "GetPolicy" => {
                policy(function).ok_or_else(|| missing("The resource you requested does not exist.".to_owned()))
            }
            "GetFunctionConcurrency" => Ok(without_nulls(json!({"ReservedConcurrentExecutions": function.reserved}))),
            "GetFunctionRecursionConfig" => {
                Ok(json!({"RecursiveLoop": if function.may_recurse { "Allow" } else { "Terminate" }}))
            }
            other => Err(AwsService::Lambda.unknown(other)),
        }
    }

    fn list_mappings(&self, function: Option<&str>, queue: Option<&str>) -> Value {
        let wanted = |mapping: &&MappingSpec| {
            function.is_none_or(|function| mapping.function == function)
                && queue.is_none_or(|queue| mapping.queue == queue)
        };
        let shown = |mapping: &MappingSpec| {
            let reports: &[&str] = if mapping.reports_item_failures { &["ReportBatchItemFailures"] } else { &[] };
            json!({
                "UUID": "a1b2c3d4-5678-90ab-cdef-11111example",
                "BatchSize": 10,
                "MaximumBatchingWindowInSeconds": 1,
                "EventSourceArn": mapping.queue,
                "FunctionArn": format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", mapping.function),
                "LastModified": epoch(CHANGED_AT),
                "State": if mapping.enabled { "Enabled" } else { "Disabled" },
                "StateTransitionReason": "USER_INITIATED",
                "FunctionResponseTypes": reports,
            })
        };
        json!({"EventSourceMappings": self.mappings.iter().filter(wanted).map(shown).collect::<Vec<_>>()})
    }
}

/// A member of an input that the operation does not have, or that is not stood in for.
fn unknown<'a>(input: &'a Value, operation: &str) -> Option<&'a str> {
    let known: &[&str] = match operation {
        "ListEventSourceMappings" => &["FunctionName", "EventSourceArn"],
        _ => &["FunctionName"],
    };
    input.as_object()?.keys().map(String::as_str).find(|name| !known.contains(name))
}

fn configuration(function: &FunctionSpec) -> Value {
    let state = if function.failure.is_some() { "Failed" } else { "Active" };
    without_nulls(json!({
        "FunctionName": function.name,
        "FunctionArn": function.arn(),
        "Runtime": "provided.al2023",
        "Role": format!("arn:aws:iam::{ACCOUNT}:role/{}", function.name),
        "Handler": "bootstrap",
        "CodeSize": 5_000_000,
        "Timeout": function.timeout.as_secs(),
        "MemorySize": 256,
        "LastModified": CHANGED,
        "Version": "$LATEST",
        "Environment": {"Variables": function.variables},
        "State": state,
        "StateReason": function.failure,
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": ["arm64"],
    }))
}

/// Both statements as SAM writes them; `None` where the function has no policy.
fn policy(function: &FunctionSpec) -> Option<Value> {
    let statement = |sid: &str, action: &str, condition: Value| {
        json!({"Sid": sid, "Effect": "Allow", "Principal": "*", "Action": action, "Resource": function.arn(),
            "Condition": condition})
    };
    let url = function.allows_url.then(|| {
        let condition = json!({"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}});
        statement("UrlPublicPermissions", "lambda:InvokeFunctionUrl", condition)
    });
    let invoke = function.allows_invoke.then(|| {
        let condition = json!({"Bool": {"lambda:InvokedViaFunctionUrl": "true"}});
        statement("UrlInvokeAllowPublicAccess", "lambda:InvokeFunction", condition)
    });
    let statements: Vec<Value> = url.into_iter().chain(invoke).collect();
    let policy = json!({"Version": "2012-10-17", "Id": "default", "Statement": statements});
    let revision = "3693c1b2-0a4e-4d4c-9b7e-0f6c1f6d2f11";
    (!statements.is_empty()).then(|| json!({"Policy": policy.to_string(), "RevisionId": revision}))
}
