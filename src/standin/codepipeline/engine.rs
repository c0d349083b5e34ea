//! What moves executions through a pipeline: stage locks, queues in front of stages, run orders, stops, retries.
//!
//! A function here takes the moment at which its change happens, which for an action that ends is the end's own
//! moment and not the one at which somebody looked.

use std::collections::BTreeMap;
use std::time::Duration;

use super::events::{self, Event, Subject};
use super::model::{
    ActionRun, ActionStatus, Ending, Execution, Pipeline, Place, StageRun, StageStatus, Status, TimerKey,
};
use super::script::{Answered, Outcome};
use super::spec::{ActionSpec, PipelineMode};
use super::work::{Begun, deployment_id};
use crate::domain::time::Timestamp;
use crate::standin::ids::Ids;

/// A running action: its pipeline, the execution's index, the run's index.
pub(crate) type RunKey = (String, usize, usize);

/// One pipeline with what the engine needs to move it.
pub(crate) struct Engine<'a> {
    pub(crate) pipeline: &'a mut Pipeline,
    pub(crate) ids: &'a mut Ids,
    pub(crate) timers: &'a mut BTreeMap<TimerKey, RunKey>,
    pub(crate) timer_count: &'a mut u64,
    pub(crate) outbox: &'a mut Vec<Event>,
    pub(crate) begun: &'a mut Vec<Begun>,
}

/// How an execution is started.
pub(crate) struct Start {
    pub(crate) trigger: (&'static str, String),
    pub(crate) pinned: BTreeMap<String, String>,
    pub(crate) variables: Vec<(String, String)>,
    /// The stage and the execution that it is rolled back to.
    pub(crate) rollback: Option<(usize, usize)>,
}

impl Engine<'_> {
    pub(crate) fn start(&mut self, at: Timestamp, start: Start) -> String {
        let id = self.ids.uuid();
        let stages = self.pipeline.spec.stages.len();
        let (first, last) = start.rollback.map_or((0, stages.saturating_sub(1)), |(stage, _)| (stage, stage));
        let target = start.rollback.and_then(|(_, target)| self.pipeline.executions.get(target));
        let execution = Execution {
            id: id.clone(),
            version: self.pipeline.version,
            status: Status::InProgress,
            summary: None,
            started: at,
            updated: at,
            place: Place::Before(first),
            last_stage: last,
            variables: start.variables,
            trigger: start.trigger,
            rollback_target: target.map(|target| target.id.clone()),
            pinned: start.pinned,
            revisions: target.map(|target| target.revisions.clone()).unwrap_or_default(),
            stop_reason: None,
            stages: vec![None; stages],
            actions: Vec::new(),
            attempt: 1,
        };
        let index = self.pipeline.executions.len();
        self.pipeline.executions.push(execution);
        self.tell(at, index, Subject::Pipeline, "STARTED");
        if stages == 0 {
            // The service does not take such a pipeline; here it is over at once.
            self.finish(at, index, Status::Succeeded, "SUCCEEDED");
        } else {
            self.arrive(at, index, first);
        }
        id
    }

    pub(super) fn tell(&mut self, at: Timestamp, e: usize, subject: Subject<'_>, state: &str) {
        let id = self.ids.uuid();
        let execution = &self.pipeline.executions[e];
        self.outbox.push(events::event(&id, at, self.pipeline, execution, subject, state));
    }

    pub(super) fn tell_action(&mut self, at: Timestamp, e: usize, run: usize, state: &str) {
        let id = self.ids.uuid();
        let execution = &self.pipeline.executions[e];
        let subject = Subject::Action(&execution.actions[run]);
        self.outbox.push(events::event(&id, at, self.pipeline, execution, subject, state));
    }

    pub(super) fn execution(&mut self, e: usize) -> &mut Execution {
        &mut self.pipeline.executions[e]
    }

    fn is_parallel(&self) -> bool {
        self.pipeline.spec.mode == PipelineMode::Parallel
    }

