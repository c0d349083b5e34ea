//! A small language for stories: the functions' real handlers between the stand-ins, over HTTP on loopback, with a clock
//! that jumps to whenever something happens next.

// Each test binary uses its part of the language, and a test ends where something is not as it must be.
#![allow(dead_code, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::{Response, StatusCode};
use pipehook::clock::Clock;
use pipehook::domain::time::Timestamp;
use pipehook::local::{Local, QUEUE, Setup, sample};
use pipehook::standin::{
    ActionSpec, AppEvent, CheckRun, EXAMPLE_APP_KEY, ExecutionView, Fault, GitHub, Permission, PipelineSpec,
    PostedStatus, Role, StageSpec, State, When, example_app_credentials,
};
use pipehook::worker::Worker;
use serde_json::Value;

pub(crate) const SECRET: &str = "It's a Secret to Everybody";
pub(crate) const TOKEN: &str = "ghp_exampleTokenOfTheStories0123456789ab";

/// The App of the stories.
pub(crate) const APP: u64 = 4711;

/// Batches and jumps of the clock after which a story is taken to never end.
const MAX_STEPS: usize = 5_000;

/// Source, Build, Staging.
pub(crate) fn classic() -> PipelineSpec {
    PipelineSpec::classic(sample::PIPELINE, sample::REPOSITORY)
}

/// The classic pipeline with an approval in front of its deploy.
pub(crate) fn with_approval() -> PipelineSpec {
    PipelineSpec::new(sample::PIPELINE)
        .stage(StageSpec::new("Source", [ActionSpec::github_source("Source", sample::REPOSITORY, "main")]))
        .stage(StageSpec::new("Build", [ActionSpec::code_build("Build", "node-server")]))
        .stage(StageSpec::new(
            "Staging",
            [ActionSpec::approval("Approve"), ActionSpec::ecs_deploy("Deploy", "staging", "node-server").run_order(2)],
        ))
}

pub(crate) struct Scene {
    pub(crate) local: Local,
    now: Arc<AtomicU64>,
    deliveries: AtomicUsize,
    /// The variable that says where its journal goes.
    journals: &'static str,
}

impl Scene {
    /// The sample repository and its classic pipeline: Source, Build, Staging.
    pub(crate) async fn new() -> Self {
        Self::with(sample::ROUTES, classic()).await
    }

    pub(crate) async fn with(routes: &str, pipeline: PipelineSpec) -> Self {
        Self::set_up(routes, TOKEN, pipeline).await
    }

    /// As a GitHub App, reporting check runs. `octocat` may write to the repository, `hubot` may only read it.
    pub(crate) async fn as_app(routes: &str, pipeline: PipelineSpec) -> Self {
        let routes = format!("report = \"checks\"\n{routes}");
        let scene = Self::set_up(&routes, &example_app_credentials(APP), pipeline).await;
        let now = scene.now();
        {
            let mut world = scene.local.world();
            let github = world.github();
            github.add_app(now, APP, "pipehook", EXAMPLE_APP_KEY).unwrap();
            let permissions = ["metadata", "statuses", "checks", "deployments", "contents", "pull_requests"];
            let permissions = permissions.map(|area| (area, Permission::Write));
            github.install_app(now, APP, sample::REPOSITORY, &permissions).unwrap();
            github.set_role(sample::REPOSITORY, "octocat", Role::Write);
            github.set_role(sample::REPOSITORY, "hubot", Role::Read);
        }
        scene
    }

    /// As [`Self::new`], beginning now: for a process beside it that has no other clock than the system's.
    pub(crate) async fn of_today() -> Self {
        Self::set_up_at(Clock::system().now(), sample::ROUTES, TOKEN, classic()).await
    }

    async fn set_up(routes: &str, github_token: &str, pipeline: PipelineSpec) -> Self {
        let then = Timestamp::from_millis(1_769_292_000_000);
        Box::pin(Self::set_up_at(then, routes, github_token, pipeline)).await
    }

    async fn set_up_at(now: Timestamp, routes: &str, github_token: &str, pipeline: PipelineSpec) -> Self {
        let now = Arc::new(AtomicU64::new(now.as_millis()));
        let clock = {
            let now = now.clone();
            Clock::from_fn(move || Timestamp::from_millis(now.load(Ordering::SeqCst)))
        };
        let setup = Setup { routes, webhook_secret: SECRET, github_token };
        let local = Local::start(0, clock, &setup).await.unwrap();
        {
            let mut world = local.world();
            world.github().add_repository(sample::REPOSITORY, "main");
            world.github().accept_any_commit(sample::REPOSITORY, true);
            world.pipelines().create(pipeline);
        }
        Self { local, now, deliveries: AtomicUsize::new(0), journals: "PIPEHOOK_TEST_JOURNALS" }
    }

