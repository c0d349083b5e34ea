//! GitHub's REST API, as far as commit statuses need it.
//!
//! The wrapper follows a moved repository, reads the rate limit's headers, and sorts failures by what can be done
//! about them. Requests are built by hand on octocrab's client, for its typed calls hide status and headers.

use std::time::Duration;

use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use octocrab::Octocrab;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::domain::event::{CommitSha, RepositoryName};
use crate::domain::report::{Report, State};
use crate::domain::time::Timestamp;
use crate::settings::Secret;

/// GitHub cuts a request off after 10 s; there is nothing to be had by waiting longer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where GitHub names no time, its documentation asks for at least a minute.
const DEFAULT_WAIT: Duration = Duration::from_secs(60);

/// Limits are per hour, so a longer wait is a mistake in the answer.
const LONGEST_WAIT: Duration = Duration::from_secs(2 * 60 * 60);

/// A page holds at most 100 statuses.
const PAGE: usize = 100;

/// More pages than this are not read: newest come first, and 2,000 statuses tell what every context shows.
const MAX_PAGES: usize = 20;

/// A moved repository answers with one redirect; more than a few are a loop.
const MAX_REDIRECTS: usize = 3;

/// A tag of a tag is rare, a chain of many is a mistake.
const MAX_TAGS: usize = 3;

/// What went wrong, sorted by what can be done about it.
#[derive(Debug, thiserror::Error)]
pub enum GitHubError {
    #[error("GitHub is out of reach or fails: {0}")]
    Unavailable(String),
    /// A status was sent, and what became of it is not known: it may be there, or still get there.
    #[error("GitHub did not say what became of a status: {0}")]
    Uncertain(String),
    #[error("GitHub's rate limit is used up ({why}); it may be called again in {} s", .wait.as_secs())]
    RateLimited { wait: Duration, why: String },
    #[error("GitHub does not take the token: {0}; put a valid one in place of the expired or revoked one")]
    Unauthorized(String),
    #[error(
        "GitHub denies access to {path}: {why}; give the token access to the repository, with permission to write commit statuses"
    )]
    NoAccess { status: u16, path: String, why: String },
    #[error("GitHub does not know the commit: {0}")]
    UnknownCommit(String),
    #[error("GitHub refuses the request: {0}")]
    Refused(String),
    #[error("no GitHub token is configured: set PIPEHOOK_GITHUB_TOKEN_PARAMETER")]
    NoToken,
    #[error("the GitHub token can't be used: {0}")]
    BadToken(&'static str),
}

/// A client for one token.
pub struct GitHub {
    octocrab: Octocrab,
    api_url: String,
    clock: Clock,
}

/// A commit status as GitHub lists it.
#[derive(Clone, Debug, Deserialize)]
pub struct ListedStatus {
    #[serde(default)]
    pub id: u64,
    pub state: String,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub target_url: Option<String>,
    pub context: String,
}

#[derive(Serialize)]
struct NewStatus<'a> {
    state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_url: Option<&'a str>,
    description: &'a str,
    context: &'a str,
}

#[derive(Deserialize)]
struct TagObject {
    object: TagTarget,
}

#[derive(Deserialize)]
struct TagTarget {
    sha: String,
    #[serde(rename = "type")]
    kind: String,
}

