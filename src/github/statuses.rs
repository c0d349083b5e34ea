//! Commit statuses, and the commit behind a tag.

use std::collections::HashMap;

use http::{Method, StatusCode};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::error::{GitHubError, decode};
use super::{GitHub, PAGE};
use crate::domain::event::{CommitSha, RepositoryName};
use crate::domain::report::{Report, State};

/// A tag of a tag is rare, a chain of many is a mistake.
const MAX_TAGS: usize = 3;

/// A commit status as GitHub lists it.
#[derive(Clone, Debug, Deserialize)]
pub struct ListedStatus {
    #[serde(default)]
    pub id: u64,
    pub state: String,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub target_url: Option<String>,
    pub context: String,
}

#[derive(Serialize)]
struct NewStatus<'a> {
    state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_url: Option<&'a str>,
    description: &'a str,
    context: &'a str,
}

#[derive(Deserialize)]
struct TagObject {
    object: TagTarget,
}

#[derive(Deserialize)]
struct TagTarget {
    sha: String,
    #[serde(rename = "type")]
    kind: String,
}

impl GitHub {
    /// The statuses of a commit, newest first.
    pub async fn statuses(
        &self,
        repository: &RepositoryName,
        commit: &CommitSha,
    ) -> Result<Vec<ListedStatus>, GitHubError> {
        let path = format!("/repos/{repository}/commits/{commit}/statuses?per_page={PAGE}");
        let mut statuses: Vec<ListedStatus> = self.list(repository, &path, |page: Vec<ListedStatus>| page).await?;
        // Within a second they have the same time, and only their ids tell which came last.
        statuses.sort_by_key(|status| std::cmp::Reverse(status.id));
        Ok(statuses)
    }

    pub async fn post_status(
        &self,
        repository: &RepositoryName,
        commit: &CommitSha,
        report: &Report,
        target_url: Option<&str>,
    ) -> Result<(), GitHubError> {
        let path = format!("/repos/{repository}/statuses/{commit}");
        let state = report.state.as_str();
        let body = NewStatus { state, target_url, description: &report.description, context: &report.context };
        let answer = self.write(repository, Method::POST, &path, &body).await?;
        // A proxy on the way may answer in GitHub's place, and nobody would post it again.
        if answer.status == StatusCode::CREATED {
            return Ok(());
        }
        decode::<HashMap<String, IgnoredAny>>(&answer.body).map(|_| ()).map_err(GitHubError::of_write)
    }

    /// The commit that an annotated tag's object leads to; a commit leads to itself.
    pub async fn peel(&self, repository: &RepositoryName, object: &CommitSha) -> Result<CommitSha, GitHubError> {
        let mut object = object.clone();
        for _ in 0..MAX_TAGS {
            let path = format!("/repos/{repository}/git/tags/{object}");
            let target = match self.read(repository, &path).await {
                Ok(answer) => decode::<TagObject>(&answer)?.object,
                // There is no tag object of this name: it is the commit itself, unless GitHub shows us nothing of the
                // repository, which may pass.
                Err(GitHubError::NoAccess { status: 404, .. }) => {
                    let of_commit = format!("/repos/{repository}/commits/{object}/statuses?per_page=1");
                    return self.read(repository, &of_commit).await.map(|_| object);
                }
                Err(error) => return Err(error),
            };
            object = CommitSha::parse(&target.sha)
                .ok_or_else(|| GitHubError::Unavailable(format!("a tag's target is \"{}\"", target.sha)))?;
            match target.kind.as_str() {
                "commit" => return Ok(object),
                "tag" => {}
                other => return Err(GitHubError::UnknownCommit(format!("the tag leads to a {other}"))),
            }
        }
        Err(GitHubError::UnknownCommit("the tag leads to a tag, and that to another".to_owned()))
    }
}

impl ListedStatus {
    /// The report that it shows; an unknown state is taken for an error, which anything wanted replaces.
    pub fn report(&self) -> Report {
        Report {
            context: self.context.clone(),
            state: State::parse(&self.state).unwrap_or(State::Error),
            description: self.description.clone().unwrap_or_default(),
        }
    }
}