    /// Of what nobody means: what a function calls for it, such as a pipeline `a/b`, its role need not allow.
    pub(crate) fn of_odd_messages(mut self) -> Self {
        self.journals = "PIPEHOOK_STANDIN_JOURNALS";
        self
    }

    /// From the time on that it really is, for what looks at the real clock too.
    pub(crate) fn at_the_systems_time(self) -> Self {
        self.jump_to(Clock::system().now());
        self
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.local.clock().now()
    }

    /// Delivers a payload as GitHub does, each time with a new delivery id.
    pub(crate) async fn deliver(&self, event: &str, payload: &Value) -> Response<String> {
        let n = self.deliveries.fetch_add(1, Ordering::SeqCst);
        let delivery = format!("72d3162e-cc78-11e3-81ab-4c9367dc{n:04}");
        self.local.deliver(&delivery, event, &payload.to_string(), SECRET).await
    }

    /// Pushes a commit with this message to main, and expects that it is accepted.
    pub(crate) async fn push(&self, message: &str) -> String {
        let response = self.deliver("push", &sample::push("main", message, &["src/server.js"])).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED, "{}", response.body());
        sample::sha(message)
    }

    pub(crate) fn jump_to(&self, moment: Timestamp) {
        self.now.fetch_max(moment.as_millis(), Ordering::SeqCst);
        let now = self.now();
        self.local.world().advance(now);
    }

    pub(crate) fn wait(&self, time: Duration) {
        self.jump_to(self.now() + time);
    }

    /// Handles what is visible, then lets time pass to whenever something happens next, until nothing is left to happen.
    pub(crate) async fn run(&self) {
        self.run_until(|scene| scene.is_quiet()).await;
    }

    /// As [`Self::run`], until this long has passed.
    pub(crate) async fn run_for(&self, time: Duration) {
        let until = self.now() + time;
        self.run_until(|scene| scene.now() >= until || scene.next_change() > Some(until)).await;
        self.jump_to(until);
    }

    pub(crate) async fn run_until(&self, done: impl Fn(&Self) -> bool) {
        for _ in 0..MAX_STEPS {
            if self.handle_one_batch().await {
                continue;
            }
            if done(self) {
                return;
            }
            match self.next_change() {
                Some(moment) => self.jump_to(moment.max(self.now() + Duration::from_millis(1))),
                None => return,
            }
        }
        panic!("the story does not end; posted so far:\n{}", self.posted());
    }

    /// As [`Self::run`], with a worker that dies at the `n`th call from now, once that call has taken effect: the queue is
    /// told nothing. False where the story is over before.
    pub(crate) async fn run_and_crash_at_call(&self, n: usize) -> bool {
        let fatal = self.journal_len() + n;
        // The answer to the fatal call never comes, so that nothing follows it.
        let never = Fault::Delay(Duration::from_secs(3600));
        self.local.world().faults().add("*", "*", When::Nth(n as u32), never);
        let mut has_died = false;
        for _ in 0..MAX_STEPS {
            let Some(batch) = self.local.next_batch() else {
                match self.next_change() {
                    Some(moment) => self.jump_to(moment.max(self.now() + Duration::from_millis(1))),
                    None => break,
                }
                continue;
            };
            let worker = self.local.another_worker();
            let dies = async {
                while has_died || self.journal_len() < fatal {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            };
            has_died |= tokio::select! {
                handled = self.local.handle_batch(&worker, &batch) => { handled.unwrap(); false }
                () = dies => { self.local.world().faults().clear(); true }
            };
        }
        has_died
    }

    /// Two workers on one execution: the first gets the answer to its `n`th call so late that, meanwhile, time passes to
    /// the execution's end and the second brings GitHub up to date. False where the first makes fewer calls.
    pub(crate) async fn overtake_at_call(&self, n: usize) -> bool {
        let Some(batch) = self.local.next_batch() else {
            return false;
        };
        let before = self.journal_len();
        self.local.world().faults().add("*", "*", When::Nth(n as u32), Fault::Delay(Duration::from_millis(250)));
        let late_worker = self.local.another_worker();
        let late = self.local.handle_batch(&late_worker, &batch);
        let meanwhile = async {
            for _ in 0..200 {
                if self.journal_len() >= before + n {
                    self.wait(Duration::from_secs(600));
                    while self.handle_one_batch().await {}
                    return true;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            false
        };
        let (handled, overtaken) = tokio::join!(late, meanwhile);
        handled.unwrap();
        self.local.world().faults().clear();
        overtaken
    }

    pub(crate) fn journal_len(&self) -> usize {
        self.local.world().journal().len()
    }

    pub(crate) async fn handle_one_batch(&self) -> bool {
        self.handle_one_batch_by(&self.local.worker).await
    }

    pub(crate) async fn handle_one_batch_by(&self, worker: &Worker) -> bool {
        let Some(batch) = self.local.next_batch() else {
            return false;
        };
        self.local.handle_batch(worker, &batch).await.unwrap();
        true
    }

    /// The wake-ups on the queue: one for each chain that follows an execution.
    pub(crate) fn follow_messages(&self) -> Vec<String> {
        let bodies = self.local.world().queues().bodies(QUEUE);
        let is_follow = |body: &String| serde_json::from_str::<Value>(body).is_ok_and(|body| body["job"] == "follow");
        bodies.into_iter().filter(is_follow).collect()
    }

    /// Lets time pass until a message is visible, and leaves it there.
    pub(crate) fn wait_for_a_message(&self) {
        while self.local.world().queues().visible(self.now(), QUEUE).is_empty() {
            match self.next_change() {
                Some(moment) => self.jump_to(moment.max(self.now() + Duration::from_millis(1))),
                None => return,
            }
        }
    }

    fn next_change(&self) -> Option<Timestamp> {
        self.local.world().next_change()
    }

    fn is_quiet(&self) -> bool {
        let mut world = self.local.world();
        world.queues().is_empty(QUEUE) && world.next_change().is_none()
    }

    /// What GitHub shows on a commit in the end, a context a line.
    pub(crate) fn shows(&self, sha: &str) -> String {
        let mut world = self.local.world();
        let latest = world.github().latest(sample::REPOSITORY, sha);
        let lines = latest.values().map(|status| {
            let description = status.description.as_deref().unwrap_or_default();
            format!("{} {}: {description}", status.context, state(status.state))
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// What the check runs of a commit show in the end, a name a line, with their buttons.
    pub(crate) fn checks(&self, sha: &str) -> String {
        let mut world = self.local.world();
        let latest = world.github().latest_check_runs(sample::REPOSITORY, sha);
        let lines = latest.values().map(|run| {
            let state = run.conclusion.unwrap_or(run.status);
            let buttons: Vec<_> = run.actions.iter().map(|button| format!(" [{}]", button.label)).collect();
            format!("{} {state}: {}{}", run.name, run.output.title.as_deref().unwrap_or_default(), buttons.concat())
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The latest check run of a name.
    pub(crate) fn check(&self, sha: &str, name: &str) -> CheckRun {
        let mut world = self.local.world();
        world.github().latest_check_runs(sample::REPOSITORY, sha).remove(name).expect("a check run of this name")
    }

    /// Delivers what GitHub sends when somebody presses something, and handles it.
    pub(crate) async fn press(&self, event: &AppEvent) {
        let response = self.deliver(event.event, &event.payload).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED, "{}", response.body());
        self.run_for(Duration::from_secs(2)).await;
    }

    /// The deployments of the repository, a line each, with the states that they went through.
    pub(crate) fn deployments(&self) -> String {
        let mut world = self.local.world();
        let deployments = world.github().deployments(sample::REPOSITORY);
        let lines = deployments.iter().map(|one| {
            let states: Vec<_> = one.statuses.iter().map(|status| status.state).collect();
            let url = one.statuses.last().map(|status| status.environment_url.clone()).unwrap_or_default();
            format!("{} {}: {} {url}", &one.sha[..7], one.environment, states.join(", "))
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Every status that was posted, in order, a line each.
    pub(crate) fn posted(&self) -> String {
        let mut world = self.local.world();
        let (posted, _) = world.github().posted_since(0);
        posted.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// How many statuses stand on a commit in a context.
    pub(crate) fn posts(&self, sha: &str, context: &str) -> usize {
        let mut world = self.local.world();
        world.github().statuses(sample::REPOSITORY, sha).iter().filter(|status| status.context == context).count()
    }

    /// Commits of the pipeline's executions in the order in which they were started, each with its status.
    pub(crate) fn executions(&self) -> Vec<(String, &'static str)> {
        let mut world = self.local.world();
        let mut executions = world.pipelines().executions(sample::PIPELINE);
        executions.sort_by_key(|execution| execution.started);
        executions.into_iter().map(|execution| (execution.commit.unwrap_or_default(), execution.status)).collect()
    }

    /// What GitHub holds is the truth: each commit shows what the newest execution of it came to, for the execution and
    /// for every stage that it began; nothing is pending; no execution has posted more in a context than its account.
    pub(crate) fn assert_truth(&self) {
        self.assert_truth_after(0);
    }

    /// As [`Self::assert_truth`], where workers got in each other's way: what one posted too late, and what put it right,
    /// come on top of the account.
    pub(crate) fn assert_truth_after(&self, too_late: usize) {
        let mut world = self.local.world();
        let mut executions = world.pipelines().executions(sample::PIPELINE);
        executions.sort_by_key(|execution| execution.started);
        for execution in &executions {
            assert_quiet(execution, world.github(), 2 * too_late);
        }
        let newest: BTreeMap<String, ExecutionView> = executions
            .into_iter()
            .map(|execution| (execution.commit.clone().expect("a commit that is known"), execution))
            .collect();
        for (commit, execution) in newest {
            let latest = world.github().latest(sample::REPOSITORY, &commit);
            let own = match execution.status {
                "Succeeded" => State::Success,
                "Failed" => State::Failure,
                "Stopped" | "Cancelled" | "Superseded" => State::Error,
                other => panic!("{commit} is not over: {other}"),
            };
            let mut expected: BTreeMap<String, State> = BTreeMap::new();
            expected.insert(format!("codepipeline/{}", sample::PIPELINE), own);
            for stage in &execution.stages {
                let state = match stage.status {
                    Some("Succeeded" | "Skipped") => State::Success,
                    Some("Failed") => State::Failure,
                    Some(_) => own,
                    None => continue,
                };
                expected.insert(format!("codepipeline/{}/{}", sample::PIPELINE, stage.name), state);
            }
            let shown: BTreeMap<String, State> =
                latest.into_iter().map(|(context, status)| (context, status.state)).collect();
            assert_eq!(shown, expected, "{commit}");
        }
    }

    /// No execution has posted more in a context of the commit than its account.
    pub(crate) fn assert_quiet_contexts(&self) {
        let mut world = self.local.world();
        for execution in world.pipelines().executions(sample::PIPELINE) {
            assert_quiet(&execution, world.github(), 0);
        }
    }

    /// Id of the oldest execution.
    pub(crate) fn oldest_execution(&self) -> String {
        let mut world = self.local.world();
        let executions = world.pipelines().executions(sample::PIPELINE);
        executions.into_iter().min_by_key(|execution| execution.started).expect("an execution").id
    }

    /// Id of the newest execution.
    pub(crate) fn newest_execution(&self) -> String {
        let mut world = self.local.world();
        let executions = world.pipelines().executions(sample::PIPELINE);
        executions.into_iter().max_by_key(|execution| execution.started).expect("an execution").id
    }

    /// How often an operation was called.
    pub(crate) fn calls(&self, operation: &str) -> usize {
        self.local.world().journal().iter().filter(|call| call.operation == operation).count()
    }

    pub(crate) fn dead_letters(&self) -> Vec<String> {
        self.local.world().queues().bodies(pipehook::local::DEAD_LETTERS)
    }
}

/// Promise 6: at most 4 statuses a stage, 3 and one for each stage for the execution, and the same again for a retry.
fn assert_quiet(execution: &ExecutionView, github: &mut GitHub, more: usize) {
    let commit = execution.commit.as_deref().unwrap_or_default();
    let mut posts: BTreeMap<String, usize> = BTreeMap::new();
    for status in github.statuses(sample::REPOSITORY, commit) {
        if status.target_url.as_deref().is_some_and(|url| url.contains(&execution.id)) {
            *posts.entry(status.context.clone()).or_default() += 1;
        }
    }
    for (context, posts) in posts {
        let account = if context.matches('/').count() > 1 { 4 } else { 3 + execution.stages.len() };
        assert!(posts <= account + more, "{posts} statuses in {context}");
    }
}

/// `abc1234 codepipeline/node-server pending: Queued`.
fn line(posted: &PostedStatus) -> String {
    let status = &posted.status;
    let description = status.description.as_deref().unwrap_or_default();
    format!("{} {} {}: {description}", &posted.sha[..7], status.context, state(status.state))
}

fn state(state: State) -> &'static str {
    match state {
        State::Error => "error",
        State::Failure => "failure",
        State::Pending => "pending",
        State::Success => "success",
    }
}

/// What the stories called is left for the check against the services' own models.
impl Drop for Scene {
    fn drop(&mut self) {
        let Some(folder) = std::env::var_os(self.journals) else {
            return;
        };
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{}-{}.jsonl", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let folder = std::path::PathBuf::from(folder);
        let journal = self.local.world().journal_json_lines();
        std::fs::create_dir_all(&folder).and_then(|()| std::fs::write(folder.join(name), journal)).unwrap();
    }
}