    /// An execution comes to the entrance of a stage. In the superseded mode one waits there at most; that holds in
    /// front of the first stage as well, where the documentation is silent.
    fn arrive(&mut self, at: Timestamp, e: usize, stage: usize) {
        self.execution(e).place = Place::Before(stage);
        if self.pipeline.spec.mode == PipelineMode::Superseded {
            let waiting = std::mem::take(&mut self.pipeline.slots[stage].waiting);
            let newest = waiting.iter().copied().max().filter(|newest| *newest > e);
            for other in waiting.into_iter().filter(|other| Some(*other) != newest) {
                self.supersede(at, other);
            }
            if let Some(newest) = newest {
                self.pipeline.slots[stage].waiting.push_back(newest);
                self.supersede(at, e);
                return;
            }
        }
        self.pipeline.slots[stage].waiting.push_back(e);
        self.admit(at, stage);
    }

    fn supersede(&mut self, at: Timestamp, e: usize) {
        self.finish(at, e, Status::Superseded, "SUPERSEDED");
    }

    pub(super) fn finish(&mut self, at: Timestamp, e: usize, status: Status, state: &str) {
        let execution = self.execution(e);
        execution.status = status;
        execution.place = Place::Over;
        execution.updated = at;
        self.tell(at, e, Subject::Pipeline, state);
    }

    /// Lets in what waits in front of a stage, as far as its lock and its transition allow.
    pub(crate) fn admit(&mut self, at: Timestamp, stage: usize) {
        while self.pipeline.is_open(stage) {
            let parallel = self.is_parallel();
            let slot = &mut self.pipeline.slots[stage];
            if slot.locked_by.is_some() && !parallel {
                return;
            }
            let Some(e) = slot.waiting.pop_front() else { return };
            self.enter(at, e, stage);
        }
    }

    fn enter(&mut self, at: Timestamp, e: usize, stage: usize) {
        let skipped = self.pipeline.skips(e, stage);
        let slot = &mut self.pipeline.slots[stage];
        slot.locked_by = Some(e);
        slot.latest = Some(e);
        let status = if skipped { StageStatus::Skipped } else { StageStatus::InProgress };
        let execution = self.execution(e);
        execution.place = Place::In(stage);
        execution.updated = at;
        execution.stages[stage] = Some(StageRun { status, started: at, retried: None, manual_retries: 0 });
        if skipped {
            // No event is documented for a stage that is skipped, so none is sent.
            self.leave(at, e, stage);
        } else {
            self.tell(at, e, Subject::Stage(stage), "STARTED");
            self.start_group(at, e, stage, 0);
        }
    }

    /// Starts the actions of the next run order after `order`; where there is none the stage has succeeded.
    pub(super) fn start_group(&mut self, at: Timestamp, e: usize, stage: usize, order: u32) {
        let actions = &self.pipeline.spec.stages[stage].actions;
        let orders = actions.iter().map(|action| action.run_order);
        let Some(next) = orders.filter(|candidate| *candidate > order).min() else {
            self.set_stage(at, e, stage, StageStatus::Succeeded);
            self.tell(at, e, Subject::Stage(stage), "SUCCEEDED");
            self.leave(at, e, stage);
            return;
        };
        let group: Vec<usize> = (0..actions.len()).filter(|action| actions[*action].run_order == next).collect();
        for action in group {
            self.start_action(at, e, stage, action);
        }
    }

    pub(super) fn set_stage(&mut self, at: Timestamp, e: usize, stage: usize, status: StageStatus) {
        let execution = self.execution(e);
        execution.updated = at;
        if let Some(run) = &mut execution.stages[stage] {
            run.status = status;
        }
    }

