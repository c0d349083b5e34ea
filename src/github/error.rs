//! What goes wrong with GitHub, sorted by what can be done about it.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::wire::Bearer;
use crate::domain::time::Timestamp;

/// Where GitHub names no time, its documentation asks for at least a minute.
const DEFAULT_WAIT: Duration = Duration::from_secs(60);

/// Limits are per hour, so a longer wait is a mistake in the answer.
const LONGEST_WAIT: Duration = Duration::from_secs(2 * 60 * 60);

/// What went wrong, sorted by what can be done about it.
#[derive(Debug, thiserror::Error)]
pub enum GitHubError {
    #[error("GitHub is out of reach or fails: {0}")]
    Unavailable(String),
    /// Something was sent to be written, and what became of it is not known: it may be there, or still get there.
    #[error("GitHub did not say what became of what was sent: {0}")]
    Uncertain(String),
    #[error("GitHub's rate limit is used up ({why}); it may be called again in {} s", .wait.as_secs())]
    RateLimited { wait: Duration, why: String },
    /// The token, or the App's own proof of who it is. Whoever reads the settings again may find a better one.
    #[error("GitHub does not take {0}")]
    Unauthorized(String),
    #[error("GitHub denies access to {path}: {why}; {mend}")]
    NoAccess { status: u16, path: String, why: String, mend: &'static str },
    #[error("the GitHub App is not installed on {repository}: {why}; install it there")]
    NotInstalled { repository: String, why: String },
    #[error("GitHub does not know the commit: {0}")]
    UnknownCommit(String),
    #[error("GitHub refuses the request: {0}")]
    Refused(String),
    #[error("no GitHub token is configured: set PIPEHOOK_GITHUB_TOKEN_PARAMETER")]
    NoToken,
    #[error("the GitHub token can't be used: {0}")]
    BadToken(String),
    #[error("{0} needs a GitHub App: GitHub takes check runs from no other token")]
    NeedsApp(&'static str),
}

impl GitHubError {
    /// Whether a person has to do something before it can work; everything else may pass by itself, or is about one
    /// request.
    pub fn needs_mending(&self) -> bool {
        match self {
            Self::Unauthorized(_)
            | Self::NoAccess { .. }
            | Self::NotInstalled { .. }
            | Self::NoToken
            | Self::BadToken(_)
            | Self::NeedsApp(_) => true,
            Self::Unavailable(_)
            | Self::Uncertain(_)
            | Self::RateLimited { .. }
            | Self::UnknownCommit(_)
            | Self::Refused(_) => false,
        }
    }

    /// The same failure of something that was to be written: no answer says no more that nothing was done.
    pub(super) fn of_write(self) -> Self {
        match self {
            Self::Unavailable(why) => Self::Uncertain(why),
            other => other,
        }
    }
}

/// An error with its causes: octocrab's own text leaves them out.
pub(super) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let told = error.to_string();
        if !text.contains(&told) {
            text = format!("{text}: {told}");
        }
        cause = error.source();
    }
    text
}

pub(super) fn decode<T: DeserializeOwned>(answer: &[u8]) -> Result<T, GitHubError> {
    serde_json::from_slice(answer).map_err(|error| nonsense(&error.to_string()))
}

/// An answer that is not what it should be.
pub(super) fn nonsense(why: &str) -> GitHubError {
    GitHubError::Unavailable(format!("its answer is nonsense: {why}"))
}

/// Sorts an answer that is no success.
pub(super) fn failure(
    status: StatusCode,
    headers: &HeaderMap,
    answer: &[u8],
    path: &str,
    bearer: Bearer,
    now: Timestamp,
) -> GitHubError {
    let why = explanation(status, answer);
    let denied = |why: String| GitHubError::NoAccess {
        status: status.as_u16(),
        path: path.split('?').next().unwrap_or_default().to_owned(),
        why,
        mend: bearer.access_mending(),
    };
    match status {
        StatusCode::UNAUTHORIZED => GitHubError::Unauthorized(bearer.refusal(&why)),
        StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => match wait(status, headers, &why, now) {
            Some(wait) => GitHubError::RateLimited { wait, why },
            None => denied(match headers.get("x-accepted-github-permissions").and_then(|value| value.to_str().ok()) {
                Some(needed) => format!("{why} (it takes {needed})"),
                None => why,
            }),
        },
        // GitHub hides what a token may not see behind a 404; a repository that is gone for good answers 410 or 451.
        StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => denied(why),
        // A commit is looked up as a SHA for statuses and check runs, and as a ref for deployments.
        StatusCode::UNPROCESSABLE_ENTITY if why.contains("No commit found") || why.contains("No ref found") => {
            GitHubError::UnknownCommit(why)
        }
        status if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT => GitHubError::Refused(why),
        _ => GitHubError::Unavailable(why),
    }
}

