//! A service of ECS as it stands now: its deployments, and its history.

use super::time::Timestamp;

/// Revision of a task definition, such as `node-server:42`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    pub family: String,
    pub number: u32,
}

impl Revision {
    /// From `family:number` or the ARN that ends in it.
    pub fn parse(text: &str) -> Option<Self> {
        let (family, number) = text.rsplit('/').next()?.rsplit_once(':')?;
        Some(Self { family: family.to_owned(), number: number.parse().ok()? }).filter(|_| !family.is_empty())
    }

    pub(super) fn is_before(&self, other: &Self) -> bool {
        self.family == other.family && self.number < other.number
    }

    pub(super) fn is_after(&self, other: &Self) -> bool {
        other.is_before(self)
    }
}

impl std::fmt::Display for Revision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.family, self.number)
    }
}

/// How far ECS says that a deployment is (botocore: `DeploymentRolloutState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RolloutState {
    InProgress,
    Completed,
    Failed,
}

/// An entry of a service's `deployments`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    pub id: String,
    /// The one that the service is on its way to; others are on their way out.
    pub is_primary: bool,
    pub revision: Option<Revision>,
    pub created: Option<Timestamp>,
    pub updated: Option<Timestamp>,
    pub tasks: Tasks,
    /// `None` where ECS does not say, as for services that it does not roll itself.
    pub state: Option<RolloutState>,
    pub reason: Option<String>,
}

/// Tasks of a deployment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tasks {
    pub desired: u32,
    pub running: u32,
    pub pending: u32,
    /// Failures in a row; a task that comes up resets them.
    pub failed: u32,
}

/// An entry of a service's history: what the service deployments API says (botocore: `ServiceDeploymentStatus`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceDeployment {
    pub status: ServiceDeploymentStatus,
    pub reason: Option<String>,
    /// `BAKE_TIME` and the like, of strategies that have stages.
    pub lifecycle: Option<String>,
    pub created: Option<Timestamp>,
    pub finished: Option<Timestamp>,
    pub revision: Option<Revision>,
    /// Where a rollback leads to.
    pub rollback_to: Option<Revision>,
    pub tasks: Tasks,
}

/// The statuses that are told apart; one that is not known counts as being at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceDeploymentStatus {
    AtWork,
    Successful,
    Stopped,
    RollingBack,
    RolledBack,
    RollbackFailed,
}

/// A service as read now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    pub name: String,
    /// Its deployment circuit breaker; `None` where it has none, and nothing ends a rollout that fails.
    pub has_breaker: bool,
    /// Blue/green, linear or canary: the history tells what goes on, and `deployments` does not.
    pub has_stages: bool,
    pub deployments: Vec<Deployment>,
    /// Newest first; read only where it is needed.
    pub history: Vec<ServiceDeployment>,
}

impl Tasks {
    /// Failures after which a circuit breaker ends a rollout: half of the tasks, at least 3 and at most 200 (ECS
    /// developer guide, deployment circuit breaker).
    pub fn threshold(self) -> u32 {
        self.desired.div_ceil(2).clamp(3, 200)
    }

    pub(super) fn are_up(self) -> bool {
        self.running >= self.desired && self.pending == 0 && self.failed == 0
    }
}

/// Why a task stopped, shorter where ECS says it in one of its usual forms.
pub fn cause_of(told: &str) -> String {
    let told = told.trim();
    if let Some(why) = told.strip_prefix("CannotPullContainerError: ") {
        let image = why.split_once("ref ").and_then(|(_, rest)| rest.split_whitespace().next());
        let image =
            image.and_then(|image| image.trim_end_matches([':', ',']).rsplit('/').next()).unwrap_or("its image");
        let reason = why.rsplit(": ").next().unwrap_or(why);
        return format!("can't pull {image}: {reason}");
    }
    match told {
        told if told.starts_with("Task failed ELB health checks") => {
            "failed the load balancer's health checks".to_owned()
        }
        told if told.starts_with("Task failed container health checks") => "failed its own health check".to_owned(),
        told => told.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_read_from_a_task_definitions_arn() {
        let arn = "arn:aws:ecs:us-east-1:123456789012:task-definition/node-server:42";
        assert_eq!(Revision::parse(arn), Some(Revision { family: "node-server".to_owned(), number: 42 }));
        assert_eq!(Revision::parse("node-server:42"), Some(Revision { family: "node-server".to_owned(), number: 42 }));
        assert_eq!(Revision::parse("node-server"), None);
    }

    #[test]
    fn revisions_come_before_and_after_each_other_within_a_family() {
        let revision = |text: &str| Revision::parse(text).unwrap();
        let (old, new, other) = (revision("node-server:41"), revision("node-server:42"), revision("node-worker:40"));
        assert!(old.is_before(&new) && new.is_after(&old));
        assert!(!new.is_before(&old) && !old.is_after(&new));
        assert!(!new.is_before(&new) && !new.is_after(&new));
        assert!(!other.is_before(&new) && !new.is_after(&other));
        assert_eq!(new.to_string(), "node-server:42");
    }

    #[test]
    fn tasks_are_up_once_as_many_run_as_shall_and_none_comes_or_fails() {
        let are_up = |desired, running, pending, failed| Tasks { desired, running, pending, failed }.are_up();
        assert!(are_up(2, 2, 0, 0) && are_up(2, 3, 0, 0) && are_up(0, 0, 0, 0));
        assert!(!are_up(2, 1, 0, 0) && !are_up(2, 2, 1, 0) && !are_up(2, 2, 0, 1));
    }

    #[test]
    fn a_circuit_breaker_ends_a_rollout_after_half_of_the_tasks_have_failed() {
        let threshold = |desired| Tasks { desired, ..Tasks::default() }.threshold();
        assert_eq!([1, 6, 7, 20, 400, 1000].map(threshold), [3, 3, 4, 10, 200, 200]);
    }

    #[test]
    fn why_a_task_stopped_is_told_the_short_way() {
        let image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/node-server:abc1234";
        let pull = format!(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {image}: \
             {image}: not found"
        );
        insta::assert_snapshot!(cause_of(&pull), @"can't pull node-server:abc1234: not found");
        let bare = cause_of("CannotPullContainerError: i/o timeout");
        insta::assert_snapshot!(bare, @"can't pull its image: i/o timeout");
        let group = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/node-server/73e2d6bc24d8a067";
        insta::assert_snapshot!(cause_of(&format!("Task failed ELB health checks in (target-group {group})")), @"failed the load balancer's health checks");
        insta::assert_snapshot!(cause_of("Task failed container health checks"), @"failed its own health check");
        insta::assert_snapshot!(cause_of("Host EC2 (instance i-1) terminated."), @"Host EC2 (instance i-1) terminated.");
    }
}
