//! Requests to GitHub: where they go, with what, and how long they may take.
//!
//! They are built by hand on octocrab's client, for its typed calls hide status and headers.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use octocrab::Octocrab;
use serde::Serialize;

use super::error::{GitHubError, describe, failure};
use super::transport::Transport;
use crate::clock::Clock;

/// GitHub cuts a request off after 10 s; there is nothing to be had by waiting longer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// A moved repository answers with one redirect; more than a few are a loop.
const MAX_REDIRECTS: usize = 3;

/// What a request shows to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bearer {
    /// A token that a person or an organization made.
    Token,
    /// What an App signs with its private key.
    Jwt,
    /// What an App gets for one of its installations.
    Installation,
}

/// A header that lets a request in. It is marked as sensitive, so that nothing which prints headers shows it.
#[derive(Clone, Debug)]
pub(super) struct Authorization {
    header: HeaderValue,
    bearer: Bearer,
}

/// A success.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    #[cfg(feature = "tool")]
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// The way to one GitHub.
pub(super) struct Wire {
    octocrab: Octocrab,
    api_url: String,
    pub(super) clock: Clock,
}

impl Bearer {
    /// What GitHub does not take, and what to do about it.
    pub(super) fn refusal(self, why: &str) -> String {
        match self {
            Self::Token => format!("the token: {why}; put a valid one in place of the expired or revoked one"),
            Self::Jwt => format!("the App's JWT: {why}; check app_id and the private key"),
            Self::Installation => {
                format!("a token that it has just given to the App: {why}; check that the App is installed")
            }
        }
    }

    pub(super) fn access_mending(self) -> &'static str {
        match self {
            Self::Token => "give the token access to the repository, with permission to write commit statuses",
            Self::Jwt | Self::Installation => {
                "give the App's installation access to the repository, with permission to write checks, commit \
                 statuses and deployments, and accept them where the App is installed"
            }
        }
    }
}

impl Authorization {
    /// `None` where the text can't stand in a header.
    pub(super) fn new(bearer: Bearer, token: &str) -> Option<Self> {
        let is_token = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        let mut header = HeaderValue::from_str(&format!("Bearer {token}")).ok().filter(|_| is_token)?;
        header.set_sensitive(true);
        Some(Self { header, bearer })
    }
}

impl Wire {
    pub(super) fn new(api_url: &str, transport: &Transport, clock: Clock) -> Result<Self, GitHubError> {
        let uri: Uri = api_url.parse().map_err(|_| GitHubError::Refused(format!("{api_url} is no URL")))?;
        Ok(Self { octocrab: transport.client(&uri)?, api_url: api_url.to_owned(), clock })
    }

    pub(super) async fn call<B: Serialize>(
        &self,
        authorization: &Authorization,
        method: &Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<Answer, GitHubError> {
        let mut url = format!("{}{path}", self.api_url);
        for _ in 0..=MAX_REDIRECTS {
            let (status, headers, body) = self.send(authorization, method, &url, body).await?;
            if status.is_success() {
                return Ok(Answer {
                    status,
                    #[cfg(feature = "tool")]
                    headers,
                    body,
                });
            }
            if !status.is_redirection() {
                return Err(failure(status, &headers, &body, path, authorization.bearer, self.clock.now()));
            }
            // A repository that was renamed or moved answers with its new place, to be asked by the same method.
            url = self.redirected(&headers)?;
        }
        Err(GitHubError::Unavailable(format!("{path} is redirected again and again")))
    }

    fn redirected(&self, headers: &HeaderMap) -> Result<String, GitHubError> {
        let location = headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let ours: Option<Uri> = self.api_url.parse().ok();
        let host = ours.as_ref().and_then(|ours| Some(format!("{}://{}", ours.scheme()?, ours.authority()?)));
        let is_path = location.starts_with('/') && !location.starts_with("//");
        let location = host.filter(|_| is_path).unwrap_or_default() + location;
        let place: Option<Uri> = location.parse().ok();
        let same_host = matches!((&place, &ours), (Some(place), Some(ours))
            if place.authority() == ours.authority() && place.scheme() == ours.scheme());
        // Only GitHub itself gets to see the token and what is posted.
        if same_host {
            Ok(location)
        } else {
            Err(GitHubError::Unavailable(format!("redirected to another host: \"{location}\"")))
        }
    }

    async fn send<B: Serialize>(
        &self,
        authorization: &Authorization,
        method: &Method,
        url: &str,
        body: Option<&B>,
    ) -> Result<(StatusCode, HeaderMap, Vec<u8>), GitHubError> {
        let unavailable = |error: octocrab::Error| GitHubError::Unavailable(describe(&error));
        let builder = Request::builder()
            .method(method)
            .uri(url)
            .header(AUTHORIZATION, &authorization.header)
            .header(ACCEPT, "application/vnd.github+json");
        let mut request = self.octocrab.build_request(builder, body).map_err(unavailable)?;
        // octocrab adds a version of its own choice. Two are joined on their way, and make one that GitHub does not know.
        request.headers_mut().insert("x-github-api-version", HeaderValue::from_static("2022-11-28"));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    /// Where a request is sent on to by an answer that says so.
    fn sent_on(location: &str) -> Result<String, String> {
        let wire = Wire::new(
            "https://git.example.com/api/v3",
            &Transport::Network,
            Clock::from_fn(|| Timestamp::from_secs(0)),
        )
        .unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, location.parse().unwrap());
        wire.redirected(&headers).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn the_token_goes_to_no_other_host() {
        let own = "https://git.example.com/api/v3/repositories/42/statuses";
        assert_eq!(sent_on(own).as_deref(), Ok(own));
        let path = "/api/v3/repositories/42/statuses";
        assert_eq!(sent_on(path).as_deref(), Ok(own), "on its own host");
        insta::assert_snapshot!(sent_on("https://example.com/api/v3/x").unwrap_err(), @r#"GitHub is out of reach or fails: redirected to another host: "https://example.com/api/v3/x""#);
        for elsewhere in [
            "http://git.example.com/api/v3/x",
            "https://git.example.com:8443/x",
            "https://git.example.com.example.org/x",
            "https://git.example.com@example.org/x",
            "//example.org/x",
            "",
        ] {
            assert!(sent_on(elsewhere).is_err(), "{elsewhere}");
        }
    }
}
