//! CodeConnections, as far as it tells whether a connection to GitHub is there and can be used.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::account::ACCOUNT;
use super::check::{self, Member, Pattern, Shape, must};
use super::wire::{AwsError, AwsService};

static ARN: Shape = Shape::Text { min: 0, max: 256, pattern: Pattern::OneLine };
static GET: &[Member] = &[must("ConnectionArn", &ARN)];

/// The account's connections, each with its status.
#[derive(Debug, Default)]
pub struct Connections {
    by_arn: BTreeMap<String, &'static str>,
}

impl Connections {
    /// Sets a connection's status: `PENDING` until somebody has finished it in the console, `AVAILABLE`, `ERROR`.
    pub fn set(&mut self, arn: &str, status: &'static str) {
        self.by_arn.insert(arn.to_owned(), status);
    }

    /// Deletes a connection.
    pub fn delete(&mut self, arn: &str) {
        self.by_arn.remove(arn);
    }

    pub(crate) fn call(&self, operation: &str, body: &Value) -> Result<Value, AwsError> {
        if operation != "GetConnection" {
            return Err(AwsService::Connections.unknown(operation));
        }
        check::check(GET, body)?;
        let arn = body["ConnectionArn"].as_str().unwrap_or_default();
        let status = self
            .by_arn
            .get(arn)
            .ok_or_else(|| AwsError::new("ResourceNotFoundException", format!("Connection {arn} not found")))?;
        Ok(json!({"Connection": {
            "ConnectionName": "github",
            "ConnectionArn": arn,
            "ProviderType": "GitHub",
            "OwnerAccountId": ACCOUNT,
            "ConnectionStatus": status,
        }}))
    }
}
