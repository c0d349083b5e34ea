//! Reading an execution, and what is behind its actions: the builds and rollouts that CodePipeline only waits for.
//!
//! What can't be read behind an action explains nothing, and keeps nobody from following the run. One thing is waited for:
//! that an action has succeeded does not mean that the service runs it, so ECS gets a while to say so.

use std::time::Duration;

use aws_config::SdkConfig;
use futures_util::future::join_all;

use crate::aws::addresses::Addresses;
use crate::aws::codebuild::{CodeBuild, Unread};
use crate::aws::codepipeline::{CodePipeline, PipelineError};
use crate::aws::ecs::Ecs;
use crate::aws::logs::Logs;
use crate::clock::Clock;
use crate::domain::address;
use crate::domain::build::Build;
use crate::domain::execution::{ActionRun, ActionStatus, Place, Work};
use crate::domain::log::{self, Digest};
use crate::domain::reading::Reading;
use crate::domain::rollout::{Progress, Rollout, STILL_AT_WORK, judge};
use crate::domain::time::Timestamp;
use crate::queue::memory::KnownRollout;

/// For all that is asked about one action.
const TIMEOUT: Duration = Duration::from_secs(6);

/// For why tasks stopped, within that.
const TIMEOUT_OF_CAUSE: Duration = Duration::from_secs(2);

/// After this long without an answer of ECS, an action that has succeeded is believed where ECS never answered in this run,
/// and likely never will, and by the second such look at the earliest: one look may have been cut short. Where ECS has
/// answered, it is waited for as for one that says to be at work.
const BELIEVED_WITHOUT_ECS_AFTER: Duration = Duration::from_secs(15);

/// For all that decorates a report, beside each other.
const TIMEOUT_OF_DECORATIONS: Duration = Duration::from_secs(3);

/// This long after a service runs what was deployed, its address is not asked for again where it was not found: a network
/// interface has its own at once, and a load balancer that shows none so far has none.
const ADDRESS_WITHIN: Duration = Duration::from_secs(2 * 60);

/// Messages that are read of a failed build's log: those that are shown, what its ending adds to them, and what is said
/// above them about lines of files.
const LOG_MESSAGES: u32 = 200;

/// What is read for its own sake, and leaves the run as it is: a reading of which nobody shows anything needs none of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extras {
    /// Where what was deployed answers. Not where the route itself names an `environment_url`.
    pub(crate) address: bool,
    /// The last lines of a failed build's log.
    pub(crate) log: bool,
}

/// Reads executions, for whoever follows one.
pub(crate) struct Reader {
    pipelines: CodePipeline,
    builds: CodeBuild,
    services: Ecs,
    addresses: Addresses,
    logs: Logs,
    clock: Clock,
}

impl Reader {
    pub(crate) fn new(sdk_config: &SdkConfig, pipelines: CodePipeline, clock: Clock) -> Self {
        Self {
            pipelines,
            builds: CodeBuild::new(sdk_config),
            services: Ecs::new(sdk_config),
            addresses: Addresses::new(sdk_config),
            logs: Logs::new(sdk_config),
            clock,
        }
    }

    /// Reads an execution as it stands now, and what is behind its actions. `known` is what earlier looks found of
    /// rollouts.
    pub(crate) async fn read(
        &self,
        pipeline: &str,
        execution: &str,
        source_action: Option<&str>,
        known: &[KnownRollout],
        extras: Extras,
    ) -> Result<Reading, PipelineError> {
        let mut reading = self.pipelines.read(pipeline, execution, source_action).await?;
        self.look_behind(&mut reading.actions, known).await;
        let actions = reading.actions.iter_mut();
        join_all(actions.map(|action| self.decorate(action, known, extras))).await;
        Ok(reading)
    }

    /// Adds what is of use to a reader and to nothing else. What can't be read of it is left out.
    async fn decorate(&self, action: &mut ActionRun, known: &[KnownRollout], extras: Extras) {
        let before = known.iter().find(|known| known.is_of(action)).and_then(KnownRollout::rollout);
        let (stage, name) = (&action.stage, &action.name);
        let decorated = async {
            match (&mut action.work, &action.place) {
                (Some(Work::Build(build)), _) if extras.log => self.add_log(build).await,
                (Some(Work::Rollout(rollout)), Some(Place::Service { cluster, service, .. })) if extras.address => {
                    self.add_address(cluster, service, rollout, before.as_ref()).await
                }
                _ => Ok(()),
            }
        };
        let unread = match tokio::time::timeout(TIMEOUT_OF_DECORATIONS, decorated).await {
            Ok(Ok(())) => return,
            Ok(Err(unread)) => unread,
            Err(_) => Unread::ForNow(format!("no answer in {} s", TIMEOUT_OF_DECORATIONS.as_secs())),
        };
        tracing::debug!(stage, action = name, %unread, "the address or the log can't be read");
    }

