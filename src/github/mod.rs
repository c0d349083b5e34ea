//! GitHub's REST API, as far as it is needed to show what pipelines do.
//!
//! The client follows a moved repository, reads the rate limit's headers, sorts failures by what can be done about them
//! ([`GitHubError`]), and, as a GitHub App, gets its tokens itself and keeps them while they are good.

mod app;
mod checks;
mod credentials;
mod deployments;
mod error;
#[cfg(feature = "tool")]
mod hooks;
#[cfg(feature = "tool")]
mod identity;
pub(crate) mod moment;
mod people;
mod statuses;
pub mod transport;
mod wire;

#[cfg(test)]
#[cfg(feature = "standin")]
mod tests;

use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::app::App;
use self::credentials::Credentials;
use self::error::decode;
use self::transport::Transport;
use self::wire::{Answer, Authorization, Wire};
use crate::clock::Clock;
use crate::domain::event::RepositoryName;
use crate::settings::Secret;

pub use checks::{
    Annotation, AnnotationLevel, CheckAction, CheckContent, CheckOutput, CheckRun, CheckState, Conclusion, NewCheckRun,
};
pub use deployments::{Deployment, DeploymentState, DeploymentStatus, NewDeployment, NewDeploymentStatus};
pub use error::GitHubError;
#[cfg(feature = "tool")]
pub use hooks::{Attempt, Attempts, DeliveriesOf, Hook, HookSettings};
#[cfg(feature = "tool")]
pub(crate) use identity::{AppHook, Identity, Installed};
pub use statuses::ListedStatus;

/// A page holds at most 100 of whatever is listed.
const PAGE: usize = 100;

/// More pages than this are not read: newest come first, and 2,000 statuses tell what every context shows.
const MAX_PAGES: usize = 20;

/// A client with one token, or as one App.
pub struct GitHub {
    wire: Wire,
    access: Access,
}

enum Access {
    Token(Authorization),
    App(Box<App>),
}

impl GitHub {
    /// A client. The token's setting holds a token, or a GitHub App's id and private key as JSON.
    pub fn new(
        api_url: &str,
        token: Option<&Secret>,
        transport: &Transport,
        clock: Clock,
    ) -> Result<Self, GitHubError> {
        let access = match Credentials::parse(token.ok_or(GitHubError::NoToken)?.expose())? {
            Credentials::Token(token) => Access::Token(token),
            Credentials::App(key) => Access::App(Box::new(App::new(*key))),
        };
        Ok(Self { wire: Wire::new(api_url, transport, clock)?, access })
    }

    /// Whether it acts as a GitHub App. No other token makes check runs.
    pub fn is_app(&self) -> bool {
        matches!(self.access, Access::App(_))
    }

    /// The App's numeric id; `None` without an App.
    async fn app_id(&self, repository: &RepositoryName) -> Result<Option<u64>, GitHubError> {
        match &self.access {
            Access::Token(_) => Ok(None),
            Access::App(app) => Ok(Some(app.grant(&self.wire, repository).await?.app)),
        }
    }

    async fn read(&self, repository: &RepositoryName, path: &str) -> Result<Vec<u8>, GitHubError> {
        self.call(repository, Method::GET, path, None::<&()>).await.map(|answer| answer.body)
    }

    async fn write<B: Serialize>(
        &self,
        repository: &RepositoryName,
        method: Method,
        path: &str,
        body: &B,
    ) -> Result<Answer, GitHubError> {
        self.call(repository, method, path, Some(body)).await
    }

    /// Everything of a list, page by page. The path has a query already.
    async fn list<P: DeserializeOwned, T>(
        &self,
        repository: &RepositoryName,
        path: &str,
        items: impl Fn(P) -> Vec<T>,
    ) -> Result<Vec<T>, GitHubError> {
        let mut all = Vec::new();
        for page in 1..=MAX_PAGES {
            let listed = items(decode(&self.read(repository, &format!("{path}&page={page}")).await?)?);
            let is_last = listed.len() < PAGE;
            all.extend(listed);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    async fn call<B: Serialize>(
        &self,
        repository: &RepositoryName,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<Answer, GitHubError> {
        let send = async |authorization: &Authorization| {
            let answered = self.wire.call(authorization, &method, path, body).await;
            if method == Method::GET { answered } else { answered.map_err(GitHubError::of_write) }
        };
        let app = match &self.access {
            Access::Token(token) => return send(token).await,
            Access::App(app) => app,
        };
        let mut is_second = false;
        loop {
            let grant = app.grant(&self.wire, repository).await?;
            let answered = send(&grant.authorization).await;
            // A token can be revoked before its time, and a new one may do what its App has been allowed since.
            let is_revoked = matches!(answered, Err(GitHubError::Unauthorized(_)));
            if is_revoked || matches!(answered, Err(GitHubError::NoAccess { status: 403, .. })) {
                app.forget(repository, &grant).await;
            }
            if !is_revoked || is_second {
                return answered;
            }
            is_second = true;
        }
    }
}

/// A text as a part of a path or as a value of a query.
fn encode(text: &str) -> String {
    let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    // A form writes a space as a plus sign, which in a path is one.
    encoded.replace('+', "%20")
}
