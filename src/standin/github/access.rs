//! Who asks, and what they may do.

use std::collections::BTreeSet;
use std::time::Duration;

use super::apps::Permissions;
use super::operations::refuse;
use super::route::HOOKS;
use super::{GitHub, Permission};
use crate::domain::time::Timestamp;
use crate::standin::wire::Reply;

/// The account of a rate limit: so many requests an hour.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub(super) used: u64,
    pub(super) window_ends: Timestamp,
}

impl Meter {
    /// Counts a request. False where the hour's requests are used up.
    fn count(&mut self, now: Timestamp, quota: u64) -> bool {
        if now >= self.window_ends {
            *self = Self { used: 0, window_ends: now + Duration::from_secs(3600) };
        }
        let is_left = self.used < quota;
        self.used += u64::from(is_left);
        is_left
    }
}

/// Who asks.
pub(super) enum Caller {
    /// An App by its JWT, which is good for nothing but its installations.
    App(u64),
    Access(Access),
}

/// What a token lets its bearer do.
pub(super) struct Access {
    pub(super) login: String,
    /// The App whose installation the token is for.
    pub(super) app: Option<u64>,
    grants: Grants,
    /// The repositories that it sees; `None` for all.
    repositories: Option<BTreeSet<u64>>,
}

enum Grants {
    /// A person's token, whose permission holds for everything but check runs.
    Token {
        permission: Permission,
        is_fine_grained: bool,
    },
    Installation(Permissions),
}

impl Access {
    pub(super) fn sees(&self, repository: u64) -> bool {
        self.repositories.as_ref().is_none_or(|visible| visible.contains(&repository))
    }

    /// The refusal of something for which the token has no permission.
    pub(super) fn refusal(&self, (area, wanted): (&'static str, Permission)) -> Option<Reply> {
        let (allowed, message) = match &self.grants {
            Grants::Token { is_fine_grained: false, .. } if (area, wanted) == ("checks", Permission::Write) => {
                return Some(refuse(403, "You must authenticate via a GitHub App."));
            }
            // A scope that a classic token lacks hides what is behind it.
            Grants::Token { permission, is_fine_grained: false } if area == HOOKS && *permission < wanted => {
                let scopes = "admin:repo_hook, public_repo, repo, write:repo_hook";
                return Some(refuse(404, "Not Found").with("x-accepted-oauth-scopes", scopes));
            }
            Grants::Token { permission, is_fine_grained } => {
                let takes_checks = !is_fine_grained || (area, wanted) != ("checks", Permission::Write);
                (takes_checks && *permission >= wanted, "Resource not accessible by personal access token")
            }
            Grants::Installation(permissions) => {
                // Whatever an App may do, it may read metadata.
                let implied = if area == "metadata" { Permission::Read } else { Permission::None };
                let granted = permissions.get(area).copied().unwrap_or(implied);
                (granted >= wanted, "Resource not accessible by integration")
            }
        };
        if allowed {
            return None;
        }
        let level = if wanted == Permission::Write { "write" } else { "read" };
        Some(refuse(403, message).with("x-accepted-github-permissions", format!("{area}={level}")))
    }
}

impl GitHub {
    /// Finds out who asks, and counts the request.
    pub(super) fn identify(&mut self, now: Timestamp, token: Option<&str>) -> Result<Caller, Box<Reply>> {
        let Some(token) = token else { return Err(Box::new(refuse(401, "Requires authentication"))) };
        let quota = self.quota;
        let (caller, meter) = if let Some(known) = self.tokens.get_mut(token).filter(|known| known.is_good(now)) {
            let is_fine_grained = token.starts_with("github_pat_");
            let access = Access {
                login: known.login.clone(),
                app: None,
                grants: Grants::Token { permission: known.permission, is_fine_grained },
                repositories: known.repositories.clone(),
            };
            (Caller::Access(access), Some(&mut known.meter))
        } else if let Some(known) = self.apps.token(now, token) {
            let (id, grants) = (known.installation, Grants::Installation(known.permissions.clone()));
            let narrowed = known.repositories.clone();
            let installation = self.apps.installation(id);
            let app = installation.and_then(|installation| self.apps.app(installation.app));
            let access = Access {
                login: app.map(super::apps::App::login).unwrap_or_default(),
                app: app.map(|app| app.id),
                grants,
                // A repository from which the App was taken is out of sight at once.
                repositories: installation.map(|installation| match narrowed {
                    Some(narrowed) => &narrowed & &installation.repositories,
                    None => installation.repositories.clone(),
                }),
            };
            (Caller::Access(access), self.apps.installation_mut(id).map(|installation| &mut installation.meter))
        } else if token.matches('.').count() == 2 && !token.starts_with("ghs_") {
            let app = self.apps.verify(now, token).map_err(|(status, message)| Box::new(refuse(status, message)))?;
            (Caller::App(app), self.apps.app_mut(app).map(|app| &mut app.meter))
        } else {
            return Err(Box::new(refuse(401, "Bad credentials")));
        };
        if meter.is_none_or(|meter| meter.count(now, quota)) {
            return Ok(caller);
        }
        let who = match &caller {
            Caller::App(app) => format!("app ID {app}"),
            Caller::Access(access) => access.login.clone(),
        };
        Err(Box::new(refuse(403, &format!("API rate limit exceeded for {who}."))))
    }

    /// The account of a token's rate limit.
    pub(super) fn meter(&self, now: Timestamp, token: &str) -> Option<&Meter> {
        let installation = self.apps.token(now, token).and_then(|token| self.apps.installation(token.installation));
        self.tokens.get(token).map(|token| &token.meter).or(installation.map(|installation| &installation.meter))
    }
}
