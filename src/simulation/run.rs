//! Carries a plan out: time jumps to whatever happens next, and everything that happens is watched.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use aws_config::{Region, SdkConfig};
use aws_lambda_events::sqs::SqsEvent;
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout};

use super::crowd::Crowd;
use super::plan::{BRANCH, Plan, What};
use super::sandbox::{Doom, End, Fate, Fated};
use super::watch::Watch;
use super::wires::{ENDPOINT, Wires};
use super::{Verdict, deeds};
use crate::aws::{Patience, loader};
use crate::clock::Clock;
use crate::domain::time::Timestamp;
use crate::local::{DEAD_LETTERS, FUNCTION_TIMEOUT, QUEUE, Setup, account, sample, signed_request};
use crate::standin::{ACCOUNT, EXAMPLE_APP_KEY, Permission, REGION, Role, World, example_app_credentials};
use crate::webhook::Webhook;
use crate::worker::Worker;

/// When every story begins.
pub(super) const BEGINNING: Timestamp = Timestamp::from_secs(1_769_292_000);

/// Longer than this nothing may take.
const LIMIT: Duration = Duration::from_secs(6 * 86_400);

/// GitHub waits so long for an answer, and then takes the delivery for failed.
const GITHUB_WAITS: Duration = Duration::from_secs(10);

/// When somebody has noticed a failed delivery and sends it again.
const REDELIVERED_AFTER: Duration = Duration::from_secs(10 * 60);

/// As many messages Lambda gives to a worker at once.
const BATCH: usize = 10;

/// The App of those stories that have one.
pub(super) const APP: u64 = 4711;

/// A commit that was pushed.
pub(super) struct Commit {
    pub(super) repository: String,
    pub(super) sha: String,
    pub(super) payload: String,
    pub(super) is_accepted: bool,
    pub(super) is_forged: bool,
}

/// Something that is going to happen.
pub(super) enum Deed {
    Incident(usize),
    Deliver(usize),
    LetGo {
        pipeline: usize,
        stage: &'static str,
    },
    MendConfig,
    ReplaceToken,
    Permit,
    /// GitHub signs with the new secret.
    SignAnew,
    /// The old secret is good no more.
    DropOldSecret,
    /// All troubles end.
    Tidy,
    /// Approvals that still wait are given, and what hangs is stopped.
    Sweep,
}

/// What came of an invocation.
enum Done {
    Worker { batch: Value, answer: Option<Value>, worker: Option<Box<Worker>>, struck: Option<Fate> },
    Delivery { commit: usize, status: Option<u16>, webhook: Option<Webhook>, struck: Option<Fate> },
}

pub(super) struct Runner<'a> {
    pub(super) plan: &'a Plan,
    pub(super) wires: Arc<Wires>,
    sdk_config: SdkConfig,
    queue_url: String,
    pub(super) commits: Vec<Commit>,
    /// By which commit of the plan.
    pub(super) pushed: BTreeMap<usize, usize>,
    pub(super) agenda: BTreeMap<(Timestamp, u64), Deed>,
    put_down: u64,
    pub(super) worker_fates: VecDeque<Fate>,
    pub(super) webhook_fates: VecDeque<Fate>,
    pub(super) idle_workers: Vec<Worker>,
    pub(super) idle_webhooks: Vec<Webhook>,
    pub(super) skew: i64,
    /// Sandboxes that were started.
    sandboxes: u64,
    /// When a sandbox dies in any case, in moments at which one waits.
    doom: Option<Doom>,
    pub(super) secrets: Vec<String>,
    pub(super) tokens: Vec<String>,
    pub(super) is_tidy: bool,
    /// Whether the webhook's secret is being changed.
    pub(super) is_rotating: bool,
    busy: usize,
    deliveries: u64,
    /// Since when Lambda waits for a batch to fill.
    filling: Option<Timestamp>,
    running: FuturesUnordered<LocalBoxFuture<'static, Done>>,
    pub(super) watch: Watch,
}