impl GitHub {
    pub fn new(api_url: &str, token: Option<&Secret>, clock: Clock) -> Result<Self, GitHubError> {
        let token = token.ok_or(GitHubError::NoToken)?.expose();
        if token.starts_with('{') {
            return Err(GitHubError::BadToken("credentials of a GitHub App are not supported yet; use a token"));
        }
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(GitHubError::BadToken("it holds characters that no token has"));
        }
        // octocrab puts the base's path in front of every URI, whole ones included, so it gets none, and every URI
        // here is whole. The base's authority is the only one to which octocrab sends the token.
        let uri: Uri = api_url.parse().map_err(|_| GitHubError::Refused(format!("{api_url} is no URL")))?;
        let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
        let base = format!("{}://{authority}", uri.scheme_str().unwrap_or("https"));
        let octocrab = Octocrab::builder()
            .personal_token(token)
            .base_uri(base)
            .and_then(|builder| {
                builder
                    .add_header(http::HeaderName::from_static("x-github-api-version"), "2022-11-28".to_owned())
                    .add_header(http::header::ACCEPT, "application/vnd.github+json".to_owned())
                    .set_connect_timeout(Some(Duration::from_secs(3)))
                    .set_read_timeout(Some(TIMEOUT))
                    .set_write_timeout(Some(TIMEOUT))
                    .build()
            })
            .map_err(|error| GitHubError::Unavailable(error.to_string()))?;
        Ok(Self { octocrab, api_url: api_url.to_owned(), clock })
    }

    /// The statuses of a commit, newest first.
    pub async fn statuses(
        &self,
        repository: &RepositoryName,
        commit: &CommitSha,
    ) -> Result<Vec<ListedStatus>, GitHubError> {
        let mut statuses: Vec<ListedStatus> = Vec::new();
        for page in 1..=MAX_PAGES {
            let path = format!("/repos/{repository}/commits/{commit}/statuses?per_page={PAGE}&page={page}");
            let listed: Vec<ListedStatus> = decode(&self.call(Method::GET, &path, None::<&()>).await?)?;
            let is_last = listed.len() < PAGE;
            statuses.extend(listed);
            if is_last {
                break;
            }
        }
        // Within a second they have the same time, and only their ids tell which came last.
        statuses.sort_by_key(|status| std::cmp::Reverse(status.id));
        Ok(statuses)
    }

    pub async fn post_status(
        &self,
        repository: &RepositoryName,
        commit: &CommitSha,
        report: &Report,
        target_url: Option<&str>,
    ) -> Result<(), GitHubError> {
        let path = format!("/repos/{repository}/statuses/{commit}");
        let state = report.state.as_str();
        let body = NewStatus { state, target_url, description: &report.description, context: &report.context };
        match self.call(Method::POST, &path, Some(&body)).await {
            Ok(_) => Ok(()),
            Err(GitHubError::Unavailable(why)) => Err(GitHubError::Uncertain(why)),
            Err(error) => Err(error),
        }
    }

    /// The commit that an annotated tag's object leads to; a commit leads to itself.
    pub async fn peel(&self, repository: &RepositoryName, object: &CommitSha) -> Result<CommitSha, GitHubError> {
        let mut object = object.clone();
        for _ in 0..MAX_TAGS {
            let path = format!("/repos/{repository}/git/tags/{object}");
            let target = match self.call(Method::GET, &path, None::<&()>).await {
                Ok(answer) => decode::<TagObject>(&answer)?.object,
                // There is no tag object of this name: it is the commit itself.
                Err(GitHubError::NoAccess { status: 404, .. }) => return Ok(object),
                Err(error) => return Err(error),
            };
            object = CommitSha::parse(&target.sha)
                .ok_or_else(|| GitHubError::Unavailable(format!("a tag's target is \"{}\"", target.sha)))?;
            match target.kind.as_str() {
                "commit" => return Ok(object),
                "tag" => {}
                other => return Err(GitHubError::UnknownCommit(format!("the tag leads to a {other}"))),
            }
        }
        Err(GitHubError::UnknownCommit("the tag leads to a tag, and that to another".to_owned()))
    }

    async fn call<B: Serialize>(&self, method: Method, path: &str, body: Option<&B>) -> Result<Vec<u8>, GitHubError> {
        let mut url = format!("{}{path}", self.api_url);
        for _ in 0..=MAX_REDIRECTS {
            let (status, headers, answer) = self.send(&method, &url, body).await?;
            if status.is_success() {
                return Ok(answer);
            }
            if !status.is_redirection() {
                return Err(failure(status, &headers, &answer, path, self.clock.now()));
            }
            // A repository that was renamed or moved answers with its new place, to be asked by the same method.
            url = self.redirected(&headers)?;
        }
        Err(GitHubError::Unavailable(format!("{path} is redirected again and again")))
    }

    fn redirected(&self, headers: &HeaderMap) -> Result<String, GitHubError> {
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let place: Option<Uri> = location.parse().ok();
        let ours: Option<Uri> = self.api_url.parse().ok();
        let same_host = matches!((&place, &ours), (Some(place), Some(ours))
            if place.authority() == ours.authority() && place.scheme() == ours.scheme());
        // Only GitHub itself gets to see the token and what is posted.
        if same_host {
            Ok(location.to_owned())
        } else {
            Err(GitHubError::Unavailable(format!("redirected to another host: \"{location}\"")))
        }
    }

    async fn send<B: Serialize>(
        &self,
        method: &Method,
        url: &str,
        body: Option<&B>,
    ) -> Result<(StatusCode, HeaderMap, Vec<u8>), GitHubError> {
        let unavailable = |error: octocrab::Error| GitHubError::Unavailable(describe(&error));
        let builder = Request::builder().method(method).uri(url);
        let request = self.octocrab.build_request(builder, body).map_err(unavailable)?;
        let exchange = async {
            let response = self.octocrab.execute(request).await?;
            let (parts, body) = response.into_parts();
            Ok((parts, body.collect().await?.to_bytes()))
        };
        let answered = tokio::time::timeout(TIMEOUT, exchange).await;
        let answered =
            answered.map_err(|_| GitHubError::Unavailable(format!("no answer in {} s", TIMEOUT.as_secs())))?;
        let (parts, answer) = answered.map_err(unavailable)?;
        let quota = parts.headers.get("x-ratelimit-remaining").and_then(|value| value.to_str().ok());
        tracing::debug!(%method, url, status = parts.status.as_u16(), quota, "asked GitHub");
        Ok((parts.status, parts.headers, answer.to_vec()))
    }
}

