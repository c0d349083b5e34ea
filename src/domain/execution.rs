//! An execution of a pipeline as it stands now.

use super::build::Build;
use super::event::{CommitSha, RepositoryName};
use super::rollout::{Progress, Rollout};
use super::time::Timestamp;

/// A stage that begins this much later than the one before it ended has waited in between.
const LONG_WAIT: std::time::Duration = std::time::Duration::from_secs(60);

/// Status of an execution (botocore: `PipelineExecutionStatus`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecutionStatus {
    InProgress,
    Stopping,
    Succeeded,
    Failed,
    Stopped,
    Cancelled,
    Superseded,
    /// A value that AWS added later. The run is followed as if it were in progress.
    Unknown(String),
}

impl ExecutionStatus {
    /// As CodePipeline calls it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::InProgress => "InProgress",
            Self::Stopping => "Stopping",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Stopped => "Stopped",
            Self::Cancelled => "Cancelled",
            Self::Superseded => "Superseded",
            Self::Unknown(status) => status,
        }
    }

    pub fn is_final(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Stopped | Self::Cancelled | Self::Superseded)
    }
}

/// Status of a stage within one execution (botocore: `StageExecutionStatus`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StageStatus {
    InProgress,
    Stopping,
    Succeeded,
    Failed,
    Stopped,
    Cancelled,
    Skipped,
    Unknown(String),
}

/// Status of one run of an action (botocore: `ActionExecutionStatus`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionStatus {
    InProgress,
    Succeeded,
    Failed,
    Abandoned,
    Unknown(String),
}

/// The kinds of action that texts and the schedule tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionKind {
    Source,
    Approval,
    Deploy,
    Other,
}

/// Where an action's work is done, for those of which more can be known than CodePipeline tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A build of CodeBuild, by its id.
    Build(String),
    /// A batch of builds, by its id.
    BuildBatch(String),
    /// A service of ECS.
    Service {
        cluster: String,
        service: String,
        /// The account that it is in, where the action's role tells.
        account: Option<String>,
    },
}

/// What is known of an action's work from where it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    Build(Build),
    Rollout(Rollout),
}

/// One run of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionRun {
    pub stage: String,
    pub name: String,
    pub kind: ActionKind,
    pub status: ActionStatus,
    pub started: Timestamp,
    pub updated: Timestamp,
    /// What the provider calls its part of the work, such as a build's id.
    pub external_id: Option<String>,
    pub place: Option<Place>,
    /// What was read there. It is not read for every action: what has succeeded needs no explanation.
    pub work: Option<Work>,
    /// Why it failed, as the action itself tells.
    pub error: Option<String>,
    /// What the provider says of the outcome.
    pub summary: Option<String>,
    /// Names of the artifacts that it put out.
    pub output_artifacts: Vec<String>,
    /// `CommitId` and `FullRepositoryName` of a source action's output variables, or of its configuration.
    pub source_commit: Option<String>,
    pub source_repository: Option<String>,
}

/// Why an execution stands in front of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// An earlier execution is in the stage.
    Occupied,
    /// Somebody disabled the transition into it, with the reason that they gave.
    Held(String),
}

/// What only the list of executions tells: read for executions that were stopped or superseded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    pub stop_reason: Option<String>,
    /// The commit of the next newer execution.
    pub superseded_by: Option<CommitSha>,
}

/// A stage that the execution has reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    pub name: String,
    pub status: StageStatus,
    /// The newest run of each action, in the order in which they began.
    pub actions: Vec<ActionRun>,
    /// How often the stage was begun: 1, and one more for each retry.
    pub attempts: u32,
}

impl ActionRun {
    /// A run that began at 1000 s and was last updated a minute later, for tests.
    #[cfg(test)]
    pub(crate) fn sample(stage: &str, name: &str, kind: ActionKind, status: ActionStatus) -> Self {
        Self {
            stage: stage.to_owned(),
            name: name.to_owned(),
            kind,
            status,
            started: Timestamp::from_secs(1000),
            updated: Timestamp::from_secs(1060),
            external_id: None,
            place: None,
            work: None,
            error: None,
            summary: None,
            output_artifacts: Vec::new(),
            source_commit: None,
            source_repository: None,
        }
    }

