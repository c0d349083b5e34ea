//! The worker: starts executions, follows them by wake-ups over the queue, and keeps GitHub's statuses true.
//!
//! Invariant: no wake-up waits inside an invocation. What has to happen later is a message with a delay.

mod deploy;
mod doubles;
mod event;
mod follow;
mod look;
mod press;
mod skip;
mod start;
mod tell;
mod trouble;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::sync::Mutex;

use crate::aws::codepipeline::{CodePipeline, PipelineError};
use crate::clock::Clock;
use crate::config::{Config, ReportAs};
use crate::domain::reading::Reading;
use crate::domain::time::Timestamp;
use crate::github::GitHub;
use crate::github::transport::Transport;
use crate::metrics;
use crate::queue::Queue;
use crate::queue::event::PipelineEvent;
use crate::queue::memory::KnownRollout;
use crate::queue::message::{Happening, Job, Look, Message};
use crate::queue::received::{Received, ReceivedError};
use crate::reader::{Extras, Reader};
use crate::settings::{Secret, SettingsStore};
use doubles::{Doubles, Envelope, Turn, take_place};
use follow::Run;
use trouble::{AFTER_UNCERTAIN, Cause, Trouble, next_try, since_put_back};

/// Kept of an invocation's time, up to a quarter of it, for sending what is left to do as a message.
const RESERVE: Duration = Duration::from_secs(4);

/// Kept of it for answering: what has not come to an end by then goes back to the queue.
const LAST_MOMENT: Duration = Duration::from_millis(500);

/// The handler, behind the queue.
pub struct Worker {
    pub settings: SettingsStore,
    pub queue: Queue,
    pub pipelines: CodePipeline,
    reader: Reader,
    pub clock: Clock,
    /// Region of the pipelines, for links to the console.
    pub region: String,
    transport: Transport,
    github: Mutex<Option<KnownGitHub>>,
    doubles: Doubles,
}

/// A client and what it was made from, so that it is kept as long as neither changes.
struct KnownGitHub {
    api_url: String,
    token: Option<Secret>,
    client: Arc<GitHub>,
}

/// A pipeline, and an execution of it or the push that is to start one.
type About = (String, String);

/// One message of a batch.
struct Record {
    envelope: Envelope,
    received_before: bool,
    work: Received,
}

impl Worker {
    pub fn new(sdk_config: &SdkConfig, settings: SettingsStore, queue: Queue, clock: Clock) -> Self {
        let region = sdk_config.region().map(ToString::to_string).unwrap_or_default();
        let pipelines = CodePipeline::new(sdk_config);
        let reader = Reader::new(sdk_config, pipelines.clone(), clock.clone());
        let (transport, github) = (Transport::Network, Mutex::new(None));
        Self { settings, queue, pipelines, reader, clock, region, transport, github, doubles: Doubles::default() }
    }

    /// Reaches GitHub otherwise than over the network.
    pub fn with_transport(self, transport: Transport) -> Self {
        Self { transport, ..self }
    }

    /// Does what a batch of messages asks for, within `time`, and names the messages that were not done: those go back
    /// to the queue, and after five receives to the dead-letter queue.
    ///
    /// Messages about one execution are taken as one, for two at the same time would post the same; all else runs side by
    /// side, and one that fails does not hurt another.
    pub async fn handle(&self, batch: SqsEvent, time: Duration) -> SqsBatchResponse {
        let now = self.clock.now();
        let until = now + time.saturating_sub(RESERVE.min(time / 4));
        let hard_end = now + time.saturating_sub(LAST_MOMENT.min(time / 8));
        let mut failed: Vec<String> = Vec::new();
        let mut groups: Vec<(Option<About>, Vec<Record>)> = Vec::new();
        for message in batch.records {
            let id = message.message_id.clone().unwrap_or_default();
            match self.record(message) {
                Ok(Some(record)) => {
                    let about = record.about();
                    match groups.iter_mut().find(|(group, _)| about.is_some() && *group == about) {
                        Some((_, records)) => records.push(record),
                        None => groups.push((about, vec![record])),
                    }
                }
                Ok(None) => {}
                Err(problem) => {
                    tracing::error!(
                        message_id = id,
                        %problem,
                        "the message does not parse; it goes to the dead-letter queue"
                    );
                    failed.push(id);
                }
            }
        }
        let done = join_all(groups.into_iter().map(|(_, records)| self.handle_safely(records, until, hard_end))).await;
        failed.extend(done.into_iter().flatten());
        let mut response = SqsBatchResponse::default();
        response.batch_item_failures = failed
            .into_iter()
            .map(|id| {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = id;
                failure
            })
            .collect();
        response
    }

    /// `None` for an event that is not about an execution.
    fn record(&self, message: SqsMessage) -> Result<Option<Record>, ReceivedError> {
        let receives = message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
        let sent =
            message.attributes.get("SentTimestamp").and_then(|sent| sent.parse().ok()).map(Timestamp::from_millis);
        let Some(mut work) = Received::parse(message.body.as_deref().unwrap_or_default())? else { return Ok(None) };
        if let (Received::Ours(ours), Some(sent)) = (&mut work, sent) {
            ours.retry = ours.retry.take().map(|retry| since_put_back(retry, sent, self.clock.now()));
        }
        let envelope = Envelope { id: message.message_id.unwrap_or_default(), sent };
        Ok(Some(Record { envelope, received_before: receives.unwrap_or(1_u32) > 1, work }))
    }

