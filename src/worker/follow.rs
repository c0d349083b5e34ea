//! Following an execution: read what AWS says, compute what GitHub should show, send the difference, read again.

use std::time::Duration;

use super::doubles::Turn;
use super::tell::Tale;
use super::trouble::{Cause, Trouble};
use super::{Worker, needs_mending};
use crate::aws::codepipeline::PipelineError;
use crate::domain::check;
use crate::domain::event::{CommitSha, RepositoryName};
use crate::domain::execution::{ExecutionSnapshot, ExecutionStatus, Stage};
use crate::domain::reading::Source;
use crate::domain::report::{Author, Report, RunOptions, ShownStatuses, State, Wanted, desired, diff};
use crate::domain::rollout::{Progress, Rollout};
use crate::domain::text;
use crate::domain::time::Timestamp;
use crate::domain::wake::{Wake, aligned, next_wake};
use crate::github::GitHubError;
use crate::links;
use crate::metrics;
use crate::queue::memory::{KnownRollout, Memory, Reported};
use crate::queue::message::{self, FieldError, Follow, Job, Message, Options};

/// Readings within one wake-up, while what they show keeps moving.
const MAX_ROUNDS: u32 = 4;

/// The next look where the readings of one wake-up never came to rest.
pub(super) const STILL_MOVING: Duration = Duration::from_secs(2);

/// While GitHub does not let us write, a run is looked at no more often than this.
const WITHOUT_ACCESS: Duration = Duration::from_secs(30);

/// For so long after a run has ended its deployment at GitHub is tried to be brought up to date, so often.
const DEPLOYMENT_WITHIN: Duration = Duration::from_secs(60 * 60);
const DEPLOYMENT_AGAIN: Duration = Duration::from_secs(60);

/// An end that is told later than this may be told together with that of another execution of the commit.
const TOLD_LATE: Duration = Duration::from_secs(10);

/// An execution that was just started may not be found everywhere at once.
const NOT_FOUND_FOR: Duration = Duration::from_secs(120);

/// An execution, and what its reports depend on besides its state.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) pipeline: String,
    pub(super) execution: String,
    pub(super) repository: RepositoryName,
    /// The commit that was pushed. What is reported goes to the one that was built, as soon as AWS shows it.
    pub(super) commit: CommitSha,
    pub(super) source_action: Option<String>,
    pub(super) options: RunOptions,
    /// The mark of the push that started it.
    pub(super) push: Option<String>,
}

impl Run {
    fn from_message(job: &Follow) -> Result<Self, FieldError> {
        Ok(Self {
            pipeline: job.pipeline.clone(),
            execution: job.execution.clone(),
            repository: message::repository(&job.repository)?,
            commit: message::commit(&job.commit)?,
            source_action: job.source_action.clone(),
            options: RunOptions::from(&job.options),
            push: job.push.clone(),
        })
    }

    /// The first wake-up of a chain that follows it.
    pub(super) fn into_follow(self, now: Timestamp) -> Follow {
        Follow {
            pipeline: self.pipeline,
            execution: self.execution,
            repository: self.repository.to_string(),
            commit: self.commit.to_string(),
            source_action: self.source_action,
            options: Options::from(&self.options),
            push: self.push,
            since: now.as_millis(),
            nth: 0,
            memory: Memory::default(),
        }
    }

    pub(super) fn source(&self) -> Source<'_> {
        Source { action: self.source_action.as_deref(), repository: Some(&self.repository) }
    }
}

/// How a wake-up left an execution.
struct Looked {
    snapshot: ExecutionSnapshot,
    /// GitHub showed what the last reading asks for, but for what it does not take.
    settled: bool,
    /// What GitHub does not take.
    not_taken: Option<Cause>,
    /// Newer executions of the commit whose word is covered by this one's.
    spoken_over: Vec<String>,
}

impl Looked {
    /// Nothing is left to do for it.
    fn settled(snapshot: ExecutionSnapshot) -> Self {
        Self { snapshot, settled: true, not_taken: None, spoken_over: Vec::new() }
    }
}

/// What was done to have GitHub show what it should.
#[derive(Default)]
struct Brought {
    /// How many reports were sent.
    posted: usize,
    not_taken: Option<Cause>,
    spoken_over: Vec<String>,
    /// Another execution of the commit may have told its end at the same moment.
    may_have_crossed: bool,
}

impl Brought {
    /// What GitHub does not take, the others need not wait for.
    fn count(&mut self, told: Result<(), Cause>) -> Result<(), Cause> {
        match told {
            Err(cause @ Cause::NotTaken { .. }) => self.not_taken = Some(cause),
            told => told?,
        }
        self.posted += 1;
        Ok(())
    }
}

/// What is left to do after a look.
pub(super) enum Left {
    Nothing,
    /// It never came to rest.
    Look,
    /// Somebody has retried what was over.
    Chain,
}

