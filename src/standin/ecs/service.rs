//! A service and its deployments: what ECS's scheduler does, step by step.
//!
//! A deployment's course is laid down as steps on the service's agenda, each with its moment, and every step is taken
//! at that moment. Where a newer deployment begins, what the older one had still before it is struck off.

use std::collections::BTreeMap;
use std::time::Duration;

use super::model::{Deployment, Release, Revision, ServiceEvent, Step, Trouble, Update};
use super::rollout::{Cause, Course};
use super::spec::{CircuitBreaker, ServiceSpec, Strategy};
use super::task::{Task, no_such_image};
use crate::domain::time::Timestamp;
use crate::standin::account::{ACCOUNT, REGION};
use crate::standin::codepipeline::deployment_id;
use crate::standin::ids::Ids;

/// The task definition that runs when nothing was deployed yet.
const FIRST_REVISION: u32 = 41;
/// For so long the service shows a deployment that is being rolled back as in progress still.
const VERDICT_AFTER: Duration = Duration::from_secs(3);
/// For so long a stopped task can be looked at.
pub(super) const STOPPED_TASKS_KEPT: Duration = Duration::from_secs(60 * 60);
/// As many events as a service shows.
const EVENTS_KEPT: usize = 100;
/// What follows the start of all new tasks where the traffic moves at once or in steps.
const SHIFT: [&str; 7] = [
    "POST_SCALE_UP",
    "TEST_TRAFFIC_SHIFT",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
    "BAKE_TIME",
    "CLEAN_UP",
];

#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) spec: ServiceSpec,
    pub(crate) created: Timestamp,
    /// The task definition that the service is to run.
    pub(crate) definition: u32,
    newest: u32,
    pub(crate) images: BTreeMap<u32, String>,
    /// The primary one first.
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) revisions: Vec<Revision>,
    pub(crate) releases: Vec<Release>,
    pub(crate) tasks: Vec<Task>,
    /// Oldest first.
    pub(crate) events: Vec<ServiceEvent>,
    /// The deployment that completed last.
    completed: Option<(String, u32)>,
    rollback: Duration,
    agenda: BTreeMap<(Timestamp, u64), Step>,
    steps: u64,
    ids: Ids,
}

impl Service {
    pub(crate) fn new(spec: ServiceSpec, created: Timestamp, mut ids: Ids) -> Self {
        let first = deployment_id(&ids.uuid());
        let mut service = Self {
            created,
            definition: FIRST_REVISION,
            newest: FIRST_REVISION,
            images: BTreeMap::new(),
            deployments: Vec::new(),
            revisions: Vec::new(),
            releases: Vec::new(),
            tasks: Vec::new(),
            events: Vec::new(),
            completed: None,
            rollback: Duration::ZERO,
            agenda: BTreeMap::new(),
            steps: 0,
            ids,
            spec,
        };
        service.enter(created, &first, FIRST_REVISION);
        if service.spec.deployed {
            for _ in 0..service.spec.desired {
                service.launch(created, &first);
                service.run(created, &first);
            }
            service.settle(created, &first);
        } else {
            service.fail_primary(created, &first);
        }
        service
    }

    /// Registers the next task definition.
    pub(crate) fn register(&mut self, commit: Option<&str>) -> u32 {
        self.newest += 1;
        let tag = commit.map_or_else(|| self.newest.to_string(), str::to_owned);
        self.images.insert(self.newest, tag);
        self.newest
    }

    /// The image of a task definition.
    pub(crate) fn image(&self, definition: u32) -> String {
        let tag = self.images.get(&definition).cloned().unwrap_or_else(|| definition.to_string());
        format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{}:{tag}", self.spec.name)
    }

    pub(crate) fn plan_update(&mut self, at: Timestamp, update: Update) {
        self.plan(at, Step::Update(Box::new(update)));
    }

    fn plan(&mut self, at: Timestamp, step: Step) {
        self.steps += 1;
        self.agenda.insert((at, self.steps), step);
    }

