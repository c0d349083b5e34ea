//! Showing at GitHub what a run deploys where.
//!
//! It comes after the statuses and never stands in their way: where the token may not write deployments, there are none.

use serde_json::{Map, Value};

use super::Worker;
use super::follow::Run;
use super::trouble::Cause;
use crate::domain::deployment::{DeploymentReport, DeploymentState, deployment};
use crate::domain::event::CommitSha;
use crate::domain::execution::{ExecutionSnapshot, YieldsTo};
use crate::domain::text;
use crate::github::{self, DeploymentStatus, GitHub, GitHubError, NewDeployment, NewDeploymentStatus};
use crate::links;
use crate::queue::memory::{KnownDeployment, Memory};

/// The key of a deployment's payload that holds the execution's id.
const EXECUTION: &str = "execution";

impl Worker {
    /// Brings the run's deployment up to date, and makes it where there is none. Where GitHub refuses to make it, it is
    /// asked once more when there is an end to show. One that it has made shows something already, so that whatever it
    /// refuses then is an error like any other.
    pub(super) async fn show_deployment(
        &self,
        run: &Run,
        snapshot: &ExecutionSnapshot,
        memory: &mut Memory,
    ) -> Result<(), Cause> {
        if !self.config().await?.github.deployments {
            return Ok(());
        }
        let Some(wanted) = deployment(snapshot, &run.options) else { return Ok(()) };
        if memory.deployment.as_ref().is_some_and(|known| known.shows(&wanted)) {
            return Ok(());
        }
        let state = wanted.state.as_str();
        let is_in_vain = |refused: &str| refused == state || !wanted.state.is_end();
        if memory.deployment.is_none() && memory.deployment_refused.as_deref().is_some_and(is_in_vain) {
            return Ok(());
        }
        let commit = snapshot.commit.as_ref().unwrap_or(&run.commit);
        match self.bring_deployment_up_to_date(run, commit, &wanted, &mut memory.deployment).await {
            Err(Cause::GitHub(
                error @ (GitHubError::NoAccess { .. } | GitHubError::Refused(_) | GitHubError::UnknownCommit(_)),
            )) if memory.deployment.is_none() => {
                let (pipeline, execution) = (&run.pipeline, &run.execution);
                tracing::info!(pipeline, execution, state, %error, "this run has no deployment at GitHub");
                memory.deployment_refused = Some(state.to_owned());
                Ok(())
            }
            brought => brought,
        }
    }

    async fn bring_deployment_up_to_date(
        &self,
        run: &Run,
        commit: &CommitSha,
        wanted: &DeploymentReport,
        known: &mut Option<KnownDeployment>,
    ) -> Result<(), Cause> {
        let mut own = Vec::new();
        // Two workers that make one at the same moment make two. In the end the first one tells, and no other stays open.
        if known.is_none() || wanted.state.is_end() {
            own = self.own_deployments(run, commit, &wanted.environment).await?;
        }
        if own.is_empty() {
            own.extend(known.as_ref().map(|known| known.id));
        }
        let (id, latest, doubles) = match own.split_first() {
            Some((id, doubles)) => (*id, self.state_of(run, *id).await?, doubles),
            None => (self.make_deployment(run, commit, wanted).await?, None, &[][..]),
        };
        let known = known.insert(KnownDeployment::found(id));
        let is_shown = latest.is_some_and(|latest| {
            let state = latest.state.and_then(off_the_wire);
            state.is_some_and(|state| wanted.is_told_by(state, latest.environment_url.as_deref()))
        });
        if !is_shown {
            self.tell_state(run, id, wanted).await?;
        }
        for double in doubles {
            let ended = DeploymentReport {
                environment: wanted.environment.clone(),
                state: DeploymentState::Inactive,
                description: text::told_in_another_deployment(),
                url: None,
                yields_to: YieldsTo::Nothing,
            };
            let latest = self.state_of(run, *double).await?;
            if latest.and_then(|latest| latest.state) != Some(github::DeploymentState::Inactive) {
                self.tell_state(run, *double, &ended).await?;
            }
        }
        known.note(wanted);
        Ok(())
    }

    /// The deployments of the run, the first that was made first.
    async fn own_deployments(&self, run: &Run, commit: &CommitSha, environment: &str) -> Result<Vec<u64>, Cause> {
        let list = async |github: &GitHub| github.deployments(&run.repository, commit, environment).await;
        let is_own = |one: &github::Deployment| {
            one.payload.get(EXECUTION).and_then(Value::as_str) == Some(run.execution.as_str())
        };
        let mut own: Vec<u64> =
            self.ask_github(list).await?.iter().filter(|one| is_own(one)).map(|one| one.id).collect();
        own.sort_unstable();
        Ok(own)
    }

    /// What a deployment shows last.
    async fn state_of(&self, run: &Run, id: u64) -> Result<Option<DeploymentStatus>, Cause> {
        let list = async |github: &GitHub| github.deployment_statuses(&run.repository, id).await;
        Ok(self.ask_github(list).await?.into_iter().next())
    }

    async fn tell_state(&self, run: &Run, id: u64, report: &DeploymentReport) -> Result<(), Cause> {
        let status = NewDeploymentStatus {
            state: on_the_wire(report.state),
            log_url: Some(links::execution(&self.region, &run.pipeline, &run.execution, None)),
            description: report.description.clone(),
            environment_url: report.url.clone(),
            auto_inactive: true,
        };
        let post = async |github: &GitHub| github.create_deployment_status(&run.repository, id, &status).await;
        self.ask_github(post).await?;
        let Run { repository, execution, .. } = run;
        let DeploymentReport { environment, state, .. } = report;
        tracing::info!(%repository, execution, environment, state = state.as_str(), "deployment");
        Ok(())
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

/// `None` for what nobody here tells.
fn off_the_wire(state: github::DeploymentState) -> Option<DeploymentState> {
    match state {
        github::DeploymentState::Queued => Some(DeploymentState::Queued),
        github::DeploymentState::Pending => None,
        github::DeploymentState::InProgress => Some(DeploymentState::InProgress),
        github::DeploymentState::Success => Some(DeploymentState::Success),
        github::DeploymentState::Failure => Some(DeploymentState::Failure),
        github::DeploymentState::Error => Some(DeploymentState::Error),
        github::DeploymentState::Inactive => Some(DeploymentState::Inactive),
    }
}
