//! Looking at an execution because an event said that something happened to it.
//!
//! Most executions are followed by a chain of wake-ups, and a look only spares them the wait for the next one. One that
//! nobody follows (pipehook did not start it, or it was finished and then retried) is adopted: a chain begins.

use std::time::Duration;

use super::follow::{Left, Run, STILL_MOVING, Seen};
use super::trouble::{Cause, Trouble};
use super::{Worker, needs_mending};
use crate::aws::codepipeline::PipelineError;
use crate::config::ReportAs;
use crate::domain::event::CommitSha;
use crate::domain::execution::ExecutionSnapshot;
use crate::domain::reading::{Reading, Source};
use crate::domain::report::{ShownStatuses, desired, diff, has_been_retried};
use crate::domain::route::Route;
use crate::domain::time::Timestamp;
use crate::domain::wake::{Wake, next_wake};
use crate::queue::message::{Happening, Job, Look, Message};
use crate::reader::Extras;

/// The start's own chain posts its first status within a moment; who still finds none after this begins a chain.
const AFTER_START: Duration = Duration::from_secs(5);

/// Other events of an execution that nobody follows leave it to the one of its start, unless that got lost.
const AFTER_OTHER: Duration = Duration::from_secs(15);

/// An execution as one of the pipeline's routes sees it.
struct View<'a> {
    route: &'a Route,
    snapshot: ExecutionSnapshot,
    commit: CommitSha,
    shown: ShownStatuses,
    is_followed: bool,
}

impl Worker {
    /// False where the execution is over, and AWS does not say which commit it was about.
    pub(super) async fn look(&self, message: &Message, job: &Look) -> Result<bool, Trouble> {
        let again = || Job::Look(job.clone());
        let config = self.config().await.map_err(|cause| Trouble::passing(cause, again()))?;
        let routes: Vec<&Route> = config.routes.of_pipeline(&job.pipeline).collect();
        let Some(first) = routes.first() else {
            tracing::debug!(pipeline = job.pipeline, "an event of a pipeline without a route");
            return Ok(true);
        };
        let extras = Extras { log: config.github.report == ReportAs::Checks, ..Extras::default() };
        let read = self.read(&job.pipeline, &job.execution, first.source_action.as_deref(), &[], extras).await;
        let reading = match read {
            Ok(reading) => reading,
            // One that was just started may not be found everywhere at once.
            Err(PipelineError::NotFound(_)) if job.happening == Happening::ExecutionStarted && !job.come_back => {
                return self.come_back(message, job, AFTER_START).await.map(|()| true);
            }
            Err(PipelineError::NotFound(why)) => {
                tracing::warn!(
                    pipeline = job.pipeline,
                    execution = job.execution,
                    why,
                    "an event of an unknown execution"
                );
                return Ok(true);
            }
            Err(error) => return Err(Trouble::passing(error, again())),
        };
        match self.view(job, &reading, &routes).await? {
            Some(view) => self.look_at(message, job, &routes, view).await.map(|()| true),
            None => self.look_for_the_commit(message, job, &reading, &routes).await,
        }
    }

