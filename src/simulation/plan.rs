//! What a seed draws: how everything is set up, and what happens to it, in order.
//!
//! A plan is data. Who runs it decides nothing more by chance but delays on the wire, which come from the same seed;
//! so a part of it can be left out, and the rest happens again.

use std::fmt;
use std::time::Duration;

use super::sandbox::Fate;
use crate::standin::{
    ActionSpec, Build, BuildPhase, Cause, CircuitBreaker, EventFault, Fault, Outcome, PipelineMode, PipelineSpec,
    Rollout, Script, ServiceSpec, StageSpec,
};

/// A plan.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub set_up: SetUp,
    /// In the order in which they happen.
    pub incidents: Vec<Incident>,
}

/// What stands before anything happens.
#[derive(Clone, Debug)]
pub struct SetUp {
    pub pipelines: Vec<PipelinePlan>,
    /// Whether runs are reported as check runs.
    pub is_app: bool,
    pub deployments: bool,
    /// How long a request or its answer is on its way, at most.
    pub slowest: Duration,
    /// How many workers there are at most at the same time.
    pub workers: usize,
    /// How long Lambda waits for a batch to fill.
    pub batch_window: Duration,
    /// Whether messages come in another order than they were sent.
    pub is_shuffled: bool,
}

/// A pipeline, its repository's branch, and the route between them.
#[derive(Clone, Debug)]
pub struct PipelinePlan {
    pub name: String,
    pub repository: String,
    pub mode: PipelineMode,
    /// Whether it has a stage that deploys.
    pub deploys: bool,
    pub has_approval: bool,
    pub stops_failed_rollout: bool,
    /// Whether runs that were replaced are shown as a failure, and not as an error.
    pub superseded_fails: bool,
    pub service: ServiceSpec,
}

/// Name of the branch that every pipeline builds.
pub(super) const BRANCH: &str = "main";

/// Name of the stage that deploys.
pub(super) const DEPLOYS_IN: &str = "Staging";

impl PipelinePlan {
    pub(super) fn spec(&self) -> PipelineSpec {
        let deploy = ActionSpec::ecs_deploy("Deploy", "staging", &self.name).run_order(2);
        let approval = self.has_approval.then(|| ActionSpec::approval("Approve"));
        let spec = PipelineSpec::new(&self.name)
            .mode(self.mode)
            .stage(StageSpec::new("Source", [ActionSpec::github_source("Source", &self.repository, BRANCH)]))
            .stage(StageSpec::new("Build", [ActionSpec::code_build("Build", &self.name)]));
        if !self.deploys {
            return spec;
        }
        spec.stage(StageSpec::new(DEPLOYS_IN, approval.into_iter().chain([deploy])))
    }

    pub(super) fn route(&self) -> String {
        let superseded = if self.superseded_fails { "failure" } else { "error" };
        format!(
            "[[route]]\nrepository = \"{}\"\nbranches = [\"{BRANCH}\"]\npipeline = \"{}\"\nenvironment = \"{} staging\"\n\
             superseded = \"{superseded}\"\nstop_failed_rollout = {}\n",
            self.repository, self.name, self.name, self.stops_failed_rollout
        )
    }
}

/// Something that happens, and when, counted from the beginning.
#[derive(Clone, Debug)]
pub struct Incident {
    /// Its number, by which it is left out or kept.
    pub number: usize,
    pub at: Duration,
    pub what: What,
}

