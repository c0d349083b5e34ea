//! Answers on the wire: what a service says before it becomes an HTTP response.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use super::query::{element, text, texts};

/// What a service answers, apart from the headers that it puts on every answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Body,
}

#[derive(Debug, Clone)]
pub(crate) enum Body {
    Empty,
    Json(Value),
    /// Something else with its content type: XML, or what a load balancer says when the service behind it is down.
    Text(&'static str, String),
}

impl Reply {
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Body::Json(body) }
    }

    pub(crate) fn xml(status: u16, text: String) -> Self {
        Self { status, headers: Vec::new(), body: Body::Text("text/xml;charset=UTF-8", text) }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The body for the journal: JSON as it is, a text as a JSON string, nothing as null.
    pub(crate) fn body_value(&self) -> Value {
        match &self.body {
            Body::Empty => Value::Null,
            Body::Json(value) => value.clone(),
            Body::Text(_, text) => Value::String(text.clone()),
        }
    }

    pub(crate) fn into_response(self, json_type: &'static str) -> Response<Bytes> {
        let (content_type, body) = match self.body {
            Body::Empty => (json_type, Bytes::new()),
            Body::Json(value) => (json_type, Bytes::from(value.to_string())),
            Body::Text(content_type, text) => (content_type, Bytes::from(text)),
        };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        for (name, value) in self.headers {
            // A value that no header can hold (a newline in a name that a test made up) is left out.
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

/// An error of an AWS service, before its protocol gives it a shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AwsError {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) status: u16,
}

impl AwsError {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), status: 400 }
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }
}

/// The code that an error of SQS had in its query protocol, which SDKs go on giving to people.
fn query_code(code: &str) -> Cow<'_, str> {
    match code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue".into(),
        "QueueNameExists" => "QueueAlreadyExists".into(),
        "BatchEntryIdsNotDistinct"
        | "BatchRequestTooLong"
        | "EmptyBatchRequest"
        | "InvalidBatchEntryId"
        | "MessageNotInflight"
        | "TooManyEntriesInBatchRequest"
        | "UnsupportedOperation" => format!("AWS.SimpleQueueService.{code}").into(),
        other => other.into(),
    }
}

/// The operations of AWS that are stood in for, by the services' names in botocore and the CLI.
pub fn aws_operations() -> BTreeMap<&'static str, &'static [&'static str]> {
    AwsService::ALL.into_iter().map(|service| (service.name(), service.operations())).collect()
}

/// The AWS services that are stood in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AwsService {
    CodePipeline,
    Sqs,
    Ssm,
    CodeBuild,
    Logs,
    Ecs,
    Ec2,
    Elb,
    CloudFormation,
}

impl AwsService {
    pub(crate) const ALL: [Self; 9] = [
        Self::CodePipeline,
        Self::CodeBuild,
        Self::Logs,
        Self::Ecs,
        Self::Ec2,
        Self::Elb,
        Self::Sqs,
        Self::Ssm,
        Self::CloudFormation,
    ];