/// What was read a moment ago, by whoever asks for a look.
pub(super) struct Seen {
    pub(super) snapshot: ExecutionSnapshot,
    pub(super) shown: ShownStatuses,
}

impl Worker {
    /// One wake-up of a chain: brings GitHub up to date and schedules the next, until the execution is final.
    pub(super) async fn follow(&self, message: &Message, mut job: Follow) -> Result<(), Trouble> {
        let delivery = &message.delivery;
        let run = Run::from_message(&job).map_err(Trouble::hopeless)?;
        let Run { pipeline, execution, .. } = &run;
        let age = self.clock.now().since(Timestamp::from_millis(job.since));
        let mut has_access = true;
        let looked = match self.reconcile(&run, &mut job.memory, None, true).await {
            Ok(looked) => looked,
            Err((Cause::Pipeline(PipelineError::NotFound(why)), _)) if age > NOT_FOUND_FOR => {
                tracing::error!(delivery, pipeline, execution, why, "the execution is gone");
                let closed = self.close_all(&run, &job.memory.reported, &text::execution_gone()).await;
                return closed.map_err(|cause| Trouble::passing(cause, Job::Follow(job)));
            }
            // Access may come back while the run goes on; what has to be mended is told with every look.
            Err((cause @ Cause::GitHub(_), Some(snapshot))) if !snapshot.is_final() && needs_mending(&cause) => {
                tracing::error!(delivery, pipeline, %cause, "GitHub can't be told; the run is followed on");
                metrics::count(&self.clock, "NeedsMending", &[("Pipeline", pipeline)]);
                has_access = false;
                Looked::settled(*snapshot)
            }
            Err((Cause::GitHub(GitHubError::UnknownCommit(why)), Some(snapshot))) => {
                tracing::error!(delivery, pipeline, commit = %run.commit, why, "there is nothing to report on");
                metrics::count(&self.clock, "NeedsMending", &[("Pipeline", pipeline)]);
                Looked::settled(*snapshot)
            }
            Err((cause, _)) => return Err(Trouble::passing(cause, Job::Follow(job))),
        };
        self.have_them_speak(message, pipeline, &looked.spoken_over)
            .await
            .map_err(|cause| Trouble::passing(cause, Job::Follow(job.clone())))?;
        if run.options.stop_failed_rollout && looked.snapshot.status == ExecutionStatus::InProgress {
            self.stop_failed_rollout(&run, &looked.snapshot)
                .await
                .map_err(|error| Trouble::passing(error, Job::Follow(job.clone())))?;
        }
        let mut is_shown = true;
        if has_access {
            match self.show_deployment(&run, &looked.snapshot, &mut job.memory).await {
                Ok(()) => {}
                Err(cause @ Cause::GitHub(GitHubError::RateLimited { .. })) => {
                    return Err(Trouble::passing(cause, Job::Follow(job)));
                }
                // It is tried again at the next look; a deployment is not worth looking less often.
                Err(cause) => {
                    tracing::warn!(delivery, pipeline, execution, %cause, "the deployment at GitHub is not up to date");
                    let ended = looked.snapshot.ended_at();
                    is_shown = looked.snapshot.is_settled() && self.clock.now().since(ended) > DEPLOYMENT_WITHIN;
                }
            }
        }
        let wait = match next_wake(&looked.snapshot, age) {
            Wake::After(wait) if !has_access => wait.max(WITHOUT_ACCESS),
            Wake::Done if looked.settled && is_shown => {
                if let Some(cause) = looked.not_taken {
                    return Err(Trouble::passing(cause, Job::Follow(job)));
                }
                tracing::info!(delivery, pipeline, execution, status = ?looked.snapshot.status, "done");
                return Ok(());
            }
            Wake::After(wait) if looked.settled => wait,
            Wake::Done if looked.settled => DEPLOYMENT_AGAIN,
            _ => STILL_MOVING,
        };
        let wait = aligned(wait, self.clock.now(), execution);
        job.nth = job.nth.saturating_add(1);
        self.send_next(message, Job::Follow(job.clone()), wait).await?;
        self.doubles.note(Turn::of_wake_up(&job));
        Ok(())
    }

    /// Stops an execution whose rollout has failed, for the next push need not wait until its action times out. The
    /// deploy action is abandoned, not the service: ECS goes on with bringing the revision from before back.
    async fn stop_failed_rollout(&self, run: &Run, snapshot: &ExecutionSnapshot) -> Result<(), PipelineError> {
        // Without a circuit breaker ECS goes on with what fails, and that may come up yet.
        let is_over = |rollout: &&Rollout| rollout.is_failed() && rollout.progress != Progress::Failing;
        let Some(rollout) = snapshot.stages.iter().flat_map(Stage::rollouts).find(is_over) else { return Ok(()) };
        let reason = format!("The rollout of {} has failed", rollout.service);
        let Run { pipeline, execution, .. } = run;
        match self.pipelines.stop(pipeline, execution, true, &reason).await {
            Ok(_) => tracing::info!(pipeline, execution, reason, "stopped"),
            Err(error @ PipelineError::Unavailable(_)) => return Err(error),
            // What is true is told all the same.
            Err(error) => tracing::error!(pipeline, execution, %error, "it can't be stopped"),
        }
        Ok(())
    }

