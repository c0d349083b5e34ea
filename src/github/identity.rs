//! Who a token is, and what it may do, for those who set it up.

use std::collections::BTreeMap;

use http::{HeaderMap, Method};
use serde::{Deserialize, Serialize};

use super::error::{GitHubError, decode};
use super::wire::Bearer;
use super::{Access, GitHub, moment};
use crate::domain::event::RepositoryName;
use crate::domain::time::Timestamp;

/// When a token expires, on every answer to it. A token that never does has no such header.
const EXPIRATION: &str = "github-authentication-token-expiration";

/// Git's name for no object, which no commit has.
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

/// Who a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    Person {
        login: String,
        /// `None` where it never does, or GitHub does not tell.
        expires: Option<Timestamp>,
    },
    App {
        slug: String,
    },
}

/// An App where it is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Installed {
    /// Whether somebody has suspended it there.
    pub(crate) is_suspended: bool,
    /// `read` or `write`, by area: what was accepted there, which may be less than what the App asks for.
    pub(crate) permissions: BTreeMap<String, String>,
    /// The page where this is changed.
    pub(crate) url: String,
}

/// Where an App's webhook leads, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AppHook {
    pub(crate) url: String,
    pub(crate) has_secret: bool,
    /// Whether the certificate of the URL's host is not looked at.
    pub(crate) insecure_ssl: bool,
}

#[derive(Deserialize)]
struct HookConfig {
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    secret: Option<String>,
    /// A text or a number, as it was set.
    #[serde(default)]
    insecure_ssl: serde_json::Value,
}

#[derive(Deserialize)]
struct User {
    login: String,
}

#[derive(Deserialize)]
struct AppItself {
    #[serde(default)]
    slug: String,
}

#[derive(Deserialize)]
struct Installation {
    #[serde(default)]
    suspended_at: Option<String>,
    #[serde(default)]
    permissions: BTreeMap<String, String>,
    #[serde(default)]
    html_url: String,
}

#[derive(Serialize)]
struct Probe {
    state: &'static str,
    context: &'static str,
}

impl GitHub {
    /// Asks who the token, or the App, is.
    ///
    /// # Errors
    /// Where GitHub does not take it, or can't be asked.
    pub(crate) async fn identity(&self) -> Result<Identity, GitHubError> {
        match &self.access {
            Access::Token(token) => {
                let answer = self.wire.call(token, &Method::GET, "/user", None::<&()>).await?;
                let User { login } = decode(&answer.body)?;
                Ok(Identity::Person { login, expires: expiration(&answer.headers) })
            }
            Access::App(app) => {
                let jwt = app.authorization(self.wire.clock.now())?;
                let answer = self.wire.call(&jwt, &Method::GET, "/app", None::<&()>).await;
                Ok(Identity::App { slug: decode::<AppItself>(&answer.map_err(of_unknown_app)?.body)?.slug })
            }
        }
    }

    /// Where the App's own webhook leads; `None` without an App, and where it has none.
    ///
    /// # Errors
    /// Where GitHub can't be asked.
    pub(crate) async fn app_hook(&self) -> Result<Option<AppHook>, GitHubError> {
        let Access::App(app) = &self.access else { return Ok(None) };
        let jwt = app.authorization(self.wire.clock.now())?;
        let answer = self.wire.call(&jwt, &Method::GET, "/app/hook/config", None::<&()>).await;
        match answer.map_err(of_unknown_app) {
            Ok(answer) => {
                let HookConfig { url, secret, insecure_ssl } = decode(&answer.body)?;
                Ok(url.filter(|url| !url.is_empty()).map(|url| AppHook {
                    url,
                    has_secret: secret.is_some_and(|secret| !secret.is_empty()),
                    insecure_ssl: insecure_ssl == "1" || insecure_ssl == 1,
                }))
            }
            Err(GitHubError::NoAccess { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether commit statuses may be written, found out without writing any: GitHub looks for the permission before it
    /// looks for the commit, and there is no commit of this name.
    ///
    /// # Errors
    /// Where they may not be written ([`GitHubError::NoAccess`] and its kin), or GitHub can't be asked.
    pub(crate) async fn try_statuses(&self, repository: &RepositoryName) -> Result<(), GitHubError> {
        let path = format!("/repos/{repository}/statuses/{NO_COMMIT}");
        let probe = Probe { state: "error", context: "pipehook doctor" };
        match self.call(repository, Method::POST, &path, Some(&probe)).await {
            Ok(_) | Err(GitHubError::UnknownCommit(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What an App may do where it is installed for a repository; `None` without an App.
    ///
    /// # Errors
    /// [`GitHubError::NotInstalled`], or where GitHub can't be asked.
    pub(crate) async fn installed(&self, repository: &RepositoryName) -> Result<Option<Installed>, GitHubError> {
        let Access::App(app) = &self.access else { return Ok(None) };
        let jwt = app.authorization(self.wire.clock.now())?;
        let path = format!("/repos/{repository}/installation");
        let answer = self.wire.call(&jwt, &Method::GET, &path, None::<&()>).await.map_err(|error| match error {
            GitHubError::NoAccess { status: 404, why, .. } => {
                GitHubError::NotInstalled { repository: repository.to_string(), why }
            }
            other => other,
        })?;
        let Installation { suspended_at, permissions, html_url } = decode(&answer.body)?;
        Ok(Some(Installed { is_suspended: suspended_at.is_some(), permissions, url: html_url }))
    }
}

/// What GitHub answers to a JWT of an App that it does not know is about the JWT.
fn of_unknown_app(error: GitHubError) -> GitHubError {
    match error {
        GitHubError::NoAccess { status: 404, why, .. } if why.contains("Integration not found") => {
            GitHubError::Unauthorized(Bearer::Jwt.refusal(&why))
        }
        other => other,
    }
}

/// `2026-02-05 17:31:22 UTC`, or with an offset such as `-0500` in place of the zone's name.
fn expiration(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(EXPIRATION)?.to_str().ok()?;
    let (moment, zone) = text.trim().rsplit_once(' ')?;
    let zone = match zone {
        "UTC" | "GMT" => "Z".to_owned(),
        zone => format!("{}:{}", zone.get(..3)?, zone.get(3..)?.trim_start_matches(':')),
    };
    moment::parse(&format!("{moment}{zone}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_read_with_a_zone_or_an_offset() {
        let read = |text: &'static str| {
            let headers = HeaderMap::from_iter([(http::HeaderName::from_static(EXPIRATION), text.parse().unwrap())]);
            expiration(&headers).map(Timestamp::as_secs)
        };
        assert_eq!(read("2026-01-24 22:03:44 UTC"), Some(1_769_292_224));
        assert_eq!(read("2026-01-24 17:03:44 -0500"), Some(1_769_292_224));
        assert_eq!(read("2026-01-24 23:03:44 +01:00"), Some(1_769_292_224));
        for nonsense in ["", "never", "2026-01-24", "2026-01-24 22:03:44 somewhere"] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
        assert_eq!(expiration(&HeaderMap::new()), None);
    }
}
