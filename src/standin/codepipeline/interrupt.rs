//! What people do to executions that run or have failed: stop, retry, change the definition under them.

use super::engine::Engine;
use super::events::Subject;
use super::model::{ActionStatus, Place, StageStatus, Status};
use crate::domain::time::Timestamp;

impl Engine<'_> {
    /// Ends what runs of a stage without a result.
    fn abandon(&mut self, at: Timestamp, e: usize, state: &str) {
        for run in 0..self.pipeline.executions[e].actions.len() {
            let entry = &mut self.pipeline.executions[e].actions[run];
            if entry.status != ActionStatus::InProgress {
                continue;
            }
            entry.status = ActionStatus::Abandoned;
            entry.updated = at;
            if let Some((key, _)) = entry.ends.take() {
                self.timers.remove(&key);
            }
            self.tell_action(at, e, run, state);
        }
    }

    /// Stops an execution that runs: at once where it waits or its actions are abandoned, else when they have ended.
    pub(crate) fn stop(&mut self, at: Timestamp, e: usize, abandon: bool, reason: Option<String>) {
        let execution = self.execution(e);
        let place = execution.place;
        let first = execution.status == Status::InProgress;
        execution.status = Status::Stopping;
        execution.updated = at;
        if reason.is_some() {
            execution.stop_reason = reason;
        }
        if first {
            self.tell(at, e, Subject::Pipeline, "STOPPING");
        }
        match place {
            Place::Before(stage) => {
                self.pipeline.slots[stage].waiting.retain(|waiting| *waiting != e);
                self.finish(at, e, Status::Stopped, "STOPPED");
            }
            Place::In(stage) => {
                if first {
                    self.set_stage(at, e, stage, StageStatus::Stopping);
                    self.tell(at, e, Subject::Stage(stage), "STOPPING");
                }
                if abandon {
                    let runs = self.pipeline.executions[e].actions.iter().rev();
                    let running =
                        runs.filter(|run| run.status == ActionStatus::InProgress).map(|run| run.action).next();
                    let action = running.unwrap_or(0);
                    self.abandon(at, e, "ABANDONED");
                    let order = self.pipeline.spec.stages[stage].actions[action].run_order;
                    self.after_action(at, e, stage, order);
                }
            }
            Place::Over => {}
        }
    }

    /// Runs a failed stage again: its failed actions, or all of them. The caller has checked that it may be.
    pub(crate) fn retry(&mut self, at: Timestamp, e: usize, stage: usize, all: bool) {
        self.pipeline.slots[stage].locked_by = Some(e);
        let execution = self.execution(e);
        execution.status = Status::InProgress;
        execution.place = Place::In(stage);
        execution.attempt += 1;
        execution.updated = at;
        if let Some(run) = &mut execution.stages[stage] {
            run.status = StageStatus::InProgress;
            run.retried = Some(at);
            run.manual_retries += 1;
        }
        self.tell(at, e, Subject::Pipeline, "RESUMED");
        self.tell(at, e, Subject::Stage(stage), "RESUMED");
        if all {
            self.start_group(at, e, stage, 0);
            return;
        }
        let actions = 0..self.pipeline.spec.stages[stage].actions.len();
        let is_failed = |action: &usize| {
            matches!(self.last_status(e, stage, *action), Some(ActionStatus::Failed | ActionStatus::Abandoned))
        };
        let failed: Vec<usize> = actions.filter(is_failed).collect();
        for action in failed {
            self.start_action(at, e, stage, action);
        }
    }

    /// Cancels every execution that runs, as a change of the definition does outside the parallel mode.
    pub(crate) fn cancel_all(&mut self, at: Timestamp) {
        for slot in &mut self.pipeline.slots {
            slot.waiting.clear();
            slot.locked_by = None;
        }
        for e in 0..self.pipeline.executions.len() {
            let execution = &self.pipeline.executions[e];
            if !execution.status.is_running() {
                continue;
            }
            if let Place::In(stage) = execution.place {
                self.abandon(at, e, "CANCELED");
                self.set_stage(at, e, stage, StageStatus::Cancelled);
                self.tell(at, e, Subject::Stage(stage), "CANCELED");
            }
            self.execution(e).summary = Some("The pipeline definition was updated.".to_owned());
            self.finish(at, e, Status::Cancelled, "CANCELED");
        }
    }
}