    /// The operations that are stood in for. What is not in this list is refused before the service sees it, so nothing
    /// can be asked that the list does not tell of.
    pub(crate) fn operations(self) -> &'static [&'static str] {
        match self {
            Self::CodePipeline => &[
                "DisableStageTransition",
                "EnableStageTransition",
                "GetPipeline",
                "GetPipelineExecution",
                "GetPipelineState",
                "ListActionExecutions",
                "ListPipelineExecutions",
                "PutApprovalResult",
                "RetryStageExecution",
                "RollbackStage",
                "StartPipelineExecution",
                "StopPipelineExecution",
            ],
            Self::CodeBuild => &["BatchGetBuildBatches", "BatchGetBuilds"],
            Self::Logs => &["GetLogEvents"],
            Self::Ecs => &[
                "DescribeServiceDeployments",
                "DescribeServiceRevisions",
                "DescribeServices",
                "DescribeTaskDefinition",
                "DescribeTasks",
                "ListServiceDeployments",
                "ListTasks",
            ],
            Self::Ec2 => &["DescribeNetworkInterfaces"],
            Self::Elb => &["DescribeListeners", "DescribeLoadBalancers", "DescribeTargetGroups"],
            Self::Sqs => &[
                "CancelMessageMoveTask",
                "ChangeMessageVisibility",
                "CreateQueue",
                "DeleteMessage",
                "DeleteMessageBatch",
                "GetQueueAttributes",
                "GetQueueUrl",
                "ListMessageMoveTasks",
                "ReceiveMessage",
                "SendMessage",
                "SendMessageBatch",
                "StartMessageMoveTask",
            ],
            Self::Ssm => &["GetParameter", "GetParameters", "PutParameter"],
            Self::CloudFormation => &["DescribeStacks", "ListStackResources"],
        }
    }

    /// What an operation is told that the service does not have, or that is not stood in for.
    pub(crate) fn unknown(self, operation: &str) -> AwsError {
        let message = format!("{operation} is not stood in for");
        match self {
            Self::Sqs | Self::Ec2 | Self::Elb | Self::CloudFormation => AwsError::new("InvalidAction", message),
            _ => AwsError::new("UnknownOperationException", message),
        }
    }

    /// The service and the operation that an `X-Amz-Target` header names.
    pub(crate) fn of_target(target: &str) -> Option<(Self, &str)> {
        let (prefix, operation) = target.split_once('.')?;
        let service = match prefix {
            "CodePipeline_20150709" => Self::CodePipeline,
            "AmazonSQS" => Self::Sqs,
            "AmazonSSM" => Self::Ssm,
            "CodeBuild_20161006" => Self::CodeBuild,
            "Logs_20140328" => Self::Logs,
            "AmazonEC2ContainerServiceV20141113" => Self::Ecs,
            _ => return None,
        };
        Some((service, operation))
    }

    /// The service that a form's `Version` names. These services have neither targets nor JSON.
    pub(crate) fn of_version(version: &str) -> Option<Self> {
        match version {
            "2016-11-15" => Some(Self::Ec2),
            "2015-12-01" => Some(Self::Elb),
            "2010-05-15" => Some(Self::CloudFormation),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::CodePipeline => "codepipeline",
            Self::Sqs => "sqs",
            Self::Ssm => "ssm",
            Self::CodeBuild => "codebuild",
            Self::Logs => "logs",
            Self::Ecs => "ecs",
            Self::Ec2 => "ec2",
            Self::Elb => "elbv2",
            Self::CloudFormation => "cloudformation",
        }
    }

    /// The content type of its requests, and of what it answers as JSON.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Sqs => "application/x-amz-json-1.0",
            Self::Ec2 | Self::Elb | Self::CloudFormation => "application/x-www-form-urlencoded",
            Self::CodePipeline | Self::Ssm | Self::CodeBuild | Self::Logs | Self::Ecs => "application/x-amz-json-1.1",
        }
    }

    /// What a request without a signature is told.
    pub(crate) fn unsigned(self) -> AwsError {
        let message = "Missing Authentication Token";
        match self {
            Self::Ec2 => AwsError { status: 401, ..AwsError::new("AuthFailure", message) },
            Self::Elb | Self::CloudFormation => {
                AwsError { status: 403, ..AwsError::new("MissingAuthenticationToken", message) }
            }
            _ => AwsError::new("MissingAuthenticationTokenException", message),
        }
    }

    /// The error on the wire. SQS keeps the codes of its older query protocol in a header, and SDKs read them there.
    pub(crate) fn error(self, error: &AwsError, request_id: &str) -> Reply {
        let is_senders = error.status < 500;
        let json = |kind: String| {
            Reply::json(error.status, json!({"__type": kind, "message": error.message}))
                .with("x-amzn-errortype", error.code)
        };
        match self {
            Self::Sqs => {
                let fault = if is_senders { "Sender" } else { "Receiver" };
                let code = query_code(error.code);
                json(format!("com.amazonaws.sqs#{}", error.code)).with("x-amzn-query-error", format!("{code};{fault}"))
            }
            Self::Ec2 => {
                let about = element("Error", &texts(&[("Code", error.code), ("Message", &error.message)]));
                let body = element("Errors", &about) + &text("RequestID", request_id);
                let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
                Reply::xml(error.status, format!("{head}{}", element("Response", &body)))
            }
            Self::Elb | Self::CloudFormation => {
                let kind = if is_senders { "Sender" } else { "Receiver" };
                let about = texts(&[("Type", kind), ("Code", error.code), ("Message", &error.message)]);
                let body = element("Error", &about) + &text("RequestId", request_id);
                let xmlns = match self {
                    Self::Elb => "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/",
                    _ => "http://cloudformation.amazonaws.com/doc/2010-05-15/",
                };
                Reply::xml(error.status, format!("<ErrorResponse xmlns=\"{xmlns}\">{body}</ErrorResponse>"))
            }
            Self::CodePipeline | Self::Ssm | Self::CodeBuild | Self::Logs | Self::Ecs => json(error.code.to_owned()),
        }
    }
}