    /// As [`Self::handle_group`], also where that hangs or panics: the other messages of the batch are not to be hurt.
    async fn handle_safely(&self, records: Vec<Record>, until: Timestamp, hard_end: Timestamp) -> Vec<String> {
        let ids: Vec<String> = records.iter().map(|record| record.envelope.id.clone()).collect();
        let handled = AssertUnwindSafe(self.handle_group(records, until)).catch_unwind();
        match tokio::time::timeout(hard_end.since(self.clock.now()), handled).await {
            Ok(Ok(failed)) => failed,
            Ok(Err(_)) => {
                tracing::error!(messages = ?ids, "a message made the worker panic; it goes back to the queue");
                ids
            }
            Err(_) => {
                tracing::error!(messages = ?ids, "the time of the function is over; what is left goes back to the queue");
                ids
            }
        }
    }

    /// Takes messages about one execution, and names those that have to go back to the queue. What is done for the
    /// first, which knows most, is done for all: it reads after they came. So chains of wake-ups that were doubled
    /// become one again where they meet.
    async fn handle_group(&self, mut records: Vec<Record>, until: Timestamp) -> Vec<String> {
        let now = self.clock.now();
        for record in &records {
            if let Some(turn) = record.turn() {
                self.doubles.note_received(turn, &record.envelope, now);
            }
        }
        records.retain(|record| !record.turn().is_some_and(|turn| self.doubles.is_double(&turn, &record.envelope)));
        let last = records.iter().filter_map(Record::turn).map(|turn| turn.place).max();
        records.sort_by_key(|record| (record.rank(), std::cmp::Reverse(record.turn().map(|turn| turn.knows))));
        let mut failed = Vec::new();
        for mut record in records {
            if let (Some(last), Received::Ours(message)) = (last, &mut record.work) {
                take_place(message, last);
            }
            match self.handle_record(record, until).await {
                Ok(()) => break,
                Err(id) => failed.push(id),
            }
        }
        failed
    }

    /// Does what a message asks for, now or by another message. The error is the id of one that has to go back.
    async fn handle_record(&self, record: Record, until: Timestamp) -> Result<(), String> {
        let now = self.clock.now();
        let id = record.envelope.id;
        let (message, event_waits) = match record.work {
            Received::Ours(message) => (*message, None),
            Received::Event(event) => {
                let PipelineEvent { id, pipeline, execution, what: happening } = event;
                let since = now.as_millis();
                let job = Job::Look(Look { pipeline, execution, happening, since, come_back: false });
                (Message::new(id, now, job), happening.wait())
            }
        };
        if let Some(wait) = event_waits.or_else(|| message.waits_for_github(now)) {
            self.queue.send(&message, wait).await.map_err(|error| {
                tracing::error!(delivery = message.delivery, %error, "a message that has to wait can't be sent again");
                id
            })?;
            self.note_sent(&message);
            return Ok(());
        }
        let done = tokio::time::timeout(until.since(now), self.run(&message, record.received_before)).await;
        let done = done.unwrap_or_else(|_| Err(Trouble::passing(Cause::OutOfTime, message.job.clone())));
        match done {
            Ok(()) => Ok(()),
            Err(trouble) => self.try_again(message, trouble).await.map_err(|()| id),
        }
    }

    async fn run(&self, message: &Message, received_before: bool) -> Result<(), Trouble> {
        match &message.job {
            Job::Start(job) => self.start(message, job, received_before).await,
            Job::Skip(job) => self.skip(job).await,
            Job::Follow(job) => {
                let mut job = job.clone();
                if received_before {
                    // Another chain may have told the end meanwhile, and the run be retried since: then this one alone
                    // follows it, and is no double to those who know of the other.
                    job.begin_anew(self.clock.now());
                }
                self.follow(message, job).await
            }
            Job::Look(job) => self.look(message, job).await.map(|_| ()),
            Job::Press(job) => self.press(message, job, received_before).await,
        }
    }

