//! `pipehook demo`: three stories of pushes, told by the system itself.

mod screen;
pub(super) mod story;
mod truth;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::functions::Functions;
use super::pace::Pace;
use super::{Error, show, speed};
use crate::domain::time::Timestamp;
use crate::local::{Local, QUEUE, Setup, sample, signed_request};
use crate::standin::{ExecutionView, PipelineSpec, World};
use screen::Screen;
use story::{Push, STORIES, Story};
use truth::{Held, untruths};

/// How much faster than real time the world runs at `--speed 1`: the whole then takes some 20 s.
const RATE: f64 = 30.0;

/// What a slow machine gets on top of the time that the stories take by themselves.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often the screen is brought up to date.
const TICK: Duration = Duration::from_millis(10);

const SECRET: &str = "the-demo's-webhook-secret";
const TOKEN: &str = "the-demo's-github-token";

/// What `demo` is told.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  pipehook demo\n  pipehook demo --speed 0.5\n  \
                  pipehook demo --speed 10 --json | jq 'select(.state != \"pending\")'\n\n\
                  The exit code is 0 only where what GitHub holds in the end is what CodePipeline did.")]
pub(super) struct Arguments {
    /// How many times faster than usual; at 1 it takes some 20 seconds
    #[arg(long, value_name = "N", default_value = "1", value_parser = speed)]
    speed: f64,
    /// Print one line of JSON for each status that GitHub takes, and nothing else
    #[arg(long)]
    json: bool,
    /// Write every call to the stand-ins and its answer to a file, as lines of JSON
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
}

pub(super) async fn run(arguments: Arguments) -> Result<(), Error> {
    let rate = RATE * arguments.speed;
    let pace = Pace::new(rate);
    let setup = Setup { routes: sample::ROUTES, webhook_secret: SECRET, github_token: TOKEN };
    let listens = |cause| Error::SetUp(format!("can't listen on loopback: {cause}"));
    let local = Arc::new(Local::start(0, pace.clock(), &setup).await.map_err(listens)?);
    set_the_stage(&mut local.world());
    let functions = Functions::start(0, local.clone(), pace.clone()).await.map_err(listens)?;
    let mut demo = Demo {
        screen: Screen::new(arguments.json),
        began: pace.now(),
        webhook_url: functions.webhook_url(),
        github: Client::builder(TokioExecutor::new()).build_http(),
        shown: 0,
        local,
        pace,
    };
    let limit = PATIENCE + Duration::try_from_secs_f64(story::ALTOGETHER.as_secs_f64() / rate).unwrap_or(Duration::MAX);
    let told = match tokio::time::timeout(limit, demo.tell()).await {
        Ok(told) => told,
        Err(_) => Err(Error::TooLong { missing: demo.missing() }),
    };
    // What was recorded is needed most where something went wrong.
    if let Some(file) = &arguments.record {
        record(file, &demo.local)?;
    }
    told?;
    demo.end()
}

fn set_the_stage(world: &mut World) {
    let pipelines = world.pipelines();
    pipelines.create(PipelineSpec::classic(sample::PIPELINE, sample::REPOSITORY));
    pipelines.script(sample::PIPELINE, story::script());
    for push in all_pushes().filter(|push| push.build_fails) {
        pipelines.script_commit(sample::PIPELINE, &push.sha(), story::script_of_a_failing_build());
    }
    world.github().add_repository(sample::REPOSITORY, "main");
    for push in all_pushes() {
        world.github().add_commit(sample::REPOSITORY, &push.sha());
    }
}

fn all_pushes() -> impl Iterator<Item = &'static Push> {
    STORIES.iter().flat_map(|story| story.pushes)
}

fn record(file: &Path, local: &Local) -> Result<(), Error> {
    let journal = local.world().journal_json_lines();
    std::fs::write(file, journal).map_err(|cause| Error::Write { path: file.to_owned(), cause })
}

/// The demo under way.
struct Demo {
    local: Arc<Local>,
    pace: Pace,
    screen: Screen,
    began: Timestamp,
    webhook_url: String,
    /// GitHub's side of the deliveries.
    github: Client<HttpConnector, Full<Bytes>>,
    /// How many of the statuses that GitHub took are on the screen.
    shown: usize,
}

impl Demo {
    async fn tell(&mut self) -> Result<(), Error> {
        for (at, story) in STORIES.iter().enumerate() {
            self.screen.heading(at + 1, story.title).map_err(Error::Output)?;
            self.tell_story(story).await?;
        }
        Ok(())
    }

    async fn tell_story(&mut self, story: &Story) -> Result<(), Error> {
        let mut previous = None;
        for push in story.pushes {
            if let (Some(previous), Some((stage, status))) = (previous, push.once_previous) {
                self.wait_until(|world| {
                    execution_of(world, previous).is_some_and(|one| one.stage(stage) == Some(status))
                })
                .await?;
            }
            self.deliver(push).await?;
            previous = Some(push);
        }
        let is_over = |push: &Push, world: &mut World| execution_of(world, push).is_some_and(|one| is_final(&one));
        self.wait_until(|world| story.pushes.iter().all(|push| is_over(push, world)) && is_quiet(world)).await
    }

