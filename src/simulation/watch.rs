//! What is seen while a plan is carried out.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

use super::crowd::Crowd;
use super::log::Log;
use super::plan::{PipelinePlan, SetUp, What};
use super::run::BEGINNING;
use super::truth::{self, Told};
use super::{Verdict, deeds, deployments};
use crate::domain::time::Timestamp;
use crate::standin::{Call, ExecutionView, State, World};

/// What leaves it open whether something has been done, or has two workers do it.
const IN_DOUBT: [&str; 13] = [
    "aws: lost after",
    "aws: delay",
    "github: lost after",
    "github: lands late",
    "github: delay",
    "github: bad gateway",
    "message delivered twice",
    "redelivery",
    "event doubled",
    "worker dies",
    "worker freezes",
    "worker freezes as it tells",
    "worker times out",
];

/// What has a message received again without its job having failed: after five times it is given up.
const OF_MANY_RECEIVES: [&str; 5] =
    ["worker dies", "worker times out", "worker freezes", "worker freezes as it tells", "message delivered twice"];

/// The most that an execution has to say in one context, with what two workers may say at the same moment; and what each further
/// one may say again.
const POSTS: u64 = 12;
const POSTS_A_WORKER: u64 = 2;

/// Calls for an execution, and for each minute from its beginning until nothing is left to happen.
const CALLS: u64 = 600;
const CALLS_A_MINUTE: u64 = 30;

/// A secondary limit of GitHub's is waited for this long at least, by clocks that are off by two seconds at most.
const LIMITED_FOR: Duration = Duration::from_secs(60 - 4);

/// A message whose answer was lost is sent again, and what it asks for is done twice until both meet.
const CALLS_IN_DOUBT: u64 = 12;

/// Everything that was noticed so far.
#[derive(Default)]
pub(super) struct Watch {
    breaches: Vec<String>,
    struck: BTreeMap<String, u64>,
    /// What has been done, and strikes when somebody comes upon it.
    awaited: BTreeSet<&'static str>,
    calls: BTreeMap<&'static str, u64>,
    statuses_seen: usize,
    checks_seen: usize,
    posts: BTreeMap<(String, String), u32>,
    /// Whether the last call to ECS has failed.
    is_ecs_silent: bool,
    /// Executions whose success was told while it had.
    pub(super) without_ecs: BTreeSet<String>,
    /// The successes that GitHub was told.
    successes: Vec<Told>,
    /// The contexts of executions that show a success, and those of which it was taken back.
    succeeded: BTreeSet<(String, String)>,
    taken_back: Vec<String>,
    /// Until when GitHub has forbidden to be asked, and about which commit that was said, where the next message that
    /// is sent about it has to obey.
    limited: Option<(Timestamp, String)>,
    /// Those that did not obey.
    impatient: Vec<String>,
    posted: u64,
    /// Executions that somebody else has started.
    pub(super) foreign: BTreeSet<String>,
    /// Those that a chain of wake-ups has followed, where deployments at GitHub are judged.
    followed: BTreeSet<String>,
    /// Pipelines and commits whose start was answered as if waiting could not help.
    pub(super) denied_starts: BTreeSet<(String, String)>,
    log: Log,
    /// Whether a story is kept, to be read.
    tells: bool,
    story: Vec<String>,
    digest: DefaultHasher,
    pub(super) crowd: Option<Crowd>,
}

impl Watch {
    pub(super) fn new(log: Log, tells: bool) -> Self {
        Self { log, tells, ..Self::default() }
    }

    /// One that measures.
    pub(super) fn of_crowd(log: Log) -> Self {
        Self { crowd: Some(Crowd::default()), ..Self::new(log, false) }
    }

    pub(super) fn breach(&mut self, what: String) {
        if self.breaches.len() < 20 {
            self.breaches.push(what);
        }
    }

    pub(super) fn has_breached(&self) -> bool {
        !self.breaches.is_empty()
    }

    pub(super) fn strike(&mut self, kind: &str) {
        *self.struck.entry(kind.to_owned()).or_default() += 1;
    }