/// What can happen.
#[derive(Clone, Debug)]
pub enum What {
    /// Somebody pushes a commit, whose run goes like this.
    Push { pipeline: usize, commit: usize, course: Course },
    /// GitHub, or a person there, sends a delivery once more.
    Redelivery { commit: usize },
    /// Somebody releases a commit that was pushed, past pipehook.
    Release { pipeline: usize, commit: usize },
    /// Somebody stops the pipeline's newest run.
    Stop { pipeline: usize, abandon: bool },
    /// Somebody retries the newest run where it failed.
    Retry { pipeline: usize, all_actions: bool },
    /// Somebody answers the approval that waits.
    Answer { pipeline: usize, approves: bool },
    /// A transition is held, and let go later.
    Hold { pipeline: usize, stage: &'static str, lasts: Duration },
    /// The pipeline's definition is changed, which cancels what runs.
    Update { pipeline: usize },
    /// Somebody rolls the deploy stage back to an earlier success.
    RollBack { pipeline: usize },
    /// Somebody deploys to the service, past the pipeline.
    Deploy { pipeline: usize },
    /// Somebody who does not know the secret sends a delivery.
    Forgery { commit: usize },
    /// Something lands on the queue that nobody can read.
    Poison,
    /// Calls of an operation, or of a whole service, go wrong for a time.
    Outage { service: &'static str, operation: &'static str, lasts: Duration, fault: Fault },
    /// The next calls of an operation go wrong.
    Calls { service: &'static str, operation: &'static str, count: u32, fault: Fault },
    /// The next events go wrong.
    Events { count: u32, fault: EventFault },
    /// The queue delivers the next messages twice.
    Twice { count: u32 },
    /// Something befalls the next invocation of the worker.
    Worker(Fate),
    /// Something befalls the next invocation of the webhook.
    Webhook(Fate),
    /// Every sandbox that stands idle is taken away.
    ColdStart,
    /// Sandboxes that start from now on have clocks which are off by so many milliseconds, every second one the other way.
    Skew { millis: i64 },
    /// The configuration does not parse, for a time.
    BrokenConfig { lasts: Duration },
    /// The webhook's secret is changed for another one; for a time, both are good.
    NewSecret,
    /// The GitHub token is revoked, and replaced later.
    NewToken { lasts: Duration },
    /// The GitHub token may not write, for a time.
    NoPermission { lasts: Duration },
    /// CodePipeline forgets the tokens of its starts.
    ForgetTokens,
    /// Somebody puts back what lies in the dead-letter queue.
    Redrive,
}

/// How the run of a commit goes, attempt by attempt.
#[derive(Clone, Debug)]
pub enum Course {
    Well {
        build: u64,
        deploy: u64,
    },
    SourceFails,
    BuildFails {
        after: u64,
        then_succeeds: bool,
    },
    BuildHangs,
    DeployFails {
        after: u64,
    },
    /// The tasks fail. What the action makes of it is its own affair.
    RolledBack {
        after: u64,
        undone_in: u64,
        action: Action,
    },
    /// Some tasks fail, and then they don't.
    Recovers {
        after: u64,
    },
    /// Somebody else's deployment takes the place of this one.
    Overtaken {
        after: u64,
    },
    /// The deploy stage is skipped by its condition.
    Skipped,
}

/// What the deploy action says after a rollout that failed.
#[derive(Clone, Copy, Debug)]
pub enum Action {
    Succeeds { after: u64 },
    Fails { after: u64 },
    TimesOut { minutes: u64 },
}

impl Course {
    pub(super) fn script(&self) -> Script {
        let script = |build: u64| {
            Script::new().on("Source", "Source", Outcome::succeed(3)).on("Build", "Build", Build::succeeds(build))
        };
        match *self {
            Self::Well { build, deploy } => script(build).on(DEPLOYS_IN, "Deploy", Rollout::succeeds(deploy)),
            Self::SourceFails => {
                Script::new().on("Source", "Source", Outcome::fail(4, "ConfigurationError", "no such branch"))
            }
            Self::BuildFails { after, then_succeeds } => {
                let failing = Build::fails(after, BuildPhase::Build, "make test", 1).writes(["1 of 12 tests failed"]);
                if then_succeeds {
                    script(after + 10).on_attempt("Build", "Build", 1, failing)
                } else {
                    script(after).on("Build", "Build", failing)
                }
            }
            Self::BuildHangs => script(1).on("Build", "Build", Outcome::Never),
            Self::DeployFails { after } => {
                script(20).on(DEPLOYS_IN, "Deploy", Outcome::fail(after, "JobFailed", "the service does not exist"))
            }
            Self::RolledBack { after, undone_in, action } => {
                let rollout = Rollout::fails(after, Cause::Exits(1)).rolls_back_in(undone_in);
                let rollout = match action {
                    Action::Succeeds { after } => rollout.action_succeeds(after),
                    Action::Fails { after } => rollout.action_fails(after, "the deployment failed"),
                    Action::TimesOut { minutes } => rollout.action_times_out(minutes),
                };
                script(15).on(DEPLOYS_IN, "Deploy", rollout)
            }
            Self::Recovers { after } => {
                script(15).on(DEPLOYS_IN, "Deploy", Rollout::recovers(after, Cause::LoadBalancerHealth, 1))
            }
            Self::Overtaken { after } => {
                script(15).on(DEPLOYS_IN, "Deploy", Rollout::succeeds(after * 2).overtaken_after(after))
            }
            Self::Skipped => script(15).skip(DEPLOYS_IN),
        }
    }
}

impl What {
    /// The kind, for counting what has struck.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Push { .. } => "push",
            Self::Redelivery { .. } => "redelivery",
            Self::Release { .. } => "release past pipehook",
            Self::Stop { .. } => "stop",
            Self::Retry { .. } => "retry",
            Self::Answer { .. } => "approval answered",
            Self::Hold { .. } => "transition held",
            Self::Update { .. } => "pipeline changed",
            Self::RollBack { .. } => "stage rolled back",
            Self::Deploy { .. } => "deploy past the pipeline",
            Self::Forgery { .. } => "forged delivery",
            Self::Poison => "unreadable message",
            Self::Outage { .. } | Self::Calls { .. } => "calls",
            Self::Events { fault: EventFault::Drop, .. } => "event lost",
            Self::Events { fault: EventFault::Duplicate, .. } => "event doubled",
            Self::Events { fault: EventFault::Delay(_), .. } => "event late",
            Self::Twice { .. } => "message delivered twice",
            Self::Worker(Fate::Dies { .. }) => "worker dies",
            Self::Worker(Fate::Freezes { .. }) => "worker freezes",
            Self::Worker(Fate::FreezesTelling { .. }) => "worker freezes as it tells",
            Self::Webhook(Fate::Dies { .. }) => "webhook dies",
            Self::Webhook(Fate::Freezes { .. } | Fate::FreezesTelling { .. }) => "webhook freezes",
            Self::ColdStart => "cold start",
            Self::Skew { .. } => "clock off",
            Self::BrokenConfig { .. } => "configuration broken",
            Self::NewSecret => "secret rotated",
            Self::NewToken { .. } => "token revoked",
            Self::NoPermission { .. } => "permission lost",
            Self::ForgetTokens => "start tokens forgotten",
            Self::Redrive => "redrive",
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SetUp { pipelines, is_app, deployments, slowest, workers, batch_window, is_shuffled } = &self.set_up;
        let report = if *is_app { "check runs" } else { "statuses" };
        writeln!(
            f,
            "seed {}: {report}, deployments {deployments}, {workers} workers, batches of {batch_window:?}, up to {slowest:?} \
             on the wire, shuffled {is_shuffled}",
            self.seed
        )?;
        for (at, pipeline) in pipelines.iter().enumerate() {
            writeln!(f, "  pipeline {at}: {pipeline:?}")?;
        }
        for Incident { number, at, what } in &self.incidents {
            writeln!(f, "  [{number}] {:>8.1} s  {what:?}", at.as_secs_f64())?;
        }
        Ok(())
    }
}