    /// Sends a push to the webhook, as GitHub does.
    async fn deliver(&mut self, push: &Push) -> Result<(), Error> {
        let sha = push.sha();
        let said = format!("{:6}  {}  octocat pushes to main: {}", "", show::short(&sha), push.message);
        self.screen.say(&said).map_err(Error::Output)?;
        let payload = sample::push("main", push.message, &[push.file]).to_string();
        let delivery = format!("{}-0000-4000-8000-{}", &sha[..8], &sha[8..20]);
        let refused = |answer: String| Error::NotAccepted { sha: show::short(&sha).to_owned(), answer };
        let mut request =
            signed_request(&delivery, "push", &payload, SECRET).map_err(|error| refused(error.to_string()))?;
        *request.uri_mut() =
            self.webhook_url.parse().map_err(|error: http::uri::InvalidUri| refused(error.to_string()))?;
        let answer = self.github.request(request.map(Full::new)).await.map_err(|error| refused(error.to_string()))?;
        if answer.status() == http::StatusCode::ACCEPTED {
            return Ok(());
        }
        let status = answer.status();
        let body = answer.into_body().collect().await.map(|body| body.to_bytes());
        let body = body.unwrap_or_default();
        Err(refused(format!("{status} {}", String::from_utf8_lossy(&body))))
    }

    /// Shows what goes on until something is so. The demo's limit of time is what ends it otherwise.
    async fn wait_until(&mut self, is_so: impl Fn(&mut World) -> bool) -> Result<(), Error> {
        loop {
            // What is so is asked first: everything that led to it is then shown before it is left.
            let so = is_so(&mut self.local.world());
            self.show().map_err(Error::Output)?;
            if so {
                return Ok(());
            }
            tokio::time::sleep(TICK).await;
        }
    }

    fn show(&mut self) -> std::io::Result<()> {
        let now = self.pace.now();
        let (posted, executions) = {
            let mut world = self.local.world();
            let executions = world.pipelines().executions(sample::PIPELINE);
            let (posted, shown) = world.github().posted_since(self.shown);
            let posted = posted.to_vec();
            self.shown = shown;
            (posted, executions)
        };
        for posted in &posted {
            self.screen.status(posted, self.began)?;
        }
        self.screen.executions(now, &executions);
        Ok(())
    }

    /// What was not over when the time was.
    fn missing(&self) -> Vec<String> {
        let mut world = self.local.world();
        let mut missing = Vec::new();
        for push in all_pushes() {
            let sha = push.sha();
            match execution_of(&mut world, push) {
                None => missing.push(format!("{} was not started", show::short(&sha))),
                Some(one) if !is_final(&one) => missing.push(format!("{} is {}", show::short(&sha), one.status)),
                Some(_) => {}
            }
        }
        if !world.queues().is_empty(QUEUE) {
            missing.push("the queue is not empty".to_owned());
        }
        missing
    }

    /// Shows what GitHub holds in the end, and whether it is the truth.
    fn end(&self) -> Result<(), Error> {
        let mut world = self.local.world();
        let executions = world.pipelines().executions(sample::PIPELINE);
        let held: Vec<(String, Held)> =
            all_pushes().map(|push| (push.sha(), world.github().latest(sample::REPOSITORY, &push.sha()))).collect();
        let untruths = untruths(sample::PIPELINE, &held, &executions);
        let messages: Vec<_> = all_pushes().map(|push| push.message).collect();
        self.screen.table(&messages, &held, &executions, &untruths).map_err(Error::Output)?;
        let mut problems: Vec<_> =
            untruths.iter().map(|untruth| format!("{}: {}", show::short(&untruth.sha), untruth.what)).collect();
        problems.extend(not_as_told(&mut world));
        let dead = world.queues().bodies(crate::local::DEAD_LETTERS).len();
        if dead > 0 {
            problems.push(format!("{dead} messages are in the dead-letter queue"));
        }
        if !problems.is_empty() {
            return Err(Error::NotTrue(problems));
        }
        let said = format!(
            "\nGitHub holds the truth about all {} commits, after {} statuses; none is left pending.",
            held.len(),
            self.shown
        );
        self.screen.say(&said).map_err(Error::Output)
    }
}

/// Executions that did not go as the story has it, which is true all the same, but not what was to be shown.
fn not_as_told(world: &mut World) -> Vec<String> {
    let ended = all_pushes().filter_map(|push| Some((push, execution_of(world, push)?.status)));
    ended
        .filter(|(push, status)| *status != push.ends)
        .map(|(push, status)| {
            let sha = push.sha();
            format!("{}: it was to be {}, and is {status}", show::short(&sha), push.ends)
        })
        .collect()
}

fn execution_of(world: &mut World, push: &Push) -> Option<ExecutionView> {
    let sha = push.sha();
    let executions = world.pipelines().executions(sample::PIPELINE);
    executions.into_iter().find(|one| one.commit.as_ref() == Some(&sha))
}

fn is_final(execution: &ExecutionView) -> bool {
    !matches!(execution.status, "InProgress" | "Stopping")
}

/// Whether nothing will happen any more: no message is left, and no event is under way.
fn is_quiet(world: &mut World) -> bool {
    world.queues().is_empty(QUEUE) && world.next_change().is_none()
}