    /// The repository that a source action takes its commit from.
    pub(super) fn repository(&self) -> Option<RepositoryName> {
        RepositoryName::parse(self.source_repository.as_deref()?)
    }

    /// Whether it has come to an end, whatever that was.
    pub fn is_over(&self) -> bool {
        !self.is_running()
    }

    /// The build that it runs, as far as it was read.
    pub fn build(&self) -> Option<&Build> {
        match &self.work {
            Some(Work::Build(build)) => Some(build),
            _ => None,
        }
    }

    /// The rollout that it has begun, as far as it was read.
    pub fn rollout(&self) -> Option<&Rollout> {
        match &self.work {
            Some(Work::Rollout(rollout)) => Some(rollout),
            _ => None,
        }
    }

    /// Whether it is worth asking where its work is done: what a build is at or failed in, and everything about a
    /// rollout, for that the action has succeeded does not mean that the service runs it.
    pub fn is_worth_asking_about(&self) -> bool {
        match self.place {
            Some(Place::Build(_) | Place::BuildBatch(_)) => self.status != ActionStatus::Succeeded,
            Some(Place::Service { .. }) => true,
            None => false,
        }
    }

    /// Whether it still runs; a status that is not known counts as running, until the execution itself is final.
    pub fn is_running(&self) -> bool {
        matches!(self.status, ActionStatus::InProgress | ActionStatus::Unknown(_))
    }
}

impl Stage {
    /// From the beginning of its first action to the end of its last, retries and waiting included.
    pub fn duration(&self) -> std::time::Duration {
        let began = self.actions.iter().map(|action| action.started).min().unwrap_or_default();
        let ended = self.actions.iter().map(|action| action.updated).max().unwrap_or_default();
        ended.since(began)
    }

    pub fn is_running(&self) -> bool {
        matches!(self.status, StageStatus::InProgress | StageStatus::Stopping | StageStatus::Unknown(_))
    }

    pub fn running(&self) -> impl Iterator<Item = &ActionRun> {
        self.actions.iter().filter(|action| action.is_running())
    }

    pub fn failed(&self) -> Option<&ActionRun> {
        self.actions.iter().find(|action| action.status == ActionStatus::Failed)
    }

    /// The rollouts of its deploy actions, as far as they were read.
    pub fn rollouts(&self) -> impl Iterator<Item = &Rollout> {
        self.actions.iter().filter_map(ActionRun::rollout)
    }

    /// A rollout that has failed, whatever CodePipeline makes of the action.
    pub fn failed_rollout(&self) -> Option<&Rollout> {
        self.rollouts().find(|rollout| rollout.is_failed())
    }

    /// Whether an action has succeeded while ECS is still at work: nobody knows yet that the service runs it.
    pub fn is_undecided(&self) -> bool {
        // The list of actions may lag behind the execution's status.
        let lags = |action: &ActionRun| action.is_running() && self.status == StageStatus::Succeeded;
        let has_succeeded = |action: &&ActionRun| action.status == ActionStatus::Succeeded || lags(action);
        self.actions.iter().filter(has_succeeded).any(|action| action.rollout().is_some_and(Rollout::is_at_work))
    }

    /// What a look before this one may have known better. A success that ECS does not confirm, or a beginning of which it
    /// shows nothing yet, rests on nothing that ECS says; and that a stage goes on of which nothing runs, on no more than that
    /// nobody has said that it is over.
    pub fn yields_to(&self) -> YieldsTo {
        let of = |action: &ActionRun, rollout: &Rollout| match rollout.progress {
            Progress::Unconfirmed if action.status == ActionStatus::Succeeded => YieldsTo::Ends,
            // That the try before has failed is over with it.
            Progress::Unconfirmed | Progress::NotBegun | Progress::Unreadable if self.attempts == 1 => YieldsTo::Ends,
            _ if rollout.is_held_back() && self.attempts == 1 => YieldsTo::Ends,
            // ECS was done with it when its success was told: what is at work now came later, or is another's clock.
            Progress::Rolling { .. } if action.status == ActionStatus::Succeeded => YieldsTo::Successes,
            _ => YieldsTo::Nothing,
        };
        // Only the pipeline's own view tells whether such a stage has ended, and it may have been read before.
        let has_succeeded = |action: &ActionRun| action.status == ActionStatus::Succeeded;
        let may_be_over = self.status == StageStatus::InProgress && self.actions.iter().all(has_succeeded);
        let by_itself = if may_be_over { YieldsTo::Successes } else { YieldsTo::Nothing };
        let of_rollouts = self.actions.iter().filter_map(|action| Some(of(action, action.rollout()?)));
        of_rollouts.fold(by_itself, YieldsTo::max)
    }

