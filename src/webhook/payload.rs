//! GitHub's payloads: the few fields that matter of each, mapped to domain events at once.
//!
//! Types are as lax as GitHub's own schema: what it may leave out or set to null is optional here, and fields whose
//! type differs between events (`repository.pushed_at`, for one) are not read at all.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::domain::event::{
    ChangedFiles, CommitSha, Event, EventKind, Press, Pressed, PullRequest, Push, Ref, RepositoryName,
};

/// GitHub lists at most this many commits of a push.
const MAX_COMMITS: usize = 2048;

/// GitHub tells at most this many changed files of a commit.
const MAX_FILES: usize = 3000;

/// A body that is not the event that its header names.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    #[error("the body is not JSON: {0}")]
    NotJson(serde_json::Error),
    #[error("the body is not a {event} event: {problem} (at {path})")]
    NotTheEvent { event: String, path: String, problem: String },
}

#[derive(Deserialize)]
struct PushPayload {
    #[serde(rename = "ref")]
    full_ref: String,
    after: String,
    #[serde(default)]
    created: bool,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    forced: bool,
    #[serde(default)]
    commits: Vec<CommitPayload>,
    head_commit: Option<CommitPayload>,
    repository: RepositoryPayload,
    pusher: Option<Pusher>,
    sender: Option<Login>,
}

