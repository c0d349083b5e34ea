//! Who may do what in a repository.

use serde::Deserialize;

use super::error::{GitHubError, decode};
use super::{GitHub, encode};
use crate::domain::event::RepositoryName;

/// GitHub tells its finer roles in these terms too: who maintains a repository may write, who triages may read.
#[derive(Deserialize)]
struct Permission {
    permission: String,
}

impl GitHub {
    /// Whether a person may push to a repository. Of somebody whom GitHub does not know there it is false.
    pub async fn may_write(&self, repository: &RepositoryName, login: &str) -> Result<bool, GitHubError> {
        let path = format!("/repos/{repository}/collaborators/{}/permission", encode(login));
        match self.read(repository, &path).await {
            Ok(answer) => Ok(matches!(decode::<Permission>(&answer)?.permission.as_str(), "admin" | "write")),
            Err(GitHubError::NoAccess { status: 404, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
