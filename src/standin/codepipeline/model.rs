//! What the engine keeps of pipelines, executions, stages and actions.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::script::{Answered, Script};
use super::spec::PipelineSpec;
use crate::domain::time::Timestamp;

/// The status of an execution, with the API's spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    InProgress,
    Stopping,
    Stopped,
    Cancelled,
    Superseded,
    Succeeded,
    Failed,
}

impl Status {
    pub(crate) fn wire(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Stopping => "Stopping",
            Self::Stopped => "Stopped",
            Self::Cancelled => "Cancelled",
            Self::Superseded => "Superseded",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }

    pub(crate) fn is_running(self) -> bool {
        matches!(self, Self::InProgress | Self::Stopping)
    }
}

/// The status of a stage's execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StageStatus {
    InProgress,
    Stopping,
    Stopped,
    Cancelled,
    Succeeded,
    Failed,
    Skipped,
}

impl StageStatus {
    pub(crate) fn wire(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Stopping => "Stopping",
            Self::Stopped => "Stopped",
            Self::Cancelled => "Cancelled",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Skipped => "Skipped",
        }
    }
}

/// The status of an action's execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ActionStatus {
    InProgress,
    Abandoned,
    Succeeded,
    Failed,
}

impl ActionStatus {
    pub(crate) fn wire(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Abandoned => "Abandoned",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }
}

/// A timer: when it runs out, and a number that keeps timers of the same moment in order.
pub(crate) type TimerKey = (Timestamp, u64);

/// How a running action ends when its timer runs out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    Succeed,
    Fail { code: String, message: String },
    Answer(Answered),
}

#[derive(Debug, Clone)]
pub(crate) struct ActionRun {
    pub(crate) id: String,
    pub(crate) stage: usize,
    pub(crate) action: usize,
    pub(crate) started: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) status: ActionStatus,
    /// The timer that ends it, and how; `None` for one that waits for somebody.
    pub(crate) ends: Option<(TimerKey, Ending)>,
    /// What `PutApprovalResult` has to name.
    pub(crate) token: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) summary: Option<String>,
    pub(crate) error: Option<(String, String)>,
    /// The commit that a source action takes.
    pub(crate) commit: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct StageRun {
    pub(crate) status: StageStatus,
    pub(crate) started: Timestamp,
    pub(crate) retried: Option<Timestamp>,
    pub(crate) manual_retries: u32,
}

/// Where an execution is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Before(usize),
    In(usize),
    Over,
}

#[derive(Debug, Clone)]
pub(crate) struct Execution {
    pub(crate) id: String,
    pub(crate) version: u32,
    pub(crate) status: Status,
    pub(crate) summary: Option<String>,
    pub(crate) started: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) place: Place,
    /// The stage after which the execution is over: the last one, or the one that is rolled back.
    pub(crate) last_stage: usize,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) trigger: (&'static str, String),
    pub(crate) rollback_target: Option<String>,
    /// Overrides by source action.
    pub(crate) pinned: BTreeMap<String, String>,
    /// What each source action brought, with the moment at which it did.
    pub(crate) revisions: BTreeMap<String, (Timestamp, String)>,
    pub(crate) stop_reason: Option<String>,
    pub(crate) stages: Vec<Option<StageRun>>,
    pub(crate) actions: Vec<ActionRun>,
    /// Counted from 1; a retry adds one.
    pub(crate) attempt: u32,
}

impl Execution {
    /// The commit by which a script is looked up: the one of the first source action.
    pub(crate) fn commit(&self) -> Option<&str> {
        let brought = self.revisions.values().next().map(|(_, sha)| sha.as_str());
        let running = self.actions.iter().find_map(|run| run.commit.as_deref());
        brought.or(running).or_else(|| self.pinned.values().next().map(String::as_str))
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Transition {
    pub(crate) disabled: Option<String>,
    pub(crate) changed: Option<Timestamp>,
}

#[derive(Debug, Clone)]
pub(crate) struct StageSlot {
    pub(crate) inbound: Transition,
    pub(crate) outbound: Transition,
    /// The execution that has the stage to itself, unless the mode is parallel.
    pub(crate) locked_by: Option<usize>,
    pub(crate) waiting: VecDeque<usize>,
    /// The execution that entered last.
    pub(crate) latest: Option<usize>,
    /// For each action the execution and the run that started last.
    pub(crate) latest_runs: Vec<Option<(usize, usize)>>,
}

impl StageSlot {
    pub(crate) fn new(actions: usize) -> Self {
        let open = Transition { disabled: None, changed: None };
        Self {
            inbound: open.clone(),
            outbound: open,
            locked_by: None,
            waiting: VecDeque::new(),
            latest: None,
            latest_runs: vec![None; actions],
        }
    }
}

#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) spec: PipelineSpec,
    pub(crate) version: u32,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) slots: Vec<StageSlot>,
    /// Oldest first.
    pub(crate) executions: Vec<Execution>,
    pub(crate) script: Script,
    pub(crate) scripts: BTreeMap<String, Script>,
    /// Client request tokens with the execution that each started.
    pub(crate) tokens: BTreeMap<String, String>,
    /// The commit that the source branch points to.
    pub(crate) head: String,
}

impl Pipeline {
    pub(crate) fn find(&self, id: &str) -> Option<usize> {
        self.executions.iter().position(|execution| execution.id == id)
    }

    pub(crate) fn stage(&self, name: &str) -> Option<usize> {
        self.spec.stages.iter().position(|stage| stage.name == name)
    }

    pub(crate) fn is_open(&self, stage: usize) -> bool {
        let before = stage.checked_sub(1).and_then(|before| self.slots.get(before));
        self.slots[stage].inbound.disabled.is_none() && before.is_none_or(|slot| slot.outbound.disabled.is_none())
    }

    /// The script that applies to an execution comes from its commit where that has one, else from the pipeline; a
    /// commit's script that does not name the action leaves it to the pipeline's.
    pub(crate) fn skips(&self, execution: usize, stage: usize) -> bool {
        let name = &self.spec.stages[stage].name;
        let own = self.executions[execution].commit().and_then(|sha| self.scripts.get(sha));
        own.is_some_and(|script| script.skips(name)) || self.script.skips(name)
    }
}

/// How long an event takes to a queue.
pub(crate) type Target = (String, Duration);
