//! Why something that would explain a run could not be read. The run is followed without it.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::domain::time::Timestamp;

/// Why something could not be read, sorted by whether asking again helps.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    #[error("out of reach, throttled, or failing: {0}")]
    ForNow(String),
    /// It is not there, or the function's role may not read it.
    #[error("{0}")]
    ForGood(String),
}

/// Sorts an error: throttling, failures of the service and lost connections pass; what it refuses, it will refuse again.
pub(crate) fn sort<E>(error: SdkError<E, HttpResponse>) -> Unread
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default();
    let status = error.raw_response().map(|response| response.status().as_u16());
    let is_throttled = code.contains("Throttl") || code.contains("TooManyRequests") || code == "RequestLimitExceeded";
    // Credentials that ran out are replaced by Lambda.
    let passes =
        is_throttled || code.contains("ExpiredToken") || !matches!(status, Some(400..=407 | 409..=428 | 430..=499));
    let text = match error.as_service_error().map(|error| (error.code(), error.message())) {
        Some((Some(code), Some(message))) => format!("{code}: {message}"),
        _ => DisplayErrorContext(&error).to_string(),
    };
    if passes { Unread::ForNow(text) } else { Unread::ForGood(text) }
}

pub(super) fn timestamp(time: &aws_smithy_types::DateTime) -> Option<Timestamp> {
    Some(Timestamp::from_millis(u64::try_from(time.to_millis().ok()?).ok()?))
}
