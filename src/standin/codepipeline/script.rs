//! What a pipeline's actions do: how long they take and how they end.

use std::time::Duration;

use crate::standin::codebuild::Build;
use crate::standin::ecs::Rollout;

/// How an attempt of an action goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeds after this long.
    Succeed { after: Duration },
    /// It fails after this long, with the code and the message of its error details.
    Fail { after: Duration, code: String, message: String },
    /// A manual approval, answered through the API, or by the script after a while.
    ApprovalWaits { answer: Option<(Duration, Answered)> },
    /// It runs until it is stopped.
    Never,
    /// An action of CodeBuild, with what its build does.
    Build(Build),
    /// A deploy action of ECS, with what the rollout does, which need not be what the action comes to.
    Rollout(Rollout),
}

impl Outcome {
    /// It succeeds after so many seconds.
    pub fn succeed(seconds: u64) -> Self {
        Self::Succeed { after: Duration::from_secs(seconds) }
    }

    /// It fails after so many seconds, the way a CodeBuild action does.
    pub fn fail(seconds: u64, code: &str, message: &str) -> Self {
        Self::Fail { after: Duration::from_secs(seconds), code: code.to_owned(), message: message.to_owned() }
    }
}

impl From<Build> for Outcome {
    fn from(build: Build) -> Self {
        Self::Build(build)
    }
}

impl From<Rollout> for Outcome {
    fn from(rollout: Rollout) -> Self {
        Self::Rollout(rollout)
    }
}

/// What somebody said to a manual approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// The pipeline goes on.
    Approved,
    /// The stage fails.
    Rejected,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    stage: String,
    action: String,
    /// Counted from 1; `None` for every attempt.
    attempt: Option<u32>,
    outcome: Outcome,
}

/// What the actions of a pipeline do, for all commits or for one. What a script does not name succeeds after the
/// action's own duration, and an approval waits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    lines: Vec<Line>,
    skipped: Vec<String>,
}

impl Script {
    /// A script that says nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// How every attempt of an action goes. Later lines win over earlier ones.
    pub fn on(mut self, stage: &str, action: &str, outcome: impl Into<Outcome>) -> Self {
        let outcome = outcome.into();
        self.lines.push(Line { stage: stage.to_owned(), action: action.to_owned(), attempt: None, outcome });
        self
    }

    /// How one attempt of an action goes, counted from 1. It wins over [`Script::on`].
    pub fn on_attempt(mut self, stage: &str, action: &str, attempt: u32, outcome: impl Into<Outcome>) -> Self {
        let (attempt, outcome) = (Some(attempt), outcome.into());
        self.lines.push(Line { stage: stage.to_owned(), action: action.to_owned(), attempt, outcome });
        self
    }

    /// The stage's entry condition is not met and it is skipped.
    pub fn skip(mut self, stage: &str) -> Self {
        self.skipped.push(stage.to_owned());
        self
    }

    pub(crate) fn skips(&self, stage: &str) -> bool {
        self.skipped.iter().any(|name| name == stage)
    }

    pub(crate) fn outcome(&self, stage: &str, action: &str, attempt: u32) -> Option<&Outcome> {
        let of_action = |line: &&Line| line.stage == stage && line.action == action;
        let lines = || self.lines.iter().rev().filter(of_action);
        lines()
            .find(|line| line.attempt == Some(attempt))
            .or_else(|| lines().find(|line| line.attempt.is_none()))
            .map(|line| &line.outcome)
    }
}
