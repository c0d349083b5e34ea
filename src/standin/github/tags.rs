//! Annotated tags, which are objects of their own.

use serde_json::json;

use super::operations::refuse;
use super::{GitHub, Repository};
use crate::standin::wire::Reply;

/// When a tag was made, as tags say it: nothing here depends on it.
const TAGGED: &str = "2026-01-24T22:00:00Z";

impl GitHub {
    /// Adds an annotated tag's object, which is no commit and takes no status. It leads to a commit, or to another one.
    pub fn add_tag_object(&mut self, repository: &str, sha: &str, target: &str) {
        if let Some(repository) = self.named(repository) {
            repository.tag_objects.insert(sha.to_owned(), target.to_owned());
        }
    }

    /// `GET /repos/{owner}/{repo}/git/tags/{tag_sha}`.
    pub(super) fn get_tag(&self, at: usize, sha: &str, base: &str) -> Reply {
        let Repository { full_name, tag_objects, refs, .. } = &self.repositories[at];
        let Some(target) = tag_objects.get(sha) else { return refuse(404, "Not Found") };
        let kind = if tag_objects.contains_key(target) { "tag" } else { "commit" };
        let name = refs.iter().find(|(_, of)| *of == sha).map_or("v1", |(name, _)| name.as_str());
        let url = |kind: &str, sha: &str| format!("{base}/repos/{full_name}/git/{kind}s/{sha}");
        Reply::json(
            200,
            json!({
                "node_id": format!("TA_{sha:.16}"),
                "tag": name,
                "sha": sha,
                "url": url("tag", sha),
                "message": name,
                "tagger": {"name": "octocat", "email": "octocat@users.noreply.github.com", "date": TAGGED},
                "object": {"sha": target, "type": kind, "url": url(kind, target)},
            }),
        )
    }
}
