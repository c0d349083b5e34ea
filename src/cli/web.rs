//! Requests to what GitHub calls, which belongs to nobody's API.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;
use aws_smithy_types::timeout::TimeoutConfig;
use http::Uri;

use super::account::innermost;

/// GitHub waits 10 s for an answer (GitHub: best practices for using webhooks).
const PATIENCE: Duration = Duration::from_secs(10);

/// Connecting takes no longer than that where anybody is there.
const CONNECTING: Duration = Duration::from_secs(3);

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// Posts a body, once, over the connections that the SDK's clients use.
///
/// # Errors
/// Why no answer came.
pub(super) async fn post(
    sdk_config: &SdkConfig,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<Answer, String> {
    let uri: Uri = url.parse().map_err(|error| format!("it is no URL: {error}"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err("it is no whole URL".to_owned());
    };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = http::Request::post(path).header("user-agent", concat!("pipehook/", env!("CARGO_PKG_VERSION")));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let request = request.body(SdkBody::from(body)).map_err(|error| error.to_string())?;
    let request: HttpRequest = request.try_into().map_err(|_| "it can't be asked for".to_owned())?;
    let http_client = sdk_config.http_client().ok_or("there is no HTTP client")?;
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECTING).operation_timeout(PATIENCE).build();
    let operation = Operation::builder()
        .service_name("webhook")
        .operation_name("Post")
        .http_client(http_client)
        .endpoint_url(&format!("{scheme}://{authority}"))
        .timeout_config(timeouts)
        .no_auth()
        .no_retry()
        .serializer(Ok)
        .deserializer(answer)
        .build();
    let sent = operation.invoke(request).await;
    sent.map_err(|error: SdkError<ErrorMetadata, HttpResponse>| match error {
        SdkError::TimeoutError(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        other => innermost(&other),
    })
}

fn answer(response: &HttpResponse) -> Result<Answer, OrchestratorError<ErrorMetadata>> {
    let body = response.body().bytes().unwrap_or_default();
    Ok(Answer { status: response.status().as_u16(), body: String::from_utf8_lossy(body).into_owned() })
}