    /// Sends what goes on from a message; the troubles of the one before are over.
    pub(super) async fn send_next(&self, message: &Message, job: Job, wait: Duration) -> Result<(), Trouble> {
        let Message { delivery, first_sent, .. } = message.clone();
        let next = Message { delivery, first_sent, retry: None, job };
        self.queue.send(&next, wait).await.map_err(|error| Trouble::passing(error, next.job))
    }

    /// Brings GitHub up to date once, without a further wake-up.
    pub(super) async fn look_once(&self, message: &Message, run: &Run, seen: Seen) -> Result<Left, Cause> {
        let was_final = seen.snapshot.is_final();
        let looked = self.reconcile(run, &mut Memory::default(), Some(seen), false).await;
        let Looked { snapshot, settled, not_taken, spoken_over } = looked.map_err(|(cause, _)| cause)?;
        self.have_them_speak(message, &run.pipeline, &spoken_over).await?;
        match not_taken {
            _ if was_final && !snapshot.is_final() => Ok(Left::Chain),
            Some(cause) => Err(cause),
            None if settled => Ok(Left::Nothing),
            None => Ok(Left::Look),
        }
    }

    /// Reads, posts what differs, and reads again, until a reading asks for nothing more: whoever posts last has
    /// checked last. With an error comes the last reading, where there was one.
    ///
    /// What GitHub is believed to show spares asking it while nothing has moved; before anything is posted, and before a
    /// run is left as done, GitHub itself is asked.
    async fn reconcile(
        &self,
        run: &Run,
        memory: &mut Memory,
        mut seen: Option<Seen>,
        is_chain: bool,
    ) -> Result<Looked, (Cause, Option<Box<ExecutionSnapshot>>)> {
        let was_final = seen.as_ref().is_some_and(|seen| seen.snapshot.is_final());
        let mut has_asked = false;
        let mut rounds = 0;
        let (mut not_taken, mut spoken_over) = (None, Vec::new());
        loop {
            let (snapshot, shown) = match seen.take() {
                Some(Seen { snapshot, shown }) => (snapshot, Some(shown)),
                None => {
                    let source_action = run.source_action.as_deref();
                    let read = self
                        .read(
                            &run.pipeline,
                            &run.execution,
                            source_action,
                            &memory.rollouts,
                            self.extras(run, is_chain).await,
                        )
                        .await;
                    let reading = read.map_err(|error| (error.into(), None))?;
                    (reading.snapshot(run.source()), None)
                }
            };
            // A look that tells it has a run taken for one that is followed.
            if was_final && !snapshot.is_final() {
                return Ok(Looked { snapshot, settled: false, not_taken, spoken_over });
            }
            let commit = snapshot.commit.clone().unwrap_or_else(|| run.commit.clone());
            let wanted = desired(&snapshot, &commit, &run.options);
            memory.rollouts =
                snapshot.stages.iter().flat_map(|stage| &stage.actions).filter_map(KnownRollout::of).collect();
            let told = as_reported(&wanted, &commit);
            if memory.reported == told && (has_asked || !snapshot.is_final()) {
                return Ok(Looked { snapshot, settled: true, not_taken, spoken_over });
            }
            let brought = self.bring_up_to_date(run, &snapshot, &commit, &wanted, &memory.reported, shown).await;
            let brought = brought.map_err(|cause| (cause, Some(Box::new(snapshot.clone()))))?;
            (not_taken, spoken_over) = (brought.not_taken, brought.spoken_over);
            memory.reported = told;
            has_asked = !brought.may_have_crossed;
            rounds += 1;
            if brought.posted == 0 || rounds == MAX_ROUNDS {
                return Ok(Looked { snapshot, settled: brought.posted == 0, not_taken, spoken_over });
            }
        }
    }