    /// What has happened strikes at once, or when somebody comes upon it.
    pub(super) fn happened(&mut self, what: &What) {
        match what {
            What::Calls { .. } | What::Outage { .. } | What::Worker(_) | What::Webhook(_) => {}
            What::Events { .. } | What::Twice { .. } => {}
            What::Skew { .. } | What::BrokenConfig { .. } | What::NewToken { .. } | What::NoPermission { .. } => {
                self.awaited.insert(what.kind());
            }
            _ => self.strike(what.kind()),
        }
    }

    /// Somebody comes upon what was done.
    pub(super) fn meet(&mut self, kind: &'static str) {
        if self.awaited.remove(kind) {
            self.strike(kind);
        }
    }

    /// What was done is undone.
    pub(super) fn undone(&mut self, kind: &'static str) {
        self.awaited.remove(kind);
    }

    /// What has befallen an invocation, where something has.
    pub(super) fn fate(&mut self, struck: Option<What>) {
        if let Some(what) = struck {
            self.strike(what.kind());
        }
    }

    /// Notes an execution that somebody else has started. False for one that is noted already.
    pub(super) fn note_foreign(&mut self, execution: String) -> bool {
        self.foreign.insert(execution)
    }

    pub(super) fn tell(&mut self, at: Timestamp, line: impl FnOnce() -> String) {
        if self.tells {
            self.story.push(format!("{:>12.3}  {}", at.since(BEGINNING).as_secs_f64(), line()));
        }
    }

    /// Takes in what has happened since the last look.
    pub(super) fn look(&mut self, world: &mut World, set_up: &SetUp) {
        self.read_the_journal(world, set_up);
        if let Some(crowd) = &mut self.crowd {
            crowd.look(world);
        }
        let mut told: Vec<Told> = Vec::new();
        let (posted, seen) = world.github().posted_since(self.statuses_seen);
        told.extend(posted.iter().map(Told::from));
        self.statuses_seen = seen;
        let (changed, seen) = world.github().checks_since(self.checks_seen);
        told.extend(changed.iter().map(|change| Told::of_check_run(change.at, &change.repository, &change.run)));
        self.checks_seen = seen;
        for told in told {
            self.tell(told.at, || {
                format!("    GitHub: {:.7} {} {}: {}", told.sha, told.context, told.state, told.text)
            });
            self.posted += 1;
            if let Some(crowd) = &mut self.crowd {
                crowd.told(&told);
            }
            self.digest.write(told.text.as_bytes());
            self.digest.write(told.context.as_bytes());
            if let Some(execution) = &told.execution {
                let place = (execution.clone(), told.context.clone());
                if told.state == State::Success {
                    self.succeeded.insert(place.clone());
                } else if told.state == State::Pending && self.succeeded.remove(&place) && set_up.workers == 1 {
                    self.taken_back.push(format!("{} of {execution} is pending again: {:?}", told.context, told.text));
                }
                *self.posts.entry(place).or_default() += 1;
                if told.state == State::Success && self.is_ecs_silent {
                    self.without_ecs.insert(execution.clone());
                } else if told.state == State::Success {
                    self.successes.push(told.clone());
                }
            }
            if let Some(lie) = truth::lie_in(world, &set_up.pipelines, &told, self.is_ecs_silent) {
                self.breach(format!("at {}: {lie}", told.at.as_millis()));
            }
        }
    }

