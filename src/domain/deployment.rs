//! The GitHub deployment of a run: what was brought where, and whether it runs there.

use super::execution::{ActionKind, ExecutionSnapshot, ExecutionStatus, Stage, StageStatus};
use super::report::RunOptions;
use super::rollout::Progress;
use super::text;

/// State of a deployment (GitHub REST: create a deployment status).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeploymentState {
    Queued,
    InProgress,
    Success,
    Failure,
    /// It was stopped before anybody could tell.
    Error,
    /// Another run took its place before it was done.
    Inactive,
}

impl DeploymentState {
    pub fn is_end(self) -> bool {
        !matches!(self, Self::Queued | Self::InProgress)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
            Self::Inactive => "inactive",
        }
    }
}

/// What GitHub should show of a run's deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentReport {
    pub environment: String,
    pub state: DeploymentState,
    /// At most 140 characters.
    pub description: String,
    /// Where what was deployed answers.
    pub url: Option<String>,
}

/// The deployment that an execution asks for; `None` without an environment, and before a deploy action has begun.
pub fn deployment(snapshot: &ExecutionSnapshot, options: &RunOptions) -> Option<DeploymentReport> {
    let environment = options.environment.clone()?;
    let deploys = |stage: &&Stage| stage.actions.iter().any(|action| action.kind == ActionKind::Deploy);
    let stages: Vec<&Stage> = snapshot.stages.iter().filter(deploys).collect();
    let last = stages.last()?;
    let (state, description) = match stages.iter().find_map(|stage| stage.failed_rollout()) {
        Some(rollout) => (DeploymentState::Failure, text::rollout_failed(rollout)),
        None => of_stage(snapshot, last),
    };
    let found = stages.iter().flat_map(|stage| stage.rollouts()).find_map(|rollout| rollout.address.clone());
    let url = options.environment_url.clone().or(found).filter(|_| state == DeploymentState::Success);
    Some(DeploymentReport { environment, state, description, url })
}

fn of_stage(snapshot: &ExecutionSnapshot, stage: &Stage) -> (DeploymentState, String) {
    match &stage.status {
        StageStatus::Succeeded if !stage.is_undecided() => (DeploymentState::Success, text::stage_succeeded(stage)),
        StageStatus::Failed => (DeploymentState::Failure, text::stage_failed(stage)),
        StageStatus::Stopped | StageStatus::Cancelled if snapshot.status == ExecutionStatus::Superseded => {
            (DeploymentState::Inactive, text::superseded(snapshot.ending.superseded_by.as_ref()))
        }
        StageStatus::Stopped | StageStatus::Cancelled => {
            (DeploymentState::Error, text::stopped(snapshot.ending.stop_reason.as_deref()))
        }
        _ if stage.rollouts().all(|rollout| rollout.progress == Progress::NotBegun)
            && stage.rollouts().next().is_some() =>
        {
            (DeploymentState::Queued, text::stage_in_progress(stage))
        }
        _ => (DeploymentState::InProgress, text::stage_in_progress(stage)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::execution::{ActionRun, ActionStatus, Ending, Work};
    use crate::domain::rollout::Rollout;
    use crate::domain::time::Timestamp;

    fn shown(progress: Progress, status: StageStatus, execution: ExecutionStatus) -> Option<(DeploymentState, String)> {
        let rollout =
            Rollout { address: Some("http://192.0.2.1".to_owned()), ..Rollout::unknown("node-server", progress) };
        let action = ActionRun {
            work: Some(Work::Rollout(rollout)),
            ..ActionRun::sample("Staging", "Deploy", ActionKind::Deploy, ActionStatus::InProgress)
        };
        let stage = Stage { name: "Staging".to_owned(), status, actions: vec![action], attempts: 1 };
        let snapshot = ExecutionSnapshot {
            pipeline: "node-server".to_owned(),
            id: "x1".to_owned(),
            status: execution,
            status_summary: None,
            is_rollback: false,
            commit: None,
            repository: None,
            stages: vec![stage],
            waiting: None,
            newer_waiting: 0,
            ending: Ending::default(),
        };
        let options = RunOptions { environment: Some("staging".to_owned()), ..RunOptions::default() };
        deployment(&snapshot, &options).map(|report| (report.state, report.url.unwrap_or_default()))
    }

    #[test]
    fn it_goes_as_the_rollout_does() {
        use DeploymentState as State;
        use StageStatus::{Failed, InProgress, Stopped, Succeeded};
        let running = ExecutionStatus::InProgress;
        let none = String::new;
        assert_eq!(shown(Progress::NotBegun, InProgress, running.clone()), Some((State::Queued, none())));
        let rolling = Progress::Rolling { lifecycle: None };
        assert_eq!(shown(rolling.clone(), InProgress, running), Some((State::InProgress, none())));
        let runs = Progress::Runs { since: Timestamp::default() };
        let address = "http://192.0.2.1".to_owned();
        assert_eq!(shown(runs, Succeeded, ExecutionStatus::Succeeded), Some((State::Success, address)));
        let back = Progress::RolledBack { to: None };
        assert_eq!(shown(back, Succeeded, ExecutionStatus::Succeeded), Some((State::Failure, none())));
        assert_eq!(shown(rolling.clone(), Stopped, ExecutionStatus::Stopped), Some((State::Error, none())));
        assert_eq!(shown(rolling.clone(), Stopped, ExecutionStatus::Superseded), Some((State::Inactive, none())));
        // CodePipeline calls it a success, or a failure, and ECS is still at it.
        assert_eq!(shown(rolling.clone(), Succeeded, ExecutionStatus::Succeeded), Some((State::InProgress, none())));
        assert_eq!(shown(rolling, Failed, ExecutionStatus::Failed), Some((State::Failure, none())));
    }

    #[test]
    fn its_states_are_called_as_github_calls_them() {
        use DeploymentState::{Error, Failure, InProgress, Inactive, Queued, Success};
        let names = [Queued, InProgress, Success, Failure, Error, Inactive].map(DeploymentState::as_str);
        assert_eq!(names, ["queued", "in_progress", "success", "failure", "error", "inactive"]);
        let ends = [Queued, InProgress, Success, Failure, Error, Inactive].map(DeploymentState::is_end);
        assert_eq!(ends, [false, false, true, true, true, true]);
    }
}
