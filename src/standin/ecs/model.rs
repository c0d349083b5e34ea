//! What the scheduler keeps of a service's deployments.

use std::time::Duration;

use super::rollout::{Cause, Course};
use crate::domain::time::Timestamp;

/// An entry of the service's `deployments`.
#[derive(Debug, Clone)]
pub(crate) struct Deployment {
    pub(crate) id: String,
    pub(crate) definition: u32,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) is_primary: bool,
    pub(crate) state: &'static str,
    pub(crate) reason: String,
    pub(crate) failed: u32,
    /// `None` where all is well.
    pub(crate) trouble: Option<Trouble>,
}

/// What goes wrong with a deployment's tasks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trouble {
    pub(crate) cause: Cause,
    /// From the start of a task to its end.
    pub(crate) cycle: Duration,
    /// How many tasks fail yet before all is well, and when it is.
    pub(crate) recovers: Option<(u32, Timestamp)>,
}

/// A service revision: what a deployment brings to the service.
#[derive(Debug, Clone)]
pub(crate) struct Revision {
    pub(crate) id: String,
    pub(crate) deployment: String,
    pub(crate) definition: u32,
    pub(crate) created: Timestamp,
}

/// A service deployment: the history of one deployment, with its rollback.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    pub(crate) id: String,
    pub(crate) deployment: String,
    pub(crate) source: Option<String>,
    pub(crate) target: String,
    pub(crate) created: Timestamp,
    pub(crate) updated: Timestamp,
    pub(crate) finished: Option<Timestamp>,
    pub(crate) stopped: Option<Timestamp>,
    pub(crate) status: &'static str,
    pub(crate) reason: Option<&'static str>,
    pub(crate) stage: Option<&'static str>,
    pub(crate) rolled_back: Option<Timestamp>,
    pub(crate) failures: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct ServiceEvent {
    pub(crate) id: String,
    pub(crate) at: Timestamp,
    pub(crate) message: String,
}

/// How the service is updated.
#[derive(Debug, Clone)]
pub(crate) struct Update {
    pub(crate) deployment: String,
    /// The task definition that was registered for it; `None` registers the next one with the update.
    pub(crate) definition: Option<u32>,
    pub(crate) course: Course,
    /// The moment from which the course counts.
    pub(crate) from: Timestamp,
    pub(crate) rollback: Duration,
}

/// What the scheduler does at a moment, and to which deployment.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Update(Box<Update>),
    Launch(String),
    Run(String),
    Fail(String),
    Retire(String),
    Stage(String, &'static str),
    Condemn(String),
    Settle(String),
}

impl Deployment {
    pub(crate) fn new(id: &str, definition: u32, at: Timestamp) -> Self {
        Self {
            id: id.to_owned(),
            definition,
            created: at,
            updated: at,
            is_primary: true,
            state: "IN_PROGRESS",
            reason: format!("ECS deployment {id} in progress."),
            failed: 0,
            trouble: None,
        }
    }
}
