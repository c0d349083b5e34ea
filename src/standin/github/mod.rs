//! GitHub: repositories, commits, tokens, Apps, and what is shown on commits: statuses, check runs, deployments.

mod access;
mod apps;
mod check_input;
mod checks;
mod deployments;
mod hooks;
mod input;
mod key;
mod operations;
mod people;
mod press;
mod route;
mod statuses;
mod tags;
mod view;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub use apps::APP_PERMISSIONS;
pub use checks::{CheckAnnotation, CheckButton, CheckChange, CheckOutput, CheckRun};
pub use deployments::{Deployment, DeploymentStatus};
pub use hooks::{DeliveryOutcome, DeliveryView, HookView, OutgoingDelivery};
pub use key::{EXAMPLE_APP_KEY, example_app_credentials};
pub(crate) use operations::{Ask, without_secrets};
pub use people::Role;
pub use press::{AppEvent, NoPress};
pub(crate) use route::{Route, route};

use self::access::Meter;
use self::apps::Apps;
use self::checks::Checks;
use self::deployments::Deployments;
use self::hooks::{HookOwner, Hooks};
use super::ids::Ids;
use crate::domain::time::Timestamp;

/// The most statuses that a commit takes in one context.
pub(crate) const STATUS_LIMIT: usize = 1000;

/// The state of a commit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Something went wrong that is not the commit's doing.
    Error,
    /// The commit failed.
    Failure,
    /// Not decided yet.
    Pending,
    /// The commit passed.
    Success,
}

impl State {
    /// The state of this name on the wire.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "error" => Self::Error,
            "failure" => Self::Failure,
            "pending" => Self::Pending,
            "success" => Self::Success,
            _ => return None,
        })
    }

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Failure => "failure",
            Self::Pending => "pending",
            Self::Success => "success",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A commit status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Grows with every status of this world.
    pub id: u64,
    /// The state.
    pub state: State,
    /// The context, as it was written the first time.
    pub context: String,
    /// The description, at most 140 characters.
    pub description: Option<String>,
    /// Where the status links to.
    pub target_url: Option<String>,
    /// When it was posted.
    pub created: Timestamp,
    /// Whose token posted it.
    pub creator: String,
}

/// A status with where it was posted, for those who watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedStatus {
    /// When it was posted.
    pub at: Timestamp,
    /// The repository's name at that time.
    pub repository: String,
    /// The commit.
    pub sha: String,
    /// The status.
    pub status: Status,
}

/// What a token may do: one of a person everywhere, one of an App in one area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Nothing: 403.
    None,
    /// Read.
    Read,
    /// Read and write.
    Write,
}

#[derive(Debug)]
struct Token {
    login: String,
    permission: Permission,
    /// The repositories that it sees; `None` for all.
    repositories: Option<BTreeSet<u64>>,
    revoked: bool,
    expires: Option<Timestamp>,
    meter: Meter,
}

impl Token {
    fn is_good(&self, now: Timestamp) -> bool {
        !self.revoked && self.expires.is_none_or(|expires| now < expires)
    }
}

#[derive(Debug)]
struct Repository {
    id: u64,
    full_name: String,
    old_names: Vec<String>,
    default_branch: String,
    refs: BTreeMap<String, String>,
    commits: BTreeSet<String>,
    /// What each annotated tag leads to.
    tag_objects: BTreeMap<String, String>,
    any_commit: bool,
    statuses: BTreeMap<String, Vec<Status>>,
    /// By login in lower case.
    roles: BTreeMap<String, Role>,
}

impl Repository {
    fn has_commit(&self, sha: &str) -> bool {
        let looks_right = sha.len() == 40 && sha.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
        // Git's own name for no object.
        let looks_right = looks_right && sha.chars().any(|c| c != '0');
        !self.tag_objects.contains_key(sha) && (self.commits.contains(sha) || (self.any_commit && looks_right))
    }

    /// The commit that a sha, a branch or a tag stands for.
    fn resolve(&self, reference: &str) -> Option<&str> {
        let short = reference.strip_prefix("refs/").unwrap_or(reference);
        let short = short.strip_prefix("heads/").or_else(|| short.strip_prefix("tags/")).unwrap_or(short);
        self.refs.get(short).map(String::as_str)
    }
}

/// The repositories, tokens and Apps of GitHub, and what was made in them.
#[derive(Debug)]
pub struct GitHub {
    repositories: Vec<Repository>,
    tokens: BTreeMap<String, Token>,
    apps: Apps,
    checks: Checks,
    deployments: Deployments,
    hooks: Hooks,
    posted: Vec<PostedStatus>,
    quota: u64,
    next_status: u64,
    redirect_writes: u16,
    ids: Ids,
}

