//! What is behind the actions of an execution: the builds and rollouts that CodePipeline only waits for.
//!
//! What can't be read explains nothing, and keeps nobody from following the run. One thing is waited for: that an action
//! has succeeded does not mean that the service runs it, so ECS gets a while to say so.

use std::time::Duration;

use super::Worker;
use crate::aws::codebuild::Unread;
use crate::aws::codepipeline::PipelineError;
use crate::domain::execution::{ActionRun, ActionStatus, Place, Reading, Work};
use crate::domain::rollout::{Progress, Rollout, judge};
use crate::domain::time::Timestamp;
use crate::queue::message::KnownRollout;

/// For all that is asked about one action.
const TIMEOUT: Duration = Duration::from_secs(6);

/// After this long without an answer of ECS, an action that has succeeded is believed.
const BELIEVED_AFTER: Duration = Duration::from_secs(60);

/// The same where ECS never answered in this run, and likely never will.
const BELIEVED_WITHOUT_ECS_AFTER: Duration = Duration::from_secs(15);

impl Worker {
    /// Reads an execution as it stands now, and what is behind its actions. `known` is what earlier looks found of
    /// rollouts.
    pub(super) async fn read(
        &self,
        pipeline: &str,
        execution: &str,
        source_action: Option<&str>,
        known: &[KnownRollout],
    ) -> Result<Reading, PipelineError> {
        let mut reading = self.pipelines.read(pipeline, execution, source_action).await?;
        self.look_behind(&mut reading.actions, known).await;
        Ok(reading)
    }

    async fn look_behind(&self, actions: &mut [ActionRun], known: &[KnownRollout]) {
        for action in actions.iter_mut().filter(|action| action.is_worth_asking_about()) {
            let before = known.iter().find(|known| known.is_of(action)).and_then(KnownRollout::rollout);
            let read = tokio::time::timeout(TIMEOUT, self.work(action, before.as_ref())).await;
            let read = read.unwrap_or_else(|_| Err(Unread::ForNow(format!("no answer in {} s", TIMEOUT.as_secs()))));
            action.work = match read {
                Ok(work) => work,
                Err(unread) => {
                    let (stage, name) = (&action.stage, &action.name);
                    tracing::warn!(stage, action = name, %unread, "what is behind the action can't be read");
                    self.without(action, before, &unread)
                }
            };
        }
    }

    async fn work(&self, action: &ActionRun, before: Option<&Rollout>) -> Result<Option<Work>, Unread> {
        let now = self.clock.now();
        Ok(match &action.place {
            Some(Place::Build(id)) => Some(Work::Build(self.builds.build(id, now).await?)),
            Some(Place::BuildBatch(id)) => Some(Work::Build(self.builds.batch(id, now).await?)),
            Some(Place::Service { cluster, service }) => {
                Some(Work::Rollout(self.rollout(cluster, service, action, before, now).await?))
            }
            None => None,
        })
    }

    async fn rollout(
        &self,
        cluster: &str,
        service: &str,
        action: &ActionRun,
        before: Option<&Rollout>,
        now: Timestamp,
    ) -> Result<Rollout, Unread> {
        if let Some(decided) = before.filter(|before| before.is_decided()) {
            return Ok(decided.clone());
        }
        let reading = self.services.service(cluster, service, action, before, now).await?;
        let mut rollout = judge(&reading.service, action, before, now);
        if let (Some(revision), None, true) = (&rollout.revision, &rollout.cause, rollout.has_failing_tasks()) {
            // The reason is of use, and not worth losing the fact over.
            rollout.cause = self.services.cause(cluster, service, revision).await.unwrap_or_default();
        }
        Ok(rollout)
    }

    /// What is known of a rollout that can't be read now. Where it can't be read at all, CodePipeline's word has to do.
    fn without(&self, action: &ActionRun, before: Option<Rollout>, unread: &Unread) -> Option<Work> {
        let Some(Place::Service { service, .. }) = &action.place else { return None };
        if before.is_none() && matches!(unread, Unread::ForGood(_)) {
            return None;
        }
        let patience = if before.is_some() { BELIEVED_AFTER } else { BELIEVED_WITHOUT_ECS_AFTER };
        let since = self.clock.now().since(action.updated);
        let progress = match action.status {
            ActionStatus::Succeeded if since < patience => Progress::Rolling { lifecycle: None },
            _ if action.is_over() => Progress::Unconfirmed,
            _ => Progress::NotBegun,
        };
        let known = before.unwrap_or_else(|| Rollout::unknown(service, Progress::NotBegun));
        let keeps = known.is_failed() || known.is_decided() || (action.is_running() && known.revision.is_some());
        let progress = if keeps { known.progress.clone() } else { progress };
        Some(Work::Rollout(Rollout { progress, ..known }))
    }
}
