//! Pushes of the sample repository, as GitHub's payloads.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The sample repository.
pub const REPOSITORY: &str = "octo-org/node-server";

/// Its pipeline.
pub const PIPELINE: &str = "node-server";

/// The route from one to the other.
pub const ROUTES: &str = r#"
[[route]]
repository = "octo-org/node-server"
tags = ["v*"]
pipeline = "node-server"
environment = "staging"
"#;

/// A commit's name, made from its message: the same story has the same commits each time.
pub fn sha(message: &str) -> String {
    let hash = hex::encode(Sha256::digest(message.as_bytes()));
    hash[..40].to_owned()
}

/// The payload of a push of one commit to a branch.
pub fn push(branch: &str, message: &str, files: &[&str]) -> Value {
    push_to(&format!("refs/heads/{branch}"), message, files)
}

/// The payload of a push of one commit to a ref.
pub fn push_to(full_ref: &str, message: &str, files: &[&str]) -> Value {
    let (after, before) = (sha(message), sha(&format!("before {message}")));
    let octocat = json!({ "name": "octocat", "email": "octocat@github.com", "username": "octocat" });
    let commit = json!({
        "id": after, "tree_id": sha(&format!("tree of {message}")), "distinct": true, "message": message,
        "timestamp": "2026-01-24T22:01:07Z", "url": format!("https://github.com/{REPOSITORY}/commit/{after}"),
        "author": octocat, "committer": octocat, "added": [], "removed": [], "modified": files,
    });
    json!({
        "ref": full_ref, "before": before, "after": after, "base_ref": null,
        "created": false, "deleted": false, "forced": false,
        "compare": format!("https://github.com/{REPOSITORY}/compare/{}...{}", &before[..12], &after[..12]),
        "commits": [commit], "head_commit": commit,
        "repository": {
            "id": 1, "name": "node-server", "full_name": REPOSITORY, "private": false, "default_branch": "main",
            "owner": { "name": "octo-org", "login": "octo-org", "id": 2 },
        },
        "pusher": { "name": "octocat", "email": "octocat@github.com" },
        "sender": { "login": "octocat", "id": 3, "type": "User" },
    })
}