    fn read_the_journal(&mut self, world: &mut World, set_up: &SetUp) {
        for fault in world.faults().take_met_events() {
            self.strike(What::Events { count: 1, fault }.kind());
        }
        for count in 0..world.queues().take_doublings() {
            self.strike(What::Twice { count }.kind());
        }
        for call in world.journal() {
            match (call.service, call.status, call.fault) {
                ("ssm", _, None) => self.meet("configuration broken"),
                ("github", 401, None) => self.meet("token revoked"),
                ("github", 403 | 404, None) => self.meet("permission lost"),
                _ => {}
            }
            // What several workers do at the same time can't be told apart here.
            if set_up.workers == 1 {
                self.judge_patience(call);
            }
            *self.calls.entry(call.service).or_default() += 1;
            if let Some(crowd) = &mut self.crowd {
                crowd.call(call.service, call.at);
            }
            self.digest.write(call.operation.as_bytes());
            self.digest.write_u64(call.at.as_millis());
            if call.service == "ecs" {
                self.is_ecs_silent = call.fault.is_some();
            }
            if set_up.deployments && call.service == "sqs" && call.operation == "SendMessage" && call.fault.is_none() {
                self.followed.extend(followed_by(call));
            }
            if let Some(fault) = call.fault {
                let of = if call.service == "github" { "github" } else { "aws" };
                let of_sqs = (call.service == "sqs").then(|| format!("sqs: {fault}"));
                for kind in [Some(format!("{of}: {fault}")), of_sqs].into_iter().flatten() {
                    *self.struck.entry(kind).or_default() += 1;
                }
                if call.operation == "StartPipelineExecution" && deeds::is_final_for_a_start(fault) {
                    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
                    let revision = &call.request["sourceRevisions"][0]["revisionValue"];
                    self.denied_starts.insert((text(&call.request["name"]), text(revision)));
                }
            }
        }
        if self.tells {
            for line in self.log.take_lines() {
                self.tell(world.now(), || format!("            log: {line}"));
            }
            let lines: Vec<_> = world.journal().iter().map(|call| (call.at, summary(call))).collect();
            for (at, line) in lines {
                self.tell(at, || line);
            }
        }
        world.clear_journal();
    }

    /// Whoever was told by GitHub to wait comes back when that is over, and not before.
    fn judge_patience(&mut self, call: &Call) {
        let commit = call.path.split('/').find(|part| part.len() == 40);
        match (call.service, call.fault) {
            ("github", Some("secondary limit")) => {
                self.limited = commit.map(|sha| (call.at + LIMITED_FOR, sha.to_owned()));
            }
            ("github", _) => {}
            ("sqs", None) if call.operation == "SendMessage" => {
                let body = call.request["MessageBody"].as_str().unwrap_or_default();
                let Some((until, _)) = self.limited.take().filter(|(_, sha)| body.contains(sha.as_str())) else {
                    return;
                };
                let message = serde_json::from_str::<serde_json::Value>(body).unwrap_or_default();
                // What comes back later, or soon for AWS and does not ask GitHub then.
                let not_before = message["retry"]["not_before"].as_u64().or(message["github_not_before"].as_u64());
                if message["retry"].is_object() && not_before.unwrap_or_default() < until.as_millis() {
                    let until = until.as_millis();
                    self.impatient.push(format!("GitHub's limit is not waited for until {until}: {body}"));
                }
            }
            _ => self.limited = None,
        }
    }

    /// Whether a success was told of what ECS undid later.
    pub(super) fn judge_successes(&mut self, world: &mut World, pipeline: &PipelinePlan, executions: &[ExecutionView]) {
        let told = self.successes.iter().filter_map(|told| {
            let execution = executions.iter().find(|execution| told.execution.as_ref() == Some(&execution.id))?;
            truth::hasty_success(world, pipeline, execution, told)
        });
        for hasty in told.collect::<Vec<_>>() {
            self.breach(hasty);
        }
    }

    /// Whether GitHub shows in the end what became of each deploy.
    pub(super) fn judge_deployments(
        &mut self,
        world: &mut World,
        pipeline: &PipelinePlan,
        executions: &[ExecutionView],
    ) {
        let struck = |service: &str| self.struck.keys().any(|kind| kind.starts_with(service));
        // The chain of a retried run may not begin while nothing can be read or sent; whoever hears of its end then tells that
        // in statuses alone.
        if self.count_of(&["retry"]) > 0 && (struck("aws: ") || struck("event ")) {
            return;
        }
        let keeps_from_github = ["token revoked", "permission lost", "configuration broken"];
        let has_taken_all = self.count_of(&keeps_from_github) == 0 && !struck("github: ");
        let has_aws_failed = struck("aws: ");
        let is_without_doubt = self.count_of(&IN_DOUBT) == 0;
        for execution in executions {
            // Where no wake-up could be sent, looks have told of it, in statuses alone.
            let was_followed = !self.foreign.contains(&execution.id) && self.followed.contains(&execution.id);
            // Of a run for which a newer one spoke it is not known whether ECS could be asked when its end was told.
            let is_told = self.successes.iter().any(|told| told.execution.as_ref() == Some(&execution.id));
            let without_ecs = self.without_ecs.contains(&execution.id) || (!is_told && has_aws_failed);
            let seen = deployments::Seen { has_taken_all, is_without_doubt, was_followed, without_ecs };
            for untruth in deployments::untruths(world, pipeline, execution, seen) {
                self.breach(untruth);
            }
        }
    }

