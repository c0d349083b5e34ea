//! CodePipeline: pipelines, the engine that runs them, their events, and the API.

mod definition;
mod engine;
mod events;
mod interrupt;
mod lists;
mod model;
mod operations;
mod script;
mod shapes;
mod spec;
mod view;
mod work;

use std::collections::BTreeMap;
use std::time::Duration;

use engine::{Engine, RunKey, Start};
pub(crate) use events::Event;
use model::{ActionStatus, Ending, Pipeline, StageSlot, StageStatus, Target, TimerKey};
pub use script::{Answered, Outcome, Script};
pub use spec::{ActionSpec, PipelineMode, PipelineSpec, PipelineType, StageSpec};
pub use view::{ExecutionView, StageView};
pub(crate) use work::{Begun, deployment_id};

use super::account::{ACCOUNT, connection_arn};
use super::ids::Ids;
use crate::domain::time::Timestamp;

/// How an execution comes about that pipehook did not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Somebody pressed "Release change" or called the API.
    StartPipelineExecution,
    /// The pipeline's own trigger saw a push.
    WebhookV2,
    /// The pipeline was created.
    CreatePipeline,
}

impl Release {
    fn wire(self) -> (&'static str, String) {
        match self {
            Self::StartPipelineExecution => ("StartPipelineExecution", format!("arn:aws:iam::{ACCOUNT}:user/deployer")),
            Self::WebhookV2 => ("WebhookV2", connection_arn()),
            Self::CreatePipeline => ("CreatePipeline", format!("arn:aws:iam::{ACCOUNT}:user/deployer")),
        }
    }
}

/// The pipelines of the account.
#[derive(Debug)]
pub struct CodePipeline {
    pipelines: BTreeMap<String, Pipeline>,
    targets: Vec<Target>,
    timers: BTreeMap<TimerKey, RunKey>,
    timer_count: u64,
    outbox: Vec<Event>,
    begun: Vec<Begun>,
    /// Clusters and services that actions deploy to, since the last time somebody asked.
    declared: Vec<(String, String)>,
    ids: Ids,
    now: Timestamp,
}

impl CodePipeline {
    pub(crate) fn new(now: Timestamp, seed: u64) -> Self {
        Self {
            pipelines: BTreeMap::new(),
            targets: Vec::new(),
            timers: BTreeMap::new(),
            timer_count: 0,
            outbox: Vec::new(),
            begun: Vec::new(),
            declared: Vec::new(),
            ids: Ids::new(seed, "codepipeline"),
            now,
        }
    }

    /// Creates a pipeline. It runs when it is started, and not, as in the service, once at its creation.
    pub fn create(&mut self, spec: PipelineSpec) {
        let head = self.ids.hex(40);
        let deploys = spec.actions().filter(|action| action.is_ecs());
        self.declared.extend(deploys.filter_map(|action| {
            Some((action.setting("ClusterName")?.to_owned(), action.setting("ServiceName")?.to_owned()))
        }));
        let slots = spec.stages.iter().map(|stage| StageSlot::new(stage.actions.len())).collect();
        let pipeline = Pipeline {
            version: 1,
            created: self.now,
            updated: self.now,
            slots,
            executions: Vec::new(),
            script: Script::new(),
            scripts: BTreeMap::new(),
            tokens: BTreeMap::new(),
            head,
            spec,
        };
        self.pipelines.insert(pipeline.spec.name.clone(), pipeline);
    }

    /// Forgets every client request token, as CodePipeline does after a time that is not documented.
    pub fn forget_tokens(&mut self) {
        for engine in self.pipelines.values_mut() {
            engine.tokens.clear();
        }
    }

    /// Sends the events of every pipeline to a queue, as EventBridge does, each after a delay.
    pub fn send_events_to(&mut self, queue: &str, delay: Duration) {
        self.targets.push((queue.to_owned(), delay));
    }

    /// Sets what a pipeline's actions do from now on. Actions that run keep to what they began with.
    pub fn script(&mut self, pipeline: &str, script: Script) {
        if let Some(pipeline) = self.pipelines.get_mut(pipeline) {
            pipeline.script = script;
        }
    }

    /// Sets what a pipeline's actions do for one commit; what it does not name is as in the pipeline's script.
    pub fn script_commit(&mut self, pipeline: &str, sha: &str, script: Script) {
        if let Some(pipeline) = self.pipelines.get_mut(pipeline) {
            pipeline.scripts.insert(sha.to_owned(), script);
        }
    }