    /// Posts what GitHub does not show yet.
    async fn bring_up_to_date(
        &self,
        run: &Run,
        snapshot: &ExecutionSnapshot,
        commit: &CommitSha,
        wanted: &[Wanted],
        reported: &[Reported],
        shown: Option<ShownStatuses>,
    ) -> Result<Brought, Cause> {
        let mut brought = match *commit == run.commit {
            true => Brought::default(),
            // An unpinned pipeline may build another commit than the pushed one. What is pending there ends.
            false => self.close(run, &run.commit, run.options.superseded, &text::built_another(commit)).await?,
        };
        let shown = match shown {
            Some(shown) => shown,
            None => self.shown(&run.repository, commit).await.or_else(|cause| believed(cause, reported, run))?,
        };
        let others = shown.other_executions(&run.pipeline, &run.execution);
        let newer = self.pipelines.newer_than(&run.pipeline, &run.execution, &others).await?;
        let due = diff(snapshot, wanted, &shown, &newer);
        for report in &due {
            brought.count(self.post(run, commit, report, &shown, Some(snapshot)).await)?;
        }
        if snapshot.is_settled() {
            for double in shown.doubles_of(&run.execution) {
                brought.count(self.end_double(&run.repository, double).await)?;
            }
            let is_late = self.clock.now().since(snapshot.ended_at()) > TOLD_LATE;
            brought.may_have_crossed = brought.posted > 0 && brought.not_taken.is_none() && is_late;
            let others = shown.spoken_over(&run.pipeline, &run.execution);
            brought.spoken_over = self.pipelines.newer_than(&run.pipeline, &run.execution, &others).await?;
        }
        Ok(brought)
    }

    /// Ends what is pending of an execution on a commit.
    async fn close(&self, run: &Run, commit: &CommitSha, state: State, why: &str) -> Result<Brought, Cause> {
        let mut brought = Brought::default();
        let shown = self.shown(&run.repository, commit).await?;
        for context in shown.pending_of(&run.pipeline, &run.execution) {
            let report = Report { context, state, description: why.to_owned() };
            brought.count(self.post(run, commit, &report, &shown, None).await)?;
        }
        Ok(brought)
    }

    /// Ends what is pending of an execution that can't be followed any more, on every commit that it was told on.
    async fn close_all(&self, run: &Run, reported: &[Reported], why: &str) -> Result<(), Cause> {
        let mut commits = vec![run.commit.clone()];
        commits.extend(reported.iter().filter_map(|reported| CommitSha::parse(&reported.commit)));
        commits.sort();
        commits.dedup();
        let mut not_taken = None;
        for commit in &commits {
            not_taken = self.close(run, commit, State::Error, why).await?.not_taken.or(not_taken);
        }
        not_taken.map_or(Ok(()), Err)
    }

    /// A message goes to the dead-letter queue: what it would have reported does not stay pending until somebody
    /// redrives it. It is a last try, and the message is kept whether it works out or not.
    pub(super) async fn tell_that_it_was_given_up(&self, job: &Job) {
        let told = match job {
            Job::Start(job) => self.close_queued(job).await,
            Job::Follow(job) => match Run::from_message(job) {
                Ok(run) => self.close_all(&run, &job.memory.reported, &text::given_up()).await,
                Err(error) => Err(error.into()),
            },
            // A skip was never pending, and the chain of whatever is looked at speaks for itself.
            Job::Skip(_) | Job::Look(_) | Job::Press(_) => Ok(()),
        };
        if let Err(cause) = told {
            tracing::warn!(pipeline = job.pipeline(), %cause, "GitHub was not told that the run was given up");
        }
    }

    async fn post(
        &self,
        run: &Run,
        commit: &CommitSha,
        report: &Report,
        shown: &ShownStatuses,
        snapshot: Option<&ExecutionSnapshot>,
    ) -> Result<(), Cause> {
        let tale = Tale {
            url: links::execution(&self.region, &run.pipeline, &run.execution, run.push.as_deref()),
            execution: Some(&run.execution),
            page: snapshot.map(|snapshot| check::page(snapshot, report, commit)),
            conclusion: None,
            shown: Some(shown),
        };
        self.tell(&run.repository, commit, report, tale).await
    }
}

/// Where GitHub does not let us list statuses, those that this chain has posted itself have to do.
fn believed(cause: Cause, reported: &[Reported], run: &Run) -> Result<ShownStatuses, Cause> {
    if !matches!(cause, Cause::GitHub(GitHubError::NoAccess { .. })) {
        return Err(cause);
    }
    let reports = reported.iter().filter_map(|reported| {
        let state = State::parse(&reported.state)?;
        let Reported { context, description, .. } = reported.clone();
        let author = Author { execution: run.execution.clone(), push: run.push.clone() };
        Some((Report { context, state, description }, Some(author)))
    });
    Ok(ShownStatuses::from_newest_first(reports))
}

/// What GitHub is believed to show once this has been posted, the commit included: on another one it shows nothing.
fn as_reported(wanted: &[Wanted], commit: &CommitSha) -> Vec<Reported> {
    let reported = wanted.iter().map(|Wanted { report, .. }| Reported {
        context: report.context.clone(),
        state: report.state.as_str().to_owned(),
        description: text::step(&report.description).to_owned(),
        commit: commit.to_string(),
    });
    reported.collect()
}