    pub(super) fn count_of(&self, kinds: &[&str]) -> u64 {
        kinds.iter().filter_map(|kind| self.struck.get(*kind)).sum()
    }

    /// No execution posts, and nobody is asked, without end. What goes wrong on the way may cost a post or two each time:
    /// nobody knows whether what was sent has arrived.
    pub(super) fn bounds(&mut self, executions: &[ExecutionView], now: Timestamp, set_up: &SetUp) {
        let retries = self.count_of(&["retry"]);
        let in_doubt = self.count_of(&IN_DOUBT);
        let at_once = POSTS_A_WORKER * (set_up.workers as u64).saturating_sub(2);
        let most = (POSTS + at_once) * (1 + retries) + 2 * in_doubt;
        let loud = self.posts.iter().filter(|(_, count)| u64::from(**count) > most);
        let loud: Vec<_> =
            loud.map(|((id, context), count)| format!("{context} of {id} was told {count} times")).collect();
        for loud in loud {
            self.breach(loud);
        }
        let calls: u64 = self.calls.values().sum();
        let minutes: u64 = executions.iter().map(|one| 1 + now.since(one.started).as_secs() / 60).sum();
        // Chains of wake-ups that were doubled become one in a batch, and without a window few batches hold two messages.
        let chains = if set_up.batch_window.is_zero() { 1 + in_doubt.min(7) } else { 1 };
        let most =
            CALLS * (1 + executions.len() as u64) + CALLS_A_MINUTE * minutes * chains + CALLS_IN_DOUBT * in_doubt;
        if calls > most {
            self.breach(format!("{} executions of {minutes} minutes took {calls} calls", executions.len()));
        }
    }

    /// A message that lies in the dead-letter queue for no reason that there could be.
    pub(super) fn judge_dead_letter(&mut self, now: Timestamp, body: &str) {
        let has_reason =
            self.count_of(&OF_MANY_RECEIVES) > 0 || self.struck.keys().any(|kind| kind.starts_with("sqs: "));
        let since =
            serde_json::from_str::<serde_json::Value>(body).ok().and_then(|body| body["retry"]["since"].as_u64());
        let lasted = since.map_or(Duration::ZERO, |since| now.since(Timestamp::from_millis(since)));
        if !has_reason && lasted < Duration::from_secs(86_400) {
            self.breach(format!("a message was given up after {lasted:?}: {body}"));
        }
    }

    pub(super) fn verdict(mut self, lasted: Duration) -> Verdict {
        // Whoever was frozen has not heard what GitHub said.
        if self.count_of(&["worker freezes", "worker freezes as it tells"]) == 0 {
            for impatient in std::mem::take(&mut self.impatient) {
                self.breach(impatient);
            }
        }
        // Whose word comes late may take a success back, until somebody puts it right.
        if self.count_of(&IN_DOUBT) == 0 {
            for taken_back in std::mem::take(&mut self.taken_back) {
                self.breach(taken_back);
            }
        }
        for leak in self.log.leaks() {
            self.breach(format!("this should not have been logged: {leak}"));
        }
        let Self { breaches, struck, calls, posted, story, digest, .. } = self;
        Verdict { breaches, struck, calls, posted, lasted, story, digest: digest.finish() }
    }
}

/// The execution that a message to the queue is a wake-up of.
fn followed_by(call: &Call) -> Option<String> {
    let body = call.request["MessageBody"].as_str()?;
    let message: serde_json::Value = serde_json::from_str(body).ok()?;
    (message["job"] == "follow").then(|| message["execution"].as_str().map(str::to_owned))?
}

fn summary(call: &Call) -> String {
    let fault = call.fault.map(|fault| format!(" ({fault})")).unwrap_or_default();
    format!("        {} {} -> {}{fault}", call.service, call.operation, call.status)
}