    /// An execution is done with a stage and goes on to the next.
    fn leave(&mut self, at: Timestamp, e: usize, stage: usize) {
        self.unlock(e, stage);
        let execution = self.execution(e);
        if execution.status == Status::Stopping {
            self.finish(at, e, Status::Stopped, "STOPPED");
        } else if stage >= execution.last_stage {
            self.finish(at, e, Status::Succeeded, "SUCCEEDED");
        } else {
            self.arrive(at, e, stage + 1);
        }
        self.admit(at, stage);
    }

    fn unlock(&mut self, e: usize, stage: usize) {
        let slot = &mut self.pipeline.slots[stage];
        if slot.locked_by == Some(e) {
            slot.locked_by = None;
        }
    }

    pub(super) fn start_action(&mut self, at: Timestamp, e: usize, stage: usize, action: usize) {
        let (id, external) = (self.ids.uuid(), self.ids.uuid());
        let spec = self.pipeline.spec.stages[stage].actions[action].clone();
        let parallel = self.is_parallel();
        let head = self.pipeline.head.clone();
        let execution = &mut self.pipeline.executions[e];
        let earlier = execution.actions.iter().filter(|run| run.stage == stage && run.action == action).count();
        let commit = spec.is_source().then(|| execution.pinned.get(&spec.name).cloned().unwrap_or(head));
        let token = spec.is_approval().then(|| external.clone());
        let deployment = deployment_id(&external);
        let external_id = match spec.setting("ProjectName") {
            Some(project) => Some(format!("{project}:{external}")),
            None if spec.is_ecs() => spec.shows_deployment.then(|| deployment.clone()),
            // Without a pipeline state to read the token from, a parallel execution's approval names it here.
            None if spec.is_approval() => parallel.then_some(external),
            None => commit.clone().or(Some(external)),
        };
        let run = execution.actions.len();
        execution.updated = at;
        execution.actions.push(ActionRun {
            id,
            stage,
            action,
            started: at,
            updated: at,
            status: ActionStatus::InProgress,
            ends: None,
            token,
            external_id,
            summary: None,
            error: None,
            commit,
        });
        self.pipeline.slots[stage].latest_runs[action] = Some((e, run));
        let attempt = u32::try_from(earlier + 1).unwrap_or(u32::MAX);
        let outcome = self.outcome(e, stage, &spec.name, attempt);
        if let Some((after, ending)) = plan(&spec, outcome.as_ref()) {
            *self.timer_count += 1;
            let key = (at + after, *self.timer_count);
            self.timers.insert(key, (self.pipeline.spec.name.clone(), e, run));
            self.execution(e).actions[run].ends = Some((key, ending));
        }
        let execution = &self.pipeline.executions[e];
        self.begun.push(Begun {
            at,
            pipeline: self.pipeline.spec.name.clone(),
            lasting: spec.default_duration(),
            provider: spec.provider,
            configuration: spec.configuration,
            commit: execution.commit().map(str::to_owned),
            external_id: execution.actions[run].external_id.clone(),
            deployment,
            outcome,
        });
        self.tell_action(at, e, run, "STARTED");
    }

    /// What the scripts say about an attempt of an action. It is settled when the action starts.
    fn outcome(&self, e: usize, stage: usize, action: &str, attempt: u32) -> Option<Outcome> {
        let pipeline = &*self.pipeline;
        let name = &pipeline.spec.stages[stage].name;
        let own = pipeline.executions[e].commit().and_then(|sha| pipeline.scripts.get(sha));
        let scripted = own.and_then(|script| script.outcome(name, action, attempt));
        scripted.or_else(|| pipeline.script.outcome(name, action, attempt)).cloned()
    }

