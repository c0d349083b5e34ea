//! Statuses and repositories as GitHub's REST API shows them.

use serde_json::{Map, Value, json};

use super::{Repository, State, Status};
use crate::standin::moment;

/// The statuses of a commit with where they lie.
pub(super) struct Place<'a> {
    /// The API's address, without a slash at its end.
    pub(super) base: &'a str,
    pub(super) repository: &'a Repository,
    pub(super) sha: &'a str,
}

impl Place<'_> {
    fn url(&self) -> String {
        format!("{}/repos/{}/statuses/{}", self.base, self.repository.full_name, self.sha)
    }

    /// A status without its creator, as the combined status lists it.
    fn simple(&self, status: &Status) -> Map<String, Value> {
        let mut shown = Map::new();
        let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
        put("url", json!(self.url()));
        put("avatar_url", json!("https://avatars.githubusercontent.com/u/1?v=4"));
        put("id", json!(status.id));
        put("node_id", json!(format!("SC_{:016x}", status.id)));
        put("state", json!(status.state.as_str()));
        put("description", json!(status.description));
        put("target_url", json!(status.target_url));
        put("context", json!(status.context));
        put("created_at", json!(moment::seconds(status.created)));
        put("updated_at", json!(moment::seconds(status.created)));
        shown
    }

    /// A status as it is created and listed.
    pub(super) fn status(&self, status: &Status) -> Value {
        let mut shown = self.simple(status);
        shown.insert("creator".to_owned(), user(self.base, &status.creator));
        Value::Object(shown)
    }

    /// The combined status of the latest of each context.
    pub(super) fn combined(&self, latest: &[Status], shown: &[Status]) -> Value {
        let any = |wanted: &[State]| latest.iter().any(|status| wanted.contains(&status.state));
        let state = if any(&[State::Error, State::Failure]) {
            State::Failure
        } else if latest.is_empty() || any(&[State::Pending]) {
            State::Pending
        } else {
            State::Success
        };
        let (base, name, sha) = (self.base, &self.repository.full_name, self.sha);
        json!({
            "state": state.as_str(),
            "statuses": shown.iter().map(|status| Value::Object(self.simple(status))).collect::<Vec<_>>(),
            "sha": sha,
            "total_count": latest.len(),
            "repository": repository(base, self.repository),
            "commit_url": format!("{base}/repos/{name}/commits/{sha}"),
            "url": format!("{base}/repos/{name}/commits/{sha}/status"),
        })
    }
}

/// A person, or an App as the one who did something.
pub(super) fn user(base: &str, login: &str) -> Value {
    let of = |rest: &str| format!("{base}/users/{login}{rest}");
    json!({
        "login": login,
        "id": 1,
        "node_id": "U_0000000000000001",
        "avatar_url": "https://avatars.githubusercontent.com/u/1?v=4",
        "gravatar_id": "",
        "url": of(""),
        "html_url": format!("https://github.com/{login}"),
        "followers_url": of("/followers"),
        "following_url": of("/following{/other_user}"),
        "gists_url": of("/gists{/gist_id}"),
        "starred_url": of("/starred{/owner}{/repo}"),
        "subscriptions_url": of("/subscriptions"),
        "organizations_url": of("/orgs"),
        "repos_url": of("/repos"),
        "events_url": of("/events{/privacy}"),
        "received_events_url": of("/received_events"),
        "type": if login.ends_with("[bot]") { "Bot" } else { "User" },
        "user_view_type": "public",
        "site_admin": false,
    })
}

/// A person as everybody sees them, and who asks for themselves with a token that reads no profile.
pub(super) fn public_user(base: &str, login: &str) -> Value {
    let mut shown = user(base, login);
    for member in ["name", "company", "location", "email", "hireable", "bio"] {
        shown[member] = Value::Null;
    }
    for member in ["public_repos", "public_gists", "followers", "following"] {
        shown[member] = json!(0);
    }
    shown["blog"] = json!("");
    for member in ["created_at", "updated_at"] {
        shown[member] = json!("2011-01-25T18:44:36Z");
    }
    shown
}

/// The addresses that a repository's description names, each with what follows the repository's own address.
const ADDRESSES: &[(&str, &str)] = &[
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("url", ""),
];

/// What a repository's description says of matters that play no part here.
enum Aside {
    Nothing,
    No,
    Zero,
    Moment,
}

const ASIDES: &[(&str, Aside)] = &[
    ("allow_forking", Aside::No),
    ("archived", Aside::No),
    ("created_at", Aside::Moment),
    ("disabled", Aside::No),
    ("forks", Aside::Zero),
    ("forks_count", Aside::Zero),
    ("has_discussions", Aside::No),
    ("has_downloads", Aside::No),
    ("has_issues", Aside::No),
    ("has_pages", Aside::No),
    ("has_projects", Aside::No),
    ("has_wiki", Aside::No),
    ("homepage", Aside::Nothing),
    ("is_template", Aside::No),
    ("language", Aside::Nothing),
    ("license", Aside::Nothing),
    ("mirror_url", Aside::Nothing),
    ("open_issues", Aside::Zero),
    ("open_issues_count", Aside::Zero),
    ("pushed_at", Aside::Moment),
    ("size", Aside::Zero),
    ("stargazers_count", Aside::Zero),
    ("updated_at", Aside::Moment),
    ("watchers", Aside::Zero),
    ("watchers_count", Aside::Zero),
    ("web_commit_signoff_required", Aside::No),
];

/// A repository as answers and events describe it.
pub(super) fn repository(base: &str, repository: &Repository) -> Value {
    let full_name = &repository.full_name;
    let (owner, name) = full_name.split_once('/').unwrap_or((full_name, full_name));
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    put("id", json!(repository.id));
    put("node_id", json!(format!("R_{:016x}", repository.id)));
    put("name", json!(name));
    put("full_name", json!(full_name));
    put("private", json!(false));
    put("owner", user(base, owner));
    put("html_url", json!(format!("https://github.com/{full_name}")));
    put("description", Value::Null);
    put("fork", json!(false));
    put("default_branch", json!(repository.default_branch));
    for (key, value) in ASIDES {
        let value = match value {
            Aside::Nothing => Value::Null,
            Aside::No => json!(false),
            Aside::Zero => json!(0),
            Aside::Moment => json!("2026-01-01T00:00:00Z"),
        };
        put(key, value);
    }
    put("clone_url", json!(format!("https://github.com/{full_name}.git")));
    put("git_url", json!(format!("git://github.com/{full_name}.git")));
    put("ssh_url", json!(format!("git@github.com:{full_name}.git")));
    put("svn_url", json!(format!("https://github.com/{full_name}")));
    put("topics", json!([]));
    put("visibility", json!("public"));
    for (key, rest) in ADDRESSES {
        put(key, json!(format!("{base}/repos/{full_name}{rest}")));
    }
    Value::Object(shown)
}