    /// Sets the commit that the source branch points to: what an execution without an override is about.
    pub fn set_head(&mut self, pipeline: &str, sha: &str) {
        if let Some(pipeline) = self.pipelines.get_mut(pipeline) {
            sha.clone_into(&mut pipeline.head);
        }
    }

    /// Starts an execution of the source branch's head without pipehook. `None` where there is no such pipeline or a
    /// variable has no value.
    pub fn release_change(&mut self, now: Timestamp, pipeline: &str, release: Release) -> Option<String> {
        self.advance(now);
        let variables = self.pipelines.get(pipeline)?.spec.variables.iter();
        let variables =
            variables.map(|(name, value)| Some((name.clone(), value.clone()?))).collect::<Option<Vec<_>>>()?;
        let start = Start { trigger: release.wire(), pinned: BTreeMap::new(), variables, rollback: None };
        Some(self.engine(pipeline)?.start(now, start))
    }

    /// Rolls a stage back to an earlier execution, by hand or because its condition says so. The new execution runs
    /// this one stage. `None` for a name or id that is not known.
    pub fn rollback(
        &mut self,
        now: Timestamp,
        pipeline: &str,
        stage: &str,
        target: &str,
        automated: bool,
    ) -> Option<String> {
        self.advance(now);
        let known = self.pipelines.get(pipeline)?;
        let (stage, target) = (known.stage(stage)?, known.find(target)?);
        let variables = known.executions[target].variables.clone();
        let kind = if automated { "AutomatedRollback" } else { "ManualRollback" };
        let trigger = (kind, format!("arn:aws:iam::{ACCOUNT}:user/deployer"));
        let start = Start { trigger, pinned: BTreeMap::new(), variables, rollback: Some((stage, target)) };
        Some(self.engine(pipeline)?.start(now, start))
    }

    /// Changes a pipeline's definition, which makes a new version and cancels what runs, unless the mode is parallel.
    /// Its name and its stages stay as they are.
    pub fn update(&mut self, now: Timestamp, pipeline: &str, change: impl FnOnce(PipelineSpec) -> PipelineSpec) {
        self.advance(now);
        let Some(mut engine) = self.engine(pipeline) else {
            return;
        };
        if engine.pipeline.spec.mode != PipelineMode::Parallel {
            engine.cancel_all(now);
        }
        let known = engine.pipeline;
        let mut spec = change(known.spec.clone());
        // The name is how everything else finds a pipeline, and the history of executions refers to the stages.
        known.spec.name.clone_into(&mut spec.name);
        known.spec.stages.clone_into(&mut spec.stages);
        known.version += 1;
        known.updated = now;
        known.spec = spec;
    }

    /// Stops an execution, as `StopPipelineExecution` does. `false` where it is not running.
    pub fn stop(&mut self, now: Timestamp, execution: &str, abandon: bool, reason: &str) -> bool {
        self.advance(now);
        let Some((pipeline, e)) = self.locate(execution) else {
            return false;
        };
        let Some(mut engine) = self.engine(&pipeline) else {
            return false;
        };
        let running = engine.pipeline.executions[e].status.is_running();
        if running {
            engine.stop(now, e, abandon, Some(reason.to_owned()));
        }
        running
    }

    /// Answers the approval that an execution waits for. `false` where it waits for none.
    pub fn answer_approval(&mut self, now: Timestamp, execution: &str, answer: Answered, summary: &str) -> bool {
        self.advance(now);
        let Some((pipeline, e)) = self.locate(execution) else {
            return false;
        };
        let Some(mut engine) = self.engine(&pipeline) else {
            return false;
        };
        let runs = &engine.pipeline.executions[e].actions;
        let waits = |run: &&model::ActionRun| run.token.is_some() && run.status == ActionStatus::InProgress;
        let Some(run) = runs.iter().position(|run| waits(&run)) else {
            return false;
        };
        engine.end_action(now, e, run, Ending::Answer(answer), Some(summary.to_owned()));
        true
    }

    /// Runs a failed stage again, as `RetryStageExecution` does. `false` where that is not possible.
    pub fn retry(&mut self, now: Timestamp, execution: &str, stage: &str, all_actions: bool) -> bool {
        self.advance(now);
        let Some((pipeline, e)) = self.locate(execution) else {
            return false;
        };
        let Some(mut engine) = self.engine(&pipeline) else {
            return false;
        };
        let Some(stage) = engine.pipeline.stage(stage) else {
            return false;
        };
        let possible = may_retry(engine.pipeline, e, stage).is_ok();
        if possible {
            engine.retry(now, e, stage, all_actions);
        }
        possible
    }

