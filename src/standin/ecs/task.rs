//! A task of a service, and how it ends.

use super::rollout::Cause;
use super::spec::ServiceSpec;
use crate::domain::time::Timestamp;
use crate::standin::ids::Ids;

/// How a task was stopped.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    pub(crate) at: Timestamp,
    pub(crate) code: &'static str,
    pub(crate) reason: String,
    /// What the container says for itself.
    pub(crate) container: Option<String>,
    pub(crate) exit: Option<i32>,
    pub(crate) unhealthy: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) deployment: String,
    pub(crate) definition: u32,
    pub(crate) created: Timestamp,
    pub(crate) running: Option<Timestamp>,
    pub(crate) stopped: Option<Stop>,
    /// Its network interface, and the ids that go with it.
    pub(crate) interface: String,
    pub(crate) attachment: String,
    pub(crate) private_address: String,
    pub(crate) public_address: Option<String>,
}

impl Task {
    pub(crate) fn new(ids: &mut Ids, spec: &ServiceSpec, deployment: &str, definition: u32, at: Timestamp) -> Self {
        let host = ids.below(60_000);
        Self {
            id: ids.hex(32),
            deployment: deployment.to_owned(),
            definition,
            created: at,
            running: None,
            stopped: None,
            interface: format!("eni-{}", ids.hex(17)),
            attachment: ids.uuid(),
            private_address: format!("10.0.{}.{}", host / 250, host % 250 + 4),
            // An address of the range that is kept for documentation.
            public_address: spec.public.then(|| format!("203.0.113.{}", ids.below(254) + 1)),
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.stopped.is_none()
    }

    pub(crate) fn is_running(&self) -> bool {
        self.is_live() && self.running.is_some()
    }

    /// It is stopped because a newer deployment takes its place.
    pub(crate) fn retire(&mut self, at: Timestamp, by: &str) {
        self.stopped = Some(Stop {
            at,
            code: "ServiceSchedulerInitiated",
            reason: format!("Scaling activity initiated by (deployment {by})"),
            container: None,
            exit: self.running.map(|_| 0),
            unhealthy: false,
        });
    }

    /// It fails.
    pub(crate) fn fail(&mut self, at: Timestamp, cause: Cause, spec: &ServiceSpec, image: &str) {
        let (code, reason, container, exit) = match cause {
            Cause::ImageNotFound => {
                let reason = no_such_image(image);
                ("TaskFailedToStart", reason.clone(), Some(reason), None)
            }
            Cause::Exits(exit) => {
                ("EssentialContainerExited", "Essential container in task exited".to_owned(), None, Some(exit))
            }
            Cause::LoadBalancerHealth => {
                let group = spec.target_group_arn();
                let reason = format!("Task failed ELB health checks in (target-group {group})");
                ("ServiceSchedulerInitiated", reason, None, Some(143))
            }
            Cause::ContainerHealth => {
                ("ServiceSchedulerInitiated", "Task failed container health checks".to_owned(), None, Some(137))
            }
        };
        let unhealthy = cause == Cause::ContainerHealth;
        self.stopped = Some(Stop { at, code, reason, container, exit, unhealthy });
    }

    pub(crate) fn last_status(&self, now: Timestamp) -> &'static str {
        match (&self.stopped, self.running) {
            (Some(_), _) => "STOPPED",
            (None, Some(_)) => "RUNNING",
            // A Fargate task waits for its network interface first.
            (None, None) if now.since(self.created).as_secs() < 5 => "PROVISIONING",
            (None, None) => "PENDING",
        }
    }

    pub(crate) fn health(&self) -> &'static str {
        match &self.stopped {
            Some(stop) if stop.unhealthy => "UNHEALTHY",
            None if self.running.is_some() => "HEALTHY",
            _ => "UNKNOWN",
        }
    }
}

/// What the service says about an image that its repository does not have.
pub(crate) fn no_such_image(image: &str) -> String {
    format!(
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {image}: \
         {image}: not found"
    )
}