    /// Sends a job that failed as a new message, for the queue's own returns are for crashes.
    async fn try_again(&self, message: Message, trouble: Trouble) -> Result<(), ()> {
        let Message { delivery, first_sent, retry: earlier, job } = message;
        let Trouble { cause, again } = trouble;
        let pipeline = job.pipeline();
        let Some(job) = again else {
            tracing::error!(delivery, pipeline, %cause, "the message can't be done; it goes to the dead-letter queue");
            return Err(());
        };
        if needs_mending(&cause) {
            metrics::count(&self.clock, "NeedsMending", &[("Pipeline", job.pipeline())]);
        }
        let Some((retry, wait)) = next_try(&cause, earlier.as_ref(), job.seed(), self.clock.now()) else {
            if cause.is_refusal() {
                tracing::error!(delivery, pipeline, %cause, "tried for ten minutes; it is left out");
                metrics::count(&self.clock, "NeedsMending", &[("Pipeline", job.pipeline())]);
                return Ok(());
            }
            tracing::error!(delivery, %cause, "tried for a day; the message goes to the dead-letter queue");
            self.tell_that_it_was_given_up(&job).await;
            return Err(());
        };
        tracing::warn!(delivery, pipeline = job.pipeline(), %cause, tries = retry.tries, again_in_s = wait.as_secs(), "not done");
        let mut message = Message { delivery, first_sent, retry: Some(retry), job: *job };
        if let Job::Follow(job) = &mut message.job {
            job.nth = job.nth.saturating_add(1);
        }
        let turn = Turn::of(&message, false);
        if let Job::Follow(job) = &mut message.job
            && cause.is_uncertain()
        {
            // Who begins before all that was sent has got there may come to an end before that, too. So this is no double of
            // theirs, but begins anew; nor are they of this one until it looks.
            job.begin_anew(self.clock.now() + AFTER_UNCERTAIN);
        }
        self.queue.send(&message, wait).await.map_err(|error| {
            tracing::error!(delivery = message.delivery, %error, "a message that failed can't be sent again");
        })?;
        if let Some(turn) = turn {
            self.doubles.note(turn);
        }
        Ok(())
    }

    /// What the queue has taken goes on from here.
    fn note_sent(&self, message: &Message) {
        if let Some(turn) = Turn::of(message, false) {
            self.doubles.note(turn);
        }
    }

    /// What is of use for a run: the log where there is a page to show it on, the address where a chain shows a deployment
    /// and the route does not name it.
    async fn extras(&self, run: &Run, is_chain: bool) -> Extras {
        let Ok(config) = self.config().await else { return Extras::default() };
        let shows_deployment = config.github.deployments && run.options.environment.is_some();
        Extras {
            address: is_chain && shows_deployment && run.options.environment_url.is_none(),
            log: config.github.report == ReportAs::Checks,
        }
    }

    /// As [`Reader::read`].
    pub(crate) async fn read(
        &self,
        pipeline: &str,
        execution: &str,
        source_action: Option<&str>,
        known: &[KnownRollout],
        extras: Extras,
    ) -> Result<Reading, PipelineError> {
        self.reader.read(pipeline, execution, source_action, known, extras).await
    }

    async fn config(&self) -> Result<Arc<Config>, Cause> {
        let settings = self.settings.get().await?;
        settings.config.clone().map_err(|error| Cause::Config(error.to_string()))
    }

    /// A client with the token that is in force; `refresh` reads the token again first.
    async fn github(&self, refresh: bool) -> Result<Arc<GitHub>, Cause> {
        let settings = if refresh { self.settings.get_fresh().await? } else { self.settings.get().await? };
        let config = settings.config.clone().map_err(|error| Cause::Config(error.to_string()))?;
        let (api_url, token) = (config.github.api_url.clone(), settings.github_token.clone());
        let mut known = self.github.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.api_url == api_url && known.token == token) {
            return Ok(known.client.clone());
        }
        let client = Arc::new(GitHub::new(&api_url, token.as_ref(), &self.transport, self.clock.clone())?);
        *known = Some(KnownGitHub { api_url, token, client: client.clone() });
        Ok(client)
    }
}

/// What a person has to mend; everything else may pass by itself.
fn needs_mending(cause: &Cause) -> bool {
    match cause {
        Cause::GitHub(error) => error.needs_mending(),
        Cause::Pipeline(error) => !matches!(error, PipelineError::Unavailable(_)),
        Cause::Config(_) => true,
        _ => false,
    }
}

impl Record {
    fn turn(&self) -> Option<Turn> {
        match &self.work {
            Received::Ours(message) => Turn::of(message, self.received_before),
            Received::Event(_) => None,
        }
    }

    /// What the message is about, where several about the same may come.
    fn about(&self) -> Option<About> {
        match &self.work {
            Received::Event(event) => Some((event.pipeline.clone(), event.execution.clone())),
            Received::Ours(message) => match &message.job {
                Job::Follow(job) => Some((job.pipeline.clone(), job.execution.clone())),
                Job::Look(job) => Some((job.pipeline.clone(), job.execution.clone())),
                Job::Start(job) => Some((job.pipeline.clone(), job.token.clone())),
                Job::Skip(_) | Job::Press(_) => None,
            },
        }
    }

    /// A chain's own wake-up knows most, so it goes first; then what may begin a chain or insists on being heard, whether it
    /// has just come or is tried again; then mere hints.
    fn rank(&self) -> u8 {
        let (happening, has_to_wait) = match &self.work {
            Received::Ours(message) => match &message.job {
                Job::Look(job) => (job.happening, false),
                _ => return 0,
            },
            Received::Event(event) => (event.what, event.what.wait().is_some()),
        };
        match happening {
            Happening::ExecutionResumed => 1,
            Happening::ExecutionStarted => 2,
            happening if happening.insists() => 3,
            _ if !has_to_wait => 4,
            _ => 5,
        }
    }
}
