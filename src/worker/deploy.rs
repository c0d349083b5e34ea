//! Showing at GitHub what a run deploys where.
//!
//! It comes after the statuses and never stands in their way: where the token may not write deployments, there are none.

use serde_json::{Map, Value};

use super::Worker;
use super::follow::Run;
use super::trouble::Cause;
use crate::domain::deployment::{DeploymentReport, DeploymentState, deployment};
use crate::domain::event::CommitSha;
use crate::domain::execution::ExecutionSnapshot;
use crate::github::{self, GitHub, GitHubError, NewDeployment, NewDeploymentStatus};
use crate::links;
use crate::queue::memory::{KnownDeployment, Memory};

/// The key of a deployment's payload that holds the execution's id.
const EXECUTION: &str = "execution";

impl Worker {
    /// Brings the run's deployment up to date, and makes it where there is none.
    pub(super) async fn show_deployment(
        &self,
        run: &Run,
        snapshot: &ExecutionSnapshot,
        memory: &mut Memory,
    ) -> Result<(), Cause> {
        if memory.deployments_denied || !self.config().await?.github.deployments {
            return Ok(());
        }
        let Some(wanted) = deployment(snapshot, &run.options) else { return Ok(()) };
        if memory.deployment.as_ref().is_some_and(|known| known.shows(&wanted)) {
            return Ok(());
        }
        let commit = snapshot.commit.as_ref().unwrap_or(&run.commit);
        match self.bring_deployment_up_to_date(run, commit, &wanted, memory.deployment.as_ref()).await {
            Ok(known) => {
                memory.deployment = Some(known);
                Ok(())
            }
            Err(Cause::GitHub(
                error @ (GitHubError::NoAccess { .. } | GitHubError::Refused(_) | GitHubError::UnknownCommit(_)),
            )) => {
                let (pipeline, execution) = (&run.pipeline, &run.execution);
                tracing::info!(pipeline, execution, %error, "this run has no deployment at GitHub");
                memory.deployments_denied = true;
                Ok(())
            }
            Err(cause) => Err(cause),
        }
    }

    async fn bring_deployment_up_to_date(
        &self,
        run: &Run,
        commit: &CommitSha,
        wanted: &DeploymentReport,
        known: Option<&KnownDeployment>,
    ) -> Result<KnownDeployment, Cause> {
        let repository = &run.repository;
        let found = match known {
            Some(known) => Some(known.id),
            None => self.find_deployment(run, commit, &wanted.environment).await?,
        };
        let (id, latest) = match found {
            Some(id) => {
                let list = async |github: &GitHub| github.deployment_statuses(repository, id).await;
                (id, self.ask_github(list).await?.into_iter().next())
            }
            None => (self.make_deployment(run, commit, wanted).await?, None),
        };
        let known = KnownDeployment::of(id, wanted);
        let is_shown = latest.is_some_and(|latest| {
            latest.state == Some(on_the_wire(wanted.state))
                && (wanted.url.is_none() || latest.environment_url == wanted.url)
        });
        if is_shown {
            return Ok(known);
        }
        let status = NewDeploymentStatus {
            state: on_the_wire(wanted.state),
            log_url: Some(links::execution(&self.region, &run.pipeline, &run.execution, None)),
            description: wanted.description.clone(),
            environment_url: wanted.url.clone(),
            auto_inactive: true,
        };
        let post = async |github: &GitHub| github.create_deployment_status(repository, id, &status).await;
        self.ask_github(post).await?;
        let (environment, state) = (&wanted.environment, on_the_wire(wanted.state).as_str());
        tracing::info!(%repository, %commit, environment, state, "deployment");
        Ok(known)
    }

    async fn find_deployment(&self, run: &Run, commit: &CommitSha, environment: &str) -> Result<Option<u64>, Cause> {
        let list = async |github: &GitHub| github.deployments(&run.repository, commit, environment).await;
        let deployments = self.ask_github(list).await?;
        let is_ours = |one: &github::Deployment| {
            one.payload.get(EXECUTION).and_then(Value::as_str) == Some(run.execution.as_str())
        };
        Ok(deployments.iter().find(|one| is_ours(one)).map(|one| one.id))
    }

    async fn make_deployment(&self, run: &Run, commit: &CommitSha, wanted: &DeploymentReport) -> Result<u64, Cause> {
        let payload: Map<String, Value> = [(EXECUTION, &run.execution), ("pipeline", &run.pipeline)]
            .map(|(key, value)| (key.to_owned(), Value::from(value.as_str())))
            .into_iter()
            .collect();
        let new = NewDeployment {
            commit: commit.clone(),
            environment: wanted.environment.clone(),
            payload,
            description: format!("{} of {}", run.pipeline, commit.short()),
        };
        let made =
            self.ask_github(async |github: &GitHub| github.create_deployment(&run.repository, &new).await).await?;
        Ok(made.id)
    }
}

fn on_the_wire(state: DeploymentState) -> github::DeploymentState {
    match state {
        DeploymentState::Queued => github::DeploymentState::Queued,
        DeploymentState::InProgress => github::DeploymentState::InProgress,
        DeploymentState::Success => github::DeploymentState::Success,
        DeploymentState::Failure => github::DeploymentState::Failure,
        DeploymentState::Error => github::DeploymentState::Error,
        DeploymentState::Inactive => github::DeploymentState::Inactive,
    }
}
