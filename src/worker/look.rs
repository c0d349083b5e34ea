//! Looking at an execution because an event said that something happened to it.
//!
//! Most executions are followed by a chain of wake-ups, and a look only spares them the wait for the next one. One that
//! nobody follows (pipehook did not start it, or it was finished and then retried) is adopted: a chain begins.

use std::time::Duration;

use super::event::Happening;
use super::follow::{Run, Seen};
use super::trouble::Trouble;
use super::{Worker, needs_mending};
use crate::aws::codepipeline::PipelineError;
use crate::domain::event::{CommitSha, RepositoryName};
use crate::domain::execution::ExecutionSnapshot;
use crate::domain::report::{ShownStatuses, desired, diff};
use crate::domain::route::Route;
use crate::domain::time::Timestamp;
use crate::domain::wake::{Wake, next_wake};
use crate::queue::message::{Follow, Job, Look, Message, Options};

/// The start's own chain posts its first status within a moment; who still finds none after this begins a chain.
const AFTER_START: Duration = Duration::from_secs(5);

/// Other events of an execution that nobody follows leave it to the one of its start, unless that got lost.
const AFTER_OTHER: Duration = Duration::from_secs(15);

impl Worker {
    pub(super) async fn look(&self, message: &Message, job: &Look, happening: Happening) -> Result<(), Trouble> {
        let again = || Job::Look(job.clone());
        let config = self.config().await.map_err(|cause| Trouble::passing(cause, again()))?;
        let routes: Vec<&Route> = config.routes.of_pipeline(&job.pipeline).collect();
        let Some(first) = routes.first() else {
            tracing::debug!(pipeline = job.pipeline, "an event of a pipeline without a route");
            return Ok(());
        };
        let snapshot = match self
            .pipelines
            .read(&job.pipeline, &job.execution, first.source_action.as_deref())
            .await
        {
            Ok(snapshot) => snapshot,
            Err(PipelineError::NotFound(why)) => {
                tracing::warn!(
                    pipeline = job.pipeline,
                    execution = job.execution,
                    why,
                    "an event of an unknown execution"
                );
                return Ok(());
            }
            Err(error) => return Err(Trouble::passing(error, again())),
        };
        let repository = snapshot.repository.clone().unwrap_or_else(|| first.repository.clone());
        let Some(commit) = snapshot.commit.clone() else {
            return self.look_for_the_commit(message, job, happening, &snapshot).await;
        };
        let shown = match self.shown(&repository, &commit).await {
            Ok(shown) => shown,
            // The events of the execution as a whole insist; as many as one has parts would only repeat them.
            Err(cause) if happening.is_of_part() && needs_mending(&cause) => {
                tracing::error!(pipeline = job.pipeline, execution = job.execution, %cause, "GitHub can't be asked");
                return Ok(());
            }
            Err(cause) => return Err(Trouble::passing(cause, again())),
        };
        let is_followed = shown.is_followed(&job.pipeline, &job.execution, snapshot.is_final());
        if !is_followed && !snapshot.is_final() {
            let come_back_after = match happening {
                _ if job.come_back => None,
                Happening::ExecutionResumed => None,
                Happening::ExecutionStarted => Some(AFTER_START),
                _ => Some(AFTER_OTHER),
            };
            if let Some(wait) = come_back_after {
                return self.come_back(message, job, wait).await;
            }
        }
        let route = fitting_route(&routes, &repository, &snapshot, &commit, &shown).unwrap_or(first);
        let run = Run {
            pipeline: job.pipeline.clone(),
            execution: job.execution.clone(),
            repository,
            commit,
            source_action: route.source_action.clone(),
            options: route.options.clone(),
        };
        if happening == Happening::ExecutionResumed && snapshot.is_final() {
            // The event was faster than what we read: nobody would notice that the run goes on.
            self.come_back(message, job, AFTER_START).await?;
        }
        let seen = Seen { snapshot, shown };
        if is_followed || seen.snapshot.is_final() {
            return self
                .look_once(&run, seen)
                .await
                .map_err(|cause| Trouble::passing(cause, again()));
        }
        tracing::info!(pipeline = run.pipeline, execution = run.execution, commit = %run.commit, "adopted");
        let follow = Follow {
            pipeline: run.pipeline,
            execution: run.execution,
            repository: run.repository.to_string(),
            commit: run.commit.to_string(),
            source_action: run.source_action,
            options: Options::from(&run.options),
            since: self.clock.now().as_millis(),
            reported: Vec::new(),
        };
        self.follow(&message.delivery, message.first_sent, follow, Some(seen))
            .await
    }

    /// Until the source action has run, AWS does not say which commit an execution is about. The event of its start
    /// waits for it; other events come again with what happens next.
    async fn look_for_the_commit(
        &self,
        message: &Message,
        job: &Look,
        happening: Happening,
        snapshot: &ExecutionSnapshot,
    ) -> Result<(), Trouble> {
        let age = self.clock.now().since(Timestamp::from_millis(job.since));
        match next_wake(snapshot, age) {
            Wake::After(wait)
                if job.come_back || matches!(happening, Happening::ExecutionStarted | Happening::ExecutionResumed) =>
            {
                self.come_back(message, job, wait.max(AFTER_START)).await
            }
            Wake::After(_) => Ok(()),
            Wake::Done => {
                tracing::warn!(
                    pipeline = job.pipeline,
                    execution = job.execution,
                    "ended before its commit was known"
                );
                Ok(())
            }
        }
    }

    async fn come_back(&self, message: &Message, job: &Look, wait: Duration) -> Result<(), Trouble> {
        let Message {
            delivery, first_sent, ..
        } = message.clone();
        let job = Job::Look(Look {
            come_back: true,
            ..job.clone()
        });
        let next = Message {
            delivery,
            first_sent,
            retry: None,
            job,
        };
        self.queue
            .send(&next, wait)
            .await
            .map_err(|error| Trouble::passing(error, next.job))
    }
}

/// The route whose options an execution is reported by. An execution does not say which route started it; where several
/// could have, the one that fits best to what GitHub already shows did.
fn fitting_route<'a>(
    routes: &[&'a Route],
    repository: &RepositoryName,
    snapshot: &ExecutionSnapshot,
    commit: &CommitSha,
    shown: &ShownStatuses,
) -> Option<&'a Route> {
    let of_repository = routes.iter().filter(|route| route.repository == *repository);
    let misfits = |route: &&&Route| diff(snapshot, &desired(snapshot, commit, &route.options), shown, &[]).len();
    of_repository.min_by_key(misfits).copied()
}