    /// Disables the transition into a stage.
    pub fn hold(&mut self, now: Timestamp, pipeline: &str, stage: &str, reason: &str) {
        self.advance(now);
        let Some(engine) = self.engine(pipeline) else { return };
        if let Some(stage) = engine.pipeline.stage(stage) {
            let inbound = &mut engine.pipeline.slots[stage].inbound;
            inbound.disabled = Some(reason.to_owned());
            inbound.changed = Some(now);
        }
    }

    /// Enables the transition into a stage, and lets in what waits.
    pub fn let_go(&mut self, now: Timestamp, pipeline: &str, stage: &str) {
        self.advance(now);
        let Some(mut engine) = self.engine(pipeline) else {
            return;
        };
        if let Some(stage) = engine.pipeline.stage(stage) {
            let inbound = &mut engine.pipeline.slots[stage].inbound;
            inbound.disabled = None;
            inbound.changed = Some(now);
            engine.admit(now, stage);
        }
    }

    /// The executions of a pipeline, oldest first.
    pub fn executions(&self, pipeline: &str) -> Vec<ExecutionView> {
        let known = self.pipelines.get(pipeline);
        known.map_or_else(Vec::new, |known| known.executions.iter().map(|one| ExecutionView::of(known, one)).collect())
    }

    /// One execution of any pipeline.
    pub fn execution(&self, id: &str) -> Option<ExecutionView> {
        let (pipeline, e) = self.locate(id)?;
        let known = self.pipelines.get(&pipeline)?;
        Some(ExecutionView::of(known, &known.executions[e]))
    }

    fn locate(&self, execution: &str) -> Option<(String, usize)> {
        self.pipelines.iter().find_map(|(name, pipeline)| Some((name.clone(), pipeline.find(execution)?)))
    }

    fn engine(&mut self, pipeline: &str) -> Option<Engine<'_>> {
        Some(Engine {
            pipeline: self.pipelines.get_mut(pipeline)?,
            ids: &mut self.ids,
            timers: &mut self.timers,
            timer_count: &mut self.timer_count,
            outbox: &mut self.outbox,
            begun: &mut self.begun,
        })
    }

    /// Ends every action that is due, each at its own moment and in order.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        while let Some(((at, _), _)) = self.timers.first_key_value() {
            if *at > now {
                break;
            }
            let Some(((at, _), (pipeline, e, run))) = self.timers.pop_first() else {
                break;
            };
            let Some(mut engine) = self.engine(&pipeline) else {
                continue;
            };
            let ends = engine.pipeline.executions[e].actions[run].ends.take();
            if let Some((_, ending)) = ends {
                engine.end_action(at, e, run, ending, None);
            }
        }
        self.now = self.now.max(now);
    }

    pub(crate) fn next_change(&self) -> Option<Timestamp> {
        let timer = self.timers.first_key_value().map(|((at, _), _)| *at);
        // An event that is not handed over yet is a change that is due.
        let event = self.outbox.iter().map(|event| event.at).min();
        timer.into_iter().chain(event).min()
    }

    /// The actions that have begun since the last time, in order, for the services that do their work.
    pub(crate) fn take_begun(&mut self) -> Vec<Begun> {
        std::mem::take(&mut self.begun)
    }

    /// The services of ECS that pipelines deploy to and that were not asked for before.
    pub(crate) fn take_declared(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.declared)
    }

    /// The events that happened since the last time, and the queues that they go to.
    pub(crate) fn take_events(&mut self) -> (Vec<Event>, &[Target]) {
        (std::mem::take(&mut self.outbox), &self.targets)
    }
}

/// Whether a stage of an execution may be retried now, and if not, the error that says why.
fn may_retry(pipeline: &Pipeline, e: usize, stage: usize) -> Result<(), &'static str> {
    let execution = &pipeline.executions[e];
    let slot = &pipeline.slots[stage];
    let failed = execution.stages[stage].as_ref().is_some_and(|run| run.status == StageStatus::Failed);
    if !failed || execution.version != pipeline.version {
        return Err("StageNotRetryableException");
    }
    if pipeline.spec.mode == PipelineMode::Parallel {
        return Ok(());
    }
    if slot.locked_by.is_some() {
        return Err("ConflictException");
    }
    if slot.latest != Some(e) {
        return Err("NotLatestPipelineExecutionException");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