    /// An approval that waits, and nothing else that runs beside it.
    pub fn waits_for_approval(&self) -> bool {
        let mut running = self.running().peekable();
        running.peek().is_some() && running.all(|action| action.kind == ActionKind::Approval)
    }
}

/// What GitHub shows already and what stands against a reading, for one that knew more may have found it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum YieldsTo {
    #[default]
    Nothing,
    Successes,
    Ends,
}

/// An execution as read now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionSnapshot {
    pub pipeline: String,
    pub id: String,
    pub status: ExecutionStatus,
    pub status_summary: Option<String>,
    pub is_rollback: bool,
    /// What was built, as far as AWS shows it yet.
    pub commit: Option<CommitSha>,
    /// Where it was built from, as far as the source action tells.
    pub repository: Option<RepositoryName>,
    /// The stages that it has reached, in the order in which it did.
    pub stages: Vec<Stage>,
    /// The stage that it waits in front of.
    pub waiting: Option<(String, Wait)>,
    /// How many newer executions run or wait behind it, where an approval waits.
    pub newer_waiting: usize,
    pub ending: Ending,
}

impl ExecutionSnapshot {
    pub fn is_final(&self) -> bool {
        self.status.is_final()
    }

    /// Whether nothing will move any more: the execution is final, and no rollout is still open. What a rollout that
    /// failed is rolled back to makes no difference to a run that has ended.
    pub fn is_settled(&self) -> bool {
        self.is_final() && !self.stages.iter().any(Stage::is_undecided)
    }

    /// Whether a deploy has succeeded of which ECS tells nothing.
    pub fn is_unconfirmed(&self) -> bool {
        let mut actions = self.stages.iter().flat_map(|stage| &stage.actions);
        actions.any(|action| {
            let rollout = action.rollout().filter(|_| action.status == ActionStatus::Succeeded);
            rollout.is_some_and(|rollout| matches!(rollout.progress, Progress::Unconfirmed | Progress::Unreadable))
        })
    }

    /// Whether a deploy runs in a stage that waited before, for somebody's approval or in front of it.
    pub fn deploys_after_a_wait(&self) -> bool {
        let ended = |stage: &Stage| stage.actions.iter().map(|action| action.updated).max();
        self.stages.iter().enumerate().any(|(index, stage)| {
            let deploys = stage.running().find(|action| action.kind == ActionKind::Deploy);
            let began = stage.actions.iter().map(|action| action.started).min();
            let before = index.checked_sub(1).and_then(|index| ended(&self.stages[index]));
            let has_approval = stage.actions.iter().any(|action| action.kind == ActionKind::Approval);
            let was_held = began.zip(before).is_some_and(|(began, before)| began.since(before) > LONG_WAIT);
            deploys.is_some() && (has_approval || was_held)
        })
    }

    /// The stage that failed, and may be retried. One whose rollout was rolled back has not failed for CodePipeline, which
    /// lets none be retried.
    pub fn failed_stage(&self) -> Option<&Stage> {
        self.stages.iter().rev().find(|stage| stage.status == StageStatus::Failed)
    }

    pub fn has_failed_rollout(&self) -> bool {
        self.stages.iter().any(|stage| stage.failed_rollout().is_some())
    }

    /// When its last action ended, as far as it is known.
    pub fn ended_at(&self) -> Timestamp {
        let actions = self.stages.iter().flat_map(|stage| &stage.actions);
        actions.map(|action| action.updated).max().unwrap_or_default()
    }

    /// From the beginning of the first action to the end of the last one.
    pub fn duration(&self) -> std::time::Duration {
        let actions = || self.stages.iter().flat_map(|stage| &stage.actions);
        let began = actions().map(|action| action.started).min().unwrap_or_default();
        let ended = actions().map(|action| action.updated).max().unwrap_or_default();
        ended.since(began)
    }
}

#[cfg(test)]
#[path = "execution_tests.rs"]
mod tests;
