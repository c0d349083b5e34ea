//! What a chain of wake-ups knows from its last look, as it travels.

use serde::{Deserialize, Serialize};

use crate::domain::deployment::DeploymentReport;
use crate::domain::execution::ActionRun;
use crate::domain::rollout::{Progress, Rollout};
use crate::domain::service::{Revision, Tasks};
use crate::domain::time::Timestamp;

/// What a chain of wake-ups knows from its last look.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Memory {
    /// What GitHub showed after it, so that a look at which nothing has moved need not ask it.
    #[serde(default)]
    pub reported: Vec<Reported>,
    /// What was found of rollouts: one that has failed may leave no trace at ECS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rollouts: Vec<KnownRollout>,
    /// The deployment at GitHub, as it was last shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<KnownDeployment>,
    /// GitHub has refused to make one that shows this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_refused: Option<String>,
}

/// A deployment at GitHub, as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownDeployment {
    pub id: u64,
    /// Empty while it shows nothing, or nobody knows what.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

impl KnownDeployment {
    pub fn found(id: u64) -> Self {
        Self { id, state: String::new(), url: None }
    }

    /// That it shows this now.
    pub fn note(&mut self, report: &DeploymentReport) {
        report.state.as_str().clone_into(&mut self.state);
        self.url.clone_from(&report.url);
    }

    /// Whether it shows this already. What is said of progress moves all the time, and is not worth a call each time.
    pub fn shows(&self, wanted: &DeploymentReport) -> bool {
        self.state == wanted.state.as_str() && self.url == wanted.url
    }
}

/// A status, as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    pub commit: String,
    pub context: String,
    pub state: String,
    pub description: String,
}

/// What was found of the rollout of one run of an action, as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownRollout {
    stage: String,
    action: String,
    /// When this run of the action began, in milliseconds since the epoch: a retry is another one.
    started: u64,
    service: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revision: Option<String>,
    progress: KnownProgress,
    /// The revision that is brought back, or was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    back_to: Option<String>,
    /// Since when the service runs it, in milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<u64>,
    /// Desired, running, pending and failed tasks.
    #[serde(default)]
    tasks: [u32; 4],
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KnownProgress {
    NotBegun,
    Rolling,
    Failing,
    Failed,
    RolledBack,
    Runs,
    Unconfirmed,
}

impl KnownRollout {
    /// What is worth knowing at the next look.
    pub fn of(action: &ActionRun) -> Option<Self> {
        let rollout = action.rollout()?;
        let (progress, back_to, since) = match &rollout.progress {
            Progress::NotBegun => (KnownProgress::NotBegun, None, None),
            Progress::Rolling { .. } => (KnownProgress::Rolling, None, None),
            Progress::Failing => (KnownProgress::Failing, None, None),
            Progress::Failed { rolling_back_to } => (KnownProgress::Failed, rolling_back_to.as_ref(), None),
            Progress::RolledBack { to } => (KnownProgress::RolledBack, to.as_ref(), None),
            Progress::Runs { since } => (KnownProgress::Runs, None, Some(since.as_millis())),
            Progress::Unconfirmed => (KnownProgress::Unconfirmed, None, None),
            Progress::Unreadable => return None,
        };
        let Tasks { desired, running, pending, failed } = rollout.tasks;
        Some(Self {
            stage: action.stage.clone(),
            action: action.name.clone(),
            started: action.started.as_millis(),
            service: rollout.service.clone(),
            revision: rollout.revision.as_ref().map(ToString::to_string),
            progress,
            back_to: back_to.map(ToString::to_string),
            since,
            tasks: [desired, running, pending, failed],
            reason: rollout.reason.clone(),
            cause: rollout.cause.clone(),
            address: rollout.address.clone(),
        })
    }

    pub fn is_of(&self, action: &ActionRun) -> bool {
        self.stage == action.stage && self.action == action.name && self.started == action.started.as_millis()
    }

    /// `None` for an entry of which nothing is known that ECS would not tell again.
    pub fn rollout(&self) -> Option<Rollout> {
        let revision = |text: &Option<String>| text.as_deref().and_then(Revision::parse);
        let progress = match self.progress {
            KnownProgress::NotBegun => return None,
            KnownProgress::Rolling => Progress::Rolling { lifecycle: None },
            KnownProgress::Failing => Progress::Failing,
            KnownProgress::Failed => Progress::Failed { rolling_back_to: revision(&self.back_to) },
            KnownProgress::RolledBack => Progress::RolledBack { to: revision(&self.back_to) },
            KnownProgress::Runs => Progress::Runs { since: Timestamp::from_millis(self.since.unwrap_or_default()) },
            KnownProgress::Unconfirmed => Progress::Unconfirmed,
        };
        let [desired, running, pending, failed] = self.tasks;
        Some(Rollout {
            service: self.service.clone(),
            revision: revision(&self.revision),
            progress,
            tasks: Tasks { desired, running, pending, failed },
            reason: self.reason.clone(),
            cause: self.cause.clone(),
            address: self.address.clone(),
        })
    }
}