impl<'a> Runner<'a> {
    pub(super) async fn new(plan: &'a Plan, watch: Watch, doom: Option<Doom>) -> Self {
        let mut world = World::new(BEGINNING, plan.seed);
        world.forget_responses();
        let wires = Wires::new(world, plan.set_up.slowest, plan.seed);
        let sdk_config = loader(Patience::WORKER)
            .endpoint_url(ENDPOINT)
            .region(Region::from_static(REGION))
            .http_client(wires.http_client())
            .load()
            .await;
        let mut runner = Self {
            plan,
            sdk_config,
            queue_url: format!("{ENDPOINT}/{ACCOUNT}/{QUEUE}"),
            commits: Vec::new(),
            pushed: BTreeMap::new(),
            agenda: BTreeMap::new(),
            put_down: 0,
            worker_fates: VecDeque::new(),
            webhook_fates: VecDeque::new(),
            idle_workers: Vec::new(),
            idle_webhooks: Vec::new(),
            skew: 0,
            sandboxes: 0,
            doom,
            secrets: vec!["the first secret of the simulation".to_owned()],
            tokens: vec!["ghp_firstTokenOfTheSimulation00000000000".to_owned()],
            is_tidy: false,
            is_rotating: false,
            busy: 0,
            deliveries: 0,
            filling: None,
            running: FuturesUnordered::new(),
            watch,
            wires,
        };
        runner.set_up();
        runner
    }

    fn set_up(&mut self) {
        let set_up = &self.plan.set_up;
        let routes = self.routes();
        let token = if set_up.is_app { example_app_credentials(APP) } else { self.tokens[0].clone() };
        let wires = self.wires.clone();
        let mut world = wires.world();
        let now = wires.now();
        let setup = Setup { routes: &routes, webhook_secret: &self.secrets[0], github_token: &token };
        account::set_up(&mut world, now, &github_api_url(), &setup);
        world.queues().shuffle(set_up.is_shuffled);
        if self.watch.crowd.is_some() {
            // What GitHub allows in an hour ends before that. A GitHub Enterprise Server has no such limit by default.
            world.github().set_quota(u64::MAX);
        }
        for pipeline in &set_up.pipelines {
            world.github().add_repository(&pipeline.repository, BRANCH);
            world.github().accept_any_commit(&pipeline.repository, true);
            world.services().create(pipeline.service.clone());
            world.pipelines().create(pipeline.spec());
        }
        if set_up.is_app {
            let github = world.github();
            let added = github.add_app(now, APP, "pipehook", EXAMPLE_APP_KEY);
            let permissions = ["metadata", "statuses", "checks", "deployments", "contents", "pull_requests"];
            let permissions = permissions.map(|area| (area, Permission::Write));
            for pipeline in &set_up.pipelines {
                let installed = github.install_app(now, APP, &pipeline.repository, &permissions);
                if added.is_err() || installed.is_none() {
                    self.watch.breach("the App can't be set up".to_owned());
                }
                github.set_role(&pipeline.repository, "octocat", Role::Write);
            }
        }
        let mut ends = Duration::ZERO;
        for (at, incident) in self.plan.incidents.iter().enumerate() {
            self.put_down(BEGINNING + incident.at, Deed::Incident(at));
            ends = ends.max(incident.at + deeds::lasts(&incident.what));
        }
        self.put_down(BEGINNING + ends + Duration::from_secs(300), Deed::Tidy);
    }

    /// The configuration's part that the plan decides.
    pub(super) fn routes(&self) -> String {
        let set_up = &self.plan.set_up;
        let report = if set_up.is_app { "checks" } else { "statuses" };
        let routes: String = set_up.pipelines.iter().map(|pipeline| pipeline.route()).collect();
        format!("report = \"{report}\"\ndeployments = {}\n{routes}", set_up.deployments)
    }

    pub(super) fn put_down(&mut self, at: Timestamp, deed: Deed) {
        self.put_down += 1;
        self.agenda.insert((at, self.put_down), deed);
    }

    pub(super) fn now(&self) -> Timestamp {
        self.wires.now()
    }

    /// Pushes a commit: from now on GitHub delivers it until somebody has accepted it.
    pub(super) fn push(&mut self, repository: &str, message: &str, is_forged: bool) -> usize {
        let payload = payload(repository, message);
        let (repository, sha) = (repository.to_owned(), sample::sha(message));
        self.commits.push(Commit { repository, sha, payload, is_accepted: false, is_forged });
        self.commits.len() - 1
    }

