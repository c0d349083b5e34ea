//! ECS: services on Fargate, their rollouts, and the API.
//!
//! A deploy action of CodePipeline registers a task definition and updates the service, and from there on the service
//! goes its own way: what becomes of the action changes nothing at the service.

mod history;
mod model;
mod operations;
mod rollout;
mod service;
mod spec;
mod task;
mod view;

use std::time::Duration;

pub use history::DeploymentView;
use model::Update;
use rollout::Course;
pub use rollout::{Cause, Rollout};
use service::Service;
pub use spec::{CircuitBreaker, ServiceSpec, Strategy};

use super::codepipeline::{Begun, deployment_id};
use super::ids::Ids;
use crate::domain::time::Timestamp;

/// How long an action takes at most from its start to the update of the service.
const UPDATED_AFTER: Duration = Duration::from_secs(2);
/// How long before a service is first seen it was deployed.
const AGE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long somebody else's deployment takes.
const OTHERS: Duration = Duration::from_secs(60);

/// The network interface of a task that lives, for EC2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interface<'a> {
    pub(crate) id: &'a str,
    pub(crate) attachment: &'a str,
    pub(crate) private_address: &'a str,
    pub(crate) public_address: Option<&'a str>,
}

/// The services of the account.
#[derive(Debug)]
pub struct Ecs {
    services: Vec<Service>,
    ids: Ids,
    now: Timestamp,
}

impl Ecs {
    pub(crate) fn new(now: Timestamp, seed: u64) -> Self {
        Self { services: Vec::new(), ids: Ids::new(seed, "ecs"), now }
    }

    /// Creates a service that was deployed a day ago, in place of the one of that name.
    pub fn create(&mut self, spec: ServiceSpec) {
        self.services.retain(|service| service.spec.arn() != spec.arn());
        let ids = Ids::new(self.ids.below(u64::MAX), "service");
        self.services.push(Service::new(spec, self.now.before(AGE), ids));
    }

    /// Deletes a service.
    pub fn remove(&mut self, cluster: &str, name: &str) {
        self.services.retain(|service| service.spec.cluster != cluster || service.spec.name != name);
    }

    /// Creates what a pipeline deploys to where it does not exist.
    pub(crate) fn ensure(&mut self, cluster: &str, name: &str) {
        let spec = ServiceSpec::new(cluster, name);
        if !self.services.iter().any(|service| service.spec.arn() == spec.arn()) {
            self.create(spec);
        }
    }

    /// Somebody updates a service to a newer revision, which is steady a minute later. Gives the number of the task
    /// definition; `None` where there is no such service.
    pub fn deploy(&mut self, now: Timestamp, cluster: &str, name: &str) -> Option<u32> {
        self.advance(now);
        let deployment = deployment_id(&self.ids.uuid());
        let service = self.find_mut(cluster, name)?;
        let definition = service.register(None);
        service.plan_update(now, others(deployment, Some(definition), now));
        service.advance(now);
        Some(definition)
    }

    /// The task definition that a service is to run, by its number.
    pub fn task_definition(&self, cluster: &str, name: &str) -> Option<u32> {
        Some(self.find(cluster, name)?.definition)
    }

    /// A deploy action of CodePipeline begins.
    pub(crate) fn begin(&mut self, begun: &Begun) {
        let (Some(cluster), Some(name)) = (begun.setting("ClusterName"), begun.setting("ServiceName")) else {
            return;
        };
        let rollout = Rollout::of(begun.outcome.as_ref(), begun.lasting);
        self.ensure(cluster, name);
        self.advance(begun.at);
        let overtaker = deployment_id(&self.ids.uuid());
        let Some(service) = self.find_mut(cluster, name) else { return };
        let (at, course) = (begun.at, rollout.course);
        let ends = match course {
            Course::Untold => return,
            Course::Stalls => UPDATED_AFTER * 10,
            Course::Steady { at } | Course::Fails { at, .. } | Course::Recovers { at, .. } => at,
        };
        let definition = Some(service.register(begun.commit.as_deref()));
        let deployment = begun.deployment.clone();
        let update = Update { deployment, definition, course, from: at, rollback: rollout.rollback };
        service.plan_update(at + UPDATED_AFTER.min(ends / 10), update);
        if let Some(after) = rollout.overtaken {
            service.plan_update(at + after, others(overtaker, None, at + after));
        }
    }

    pub(crate) fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        for service in &mut self.services {
            service.advance(now);
        }
    }

    /// The network interfaces of the tasks that live. A stopped task has none any more.
    pub(crate) fn interfaces(&self) -> impl Iterator<Item = Interface<'_>> {
        let tasks = self.services.iter().flat_map(|service| &service.tasks).filter(|task| task.is_live());
        tasks.map(|task| Interface {
            id: &task.interface,
            attachment: &task.attachment,
            private_address: &task.private_address,
            public_address: task.public_address.as_deref(),
        })
    }

    /// The services that stand behind a load balancer.
    pub(crate) fn balanced(&self) -> impl Iterator<Item = (&ServiceSpec, u16)> {
        self.services.iter().filter_map(|service| Some((&service.spec, service.spec.listener?)))
    }

    fn find(&self, cluster: &str, name: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.spec.cluster == cluster && service.spec.name == name)
    }

    fn find_mut(&mut self, cluster: &str, name: &str) -> Option<&mut Service> {
        self.services.iter_mut().find(|service| service.spec.cluster == cluster && service.spec.name == name)
    }
}

fn others(deployment: String, definition: Option<u32>, from: Timestamp) -> Update {
    Update { deployment, definition, course: Course::Steady { at: OTHERS }, from, rollback: Duration::ZERO }
}

#[cfg(test)]
mod tests;
