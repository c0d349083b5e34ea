//! The GitHub deployment of a run: what was brought where, and whether it runs there.

use super::execution::{ActionKind, ExecutionSnapshot, ExecutionStatus, Stage, StageStatus, YieldsTo};
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
    /// What stands against it, where GitHub shows that.
    pub yields_to: YieldsTo,
}

impl DeploymentReport {
    /// Whether a deployment may be left as GitHub shows it, in this state and with this address.
    pub fn is_told_by(&self, shown: DeploymentState, url: Option<&str>) -> bool {
        use DeploymentState::{Inactive, Success};
        if shown == self.state {
            return self.url.is_none() || self.url.as_deref() == url;
        }
        // A later one took the place of what had succeeded, and is what runs there.
        let has_made_room = shown == Inactive && self.state == Success;
        has_made_room
            || match self.yields_to {
                YieldsTo::Nothing => false,
                YieldsTo::Successes => matches!(shown, Success | Inactive),
                YieldsTo::Ends => shown.is_end(),
            }
    }
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
    let yields_to = stages.iter().map(|stage| stage.yields_to()).max().unwrap_or_default();
    Some(DeploymentReport { environment, state, description, url, yields_to })
}

fn of_stage(snapshot: &ExecutionSnapshot, stage: &Stage) -> (DeploymentState, String) {
    match &stage.status {
        StageStatus::Succeeded if !stage.is_undecided() => (DeploymentState::Success, text::stage_succeeded(stage)),
        StageStatus::Failed => (DeploymentState::Failure, text::stage_failed(stage)),
        StageStatus::Stopped | StageStatus::Cancelled if snapshot.status == ExecutionStatus::Superseded => {
            (DeploymentState::Inactive, text::superseded(snapshot.ending.superseded_by.as_ref()))
        }
        StageStatus::Stopped | StageStatus::Cancelled if snapshot.status == ExecutionStatus::Cancelled => {
            (DeploymentState::Error, text::cancelled())
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

    fn snapshot() -> ExecutionSnapshot {
        ExecutionSnapshot {
            pipeline: "node-server".to_owned(),
            id: "x1".to_owned(),
            status: ExecutionStatus::InProgress,
            status_summary: None,
            is_rollback: false,
            commit: None,
            repository: None,
            stages: Vec::new(),
            waiting: None,
            newer_waiting: 0,
            ending: Ending::default(),
        }
    }

    fn stage(progress: Progress, status: StageStatus) -> Stage {
        let rollout =
            Rollout { address: Some("http://192.0.2.1".to_owned()), ..Rollout::unknown("node-server", progress) };
        let action = ActionRun {
            work: Some(Work::Rollout(rollout)),
            ..ActionRun::sample("Staging", "Deploy", ActionKind::Deploy, ActionStatus::InProgress)
        };
        Stage { name: "Staging".to_owned(), status, actions: vec![action], attempts: 1 }
    }

    fn report(stages: Vec<Stage>, status: ExecutionStatus) -> Option<DeploymentReport> {
        let options = RunOptions { environment: Some("staging".to_owned()), ..RunOptions::default() };
        deployment(&ExecutionSnapshot { status, stages, ..snapshot() }, &options)
    }

    fn shown(progress: Progress, status: StageStatus, execution: ExecutionStatus) -> Option<(DeploymentState, String)> {
        report(vec![stage(progress, status)], execution).map(|report| (report.state, report.url.unwrap_or_default()))
    }

    #[test]
    fn why_it_came_to_no_end_is_said() {
        let said = |status, execution| {
            report(vec![stage(Progress::Rolling { lifecycle: None }, status)], execution).unwrap().description
        };
        assert_eq!(said(StageStatus::Stopped, ExecutionStatus::Stopped), "Stopped");
        assert_eq!(said(StageStatus::Cancelled, ExecutionStatus::Cancelled), "Cancelled: the pipeline was changed");
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

    #[test]
    fn what_github_shows_stands_against_a_reading_that_yields_to_it() {
        use DeploymentState::{Error, Failure, InProgress, Inactive, Queued, Success};
        let all = [Queued, InProgress, Success, Failure, Error, Inactive];
        let stand = |state, yields_to| {
            let environment = "staging".to_owned();
            let wanted = DeploymentReport { environment, state, description: String::new(), url: None, yields_to };
            all.into_iter().filter(|shown| wanted.is_told_by(*shown, None)).collect::<Vec<_>>()
        };
        assert_eq!(stand(InProgress, YieldsTo::Nothing), [InProgress]);
        assert_eq!(stand(InProgress, YieldsTo::Successes), [InProgress, Success, Inactive]);
        assert_eq!(stand(InProgress, YieldsTo::Ends), [InProgress, Success, Failure, Error, Inactive]);
        assert_eq!(stand(Success, YieldsTo::Nothing), [Success, Inactive], "a later one may have taken its place");
        assert_eq!(stand(Failure, YieldsTo::Nothing), [Failure]);
    }

    #[test]
    fn a_success_is_told_with_its_address() {
        let told = |url: Option<&str>, shown| {
            let report = DeploymentReport {
                environment: "staging".to_owned(),
                state: DeploymentState::Success,
                description: String::new(),
                url: url.map(str::to_owned),
                yields_to: YieldsTo::Ends,
            };
            report.is_told_by(DeploymentState::Success, shown)
        };
        let address = Some("http://192.0.2.1");
        assert!(told(address, address) && told(None, address) && told(None, None));
        assert!(!told(address, None) && !told(address, Some("http://192.0.2.2")));
    }

    #[test]
    fn of_all_its_stages_the_one_decides_that_knows_the_least() {
        let yields_to = |progress: &[Progress]| {
            let stages = progress.iter().map(|progress| stage(progress.clone(), StageStatus::InProgress)).collect();
            report(stages, ExecutionStatus::InProgress).map(|report| report.yields_to)
        };
        assert_eq!(yields_to(&[Progress::Failing]), Some(YieldsTo::Nothing));
        assert_eq!(yields_to(&[Progress::Unreadable, Progress::Failing]), Some(YieldsTo::Ends));
    }
}