/// How long GitHub asks to wait, in the order that its documentation gives; `None` where this is no rate limit.
fn wait(status: StatusCode, headers: &HeaderMap, why: &str, now: Timestamp) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    if let Some(seconds) = number(RETRY_AFTER.as_str()) {
        return Some(Duration::from_secs(seconds.max(1)).min(LONGEST_WAIT));
    }
    if number("x-ratelimit-remaining") == Some(0) {
        let reset = number("x-ratelimit-reset").map(Timestamp::from_secs);
        // A second more, for the header is in whole seconds.
        let wait = reset.map_or(DEFAULT_WAIT, |reset| reset.since(now).saturating_add(Duration::from_secs(1)));
        return Some(wait.min(LONGEST_WAIT));
    }
    let told = why.to_lowercase();
    let limited = status == StatusCode::TOO_MANY_REQUESTS || told.contains("rate limit") || told.contains("abuse");
    limited.then_some(DEFAULT_WAIT)
}

pub(super) fn explanation(status: StatusCode, answer: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Explanation {
        message: String,
        #[serde(default)]
        errors: Option<serde_json::Value>,
    }
    match serde_json::from_slice::<Explanation>(answer) {
        Ok(Explanation { message, errors: None }) => format!("{} {message}", status.as_u16()),
        Ok(Explanation { message, errors: Some(errors) }) => format!("{} {message} {errors}", status.as_u16()),
        Err(_) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> GitHubError {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, http::HeaderValue::from_static(value));
        }
        let status = StatusCode::from_u16(status).unwrap();
        let now = Timestamp::from_secs(1000);
        failure(status, &map, body.as_bytes(), "/repos/octo-org/node-server", Bearer::Token, now)
    }

    fn waits(error: &GitHubError) -> Option<u64> {
        match error {
            GitHubError::RateLimited { wait, .. } => Some(wait.as_secs()),
            _ => None,
        }
    }

    #[test]
    fn the_wait_comes_from_the_headers() {
        assert_eq!(waits(&sorted(403, &[("retry-after", "17")], "{}")), Some(17));
        let used_up = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1090")];
        assert_eq!(waits(&sorted(403, &used_up, "{}")), Some(91));
        assert_eq!(waits(&sorted(429, &[], "")), Some(60));
        let secondary = r#"{"message":"You have exceeded a secondary rate limit."}"#;
        assert_eq!(waits(&sorted(403, &[("x-ratelimit-remaining", "4999")], secondary)), Some(60));
    }

    #[test]
    fn a_403_without_a_limit_is_a_lack_of_permission() {
        let body = r#"{"message":"Resource not accessible by personal access token"}"#;
        insta::assert_snapshot!(sorted(403, &[], body), @"GitHub denies access to /repos/octo-org/node-server: 403 Resource not accessible by personal access token; give the token access to the repository, with permission to write commit statuses");
        let needed = [("x-accepted-github-permissions", "deployments=write")];
        insta::assert_snapshot!(sorted(403, &needed, body), @"GitHub denies access to /repos/octo-org/node-server: 403 Resource not accessible by personal access token (it takes deployments=write); give the token access to the repository, with permission to write commit statuses");
    }

    #[test]
    fn a_401_says_what_to_put_in_the_place_of_what() {
        let error = sorted(401, &[], r#"{"message":"Bad credentials"}"#);
        insta::assert_snapshot!(error, @"GitHub does not take the token: 401 Bad credentials; put a valid one in place of the expired or revoked one");
    }

    #[test]
    fn an_unknown_commit_is_told_from_other_refusals() {
        let unknown = sorted(422, &[], r#"{"message":"No commit found for SHA: abc"}"#);
        assert!(matches!(unknown, GitHubError::UnknownCommit(_)));
        let full = r#"{"message":"Validation Failed","errors":["This SHA and context has reached the maximum number of statuses."]}"#;
        assert!(matches!(sorted(422, &[], full), GitHubError::Refused(_)));
    }

    #[test]
    fn nonsense_and_failures_may_pass() {
        assert!(matches!(sorted(502, &[], "<html>"), GitHubError::Unavailable(_)));
        assert!(matches!(decode::<Vec<u8>>(b"<html>"), Err(GitHubError::Unavailable(_))));
    }
}
