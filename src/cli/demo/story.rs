//! What the demo tells.

use std::fmt;
use std::time::Duration;

use clap::ValueEnum;

use crate::local::sample;
use crate::standin::{ActionSpec, Build, BuildPhase, Cause, Outcome, PipelineSpec, Rollout, Script, StageSpec};

/// How long the stages take where all goes well.
const SOURCE: u64 = 5;
const BUILD: u64 = 90;
const DEPLOY: u64 = 120;

/// When a rollout whose tasks fail is given up, how long it then takes to be undone, and when its action, which is told
/// nothing of all this, ends.
const GIVEN_UP: u64 = 60;
const UNDONE_IN: u64 = 40;
const NOTICED: u64 = 15 * 60;

/// How long it takes until somebody decides about an approval.
const DECIDED_AFTER: Duration = Duration::from_secs(10 * 60);

/// World time that all stories take together, generously.
pub(super) const ALTOGETHER: Duration = Duration::from_secs(60 * 60);

/// The routes to the pipelines below.
pub(super) const ROUTES: &str = r#"
[[route]]
repository = "octo-org/node-server"
branches = ["main"]
pipeline = "node-server"
environment = "staging"

[[route]]
repository = "octo-org/node-server"
branches = ["release"]
pipeline = "release"
environment = "production"
"#;

/// The service that both pipelines deploy to, each in a cluster of its own.
pub(super) const SERVICE: &str = "node-server";

/// A pipeline that the stories push to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pipeline {
    pub(super) name: &'static str,
    pub(super) branch: &'static str,
    /// The stage that deploys, and where to.
    pub(super) deploys_in: &'static str,
    pub(super) cluster: &'static str,
    needs_approval: bool,
}

static STAGING: Pipeline = Pipeline {
    name: sample::PIPELINE,
    branch: "main",
    deploys_in: "Staging",
    cluster: "staging",
    needs_approval: false,
};
static RELEASE: Pipeline = Pipeline {
    name: "release",
    branch: "release",
    deploys_in: "Production",
    cluster: "production",
    needs_approval: true,
};

pub(super) static PIPELINES: [&Pipeline; 2] = [&STAGING, &RELEASE];

impl Pipeline {
    pub(super) fn spec(&self) -> PipelineSpec {
        let deploy =
            ActionSpec::ecs_deploy("Deploy", self.cluster, SERVICE).run_order(1 + u32::from(self.needs_approval));
        let approval = self.needs_approval.then(|| ActionSpec::approval("Approve"));
        PipelineSpec::new(self.name)
            .stage(StageSpec::new("Source", [ActionSpec::github_source("Source", sample::REPOSITORY, self.branch)]))
            .stage(StageSpec::new("Build", [ActionSpec::code_build("Build", SERVICE)]))
            .stage(StageSpec::new(self.deploys_in, approval.into_iter().chain([deploy])))
    }

    /// What its actions do for most commits.
    pub(super) fn script(&self) -> Script {
        Script::new().on("Source", "Source", Outcome::succeed(SOURCE)).on("Build", "Build", Build::succeeds(BUILD)).on(
            self.deploys_in,
            "Deploy",
            Outcome::succeed(DEPLOY),
        )
    }
}

/// How the run of a push goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    Well,
    BuildFails,
    /// The service's circuit breaker undoes the rollout. CodePipeline sees a steady service, and calls it a success.
    RolledBack,
}

/// A push, and how it goes.
#[derive(Debug)]
pub(super) struct Push {
    pub(super) pipeline: &'static Pipeline,
    pub(super) message: &'static str,
    pub(super) file: &'static str,
    course: Course,
    /// How its execution ends, by the API's status.
    pub(super) ends: &'static str,
}

impl Push {
    const fn new(pipeline: &'static Pipeline, message: &'static str, file: &'static str) -> Self {
        Self { pipeline, message, file, course: Course::Well, ends: "Succeeded" }
    }

    const fn goes(self, course: Course, ends: &'static str) -> Self {
        Self { course, ends, ..self }
    }

    pub(super) fn sha(&self) -> String {
        sample::sha(self.message)
    }

    /// What the actions do for it, where that is not what they do for most.
    pub(super) fn script(&self) -> Option<Script> {
        match self.course {
            Course::Well => None,
            Course::BuildFails => Some(script_of_a_failing_build()),
            Course::RolledBack => {
                let rollout = Rollout::fails(GIVEN_UP, Cause::Exits(1)).rolls_back_in(UNDONE_IN);
                Some(Script::new().on(self.pipeline.deploys_in, "Deploy", rollout.action_succeeds(NOTICED)))
            }
        }
    }
}

