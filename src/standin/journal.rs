//! What was asked and what was answered, in order.

use serde_json::{Value, json};

use super::moment;
use crate::domain::time::Timestamp;

/// One call that reached the world. Of the headers there is only who called, so that no credential ever lies in a journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// When it was handled.
    pub at: Timestamp,
    /// `codepipeline`, `codebuild`, `logs`, `ecs`, `ec2`, `elbv2`, `sqs`, `ssm`, `github`, or `unknown`.
    pub service: &'static str,
    /// Who called AWS: the id of the access key (which is no secret) that the request was signed with; none at GitHub.
    pub caller: Option<String>,
    /// The operation's name; for GitHub the method and the path's template,
    /// `POST /repos/{owner}/{repo}/statuses/{sha}`.
    pub operation: String,
    /// The path and query that were asked for.
    pub path: String,
    /// The body as JSON, a form as an object of its fields; a body that is neither as a string, no body as null.
    pub request: Value,
    /// The status of the answer, also where the answer was lost on its way; 0 where the call was never carried out.
    pub status: u16,
    /// The body of the answer as JSON; one that is not JSON as a string, none as null.
    pub response: Value,
    /// The name of the fault that met this call.
    pub fault: Option<&'static str>,
}

impl Call {
    /// The call as one object, the form that the model checker reads.
    pub fn to_json(&self) -> Value {
        json!({
            "at": moment::millis(self.at),
            "service": self.service,
            "caller": self.caller,
            "operation": self.operation,
            "path": self.path,
            "request": self.request,
            "status": self.status,
            "response": self.response,
            "fault": self.fault,
        })
    }
}
