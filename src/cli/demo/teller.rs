//! Tells the stories: pushes, approves, waits, and shows what comes of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::SECRET;
use super::screen::{Row, Screen};
use super::story::{Moment, PIPELINES, Push, SERVICE, Step, Story};
use super::truth::{Evidence, Held, untruths};
use crate::cli::pace::Pace;
use crate::cli::{Error, show};
use crate::domain::text;
use crate::domain::time::Timestamp;
use crate::local::{DEAD_LETTERS, Local, QUEUE, sample, signed_request};
use crate::standin::{Answered, ExecutionView, PostedStatus, State, World};

/// How often the screen is brought up to date.
const TICK: Duration = Duration::from_millis(10);

/// How many times faster it goes where nothing happens for long.
const HURRY: f64 = 15.0;

/// The demo under way.
pub(super) struct Teller {
    local: Arc<Local>,
    pace: Pace,
    rate: f64,
    screen: Screen,
    stories: Vec<&'static Story>,
    began: Timestamp,
    webhook_url: String,
    /// GitHub's side of the deliveries.
    github: Client<HttpConnector, Full<Bytes>>,
    /// How many of the statuses that GitHub took are on the screen.
    shown: usize,
    /// What went otherwise than the stories have it.
    problems: Vec<String>,
}

impl Teller {
    pub(super) fn new(
        local: Arc<Local>,
        pace: Pace,
        rate: f64,
        screen: Screen,
        stories: Vec<&'static Story>,
        webhook_url: String,
    ) -> Self {
        Self {
            began: pace.now(),
            github: Client::builder(TokioExecutor::new()).build_http(),
            shown: 0,
            problems: Vec::new(),
            local,
            pace,
            rate,
            screen,
            stories,
            webhook_url,
        }
    }

    pub(super) async fn tell(&mut self) -> Result<(), Error> {
        for (at, story) in self.stories.clone().into_iter().enumerate() {
            self.screen.heading(at + 1, story.title).map_err(Error::Output)?;
            for step in story.steps {
                self.take(step).await?;
            }
            self.wait_until(|world| story.pushes().all(|push| is_so(world, push, &Moment::Settled))).await?;
            self.pace.set_rate(self.rate);
        }
        Ok(())
    }

    async fn take(&mut self, step: &'static Step) -> Result<(), Error> {
        match step {
            Step::Push(push) => self.deliver(push).await,
            Step::Until(push, moment) => {
                // What is settled stays as it is, and the table in the end shows what is wrong with it.
                self.wait_until(|world| is_so(world, push, moment) || is_so(world, push, &Moment::Settled)).await?;
                if !is_so(&mut self.local.world(), push, moment) {
                    self.problems.push(format!("{}: it never came to {moment}", show::short(&push.sha())));
                }
                Ok(())
            }
            Step::Hurry(why) => {
                self.pace.set_rate(self.rate * HURRY);
                self.aside(&format!("({why})"))
            }
            Step::Pass(time, why) => {
                let (pace, until) = (self.pace.clone(), self.pace.now() + *time);
                self.pace.set_rate(self.rate * HURRY);
                self.aside(&format!("({why})"))?;
                self.wait_until(|_| pace.now() >= until).await?;
                self.pace.set_rate(self.rate);
                Ok(())
            }
            Step::Approve(push) => self.approve(push),
            Step::Log(push) => self.show_log(push),
            Step::Lead(push) => self.tell_lead(push),
        }
    }

    /// A line of the story itself, between the statuses.
    fn aside(&self, said: &str) -> Result<(), Error> {
        self.screen.say(&format!("{:8}{said}", "")).map_err(Error::Output)
    }