    /// Takes every step that is due, each at its own moment.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((at, _), step) = entry.remove_entry();
            match step {
                Step::Update(update) => self.update(at, *update),
                Step::Launch(deployment) => self.launch(at, &deployment),
                Step::Run(deployment) => self.run(at, &deployment),
                Step::Fail(deployment) => self.fail(at, &deployment),
                Step::Retire(deployment) => self.retire(at, &deployment),
                Step::Stage(deployment, stage) => self.release(&deployment, at, |release| release.stage = Some(stage)),
                Step::Condemn(deployment) => self.condemn(at, &deployment),
                Step::Settle(deployment) => self.settle(at, &deployment),
            }
        }
        self.tasks.retain(|task| task.stopped.as_ref().is_none_or(|stop| stop.at + STOPPED_TASKS_KEPT > now));
    }

    fn update(&mut self, at: Timestamp, update: Update) {
        self.agenda.retain(|_, step| matches!(step, Step::Update(_)));
        let definition = update.definition.unwrap_or_else(|| self.register(None));
        let id = &update.deployment;
        self.enter(at, id, definition);
        self.rollback = update.rollback;
        match update.course {
            Course::Untold | Course::Stalls => {
                for _ in 0..self.spec.desired {
                    self.launch(at, id);
                }
            }
            Course::Steady { at: until } => self.climb(at, id, update.from + until),
            Course::Fails { cause, at: until } => {
                let cycle = (update.from + until).since(at) / self.spec.threshold();
                self.begin_trouble(at, id, Trouble { cause, cycle, recovers: None });
            }
            Course::Recovers { cause, failures, at: until } => {
                let until = update.from + until;
                let failures = match self.spec.breaker {
                    CircuitBreaker::Off => failures,
                    CircuitBreaker::On | CircuitBreaker::WithRollback => failures.min(self.spec.threshold() - 1),
                };
                let cycle = until.since(at) / (failures + 2);
                self.begin_trouble(at, id, Trouble { cause, cycle, recovers: Some((failures, until)) });
            }
        }
    }

    /// A deployment becomes the primary one.
    fn enter(&mut self, at: Timestamp, id: &str, definition: u32) {
        self.definition = definition;
        for deployment in &mut self.deployments {
            deployment.is_primary = false;
        }
        for release in &mut self.releases {
            if matches!(release.status, "IN_PROGRESS" | "ROLLBACK_IN_PROGRESS") {
                (release.status, release.stopped, release.updated) = ("STOPPED", Some(at), at);
            }
        }
        let source = self.completed.as_ref().map(|(id, _)| id);
        let source = source.and_then(|id| self.revisions.iter().rfind(|revision| revision.deployment == *id));
        let source = source.map(|revision| revision.id.clone());
        let target = deployment_id(&self.ids.uuid()).trim_start_matches("ecs-svc/").to_owned();
        self.revisions.push(Revision { id: target.clone(), deployment: id.to_owned(), definition, created: at });
        let stage = (self.spec.strategy != Strategy::Rolling).then_some("PRE_SCALE_UP");
        self.releases.push(Release {
            id: self.ids.hex(21),
            deployment: id.to_owned(),
            source,
            target,
            created: at,
            updated: at,
            finished: None,
            stopped: None,
            status: "IN_PROGRESS",
            reason: None,
            stage,
            rolled_back: None,
            failures: 0,
        });
        self.deployments.insert(0, Deployment::new(id, definition, at));
    }

    /// Starts the tasks that a deployment lacks one by one, so that the service is steady at a moment.
    fn climb(&mut self, at: Timestamp, id: &str, until: Timestamp) {
        let has = self.tasks.iter().filter(|task| task.deployment == id && task.is_running()).count();
        let lacks = self.spec.desired.saturating_sub(u32::try_from(has).unwrap_or(u32::MAX));
        let rolling = self.spec.strategy == Strategy::Rolling;
        let whole = until.since(at);
        let slot = if rolling { whole } else { whole / 2 } / (lacks + 1);
        for task in 0..lacks {
            self.plan(at + slot * task, Step::Launch(id.to_owned()));
            self.plan(at + slot * (task + 1), Step::Run(id.to_owned()));
            if rolling {
                self.plan(at + slot * (task + 1) + slot / 2, Step::Retire(id.to_owned()));
            }
        }
        // A rollback goes back the same way at once, and tells no stages.
        if !rolling && self.releases.last().is_some_and(|release| release.deployment == id) {
            self.plan(at, Step::Stage(id.to_owned(), "SCALE_UP"));
            for (step, stage) in (0..).zip(SHIFT) {
                self.plan(at + whole / 2 + whole / 2 / 7 * step, Step::Stage(id.to_owned(), stage));
            }
        }
        self.plan(until, Step::Settle(id.to_owned()));
    }

    fn begin_trouble(&mut self, at: Timestamp, id: &str, trouble: Trouble) {
        if let Some(deployment) = self.find(id) {
            deployment.trouble = Some(trouble);
        }
        self.release(id, at, |release| release.stage = release.stage.map(|_| "SCALE_UP"));
        self.try_task(at, id, trouble);
    }

    /// One task of those that fail. They come one after another, so that each failure can be seen.
    fn try_task(&mut self, at: Timestamp, id: &str, trouble: Trouble) {
        self.plan(at, Step::Launch(id.to_owned()));
        if trouble.cause.runs() {
            self.plan(at + trouble.cycle / 2, Step::Run(id.to_owned()));
        }
        self.plan(at + trouble.cycle, Step::Fail(id.to_owned()));
    }

    fn launch(&mut self, at: Timestamp, id: &str) {
        let Some(definition) = self.find(id).map(|deployment| deployment.definition) else { return };
        let task = Task::new(&mut self.ids, &self.spec, id, definition, at);
        self.say(at, &format!("has started 1 tasks: (task {}).", task.id));
        self.tasks.push(task);
    }

    fn run(&mut self, at: Timestamp, id: &str) {
        let waits = |task: &&mut Task| task.deployment == id && task.is_live() && task.running.is_none();
        if let Some(task) = self.tasks.iter_mut().find(waits) {
            task.running = Some(at);
        }
        let well = |deployment: &&mut Deployment| deployment.trouble.is_none();
        if let Some(deployment) = self.find(id).filter(well) {
            deployment.failed = 0;
            deployment.updated = at;
        }
    }

    fn fail(&mut self, at: Timestamp, id: &str) {
        let Some(trouble) = self.find(id).and_then(|deployment| deployment.trouble) else { return };
        let name = self.lose_task(at, id, trouble.cause);
        let group = self.spec.target_group_arn();
        match trouble.cause {
            Cause::ImageNotFound => {
                let image = self.image(self.definition);
                self.say(at, &format!("was unable to place a task. Reason: {}.", no_such_image(&image)));
            }
            Cause::Exits(_) => {}
            Cause::LoadBalancerHealth => {
                let why = "due to (reason Health checks failed)";
                self.say(at, &format!("(task {name}) (port 3000) is unhealthy in (target-group {group}) {why}."));
                self.say(at, &format!("has stopped 1 running tasks: (task {name})."));
            }
            Cause::ContainerHealth => {
                self.say(at, &format!("(task {name}) failed container health checks."));
                self.say(at, &format!("has stopped 1 running tasks: (task {name})."));
            }
        }
        let Some(deployment) = self.find(id) else { return };
        deployment.failed += 1;
        deployment.updated = at;
        let failed = deployment.failed;
        self.release(id, at, |release| release.failures = failed);
        match trouble.recovers {
            Some((failures, until)) if failed >= failures => {
                if let Some(deployment) = self.find(id) {
                    deployment.trouble = None;
                }
                self.climb(at, id, until);
            }
            _ if self.spec.breaker != CircuitBreaker::Off && failed >= self.spec.threshold() => self.trip(at, id),
            _ => self.try_task(at, id, trouble),
        }
    }

    /// The newest task of a deployment fails.
    fn lose_task(&mut self, at: Timestamp, id: &str, cause: Cause) -> String {
        let image = self.image(self.definition);
        let live = |task: &&mut Task| task.deployment == id && task.is_live();
        let Some(task) = self.tasks.iter_mut().rev().find(live) else { return String::new() };
        task.fail(at, cause, &self.spec, &image);
        task.id.clone()
    }

    /// The circuit breaker acts.
    fn trip(&mut self, at: Timestamp, id: &str) {
        self.say(at, &format!("(deployment {id}) deployment failed: tasks failed to start."));
        let target = match (self.spec.breaker, self.completed.clone()) {
            (CircuitBreaker::WithRollback, Some(completed)) => completed,
            (CircuitBreaker::WithRollback, None) => {
                self.fail_primary(at, id);
                self.release(id, at, |release| {
                    release.status = "ROLLBACK_FAILED";
                    release.reason = Some("No rollback candidate was found to run the rollback.");
                    (release.stopped, release.finished) = (None, Some(at));
                });
                return;
            }
            (CircuitBreaker::Off | CircuitBreaker::On, _) => return self.fail_primary(at, id),
        };
        let (old, definition) = target;
        let back = if self.spec.new_ids { deployment_id(&self.ids.uuid()) } else { old };
        self.say(at, &format!("rolling back to deployment {back}."));
        self.definition = definition;
        for deployment in &mut self.deployments {
            deployment.is_primary = false;
        }
        self.deployments.retain(|deployment| deployment.id != back);
        let mut primary = Deployment::new(&back, definition, at);
        primary.reason = format!("ECS deployment circuit breaker: rolling back to deploymentId {back}.");
        self.deployments.insert(0, primary);
        self.release(id, at, |release| {
            release.status = "ROLLBACK_IN_PROGRESS";
            release.reason = Some("Service deployment rolled back because the circuit breaker threshold was exceeded.");
            release.rolled_back = Some(at);
        });
        self.plan(at + VERDICT_AFTER.min(self.rollback / 2), Step::Condemn(id.to_owned()));
        self.climb(at, &back, at + self.rollback);
    }

    /// A deployment has failed and stays as it is.
    fn fail_primary(&mut self, at: Timestamp, id: &str) {
        self.condemn(at, id);
        self.release(id, at, |release| (release.status, release.stopped) = ("STOPPED", Some(at)));
    }

    fn condemn(&mut self, at: Timestamp, id: &str) {
        if let Some(deployment) = self.find(id) {
            deployment.state = "FAILED";
            deployment.reason = "ECS deployment circuit breaker: tasks failed to start.".to_owned();
            deployment.updated = at;
        }
    }

    /// A task of an older deployment is stopped.
    fn retire(&mut self, at: Timestamp, id: &str) {
        let older = |task: &&mut Task| task.deployment != id && task.is_live();
        let Some(task) = self.tasks.iter_mut().find(older) else { return };
        task.retire(at, id);
        let stopped = format!("has stopped 1 running tasks: (task {}).", task.id);
        self.say(at, &stopped);
    }

    /// The service is steady on a deployment, and the others leave.
    fn settle(&mut self, at: Timestamp, id: &str) {
        for task in self.tasks.iter_mut().filter(|task| task.deployment != id && task.is_live()) {
            task.retire(at, id);
        }
        self.deployments.retain(|deployment| deployment.id == id);
        let Some(deployment) = self.find(id) else { return };
        deployment.state = "COMPLETED";
        deployment.reason = format!("ECS deployment {id} completed.");
        deployment.updated = at;
        let completed = (id.to_owned(), deployment.definition);
        self.completed = Some(completed);
        self.say(at, &format!("(deployment {id}) deployment completed."));
        self.say(at, "has reached a steady state.");
        for release in &mut self.releases {
            release.status = match release.status {
                "IN_PROGRESS" => "SUCCESSFUL",
                "ROLLBACK_IN_PROGRESS" => "ROLLBACK_SUCCESSFUL",
                _ => continue,
            };
            (release.finished, release.updated) = (Some(at), at);
        }
    }

    fn say(&mut self, at: Timestamp, what: &str) {
        let (id, name) = (self.ids.uuid(), &self.spec.name);
        self.events.push(ServiceEvent { id, at, message: format!("(service {name}) {what}") });
        let surplus = self.events.len().saturating_sub(EVENTS_KEPT);
        self.events.drain(..surplus);
    }

    fn find(&mut self, id: &str) -> Option<&mut Deployment> {
        self.deployments.iter_mut().find(|deployment| deployment.id == id)
    }

    fn release(&mut self, deployment: &str, at: Timestamp, change: impl FnOnce(&mut Release)) {
        let of = |release: &&mut Release| release.deployment == deployment;
        if let Some(release) = self.releases.iter_mut().rev().find(of) {
            release.updated = at;
            change(release);
        }
    }
}