impl GitHub {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            repositories: Vec::new(),
            tokens: BTreeMap::new(),
            apps: Apps::default(),
            checks: Checks::default(),
            deployments: Deployments::default(),
            hooks: Hooks::default(),
            posted: Vec::new(),
            quota: 5000,
            next_status: 1,
            redirect_writes: 307,
            ids: Ids::new(seed, "github"),
        }
    }

    fn position(&self, full_name: &str) -> Option<usize> {
        self.repositories.iter().position(|repository| repository.full_name.eq_ignore_ascii_case(full_name))
    }

    fn named(&mut self, full_name: &str) -> Option<&mut Repository> {
        self.position(full_name).map(|at| &mut self.repositories[at])
    }

    /// Adds a repository without commits, and gives its id.
    pub fn add_repository(&mut self, full_name: &str, default_branch: &str) -> u64 {
        let id = 100_000 + self.repositories.len() as u64;
        self.repositories.push(Repository {
            id,
            full_name: full_name.to_owned(),
            old_names: Vec::new(),
            default_branch: default_branch.to_owned(),
            refs: BTreeMap::new(),
            commits: BTreeSet::new(),
            tag_objects: BTreeMap::new(),
            any_commit: false,
            statuses: BTreeMap::new(),
            roles: BTreeMap::new(),
        });
        id
    }

    /// Adds a commit.
    pub fn add_commit(&mut self, repository: &str, sha: &str) {
        if let Some(repository) = self.named(repository) {
            repository.commits.insert(sha.to_owned());
        }
    }

    /// Points a branch or a tag at a commit.
    pub fn set_ref(&mut self, repository: &str, name: &str, sha: &str) {
        self.add_commit(repository, sha);
        if let Some(repository) = self.named(repository) {
            repository.refs.insert(name.to_owned(), sha.to_owned());
        }
    }

    /// Whether every full sha is a commit, for tests that don't care.
    pub fn accept_any_commit(&mut self, repository: &str, on: bool) {
        if let Some(repository) = self.named(repository) {
            repository.any_commit = on;
        }
    }

    /// Adds a person's token that may read and write statuses and deployments everywhere.
    pub fn add_token(&mut self, token: &str, login: &str) {
        self.tokens.insert(
            token.to_owned(),
            Token {
                login: login.to_owned(),
                permission: Permission::Write,
                repositories: None,
                revoked: false,
                expires: None,
                meter: Meter::default(),
            },
        );
    }

    /// Sets what a token may do.
    pub fn set_permission(&mut self, token: &str, permission: Permission) {
        if let Some(token) = self.tokens.get_mut(token) {
            token.permission = permission;
        }
    }

    /// Limits a token to these repositories; any other is a 404 to it.
    pub fn limit_token(&mut self, token: &str, repositories: &[&str]) {
        let ids =
            repositories.iter().filter_map(|name| self.position(name)).map(|at| self.repositories[at].id).collect();
        if let Some(token) = self.tokens.get_mut(token) {
            token.repositories = Some(ids);
        }
    }

    /// From now on the token is bad: 401.
    pub fn revoke(&mut self, token: &str) {
        if let Some(token) = self.tokens.get_mut(token) {
            token.revoked = true;
        }
    }

    /// Gives a token an end, from which on it is bad; GitHub tells of it on every answer.
    pub fn let_expire(&mut self, token: &str, at: Timestamp) {
        if let Some(token) = self.tokens.get_mut(token) {
            token.expires = Some(at);
        }
    }

    /// Renames or transfers a repository. The old name redirects to the paths by id.
    pub fn rename(&mut self, repository: &str, new_name: &str) {
        if let Some(repository) = self.named(repository) {
            let old = std::mem::replace(&mut repository.full_name, new_name.to_owned());
            repository.old_names.push(old);
        }
    }

    /// With which status writes to an old name are redirected. GitHub redirects reads with 301 and writes with 307,
    /// which is the default here; 301 and 302 are what it documents as possible.
    pub fn redirect_writes_with(&mut self, status: u16) {
        self.redirect_writes = status;
    }

    /// How many requests a token has an hour; 5,000 unless set.
    pub fn set_quota(&mut self, requests: u64) {
        self.quota = requests;
    }

    /// The statuses of a commit in the order in which they were posted.
    pub fn statuses(&self, repository: &str, sha: &str) -> Vec<Status> {
        let found = self.position(repository).and_then(|at| self.repositories[at].statuses.get(sha));
        found.cloned().unwrap_or_default()
    }

    /// The status that counts in each context of a commit.
    pub fn latest(&self, repository: &str, sha: &str) -> BTreeMap<String, Status> {
        latest(&self.statuses(repository, sha))
    }

    /// Every status since a cursor, and the cursor after them. The first cursor is 0.
    pub fn posted_since(&self, cursor: usize) -> (&[PostedStatus], usize) {
        (self.posted.get(cursor..).unwrap_or_default(), self.posted.len())
    }
}

/// The last status of each context, contexts compared without case.
fn latest(statuses: &[Status]) -> BTreeMap<String, Status> {
    let by_context = statuses.iter().map(|status| (status.context.to_lowercase(), status));
    let last: BTreeMap<String, &Status> = by_context.collect();
    last.into_values().map(|status| (status.context.clone(), status.clone())).collect()
}
