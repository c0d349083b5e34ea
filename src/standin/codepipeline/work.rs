//! What the services behind a pipeline's actions are told.

use std::time::Duration;

use super::script::Outcome;
use crate::domain::time::Timestamp;

/// An action that has begun, for the service that does its work.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    pub(crate) at: Timestamp,
    pub(crate) pipeline: String,
    /// `CodeBuild`, `ECS`.
    pub(crate) provider: String,
    pub(crate) configuration: Vec<(String, String)>,
    /// The commit that the execution is about, where its source is done.
    pub(crate) commit: Option<String>,
    /// The id under which CodePipeline shows the work.
    pub(crate) external_id: Option<String>,
    /// The id of the deployment, where the work is one.
    pub(crate) deployment: String,
    /// What a script says about it.
    pub(crate) outcome: Option<Outcome>,
    /// How long the action takes where no script says otherwise.
    pub(crate) lasting: Duration,
}

impl Begun {
    pub(crate) fn setting(&self, key: &str) -> Option<&str> {
        self.configuration.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// The id of a deployment of ECS: a number, here one that is made from something that is unique.
pub(crate) fn deployment_id(from: &str) -> String {
    let digits = from
        .bytes()
        .filter(|byte| *byte != b'-')
        .fold(0_u64, |number, byte| number.wrapping_mul(31).wrapping_add(u64::from(byte)));
    // Nineteen digits, as the service's own ids have.
    format!("ecs-svc/{}", 1_000_000_000_000_000_000 + digits % 8_000_000_000_000_000_000)
}
