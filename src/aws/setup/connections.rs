//! CodeConnections: whether a connection to GitHub can be used.

use aws_config::SdkConfig;
use serde::Deserialize;
use serde_json::json;

use super::{found, read};
use crate::aws::signed::{Service, Signed};
use crate::aws::unread::Unread;

/// The service under its new and under its old name. Policies allow it by the name that the connection's ARN has.
const NEW: Service = Service {
    id: "CodeConnections",
    name: "codeconnections",
    version: "com.amazonaws.codeconnections.CodeConnections_20231201",
};
const OLD: Service = Service {
    id: "CodeStar connections",
    name: "codestar-connections",
    version: "com.amazonaws.codestar.connections.CodeStar_connections_20191201",
};

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Connection")]
    connection: Connection,
}

#[derive(Deserialize)]
struct Connection {
    #[serde(rename = "ConnectionStatus", default)]
    status: String,
}

/// A connection's status: `PENDING`, `AVAILABLE`, `ERROR`. `None` where there is no such connection.
///
/// # Errors
/// Where it can't be read.
pub(crate) async fn status(sdk_config: &SdkConfig, arn: &str) -> Result<Option<String>, Unread> {
    let service = if arn.contains(":codestar-connections:") { OLD } else { NEW };
    let answer = Signed::new(sdk_config, service).json_1_0("GetConnection", &json!({"ConnectionArn": arn})).await;
    let Some(answer) = found(answer)? else { return Ok(None) };
    Ok(Some(read::<Answer>(answer)?.connection.status))
}