    pub(super) fn deliver(&mut self, at: usize) {
        let commit = &self.commits[at];
        self.deliveries += 1;
        let delivery = format!("72d3162e-cc78-11e3-81ab-{:012}", self.deliveries);
        let secret = if commit.is_forged { "a guess" } else { self.secrets.last().map_or("", String::as_str) };
        let Ok(request) = signed_request(&delivery, "push", &commit.payload, secret) else { return };
        let webhook = match self.idle_webhooks.pop() {
            Some(webhook) => webhook,
            None => {
                let clock = self.clock_of_a_sandbox();
                account::webhook(&self.sdk_config, &self.queue_url, &clock)
            }
        };
        let (fate, doom) = (self.webhook_fates.pop_front(), self.doom.clone());
        let sent = Instant::now();
        self.running.push(Box::pin(async move {
            let handled = async { webhook.handle(request).await.status().as_u16() };
            let (end, struck) = Fated::new(timeout(GITHUB_WAITS, handled), fate, doom).await;
            let (status, webhook) = match end {
                // Whoever was frozen may answer when GitHub has long gone.
                End::Answered(Ok(status)) => (Some(status).filter(|_| sent.elapsed() <= GITHUB_WAITS), Some(webhook)),
                _ => (None, None),
            };
            Done::Delivery { commit: at, status, webhook, struck }
        }));
    }

    /// Machines' clocks differ from each other's, and from the services'.
    fn clock_of_a_sandbox(&mut self) -> Clock {
        self.sandboxes += 1;
        self.watch.meet("clock off");
        self.wires.clock(if self.sandboxes.is_multiple_of(2) { -self.skew } else { self.skew })
    }

    fn invoke(&mut self, batch: Value) {
        let Ok(event) = serde_json::from_value::<SqsEvent>(batch.clone()) else {
            self.watch.breach("the stand-in made a batch that can't be read".to_owned());
            return;
        };
        let worker = match self.idle_workers.pop() {
            Some(worker) => worker,
            None => {
                let clock = self.clock_of_a_sandbox();
                let worker = account::worker(&self.sdk_config, &self.queue_url, &clock);
                worker.with_transport(self.wires.transport())
            }
        };
        let (fate, doom) = (self.worker_fates.pop_front(), self.doom.clone());
        self.busy += 1;
        self.running.push(Box::pin(async move {
            let handled = worker.handle(event, FUNCTION_TIMEOUT);
            let (end, struck) = Fated::new(timeout(FUNCTION_TIMEOUT, handled), fate, doom).await;
            match end {
                End::Answered(Ok(answer)) => {
                    let answer = serde_json::to_value(answer).ok();
                    Done::Worker { batch, answer, worker: Some(Box::new(worker)), struck }
                }
                // Lambda takes a sandbox away whose function has not answered in time.
                _ => Done::Worker { batch, answer: None, worker: None, struck },
            }
        }));
    }

    fn settle(&mut self, done: Done) {
        match done {
            Done::Worker { batch, answer, worker, struck } => {
                self.busy -= 1;
                self.watch.fate(struck.map(What::Worker));
                if worker.is_none() && !matches!(struck, Some(Fate::Dies { .. })) {
                    self.watch.strike("worker times out");
                }
                self.idle_workers.extend(worker.map(|worker| *worker));
                let now = self.now();
                self.wires.world().settle_mapping(now, QUEUE, &batch, answer.as_ref().ok_or(()));
            }
            Done::Delivery { commit, status, webhook, struck } => {
                self.watch.fate(struck.map(What::Webhook));
                if status.is_none() && !matches!(struck, Some(Fate::Dies { .. })) {
                    self.watch.strike("webhook times out");
                }
                self.idle_webhooks.extend(webhook);
                let is_forged = self.commits[commit].is_forged;
                match status {
                    Some(202) if is_forged => self.watch.breach("a forged delivery was accepted".to_owned()),
                    Some(401) if is_forged => {}
                    Some(202) => self.commits[commit].is_accepted = true,
                    Some(status @ 400..500) => {
                        // While a secret is changed, the old and the new one are good; this is neither.
                        self.watch.breach(format!("a good delivery was refused with {status}"));
                    }
                    _ => {
                        let again = self.now() + REDELIVERED_AFTER;
                        self.put_down(again, Deed::Deliver(commit));
                    }
                }
            }
        }
    }

