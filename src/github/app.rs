//! A GitHub App's tokens: one for each repository, kept until shortly before it expires.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use serde::{Deserialize, Serialize};

use super::credentials::AppKey;
use super::error::{GitHubError, decode, nonsense};
use super::moment;
use super::wire::{Authorization, Bearer, Wire};
use crate::domain::event::RepositoryName;
use crate::domain::time::Timestamp;

/// A token is used no more this long before it expires: what it is taken for may take a while.
const SPARE: Duration = Duration::from_secs(5 * 60);

/// An App, and what it may use now.
pub(super) struct App {
    key: AppKey,
    grants: Mutex<HashMap<String, Slot>>,
}

/// Its lock is held while GitHub is asked, so that those who need the same token at once ask once.
type Slot = Arc<tokio::sync::Mutex<Option<Arc<Grant>>>>;

/// What GitHub lets an App do on one repository for a while.
pub(super) struct Grant {
    /// The App's numeric id, by which its check runs are known. The issuer of a JWT may be its client id instead.
    pub(super) app: u64,
    pub(super) authorization: Authorization,
    until: Timestamp,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
    #[serde(default)]
    app_id: Option<u64>,
}

#[derive(Serialize)]
struct Narrowed<'a> {
    repositories: [&'a str; 1],
}

#[derive(Deserialize)]
struct InstallationToken {
    token: String,
    expires_at: String,
}

impl App {
    pub(super) fn new(key: AppKey) -> Self {
        Self { key, grants: Mutex::new(HashMap::new()) }
    }

    /// What lets a request about the App itself in.
    #[cfg(feature = "tool")]
    pub(super) fn authorization(&self, now: Timestamp) -> Result<Authorization, GitHubError> {
        self.key.authorization(now)
    }

    /// What lets a request about a repository in.
    pub(super) async fn grant(&self, wire: &Wire, repository: &RepositoryName) -> Result<Arc<Grant>, GitHubError> {
        let slot = self.slot(repository);
        let mut slot = slot.lock().await;
        if let Some(grant) = slot.as_ref().filter(|grant| wire.clock.now() < grant.until) {
            return Ok(grant.clone());
        }
        let grant = Arc::new(self.ask(wire, repository).await?);
        *slot = Some(grant.clone());
        Ok(grant)
    }

    /// Throws a grant away, unless another has taken its place already.
    pub(super) async fn forget(&self, repository: &RepositoryName, grant: &Arc<Grant>) {
        let slot = self.slot(repository);
        let mut slot = slot.lock().await;
        if slot.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, grant)) {
            *slot = None;
        }
    }

    fn slot(&self, repository: &RepositoryName) -> Slot {
        let mut grants = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        grants.entry(repository.as_str().to_ascii_lowercase()).or_default().clone()
    }

    async fn ask(&self, wire: &Wire, repository: &RepositoryName) -> Result<Grant, GitHubError> {
        let jwt = self.key.authorization(wire.clock.now())?;
        let path = format!("/repos/{repository}/installation");
        let answer = wire.call(&jwt, &Method::GET, &path, None::<&()>).await.map_err(|error| match error {
            // This is what GitHub answers to a JWT of an App that it does not know.
            GitHubError::NoAccess { status: 404, why, .. } if why.contains("Integration not found") => {
                GitHubError::Unauthorized(Bearer::Jwt.refusal(&why))
            }
            GitHubError::NoAccess { status: 404, why, .. } => {
                GitHubError::NotInstalled { repository: repository.to_string(), why }
            }
            other => other,
        })?;
        let installation: Installation = decode(&answer.body)?;
        let path = format!("/app/installations/{}/access_tokens", installation.id);
        let name = repository.as_str().rsplit('/').next().unwrap_or_default();
        // Its permissions are not narrowed: an App that has fewer than all still does what it may.
        let narrowed = wire.call(&jwt, &Method::POST, &path, Some(&Narrowed { repositories: [name] })).await;
        let answer = match narrowed {
            // The installation is this repository's, so it knows it, but by the name that it has now.
            Err(GitHubError::Refused(_)) => wire.call(&jwt, &Method::POST, &path, None::<&()>).await?,
            answered => answered?,
        };
        let InstallationToken { token, expires_at } = decode(&answer.body)?;
        let expires = moment::parse(&expires_at).ok_or_else(|| nonsense("expires_at is no moment"))?;
        let authorization = Authorization::new(Bearer::Installation, &token)
            .ok_or_else(|| nonsense("the token holds characters that no token has"))?;
        let app = installation.app_id.or_else(|| self.key.numeric_id()).ok_or_else(|| nonsense("it names no App"))?;
        Ok(Grant { app, authorization, until: expires.before(SPARE) })
    }
}