impl ListedStatus {
    /// The report that it shows; an unknown state is taken for an error, which anything wanted replaces.
    pub fn report(&self) -> Report {
        Report {
            context: self.context.clone(),
            state: State::parse(&self.state).unwrap_or(State::Error),
            description: self.description.clone().unwrap_or_default(),
        }
    }
}

/// An error with its causes: octocrab's own text leaves them out.
fn describe(error: &dyn std::error::Error) -> String {
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

fn decode<T: serde::de::DeserializeOwned>(answer: &[u8]) -> Result<T, GitHubError> {
    serde_json::from_slice(answer).map_err(|error| GitHubError::Unavailable(format!("its answer is nonsense: {error}")))
}

/// Sorts an answer that is no success.
fn failure(status: StatusCode, headers: &HeaderMap, answer: &[u8], path: &str, now: Timestamp) -> GitHubError {
    let why = explanation(status, answer);
    match status {
        StatusCode::UNAUTHORIZED => GitHubError::Unauthorized(why),
        StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => match wait(status, headers, &why, now) {
            Some(wait) => GitHubError::RateLimited { wait, why },
            None => GitHubError::NoAccess { status: status.as_u16(), path: path.to_owned(), why },
        },
        // GitHub hides what a token may not see behind a 404; a repository that is gone for good answers 410 or 451.
        StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => {
            GitHubError::NoAccess { status: status.as_u16(), path: path.to_owned(), why }
        }
        StatusCode::UNPROCESSABLE_ENTITY if why.contains("No commit found") => GitHubError::UnknownCommit(why),
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

fn explanation(status: StatusCode, answer: &[u8]) -> String {
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
        failure(status, &map, body.as_bytes(), "/repos/octo-org/node-server", Timestamp::from_secs(1000))
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
        let error = sorted(403, &[], r#"{"message":"Resource not accessible by personal access token"}"#);
        insta::assert_snapshot!(error, @"GitHub denies access to /repos/octo-org/node-server: 403 Resource not accessible by personal access token; give the token access to the repository, with permission to write commit statuses");
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