    /// The execution as the route sees it that it is followed for, or else as the first one does. `None` where no route
    /// knows its commit yet.
    async fn view<'a>(&self, job: &Look, reading: &Reading, routes: &[&'a Route]) -> Result<Option<View<'a>>, Trouble> {
        let mut first = None;
        let mut asked: Vec<(&Route, CommitSha)> = Vec::new();
        for route in routes {
            let snapshot = snapshot_for(reading, route);
            let Some(commit) = snapshot.commit.clone().filter(|_| is_of_route(&snapshot, route)) else { continue };
            if asked.iter().any(|(other, known)| other.repository == route.repository && *known == commit) {
                continue;
            }
            asked.push((route, commit.clone()));
            let shown = match self.shown(&route.repository, &commit).await {
                Ok(shown) => shown,
                // The execution's own events insist; as many as it has parts would only repeat them.
                Err(cause) if !job.happening.insists() && needs_mending(&cause) => {
                    tracing::error!(pipeline = job.pipeline, execution = job.execution, %cause, "GitHub can't be asked");
                    continue;
                }
                Err(cause) => return Err(Trouble::passing(cause, Job::Look(job.clone()))),
            };
            let has_ended = snapshot.is_final() || snapshot.has_failed_rollout();
            let is_followed = shown.is_followed(&job.pipeline, &job.execution, has_ended);
            let view = View { route, snapshot, commit, shown, is_followed };
            if is_followed {
                return Ok(Some(view));
            }
            first.get_or_insert(view);
        }
        Ok(first)
    }

    async fn look_at(&self, message: &Message, job: &Look, routes: &[&Route], view: View<'_>) -> Result<(), Trouble> {
        let View { route, snapshot, commit, shown, is_followed } = view;
        let happening = job.happening;
        let is_final = snapshot.is_final();
        // A success that ECS has yet to confirm is not over, and has to be looked at again.
        let is_over = snapshot.is_settled();
        if happening == Happening::ExecutionResumed && is_final && !job.come_back {
            // The event was faster than what we read: nobody would notice that the run goes on.
            self.come_back(message, job, AFTER_START).await?;
        }
        if !is_followed && !is_over {
            let wait = match happening {
                _ if job.come_back || happening == Happening::ExecutionResumed => None,
                Happening::ExecutionStarted => Some(AFTER_START),
                _ => Some(AFTER_OTHER),
            };
            if !happening.adopts() {
                return Ok(());
            }
            if let Some(wait) = wait {
                return self.come_back(message, job, wait).await;
            }
        }
        let options = &fitting_route(routes, route, &snapshot, &commit, &shown).options;
        let run = Run {
            pipeline: job.pipeline.clone(),
            execution: job.execution.clone(),
            repository: route.repository.clone(),
            commit,
            source_action: route.source_action.clone(),
            options: options.clone(),
            push: shown.push_of(&job.execution).map(str::to_owned),
        };
        if !is_followed && !is_over {
            return self.adopt(message, run).await;
        }
        if happening == Happening::ActionStarted && !is_final && snapshot.deploys_after_a_wait() {
            // The chain may sleep for minutes, as it does while an approval waits, and a rollout is looked at more often.
            // A second one meets it when it wakes.
            return self.adopt(message, run).await;
        }
        if is_followed && is_final && has_been_retried(&snapshot, &shown) {
            // Its chain ended with the attempt before, and a look tells nothing of the deployment.
            return self.adopt(message, run).await;
        }
        if is_followed && (snapshot.is_unconfirmed() || (is_final && !is_over)) {
            // The chain remembers what it saw of the rollout; this reading knows nothing of it. Where it has told the end,
            // nobody would come back to what is told as under way again.
            return Ok(());
        }
        match self.look_once(message, &run, Seen { snapshot, shown }).await {
            Ok(Left::Nothing) => Ok(()),
            Ok(Left::Look) => self.come_back(message, job, STILL_MOVING).await,
            Ok(Left::Chain) => self.adopt(message, run).await,
            // Its chain will try it again.
            Err(Cause::NotTaken { .. }) if !is_over => Ok(()),
            Err(cause) => Err(Trouble::passing(cause, Job::Look(job.clone()))),
        }
    }

    /// Begins a chain of wake-ups. Its first does what there is to do: a chain that is sent is never lost, and one that
    /// was begun by posting might be.
    async fn adopt(&self, message: &Message, run: Run) -> Result<(), Trouble> {
        tracing::info!(pipeline = run.pipeline, execution = run.execution, commit = %run.commit, "adopted");
        let follow = run.into_follow(self.clock.now());
        self.send_next(message, Job::Follow(follow), Duration::ZERO).await
    }

    /// Until the source action has run, AWS does not say which commit an execution is about. The event of its start
    /// waits for it; other events come again with what happens next.
    async fn look_for_the_commit(
        &self,
        message: &Message,
        job: &Look,
        reading: &Reading,
        routes: &[&Route],
    ) -> Result<bool, Trouble> {
        let snapshots = || routes.iter().map(|route| (route, snapshot_for(reading, route)));
        if snapshots().all(|(route, snapshot)| !is_of_route(&snapshot, route)) {
            tracing::warn!(
                pipeline = job.pipeline,
                "no route is for the repository that the pipeline takes its source from"
            );
            return Ok(true);
        }
        let Some((_, snapshot)) = snapshots().find(|(_, snapshot)| snapshot.commit.is_none()) else { return Ok(true) };
        let age = self.clock.now().since(Timestamp::from_millis(job.since));
        match next_wake(&snapshot, age) {
            Wake::After(wait) if matches!(job.happening, Happening::ExecutionStarted | Happening::ExecutionResumed) => {
                self.come_back(message, job, wait.max(AFTER_START)).await.map(|()| true)
            }
            Wake::After(_) => Ok(true),
            Wake::Done => {
                tracing::warn!(pipeline = job.pipeline, execution = job.execution, "ended before its commit was known");
                Ok(false)
            }
        }
    }

    /// Has executions looked at once more whose word was covered by that of an older one, which was told at the same moment.
    pub(super) async fn have_them_speak(
        &self,
        message: &Message,
        pipeline: &str,
        executions: &[String],
    ) -> Result<(), Cause> {
        for execution in executions {
            tracing::info!(pipeline, execution, "an older execution of the commit has spoken over it");
            let (pipeline, execution, since) = (pipeline.to_owned(), execution.clone(), self.clock.now().as_millis());
            let look = Look { pipeline, execution, happening: Happening::OfExecution, since, come_back: true };
            self.send_next(message, Job::Look(look), Duration::ZERO).await.map_err(|trouble| trouble.cause)?;
        }
        Ok(())
    }

    async fn come_back(&self, message: &Message, job: &Look, wait: Duration) -> Result<(), Trouble> {
        self.send_next(message, Job::Look(Look { come_back: true, ..job.clone() }), wait).await
    }
}

fn snapshot_for(reading: &Reading, route: &Route) -> ExecutionSnapshot {
    reading.snapshot(Source { action: route.source_action.as_deref(), repository: Some(&route.repository) })
}

/// Whether a route may speak for an execution: its repository is the one that the pipeline takes its source from. Who
/// may edit a pipeline must not be able to have statuses posted on any repository that the token reaches.
fn is_of_route(snapshot: &ExecutionSnapshot, route: &Route) -> bool {
    snapshot.repository.as_ref().is_none_or(|repository| *repository == route.repository)
}

/// The route whose options an execution is reported by. An execution does not say which route started it; where several
/// of a repository could have, the one that fits best to what GitHub already shows did.
fn fitting_route<'a>(
    routes: &[&'a Route],
    seen_by: &'a Route,
    snapshot: &ExecutionSnapshot,
    commit: &CommitSha,
    shown: &ShownStatuses,
) -> &'a Route {
    let of_repository = routes.iter().filter(|route| route.repository == seen_by.repository);
    let misfits = |route: &&&Route| diff(snapshot, &desired(snapshot, commit, &route.options), shown, &[]).len();
    of_repository.min_by_key(misfits).copied().unwrap_or(seen_by)
}