    /// Sends a push to the webhook, as GitHub does.
    async fn deliver(&mut self, push: &Push) -> Result<(), Error> {
        let sha = push.sha();
        let branch = push.pipeline.branch;
        self.aside(&format!("{}  octocat pushes to {branch}: {}", show::short(&sha), push.message))?;
        let payload = sample::push(branch, push.message, &[push.file]).to_string();
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

    fn approve(&mut self, push: &Push) -> Result<(), Error> {
        let sha = push.sha();
        self.aside(&format!("{}  octocat approves it", show::short(&sha)))?;
        let now = self.pace.now();
        let mut world = self.local.world();
        let waits = execution_of(&mut world, push);
        let is_approved =
            waits.is_some_and(|one| world.pipelines().answer_approval(now, &one.id, Answered::Approved, "looks good"));
        drop(world);
        if !is_approved {
            self.problems.push(format!("{}: it waited for no approval", show::short(&sha)));
        }
        Ok(())
    }

    /// What the commands of a build have written, without what CodeBuild says itself.
    fn show_log(&self, push: &Push) -> Result<(), Error> {
        let now = self.pace.now();
        let lines = {
            let mut world = self.local.world();
            let builds = world.builds();
            // One that has failed is the newest as long as nothing else was pushed.
            let stream = builds.builds(SERVICE).last().and_then(|id| Some(id.split_once(':')?.1.to_owned()));
            let stream = stream.unwrap_or_default();
            builds.log(now, &format!("/aws/codebuild/{SERVICE}"), &stream).flatten().unwrap_or_default()
        };
        self.aside(&format!("{}  the build's log ends:", show::short(&push.sha())))?;
        for (_, line) in lines.iter().filter(|(_, line)| !line.starts_with("[Container]")) {
            self.aside(&format!("  {}", line.trim_end()))?;
        }
        Ok(())
    }

    /// How long before CodePipeline's end GitHub showed that a commit's deploy had failed, and that it showed nothing
    /// else since.
    fn tell_lead(&mut self, push: &Push) -> Result<(), Error> {
        let sha = push.sha();
        let own = format!("codepipeline/{}", push.pipeline.name);
        let of_deploy = format!("{own}/{}", push.pipeline.deploys_in);
        let mut world = self.local.world();
        let ended = execution_of(&mut world, push);
        let (posted, _) = world.github().posted_since(0);
        let about_it = |one: &&PostedStatus| one.sha == sha && [&own, &of_deploy].contains(&&one.status.context);
        let of_state = |state| posted.iter().filter(about_it).find(|one| one.status.state == state).map(|one| one.at);
        let (failed, succeeded) = (of_state(State::Failure), of_state(State::Success));
        drop(world);
        let short = show::short(&sha);
        if succeeded.is_some() {
            self.problems.push(format!("{short}: GitHub showed a success for a while"));
        }
        match (failed, ended) {
            (Some(failed), Some(ended)) if failed < ended.updated => {
                let (lead, status) = (text::duration(ended.updated.since(failed)), ended.status);
                self.aside(&format!(
                    "{short}  GitHub showed the failure {lead} before CodePipeline came to an end, and that is: {status}"
                ))?;
            }
            _ => self.problems.push(format!("{short}: GitHub showed no failure before CodePipeline came to an end")),
        }
        Ok(())
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
            let pipelines = PIPELINES.iter().flat_map(|pipeline| world.pipelines().executions(pipeline.name));
            let executions: Vec<_> = pipelines.collect();
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

    fn pushes(&self) -> impl Iterator<Item = &'static Push> {
        self.stories.iter().flat_map(|story| story.pushes())
    }

    /// What was not over when the time was.
    pub(super) fn missing(&self) -> Vec<String> {
        let mut world = self.local.world();
        let mut missing = Vec::new();
        for push in self.pushes() {
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
    pub(super) fn end(self) -> Result<(), Error> {
        let mut world = self.local.world();
        let mut found = Vec::new();
        let mut rows = Vec::new();
        for pipeline in PIPELINES {
            let evidence = Evidence {
                pipeline: pipeline.name,
                deploys_in: pipeline.deploys_in,
                service: SERVICE,
                executions: world.pipelines().executions(pipeline.name),
                deployments: world.services().deployments(pipeline.cluster, SERVICE),
            };
            let pushes: Vec<_> = self.pushes().filter(|push| push.pipeline == pipeline).collect();
            let held: Vec<(String, Held)> = pushes
                .iter()
                .map(|push| (push.sha(), world.github().latest(sample::REPOSITORY, &push.sha())))
                .collect();
            let untruths = untruths(&evidence, &held);
            rows.extend(held.into_iter().zip(&pushes).map(|((sha, held), push)| Row {
                is_true: !untruths.iter().any(|untruth| untruth.sha == sha),
                execution: evidence.execution_of(&sha).cloned(),
                deployment: evidence.deployment_of(&sha).cloned(),
                message: push.message,
                held,
                sha,
            }));
            found.extend(untruths);
        }
        self.screen.table(&rows).map_err(Error::Output)?;
        let mut problems: Vec<_> =
            found.iter().map(|untruth| format!("{}: {}", show::short(&untruth.sha), untruth.what)).collect();
        problems.extend(self.pushes().filter_map(|push| not_as_told(&mut world, push)));
        let dead = world.queues().bodies(DEAD_LETTERS).len();
        if dead > 0 {
            problems.push(format!("{dead} messages are in the dead-letter queue"));
        }
        drop(world);
        let (commits, statuses) = (rows.len(), self.shown);
        problems.extend(self.problems);
        if !problems.is_empty() {
            return Err(Error::NotTrue(problems));
        }
        let about = if commits == 1 { "the commit".to_owned() } else { format!("all {commits} commits") };
        let said = format!("\nGitHub holds the truth about {about}, after {statuses} statuses; none is left pending.");
        self.screen.say(&said).map_err(Error::Output)
    }
}

/// An execution that did not go as the story has it, which is true all the same, but not what was to be shown.
fn not_as_told(world: &mut World, push: &Push) -> Option<String> {
    let status = execution_of(world, push)?.status;
    (status != push.ends).then(|| format!("{}: it was to be {}, and is {status}", show::short(&push.sha()), push.ends))
}

fn execution_of(world: &mut World, push: &Push) -> Option<ExecutionView> {
    let sha = push.sha();
    let executions = world.pipelines().executions(push.pipeline.name);
    executions.into_iter().find(|one| one.commit.as_ref() == Some(&sha))
}

fn is_so(world: &mut World, push: &Push, moment: &Moment) -> bool {
    match moment {
        Moment::Stage(stage, status) => execution_of(world, push).is_some_and(|one| one.stage(stage) == Some(*status)),
        Moment::Settled => is_quiet(world) && execution_of(world, push).is_some_and(|one| is_final(&one)),
        Moment::Shows(text) => {
            let held = world.github().latest(sample::REPOSITORY, &push.sha());
            held.values().any(|status| status.description.as_ref().is_some_and(|shown| shown.contains(text)))
        }
    }
}

fn is_final(execution: &ExecutionView) -> bool {
    !matches!(execution.status, "InProgress" | "Stopping")
}

/// Whether nothing will happen any more: no message is left, and no event is under way.
fn is_quiet(world: &mut World) -> bool {
    world.queues().is_empty(QUEUE) && world.next_change().is_none()
}