#[derive(Deserialize)]
struct CommitPayload {
    id: String,
    #[serde(default)]
    message: String,
    added: Option<Vec<String>>,
    removed: Option<Vec<String>>,
    modified: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct RepositoryPayload {
    id: Option<u64>,
    full_name: String,
    default_branch: Option<String>,
}

#[derive(Deserialize)]
struct Pusher {
    name: String,
}

#[derive(Deserialize)]
struct Login {
    login: String,
}

#[derive(Deserialize)]
struct PullRequestPayload {
    action: String,
    pull_request: PullRequestBody,
    repository: RepositoryPayload,
    sender: Option<Login>,
}

#[derive(Deserialize)]
struct PullRequestBody {
    number: u64,
    #[serde(default)]
    title: String,
    head: Side,
    base: Side,
}

#[derive(Deserialize)]
struct Side {
    #[serde(rename = "ref")]
    branch: String,
    #[serde(default)]
    sha: String,
    /// Null where the fork was deleted.
    repo: Option<RepositoryPayload>,
}

#[derive(Deserialize)]
struct CheckRunPayload {
    action: String,
    check_run: CheckRunBody,
    requested_action: Option<RequestedAction>,
    repository: RepositoryPayload,
    sender: Option<Login>,
}

#[derive(Deserialize)]
struct CheckRunBody {
    id: u64,
    name: String,
    head_sha: String,
    completed_at: Option<String>,
    check_suite: Option<SuiteBody>,
}

#[derive(Deserialize)]
struct RequestedAction {
    identifier: String,
}

#[derive(Deserialize)]
struct CheckSuitePayload {
    action: String,
    check_suite: SuiteBody,
    repository: RepositoryPayload,
    sender: Option<Login>,
}

#[derive(Deserialize)]
struct SuiteBody {
    head_branch: Option<String>,
    #[serde(default)]
    head_sha: String,
    updated_at: Option<String>,
}

/// Reads the payload of a verified delivery. `name` is what the `X-GitHub-Event` header says.
pub fn parse(name: &str, delivery: &str, payload: &[u8]) -> Result<Event, PayloadError> {
    let kind = match name {
        "push" => push(read(name, payload)?)?,
        "pull_request" => pull_request(read(name, payload)?)?,
        "check_run" => check_run(read(name, payload)?)?,
        "check_suite" => check_suite(read(name, payload)?)?,
        other => {
            let _: serde::de::IgnoredAny = serde_json::from_slice(payload).map_err(PayloadError::NotJson)?;
            EventKind::Nothing(match other {
                "ping" => "ping: the webhook is set up".to_owned(),
                other => format!("{other} events start nothing"),
            })
        }
    };
    Ok(Event { delivery: delivery.to_owned(), kind })
}

fn read<T: DeserializeOwned>(event: &str, payload: &[u8]) -> Result<T, PayloadError> {
    let mut json = serde_json::Deserializer::from_slice(payload);
    let read = serde_path_to_error::deserialize(&mut json);
    let read = read.and_then(|value| {
        json.end()
            .map(|()| value)
            .map_err(|error| serde_path_to_error::Error::new(serde_path_to_error::Track::new().path(), error))
    });
    read.map_err(|error| {
        let path = Some(error.path().to_string()).filter(|path| path != ".").unwrap_or_else(|| "its top".to_owned());
        match error.into_inner() {
            error if error.is_syntax() || error.is_eof() => PayloadError::NotJson(error),
            error => PayloadError::NotTheEvent { event: event.to_owned(), path, problem: error.to_string() },
        }
    })
}

fn wrong(event: &str, path: &str, problem: String) -> PayloadError {
    PayloadError::NotTheEvent { event: event.to_owned(), path: path.to_owned(), problem }
}

fn repository(event: &str, payload: &RepositoryPayload) -> Result<RepositoryName, PayloadError> {
    let name = &payload.full_name;
    RepositoryName::parse(name)
        .ok_or_else(|| wrong(event, "repository.full_name", format!("\"{name}\" is not OWNER/NAME")))
}

fn commit(event: &str, path: &str, sha: &str) -> Result<CommitSha, PayloadError> {
    CommitSha::parse(sha).ok_or_else(|| wrong(event, path, format!("\"{sha}\" is no commit's sha")))
}

fn push(payload: PushPayload) -> Result<EventKind, PayloadError> {
    let repository = repository("push", &payload.repository)?;
    if payload.deleted {
        return Ok(EventKind::Nothing(format!("{} was deleted", payload.full_ref)));
    }
    let Some(git_ref) = Ref::parse(&payload.full_ref) else {
        return Ok(EventKind::Nothing(format!("{} is neither a branch nor a tag", payload.full_ref)));
    };
    let changed = changed_files(&payload);
    let (commit, may_be_tag_object, message) = match payload.head_commit {
        Some(head) => (commit("push", "head_commit.id", &head.id)?, false, head.message),
        None => (commit("push", "after", &payload.after)?, git_ref.tag().is_some(), String::new()),
    };
    let actor = payload.sender.map(|sender| sender.login).or(payload.pusher.map(|pusher| pusher.name));
    Ok(EventKind::Push(Push {
        repository,
        default_branch: payload.repository.default_branch.unwrap_or_default(),
        git_ref,
        commit,
        may_be_tag_object,
        message,
        actor: actor.unwrap_or_default(),
        changed,
    }))
}

/// All files that the push's commits changed, or why the payload does not tell.
fn changed_files(payload: &PushPayload) -> ChangedFiles {
    if payload.forced {
        return ChangedFiles::Unknown("a force push also changes what the commits that it removed had changed");
    }
    if payload.commits.is_empty() {
        return ChangedFiles::Unknown("the push brings no commits of its own");
    }
    if payload.created {
        return ChangedFiles::Unknown("a new branch or tag has nothing before it to differ from");
    }
    if payload.commits.len() >= MAX_COMMITS {
        return ChangedFiles::Unknown("GitHub lists no more than 2,048 commits");
    }
    let mut files = Vec::new();
    for commit in &payload.commits {
        let (Some(added), Some(removed), Some(modified)) = (&commit.added, &commit.removed, &commit.modified) else {
            return ChangedFiles::Unknown("a commit comes without its files");
        };
        if added.len() + removed.len() + modified.len() >= MAX_FILES {
            return ChangedFiles::Unknown("GitHub tells no more than 3,000 files of a commit");
        }
        files.extend([added, removed, modified].into_iter().flatten().cloned());
    }
    ChangedFiles::Known(files)
}

fn pull_request(payload: PullRequestPayload) -> Result<EventKind, PayloadError> {
    let repository = repository("pull_request", &payload.repository)?;
    if !matches!(payload.action.as_str(), "opened" | "reopened" | "synchronize") {
        return Ok(EventKind::Nothing(format!("pull requests that are {} start nothing", payload.action)));
    }
    let PullRequestBody { number, title, head, base } = payload.pull_request;
    let same = |head: &RepositoryPayload, base: &RepositoryPayload| match (head.id, base.id) {
        (Some(head), Some(base)) => head == base,
        _ => head.full_name.eq_ignore_ascii_case(&base.full_name),
    };
    if head.branch.is_empty() {
        let (event, path) = ("pull_request".to_owned(), "pull_request.head.ref".to_owned());
        return Err(PayloadError::NotTheEvent { event, path, problem: "no branch is named".to_owned() });
    }
    let base_repository = base.repo.as_ref().unwrap_or(&payload.repository);
    let from_fork = !head.repo.as_ref().is_some_and(|head| same(head, base_repository));
    Ok(EventKind::PullRequest(PullRequest {
        repository,
        default_branch: payload.repository.default_branch.unwrap_or_default(),
        number,
        title,
        commit: commit("pull_request", "pull_request.head.sha", &head.sha)?,
        head_branch: head.branch,
        base_branch: base.branch,
        actor: payload.sender.map(|sender| sender.login).unwrap_or_default(),
        from_fork,
    }))
}

fn check_run(payload: CheckRunPayload) -> Result<EventKind, PayloadError> {
    let CheckRunBody { id, name, head_sha, completed_at, check_suite } = payload.check_run;
    let what = match (payload.action.as_str(), payload.requested_action) {
        ("requested_action", Some(RequestedAction { identifier })) => {
            Pressed::Button { check_run: id, name, identifier }
        }
        ("rerequested", _) => Pressed::Rerun { check_run: id, name, completed: completed_at.unwrap_or_default() },
        // What comes of our own check runs, created and completed, is not told back to us.
        (other, _) => return Ok(EventKind::Nothing(format!("check runs that are {other} start nothing"))),
    };
    let head_branch = check_suite.and_then(|suite| suite.head_branch).filter(|branch| !branch.is_empty());
    Ok(EventKind::Press(Press {
        repository: repository("check_run", &payload.repository)?,
        default_branch: default_branch("check_run", &payload.repository, head_branch.as_deref())?,
        commit: commit("check_run", "check_run.head_sha", &head_sha)?,
        head_branch,
        actor: payload.sender.map(|sender| sender.login).unwrap_or_default(),
        what,
    }))
}

/// What is run again is run for a branch: the commit's own, or else the repository's default one.
fn default_branch(
    event: &str,
    repository: &RepositoryPayload,
    head_branch: Option<&str>,
) -> Result<String, PayloadError> {
    let branch = repository.default_branch.clone().unwrap_or_default();
    if branch.is_empty() && head_branch.is_none() {
        let path = "repository.default_branch".to_owned();
        return Err(PayloadError::NotTheEvent {
            event: event.to_owned(),
            path,
            problem: "no branch is named".to_owned(),
        });
    }
    Ok(branch)
}

fn check_suite(payload: CheckSuitePayload) -> Result<EventKind, PayloadError> {
    if payload.action != "rerequested" {
        // `requested` comes with every push to an App that may write checks; the push itself is what starts pipelines.
        return Ok(EventKind::Nothing(format!("check suites that are {} start nothing", payload.action)));
    }
    let mut suite = payload.check_suite;
    suite.head_branch = suite.head_branch.filter(|branch| !branch.is_empty());
    Ok(EventKind::Press(Press {
        repository: repository("check_suite", &payload.repository)?,
        default_branch: default_branch("check_suite", &payload.repository, suite.head_branch.as_deref())?,
        commit: commit("check_suite", "check_suite.head_sha", &suite.head_sha)?,
        head_branch: suite.head_branch,
        actor: payload.sender.map(|sender| sender.login).unwrap_or_default(),
        what: Pressed::RerunAll { updated: suite.updated_at.unwrap_or_default() },
    }))
}

#[cfg(test)]
#[path = "payload_tests.rs"]
mod tests;
