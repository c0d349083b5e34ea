//! How a rollout goes: what a script says about a deploy action of ECS.

use std::time::Duration;

use crate::standin::codepipeline::Outcome;

/// The time between the last change at the service and the end of the action that waits for it.
const NOTICED_AFTER: Duration = Duration::from_secs(5);
/// How long an action of ECS waits where its configuration does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60 * 60);
/// How long a rollback takes where the script does not say.
const ROLLBACK: Duration = Duration::from_secs(40);

/// Why the tasks of a rollout fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The image is not in its repository.
    ImageNotFound,
    /// The container ends, with this exit code.
    Exits(i32),
    /// The load balancer finds it unhealthy.
    LoadBalancerHealth,
    /// The container's own health check fails.
    ContainerHealth,
}

impl Cause {
    /// Whether a task runs before it fails.
    pub(crate) fn runs(self) -> bool {
        self != Self::ImageNotFound
    }
}

/// What the new tasks do. Moments are counted from the action's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    /// ECS is told nothing: the action fails before it comes to that.
    Untold,
    /// The service is steady on the new revision at that moment.
    Steady { at: Duration },
    /// Tasks are asked for and never run.
    Stalls,
    /// As many tasks as trip a circuit breaker have failed at that moment; without one they go on failing so.
    Fails { cause: Cause, at: Duration },
    /// So many tasks fail, and the service is steady at that moment all the same.
    Recovers { cause: Cause, failures: u32, at: Duration },
}

/// How the action that waits for the rollout ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ActionEnd {
    Succeeds(Duration),
    Fails(Duration, String),
    TimesOut(Duration),
}

/// How the rollout of a deploy action goes, and when its action ends, which need not agree: ECS tells CodePipeline
/// nothing. All moments are counted in seconds from the action's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    pub(crate) course: Course,
    pub(crate) action: Option<ActionEnd>,
    /// How long the service takes to be steady on the old revision again.
    pub(crate) rollback: Duration,
    /// When somebody updates the service to a newer revision, which is steady a minute later.
    pub(crate) overtaken: Option<Duration>,
}

impl Rollout {
    /// Tasks come up one by one, and the service is steady after so many seconds. The action succeeds 5 s later.
    pub fn succeeds(seconds: u64) -> Self {
        Self::new(Course::Steady { at: Duration::from_secs(seconds) })
    }

    /// Tasks fail, and after so many seconds as many have as trip the circuit breaker. Where the service has one that
    /// rolls back, it does; where it has none, tasks go on failing. The action runs into its timeout.
    pub fn fails(seconds: u64, cause: Cause) -> Self {
        Self::new(Course::Fails { cause, at: Duration::from_secs(seconds) })
    }

    /// So many tasks fail, fewer than trip a circuit breaker, and the service is steady after so many seconds all the
    /// same. The action succeeds 5 s later.
    pub fn recovers(seconds: u64, cause: Cause, failures: u32) -> Self {
        Self::new(Course::Recovers { cause, failures, at: Duration::from_secs(seconds) })
    }

    /// Tasks are asked for and none ever runs or fails. The action runs into its timeout.
    pub fn stalls() -> Self {
        Self::new(Course::Stalls)
    }

    /// A rollback takes so many seconds.
    pub fn rolls_back_in(mut self, seconds: u64) -> Self {
        self.rollback = Duration::from_secs(seconds);
        self
    }

    /// The action succeeds after so many seconds, whatever the service does.
    pub fn action_succeeds(mut self, seconds: u64) -> Self {
        self.action = Some(ActionEnd::Succeeds(Duration::from_secs(seconds)));
        self
    }

    /// The action fails after so many seconds, whatever the service does.
    pub fn action_fails(mut self, seconds: u64, message: &str) -> Self {
        self.action = Some(ActionEnd::Fails(Duration::from_secs(seconds), message.to_owned()));
        self
    }

    /// The action waits for the service until so many minutes have passed, at most 60 in reality, and fails.
    pub fn action_times_out(mut self, minutes: u64) -> Self {
        self.action = Some(ActionEnd::TimesOut(Duration::from_secs(minutes * 60)));
        self
    }

    /// After so many seconds somebody updates the service to a newer revision, which is steady a minute later.
    pub fn overtaken_after(mut self, seconds: u64) -> Self {
        self.overtaken = Some(Duration::from_secs(seconds));
        self
    }

    fn new(course: Course) -> Self {
        Self { course, action: None, rollback: ROLLBACK, overtaken: None }
    }

    /// The rollout of an action of which a script says this, or nothing.
    pub(crate) fn of(outcome: Option<&Outcome>, otherwise: Duration) -> Self {
        let steady = |action: Duration| Self::new(Course::Steady { at: action - NOTICED_AFTER.min(action / 10) });
        match outcome {
            Some(Outcome::Rollout(rollout)) => rollout.clone(),
            Some(Outcome::Succeed { after }) => steady(*after),
            Some(Outcome::Fail { .. }) => Self::new(Course::Untold),
            Some(Outcome::Never) => Self::new(Course::Stalls),
            Some(Outcome::ApprovalWaits { .. } | Outcome::Build(_)) | None => steady(otherwise),
        }
    }

    /// After how long the action ends, and with which message where it fails.
    pub(crate) fn action_end(&self, timeout: Option<&str>) -> (Duration, Result<(), String>) {
        let timed_out = |after: Duration| {
            let minutes = after.as_secs() / 60;
            (after, Err(format!("The Amazon ECS service did not reach a steady state within {minutes} minutes.")))
        };
        match (&self.action, self.course) {
            (Some(ActionEnd::Succeeds(after)), _) => (*after, Ok(())),
            (Some(ActionEnd::Fails(after, message)), _) => (*after, Err(message.clone())),
            (Some(ActionEnd::TimesOut(after)), _) => timed_out(*after),
            (None, Course::Steady { at } | Course::Recovers { at, .. }) => (at + NOTICED_AFTER, Ok(())),
            (None, Course::Untold | Course::Stalls | Course::Fails { .. }) => {
                let minutes = timeout.and_then(|minutes| minutes.parse().ok());
                timed_out(minutes.map_or(DEFAULT_TIMEOUT, |minutes: u64| Duration::from_secs(minutes * 60)))
            }
        }
    }
}