    /// An action ends, by its timer or because somebody answered it.
    pub(crate) fn end_action(&mut self, at: Timestamp, e: usize, run: usize, ending: Ending, summary: Option<String>) {
        let entry = &mut self.pipeline.executions[e].actions[run];
        if entry.status != ActionStatus::InProgress {
            return;
        }
        if let Some((key, _)) = entry.ends.take() {
            self.timers.remove(&key);
        }
        entry.updated = at;
        entry.summary = summary;
        let (status, state) = match ending {
            Ending::Succeed | Ending::Answer(Answered::Approved) => (ActionStatus::Succeeded, "SUCCEEDED"),
            Ending::Fail { code, message } => {
                entry.error = Some((code, message));
                (ActionStatus::Failed, "FAILED")
            }
            Ending::Answer(Answered::Rejected) => (ActionStatus::Failed, "FAILED"),
        };
        entry.status = status;
        let (stage, action, commit) = (entry.stage, entry.action, entry.commit.clone());
        let name = self.pipeline.spec.stages[stage].actions[action].name.clone();
        let order = self.pipeline.spec.stages[stage].actions[action].run_order;
        let execution = self.execution(e);
        execution.updated = at;
        if let (ActionStatus::Succeeded, Some(commit)) = (status, commit) {
            execution.revisions.insert(name, (at, commit));
        }
        self.tell_action(at, e, run, state);
        self.after_action(at, e, stage, order);
    }

    pub(super) fn last_status(&self, e: usize, stage: usize, action: usize) -> Option<ActionStatus> {
        let runs = self.pipeline.executions[e].actions.iter().rev();
        runs.filter(|run| run.stage == stage && run.action == action).map(|run| run.status).next()
    }

    /// Decides what follows once an action of this run order has ended. A stage whose action failed waits for the
    /// others that are running.
    pub(super) fn after_action(&mut self, at: Timestamp, e: usize, stage: usize, order: u32) {
        let actions = &self.pipeline.spec.stages[stage].actions;
        let statuses: Vec<_> = (0..actions.len())
            .filter(|action| actions[*action].run_order == order)
            .filter_map(|action| self.last_status(e, stage, action))
            .collect();
        if statuses.contains(&ActionStatus::InProgress) {
            return;
        }
        let is_last_group = actions.iter().all(|action| action.run_order <= order);
        let all_good = statuses.iter().all(|status| *status == ActionStatus::Succeeded);
        if self.execution(e).status == Status::Stopping && !(is_last_group && all_good) {
            self.set_stage(at, e, stage, StageStatus::Stopped);
            self.tell(at, e, Subject::Stage(stage), "STOPPED");
            self.finish(at, e, Status::Stopped, "STOPPED");
        } else if all_good {
            self.start_group(at, e, stage, order);
            return;
        } else {
            self.set_stage(at, e, stage, StageStatus::Failed);
            self.tell(at, e, Subject::Stage(stage), "FAILED");
            self.finish(at, e, Status::Failed, "FAILED");
        }
        self.unlock(e, stage);
        self.admit(at, stage);
    }
}

/// After how long an action with this outcome ends by itself, and how.
fn plan(spec: &ActionSpec, outcome: Option<&Outcome>) -> Option<(Duration, Ending)> {
    let failed = |message: String| Ending::Fail { code: "JobFailed".to_owned(), message };
    match outcome {
        Some(Outcome::Succeed { after }) => Some((*after, Ending::Succeed)),
        Some(Outcome::Fail { after, code, message }) => {
            Some((*after, Ending::Fail { code: code.clone(), message: message.clone() }))
        }
        Some(Outcome::ApprovalWaits { answer }) => answer.map(|(after, answer)| (after, Ending::Answer(answer))),
        Some(Outcome::Never) => None,
        Some(Outcome::Build(build)) => {
            let ending = if build.succeeded() { Ending::Succeed } else { failed(build.verdict()) };
            build.after.map(|after| (after, ending))
        }
        Some(Outcome::Rollout(rollout)) => {
            let (after, end) = rollout.action_end(spec.setting("DeploymentTimeout"));
            Some((after, end.map_or_else(failed, |()| Ending::Succeed)))
        }
        None if spec.is_approval() => None,
        None => Some((spec.default_duration(), Ending::Succeed)),
    }
}
