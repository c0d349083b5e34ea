//! What the demo tells.

use std::time::Duration;

use crate::local::sample;
use crate::standin::{Outcome, Script};

/// How long the stages of the sample pipeline take.
const SOURCE: u64 = 5;
const BUILD: u64 = 90;
const STAGING: u64 = 120;

/// World time that all stories take together, generously.
pub(super) const ALTOGETHER: Duration = Duration::from_secs(15 * 60);

/// A story: pushes that have to do with each other.
pub(super) struct Story {
    pub(super) title: &'static str,
    pub(super) pushes: &'static [Push],
}

/// A push, and how it goes.
pub(super) struct Push {
    pub(super) message: &'static str,
    pub(super) file: &'static str,
    /// It comes once the story's push before it is this far: a stage, and the status of that.
    pub(super) once_previous: Option<(&'static str, &'static str)>,
    pub(super) build_fails: bool,
    /// How its execution ends, by the API's status.
    pub(super) ends: &'static str,
}

impl Push {
    pub(super) fn sha(&self) -> String {
        sample::sha(self.message)
    }
}

pub(super) const STORIES: &[Story] = &[
    Story {
        title: "A push that goes through",
        pushes: &[Push {
            message: "Answer health checks",
            file: "src/health.js",
            once_previous: None,
            build_fails: false,
            ends: "Succeeded",
        }],
    },
    Story {
        title: "A push whose build fails",
        pushes: &[Push {
            message: "Rewrite the router",
            file: "src/router.js",
            once_previous: None,
            build_fails: true,
            ends: "Failed",
        }],
    },
    Story {
        title: "Two quick pushes while a build is under way: the second supersedes the first",
        pushes: &[
            Push {
                message: "Mend the router",
                file: "src/router.js",
                once_previous: None,
                build_fails: false,
                ends: "Succeeded",
            },
            Push {
                message: "Log requests",
                file: "src/log.js",
                once_previous: Some(("Build", "InProgress")),
                build_fails: false,
                ends: "Superseded",
            },
            Push {
                message: "Log requests, without their cookies",
                file: "src/log.js",
                once_previous: Some(("Source", "Succeeded")),
                build_fails: false,
                ends: "Succeeded",
            },
        ],
    },
];

/// What the sample pipeline's actions do.
pub(in crate::cli) fn script() -> Script {
    Script::new().on("Source", "Source", Outcome::succeed(SOURCE)).on("Build", "Build", Outcome::succeed(BUILD)).on(
        "Staging",
        "Deploy",
        Outcome::succeed(STAGING),
    )
}

/// What they do for a commit whose build fails.
pub(in crate::cli) fn script_of_a_failing_build() -> Script {
    let failure = Outcome::fail(BUILD / 2, "JobFailed", "exit status 1 (make test)");
    Script::new().on("Build", "Build", failure)
}

/// About how long a stage takes, for its bar.
pub(super) fn expected(stage: &str) -> Duration {
    Duration::from_secs(match stage {
        "Source" => SOURCE,
        "Build" => BUILD,
        _ => STAGING,
    })
}