    /// Adds the end of a failed build's log.
    async fn add_log(&self, build: &mut Build) -> Result<(), Unread> {
        let has_failed = build.failure.is_some() && build.phase.is_none();
        let (Some(group), Some(stream), true) = (&build.log.group, &build.log.stream, has_failed) else {
            return Ok(());
        };
        let messages = self.logs.tail(group, stream, LOG_MESSAGES).await?;
        let Digest { lines, annotations } = log::digest(&messages);
        (build.log.lines, build.log.annotations) = (lines, annotations);
        Ok(())
    }

    /// Adds where the service answers, once it runs what was deployed. An address that was found stays: it is what the
    /// deployment has been shown with.
    async fn add_address(
        &self,
        cluster: &str,
        service: &str,
        rollout: &mut Rollout,
        before: Option<&Rollout>,
    ) -> Result<(), Unread> {
        let (Progress::Runs { since }, Some(revision), None) = (&rollout.progress, &rollout.revision, &rollout.address)
        else {
            return Ok(());
        };
        let has_just_begun = !before.is_some_and(|before| matches!(before.progress, Progress::Runs { .. }));
        if !has_just_begun && self.clock.now().since(*since) > ADDRESS_WITHIN {
            return Ok(());
        }
        let groups = self.services.target_groups(cluster, service).await?;
        if !groups.is_empty() {
            rollout.address = self.addresses.of_target_groups(&groups).await?;
            return Ok(());
        }
        let Some(interface) = self.services.interface(cluster, service, revision).await? else { return Ok(()) };
        let Some(public) = self.addresses.public_ip(&interface).await? else { return Ok(()) };
        // A link that leads nowhere is worse than none.
        let Some(port) = self.services.port(revision).await? else { return Ok(()) };
        rollout.address = address::of_task(&public, port);
        Ok(())
    }

    async fn look_behind(&self, actions: &mut [ActionRun], known: &[KnownRollout]) {
        for action in actions.iter_mut().filter(|action| action.is_worth_asking_about()) {
            let before = known.iter().find(|known| known.is_of(action)).and_then(KnownRollout::rollout);
            let asked = self.clock.now();
            let read = tokio::time::timeout(TIMEOUT, self.work(action, before.as_ref())).await;
            let read = read.unwrap_or_else(|_| Err(Unread::ForNow(format!("no answer in {} s", TIMEOUT.as_secs()))));
            action.work = match read {
                Ok(work) => work,
                Err(unread) => {
                    let (stage, name) = (&action.stage, &action.name);
                    tracing::warn!(stage, action = name, %unread, "what is behind the action can't be read");
                    self.without(action, before, &unread, asked)
                }
            };
        }
    }

    async fn work(&self, action: &ActionRun, before: Option<&Rollout>) -> Result<Option<Work>, Unread> {
        let now = self.clock.now();
        Ok(match &action.place {
            Some(Place::Build(id)) => Some(Work::Build(self.builds.build(id, now).await?)),
            Some(Place::BuildBatch(id)) => Some(Work::Build(self.builds.batch(id, now).await?)),
            Some(Place::Service { cluster, service, .. }) => {
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
        let found = self.services.service(cluster, service, action, before, now).await?;
        let mut rollout = judge(&found, action, before, now);
        if let (Some(revision), None, true) = (&rollout.revision, &rollout.cause, rollout.has_failing_tasks()) {
            // The reason is of use, and not worth losing the fact over.
            let asked = tokio::time::timeout(TIMEOUT_OF_CAUSE, self.services.cause(cluster, service, revision)).await;
            rollout.cause = asked.ok().and_then(Result::ok).flatten();
        }
        Ok(rollout)
    }

    /// What is known of a rollout that can't be read now. Where it can't be read at all, CodePipeline's word has to do.
    /// A sandbox may have been frozen while it waited for the answer: it counts when ECS was asked.
    fn without(&self, action: &ActionRun, before: Option<Rollout>, unread: &Unread, asked: Timestamp) -> Option<Work> {
        let Some(Place::Service { service, .. }) = &action.place else { return None };
        if before.as_ref().is_none_or(Rollout::is_held_back) && matches!(unread, Unread::ForGood(_)) {
            return Some(Work::Rollout(Rollout::unknown(service, Progress::Unreadable)));
        }
        let has_answered = before.as_ref().is_some_and(|before| before.revision.is_some());
        let patience = if has_answered { STILL_AT_WORK } else { BELIEVED_WITHOUT_ECS_AFTER };
        let is_first = before.is_none();
        let since = asked.since(action.updated);
        let progress = match action.status {
            ActionStatus::Succeeded if is_first || since < patience => Progress::Rolling { lifecycle: None },
            _ if action.is_over() => Progress::Unconfirmed,
            _ => Progress::NotBegun,
        };
        let known = before.unwrap_or_else(|| Rollout::unknown(service, Progress::NotBegun));
        let keeps = known.is_failed() || known.is_decided() || (action.is_running() && known.revision.is_some());
        let progress = if keeps { known.progress.clone() } else { progress };
        Some(Work::Rollout(Rollout { progress, ..known }))
    }
}

#[cfg(all(test, feature = "tool"))]
#[path = "reader_tests.rs"]
mod tests;