/// Something that happens in a story.
pub(super) enum Step {
    Push(&'static Push),
    /// It goes on once a commit is this far.
    Until(&'static Push, Moment),
    /// Nothing happens for long, so time runs faster until the story ends.
    Hurry(&'static str),
    /// Nothing happens for so long, and time runs faster meanwhile.
    Pass(Duration, &'static str),
    /// Somebody approves what waits for it.
    Approve(&'static Push),
    /// Shows what the commands of the push's build have written.
    Log(&'static Push),
    /// Says how long before CodePipeline's end GitHub showed the failure.
    Lead(&'static Push),
}

/// How far a commit is.
pub(super) enum Moment {
    /// A stage of its execution has this status.
    Stage(&'static str, &'static str),
    /// One of the texts that GitHub shows on it has this in it.
    Shows(&'static str),
    /// Its execution has ended, and nothing is left to be done about it.
    Settled,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stage(stage, status) => write!(f, "{stage} {status}"),
            Self::Shows(text) => write!(f, "show {text:?}"),
            Self::Settled => f.write_str("an end"),
        }
    }
}

/// A story: pushes that have to do with each other.
pub(super) struct Story {
    name: Name,
    pub(super) title: &'static str,
    pub(super) steps: &'static [Step],
}

impl Story {
    pub(super) fn pushes(&self) -> impl Iterator<Item = &'static Push> {
        let pushes = |step: &'static Step| match step {
            Step::Push(push) => Some(*push),
            _ => None,
        };
        self.steps.iter().filter_map(pushes)
    }
}

/// What a story is asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Name {
    /// A push that goes through
    Success,
    /// A push whose build fails
    Failure,
    /// A deploy that ECS rolls back, while CodePipeline calls it a success
    Rollback,
    /// Quick pushes, of which one supersedes another
    Superseded,
    /// A deploy that waits for somebody's approval
    Approval,
    /// Every story
    All,
}

/// What is told where nothing is asked for: what happens to every repository sooner or later.
pub(super) const USUAL: [Name; 4] = [Name::Success, Name::Failure, Name::Rollback, Name::Superseded];

/// The stories of these names, in the order in which they are always told.
pub(super) fn chosen(names: &[Name]) -> Vec<&'static Story> {
    let is_chosen = |story: &&Story| names.iter().any(|name| *name == story.name || *name == Name::All);
    STORIES.iter().filter(is_chosen).collect()
}

static HEALTH: Push = Push::new(&STAGING, "Answer health checks", "src/health.js");
static REWRITE: Push = Push::new(&STAGING, "Rewrite the router", "src/router.js").goes(Course::BuildFails, "Failed");
static CONFIGURE: Push =
    Push::new(&STAGING, "Require a database", "src/config.js").goes(Course::RolledBack, "Succeeded");
static MEND: Push = Push::new(&STAGING, "Mend the router", "src/router.js");
static LOG: Push = Push::new(&STAGING, "Log requests", "src/log.js").goes(Course::Well, "Superseded");
static LOG_LESS: Push = Push::new(&STAGING, "Log requests, without their cookies", "src/log.js");
static RELEASE_ONE: Push = Push::new(&RELEASE, "Release 1.4.0", "package.json");
static RELEASE_TWO: Push = Push::new(&RELEASE, "Release 1.4.1", "package.json");

static STORIES: [Story; 5] = [
    Story { name: Name::Success, title: "A push that goes through", steps: &[Step::Push(&HEALTH)] },
    Story {
        name: Name::Failure,
        title: "A push whose build fails",
        steps: &[Step::Push(&REWRITE), Step::Until(&REWRITE, Moment::Settled), Step::Log(&REWRITE)],
    },
    Story {
        name: Name::Rollback,
        title: "A deploy that ECS rolls back, while CodePipeline calls it a success",
        steps: &[
            Step::Push(&CONFIGURE),
            Step::Until(&CONFIGURE, Moment::Shows("Rolled back to ")),
            Step::Hurry("CodePipeline's deploy action has noticed nothing and goes on; so does the demo, but faster"),
            Step::Until(&CONFIGURE, Moment::Settled),
            Step::Lead(&CONFIGURE),
        ],
    },
    Story {
        name: Name::Superseded,
        title: "Two quick pushes while a build is under way: the second supersedes the first",
        steps: &[
            Step::Push(&MEND),
            Step::Until(&MEND, Moment::Stage("Build", "InProgress")),
            Step::Push(&LOG),
            Step::Until(&LOG, Moment::Stage("Source", "Succeeded")),
            Step::Push(&LOG_LESS),
        ],
    },
    Story {
        name: Name::Approval,
        title: "A deploy that waits for an approval, and a newer commit that waits behind it",
        steps: &[
            Step::Push(&RELEASE_ONE),
            Step::Until(&RELEASE_ONE, Moment::Shows("Production waits for approval")),
            Step::Push(&RELEASE_TWO),
            Step::Until(&RELEASE_TWO, Moment::Stage("Build", "Succeeded")),
            Step::Pass(DECIDED_AFTER, "Nobody decides for ten minutes; the demo hurries through them"),
            Step::Until(&RELEASE_ONE, Moment::Shows("; 1 newer commit waits")),
            Step::Approve(&RELEASE_ONE),
            Step::Until(&RELEASE_TWO, Moment::Shows("Production waits for approval")),
            Step::Approve(&RELEASE_TWO),
        ],
    },
];

/// What the actions of a pipeline do for a commit whose tests fail.
pub(in crate::cli) fn script_of_a_failing_build() -> Script {
    let build = Build::fails(BUILD / 2, BuildPhase::Build, "make test", 1);
    let output = ["not ok 7 - GET /health answers 200", "  expected: 200", "  actual: 404", "1 of 12 tests failed"];
    Script::new().on("Build", "Build", build.writes(output))
}

/// About how long a stage takes, for its bar; `None` where it is up to somebody.
pub(super) fn expected(stage: &str) -> Option<Duration> {
    let seconds = match stage {
        "Source" => SOURCE,
        "Build" => BUILD,
        "Staging" => DEPLOY,
        _ => return None,
    };
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_story_and_all_are_all() {
        for name in Name::value_variants().iter().filter(|name| **name != Name::All) {
            assert_eq!(chosen(&[*name]).len(), 1, "{name:?}");
        }
        assert_eq!(chosen(&[Name::All]).len(), STORIES.len());
        let titles = |names: &[Name]| chosen(names).iter().map(|story| story.title).collect::<Vec<_>>();
        assert_eq!(titles(&[Name::Approval, Name::Success]), titles(&[Name::Success, Name::Approval, Name::Success]));
    }
}
