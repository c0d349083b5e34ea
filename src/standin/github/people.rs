//! What people may do in a repository.

use serde_json::json;

use super::operations::refuse;
use super::{GitHub, view};
use crate::standin::wire::Reply;

/// A person's role in a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// May not even see it.
    None,
    /// Sees it.
    Read,
    /// Sees it and sorts its issues.
    Triage,
    /// Pushes to it.
    Write,
    /// Pushes to it and manages some of it.
    Maintain,
    /// Everything.
    Admin,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Triage => "triage",
            Self::Write => "write",
            Self::Maintain => "maintain",
            Self::Admin => "admin",
        }
    }

    /// The role in the terms from before there were finer ones.
    fn permission(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read | Self::Triage => "read",
            Self::Write | Self::Maintain => "write",
            Self::Admin => "admin",
        }
    }
}

impl GitHub {
    /// Says what a person may do in a repository. Of whom nothing was said, GitHub knows nothing: 404.
    pub fn set_role(&mut self, repository: &str, login: &str, role: Role) {
        if let Some(repository) = self.named(repository) {
            repository.roles.insert(login.to_ascii_lowercase(), role);
        }
    }

    /// `GET /repos/{owner}/{repo}/collaborators/{username}/permission`.
    pub(super) fn permission_of(&self, at: usize, login: &str, base: &str) -> Reply {
        let Some(role) = self.repositories[at].roles.get(&login.to_ascii_lowercase()).copied() else {
            return refuse(404, &format!("{login} is not a user"));
        };
        let mut user = view::user(base, login);
        user["role_name"] = json!(role.name());
        user["permissions"] = json!({
            "pull": role >= Role::Read,
            "triage": role >= Role::Triage,
            "push": role >= Role::Write,
            "maintain": role >= Role::Maintain,
            "admin": role == Role::Admin,
        });
        Reply::json(200, json!({"permission": role.permission(), "role_name": role.name(), "user": user}))
    }
}