    /// Gives Lambda what is visible, as far as it has workers.
    fn poll(&mut self) {
        let now = self.now();
        while self.busy < self.plan.set_up.workers {
            let wires = self.wires.clone();
            let mut world = wires.world();
            let visible = world.queues().count_visible(now, QUEUE);
            if visible == 0 {
                self.filling = None;
                return;
            }
            let since = *self.filling.get_or_insert(now);
            if now < since + self.plan.set_up.batch_window && visible < BATCH {
                return;
            }
            self.filling = None;
            let Some(batch) = world.poll_mapping(now, QUEUE, BATCH) else { return };
            drop(world);
            self.invoke(batch);
        }
    }

    fn next_moment(&self) -> Option<Timestamp> {
        let agenda = self.agenda.first_key_value().map(|((at, _), _)| *at);
        let filled = self.filling.map(|since| since + self.plan.set_up.batch_window);
        let world = self.wires.world().next_change();
        agenda.into_iter().chain(filled).chain(world).min()
    }

    /// Whether no function runs, and nothing of the plan is left.
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty() && self.agenda.is_empty() && self.is_tidy
    }

    fn is_quiet(&self) -> bool {
        self.is_idle() && self.wires.world().queues().is_empty(QUEUE)
    }

    /// Until nothing is left to happen.
    async fn run(&mut self) {
        loop {
            let now = self.now();
            self.wires.world().advance(now);
            while let Some(entry) = self.agenda.first_entry() {
                if entry.key().0 > now {
                    break;
                }
                let deed = entry.remove();
                self.act(deed);
            }
            self.watch.look(&mut self.wires.world(), &self.plan.set_up);
            self.poll();
            if self.is_quiet() {
                return;
            }
            if now.since(BEGINNING) > LIMIT {
                self.watch.breach("it does not end".to_owned());
                return;
            }
            let next =
                self.next_moment().unwrap_or(now + Duration::from_secs(3600)).max(now + Duration::from_millis(1));
            let wires = self.wires.clone();
            tokio::select! {
                biased;
                Some(done) = self.running.next(), if !self.running.is_empty() => self.settle(done),
                () = wires.changed.notified() => {}
                () = sleep_until(wires.instant(next)) => {}
            }
        }
    }

    /// Carries the plan out and says what was wrong.
    pub(super) async fn finish(mut self) -> (Verdict, Option<Crowd>) {
        self.run().await;
        // What could not be handled waits for somebody who puts it back, and then it can.
        let mut redrives = 0;
        while redrives < 2 && !self.wires.world().queues().is_empty(DEAD_LETTERS) && !self.watch.has_breached() {
            redrives += 1;
            let now = self.now();
            let bodies = self.wires.world().queues().bodies(DEAD_LETTERS);
            for body in bodies.iter().filter(|body| *body != deeds::POISON) {
                self.watch.judge_dead_letter(now, body);
            }
            self.wires.world().queues().redrive(now, DEAD_LETTERS);
            self.watch.strike(What::Redrive.kind());
            self.put_down(now, Deed::Sweep);
            self.run().await;
        }
        self.check_the_end();
        let wires = self.wires.clone();
        let lasted = wires.now().since(BEGINNING);
        let crowd = self.watch.crowd.take().map(|crowd| crowd.finish(&mut wires.world(), &self.plan.set_up.pipelines));
        (self.watch.verdict(lasted), crowd)
    }
}

/// Where the configuration says that GitHub's API is.
pub(super) fn github_api_url() -> String {
    format!("{ENDPOINT}/github")
}

fn payload(repository: &str, message: &str) -> String {
    let mut payload = sample::push(BRANCH, message, &["src/server.js"]);
    payload["repository"]["full_name"] = repository.into();
    payload["repository"]["name"] = repository.rsplit('/').next().unwrap_or_default().into();
    payload.to_string()
}
