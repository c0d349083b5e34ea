//! Deployments: what GitHub shows as deployed where.

use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::{GitHubError, decode, explanation};
use super::{GitHub, PAGE, encode, moment};
use crate::domain::event::{CommitSha, RepositoryName};
use crate::domain::time::Timestamp;

/// GitHub's own default. A deployment of another task is not ours.
const TASK: &str = "deploy";

/// The state of a deployment (GitHub REST: create a deployment status).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    Queued,
    Pending,
    InProgress,
    Success,
    Failure,
    Error,
    /// Another one has taken its place, or it was taken down.
    Inactive,
}

/// A deployment that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDeployment {
    pub commit: CommitSha,
    pub environment: String,
    /// What it is known by here.
    pub payload: Map<String, Value>,
    pub description: String,
}

/// A deployment as GitHub lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    pub id: u64,
    pub sha: String,
    pub environment: String,
    /// Empty where GitHub holds no JSON object.
    pub payload: Map<String, Value>,
    pub created_at: Option<Timestamp>,
}

/// A state of a deployment that is to be shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewDeploymentStatus {
    pub state: DeploymentState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_url: Option<String>,
    /// At most 140 characters.
    pub description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment_url: Option<String>,
    /// Whether, with a success, those that succeeded earlier in the same environment become inactive. GitHub does this
    /// where the environment is neither transient nor production.
    pub auto_inactive: bool,
}

/// A state of a deployment as GitHub lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentStatus {
    pub id: u64,
    /// `None` for one that is not known here.
    pub state: Option<DeploymentState>,
    pub description: String,
    pub log_url: Option<String>,
    pub environment_url: Option<String>,
    pub created_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct ListedDeployment {
    id: u64,
    sha: String,
    #[serde(default)]
    environment: String,
    #[serde(default)]
    payload: Value,
    #[serde(default, deserialize_with = "moment::deserialize")]
    created_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct ListedState {
    id: u64,
    state: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    log_url: Option<String>,
    #[serde(default)]
    environment_url: Option<String>,
    #[serde(default, deserialize_with = "moment::deserialize")]
    created_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct Sent<'a> {
    #[serde(rename = "ref")]
    commit: &'a str,
    task: &'static str,
    environment: &'a str,
    payload: &'a Map<String, Value>,
    description: &'a str,
    /// Left out, GitHub would merge the default branch into what is deployed.
    auto_merge: bool,
    /// Left out, our own pending statuses would stand in the way.
    required_contexts: [&'static str; 0],
}

impl DeploymentState {
    const ALL: [Self; 7] =
        [Self::Queued, Self::Pending, Self::InProgress, Self::Success, Self::Failure, Self::Error, Self::Inactive];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Pending => "pending",
            Self::InProgress => "in_progress",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
            Self::Inactive => "inactive",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

impl GitHub {
    /// The deployments of a commit to an environment, newest first.
    pub async fn deployments(
        &self,
        repository: &RepositoryName,
        commit: &CommitSha,
        environment: &str,
    ) -> Result<Vec<Deployment>, GitHubError> {
        let environment = encode(environment);
        let path = format!(
            "/repos/{repository}/deployments?sha={commit}&environment={environment}&task={TASK}&per_page={PAGE}"
        );
        let listed = self.list(repository, &path, |page: Vec<ListedDeployment>| page).await?;
        let mut deployments: Vec<Deployment> = listed.into_iter().map(Deployment::from).collect();
        deployments.sort_by_key(|deployment| std::cmp::Reverse(deployment.id));
        Ok(deployments)
    }

    pub async fn create_deployment(
        &self,
        repository: &RepositoryName,
        deployment: &NewDeployment,
    ) -> Result<Deployment, GitHubError> {
        let NewDeployment { commit, environment, payload, description } = deployment;
        let body = Sent {
            commit: commit.as_str(),
            task: TASK,
            environment,
            payload,
            description,
            auto_merge: false,
            required_contexts: [],
        };
        let path = format!("/repos/{repository}/deployments");
        let answer = self.write(repository, Method::POST, &path, &body).await?;
        // Neither this nor a 409 comes to what is asked here, but a proxy or a rule of the repository may have its way.
        if answer.status == StatusCode::ACCEPTED {
            let why = explanation(answer.status, &answer.body);
            return Err(GitHubError::Refused(format!("it merged a branch instead of making a deployment: {why}")));
        }
        decode::<ListedDeployment>(&answer.body).map(Deployment::from).map_err(GitHubError::of_write)
    }

    /// What a deployment has shown, newest first.
    pub async fn deployment_statuses(
        &self,
        repository: &RepositoryName,
        id: u64,
    ) -> Result<Vec<DeploymentStatus>, GitHubError> {
        let path = format!("/repos/{repository}/deployments/{id}/statuses?per_page={PAGE}");
        let listed = self.list(repository, &path, |page: Vec<ListedState>| page).await?;
        let mut statuses: Vec<DeploymentStatus> = listed.into_iter().map(DeploymentStatus::from).collect();
        statuses.sort_by_key(|status| std::cmp::Reverse(status.id));
        Ok(statuses)
    }

    pub async fn create_deployment_status(
        &self,
        repository: &RepositoryName,
        id: u64,
        status: &NewDeploymentStatus,
    ) -> Result<DeploymentStatus, GitHubError> {
        let path = format!("/repos/{repository}/deployments/{id}/statuses");
        let answer = self.write(repository, Method::POST, &path, status).await?;
        decode::<ListedState>(&answer.body).map(DeploymentStatus::from).map_err(GitHubError::of_write)
    }
}

impl From<ListedDeployment> for Deployment {
    fn from(listed: ListedDeployment) -> Self {
        let payload = match listed.payload {
            Value::Object(payload) => payload,
            // A payload that was sent as a text comes back as one.
            Value::String(text) => serde_json::from_str(&text).unwrap_or_default(),
            _ => Map::new(),
        };
        Self { id: listed.id, sha: listed.sha, environment: listed.environment, payload, created_at: listed.created_at }
    }
}

impl From<ListedState> for DeploymentStatus {
    fn from(listed: ListedState) -> Self {
        // GitHub shows an address that was never given as an empty text.
        let given = |url: Option<String>| url.filter(|url| !url.is_empty());
        Self {
            id: listed.id,
            state: DeploymentState::parse(&listed.state),
            description: listed.description.unwrap_or_default(),
            log_url: given(listed.log_url),
            environment_url: given(listed.environment_url),
            created_at: listed.created_at,
        }
    }
}