/// Everything that can strike, as it is counted.
pub const KINDS: [&str; 52] = [
    "approval answered",
    "aws: access denied",
    "aws: bad gateway",
    "aws: delay",
    "aws: lost after",
    "aws: lost before",
    "aws: nonsense",
    "aws: server error",
    "aws: throttle",
    "clock off",
    "cold start",
    "configuration broken",
    "deploy past the pipeline",
    "event doubled",
    "event late",
    "event lost",
    "forged delivery",
    "github: bad gateway",
    "github: delay",
    "github: lands late",
    "github: lost after",
    "github: lost before",
    "github: nonsense",
    "github: not found",
    "github: primary limit",
    "github: secondary limit",
    "github: server error",
    "github: throttle",
    "github: unauthorized",
    "github: unprocessable",
    "message delivered twice",
    "permission lost",
    "pipeline changed",
    "push",
    "redelivery",
    "redrive",
    "release past pipehook",
    "retry",
    "secret rotated",
    "stage rolled back",
    "start tokens forgotten",
    "stop",
    "token revoked",
    "transition held",
    "unreadable message",
    "webhook dies",
    "webhook freezes",
    "webhook times out",
    "worker dies",
    "worker freezes",
    "worker freezes as it tells",
    "worker times out",
];

/// Circuit breakers that a service may have.
pub(super) const BREAKERS: [CircuitBreaker; 3] =
    [CircuitBreaker::WithRollback, CircuitBreaker::On, CircuitBreaker::Off];
