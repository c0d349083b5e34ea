//! What keeps a job from being done, and when it is tried again.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::aws::codepipeline::PipelineError;
use crate::domain::text;
use crate::domain::time::Timestamp;
use crate::github::GitHubError;
use crate::queue::SendError;
use crate::queue::message::{FieldError, Job, Retry};
use crate::settings::SettingsError;

/// How long a job that fails for passing reasons is tried again before it goes to the dead-letter queue.
pub(super) const GIVE_UP_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// GitHub refuses what will never do, as a commit's thousand-and-first status of one context, with the same 422 as what
/// it has had too much of for the moment, and knows a commit on some of its machines a moment after it has told of its
/// push. So much is worth a try, and no more.
const NOT_TAKEN_FOR: Duration = Duration::from_secs(10 * 60);

const LONGEST_BACKOFF: Duration = Duration::from_secs(900);

/// GitHub cuts a request off after 10 s; what was sent has got there by then, or never will.
pub(super) const AFTER_UNCERTAIN: Duration = Duration::from_secs(15);

/// Why a job could not be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    #[error(transparent)]
    GitHub(#[from] GitHubError),
    /// A report that GitHub refuses for what it is. No run is worth losing over it.
    #[error("GitHub does not take {context}: {why}")]
    NotTaken { context: String, why: String },
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("the configuration can't be used: {0}")]
    Config(String),
    #[error("the next message can't be sent: {0}")]
    Queue(#[from] SendError),
    #[error("the function's time was about to run out")]
    OutOfTime,
    #[error(transparent)]
    Field(#[from] FieldError),
}

impl Cause {
    /// For how long GitHub asked not to be called.
    pub(super) fn githubs_wait(&self) -> Option<Duration> {
        match self {
            Self::GitHub(GitHubError::RateLimited { wait, .. }) => Some(*wait),
            _ => None,
        }
    }

    /// Whether GitHub has said no to what it was told, for the moment or for good.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::NotTaken { .. } | Self::GitHub(GitHubError::UnknownCommit(_)))
    }

    /// Whether something that was sent to GitHub may still get there.
    pub(super) fn is_uncertain(&self) -> bool {
        matches!(self, Self::GitHub(GitHubError::Uncertain(_)) | Self::OutOfTime)
    }
}

/// A job that was not done.
#[derive(Debug)]
pub(super) struct Trouble {
    pub cause: Cause,
    /// What is left to do, where trying again makes sense. Without it the message goes to the dead-letter queue.
    pub again: Option<Box<Job>>,
}

impl Trouble {
    pub(super) fn passing(cause: impl Into<Cause>, again: Job) -> Self {
        Self { cause: cause.into(), again: Some(Box::new(again)) }
    }

    pub(super) fn hopeless(cause: impl Into<Cause>) -> Self {
        Self { cause: cause.into(), again: None }
    }
}

/// When to try again, and what the message then says of it; `None` once a day is over, or ten minutes of what GitHub does
/// not take.
pub(super) fn next_try(
    cause: &Cause,
    earlier: Option<&Retry>,
    seed: &str,
    now: Timestamp,
) -> Option<(Retry, Duration)> {
    let tries = earlier.map_or(0, |retry| retry.tries).saturating_add(1);
    let since = earlier.map_or(now.as_millis(), |retry| retry.since);
    let refused = earlier.and_then(|retry| retry.not_taken_since).unwrap_or(now.as_millis());
    let not_taken_since = cause.is_refusal().then_some(refused);
    let has_lasted = |since: u64| now.since(Timestamp::from_millis(since));
    if has_lasted(since) > GIVE_UP_AFTER || not_taken_since.is_some_and(|since| has_lasted(since) > NOT_TAKEN_FOR) {
        return None;
    }
    let backoff = jittered(backoff(tries), seed, tries);
    let retry = Retry { tries, since, not_before: None, not_taken_since, why: Some(text::clip(&cause.to_string())) };
    match cause {
        Cause::GitHub(GitHubError::RateLimited { wait, .. }) => {
            // The wait is a minimum. What is spread goes on top of it, and a limit that is met again and again is
            // waited for longer each time, as GitHub's documentation asks.
            let wait = wait.saturating_add(backoff.min(Duration::from_secs(5))).max(backoff);
            Some((Retry { not_before: Some((now + wait).as_millis()), ..retry }, wait))
        }
        // A status that was cut off in the middle may get there until GitHub itself gives the request up. Only a look
        // after that sees whether it covered something.
        cause if cause.is_uncertain() => Some((retry, backoff.max(AFTER_UNCERTAIN))),
        _ => Some((retry, backoff)),
    }
}

/// Clocks of the functions and of SQS differ by less than this.
const CLOCK_SKEW: Duration = Duration::from_secs(60);

/// What has gone wrong with a message that was sent at this moment. One that is sent later than its job was given up has
/// been put back by somebody, with SQS's own redrive, and gets a new day. It is known to have been tried all the same.
pub(super) fn since_put_back(retry: Retry, sent: Timestamp, now: Timestamp) -> Retry {
    let given_up = Timestamp::from_millis(retry.since) + GIVE_UP_AFTER;
    // While GitHub asks not to be called, a message is sent again as it is.
    let waited = Timestamp::from_millis(retry.not_before.unwrap_or_default());
    if sent > given_up.max(waited) + CLOCK_SKEW { Retry::put_back(now, Some(&retry)) } else { retry }
}

/// 2, 4, 8 ... 900 seconds.
fn backoff(tries: u32) -> Duration {
    Duration::from_secs(2_u64.saturating_pow(tries.min(16))).min(LONGEST_BACKOFF)
}

/// Between half of the time and all of it, so that what failed together does not come back together. The share comes
/// from what is tried and how often, not from chance: the same story always runs the same way.
fn jittered(time: Duration, seed: &str, tries: u32) -> Duration {
    let hash = Sha256::digest(format!("{seed} {tries}").as_bytes());
    let share = f64::from(hash[0]) / 255.0;
    time.mul_f64(0.5 + share / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unavailable() -> Cause {
        Cause::Pipeline(PipelineError::Unavailable("ThrottlingException".to_owned()))
    }

    #[test]
    fn waits_grow_and_are_tried_for_a_day() {
        let start = Timestamp::from_secs(1_700_000_000);
        let (mut now, mut retry, mut waits) = (start, None, Vec::new());
        while let Some((next, wait)) = next_try(&unavailable(), retry.as_ref(), "x1", now) {
            waits.push(wait);
            now = now + wait;
            retry = Some(next);
        }
        assert!(waits[0] >= Duration::from_secs(1) && waits[0] <= Duration::from_secs(2));
        assert!(waits.iter().all(|wait| *wait <= LONGEST_BACKOFF));
        assert!(now.since(start) > GIVE_UP_AFTER);
        assert!((90..250).contains(&waits.len()), "{} tries", waits.len());
    }

    #[test]
    fn what_github_does_not_take_is_tried_for_ten_minutes_whatever_has_failed_before() {
        let start = Timestamp::from_secs(1_700_000_000);
        let not_taken = Cause::NotTaken { context: "codepipeline/app".to_owned(), why: "422".to_owned() };
        let (outage, _) = next_try(&unavailable(), None, "x1", start).unwrap();
        let begin = start + Duration::from_secs(20 * 60 * 60);
        let (mut now, mut retry, mut tries) = (begin, outage, 0);
        while let Some((next, wait)) = next_try(&not_taken, Some(&retry), "x1", now) {
            (now, retry, tries) = (now + wait, next, tries + 1);
        }
        assert!((6..12).contains(&tries), "{tries} tries");
        assert!((NOT_TAKEN_FOR..2 * NOT_TAKEN_FOR).contains(&now.since(begin)), "{:?}", now.since(begin));
        let (passed, _) = next_try(&unavailable(), Some(&retry), "x1", now).unwrap();
        assert_eq!(passed.not_taken_since, None, "what fails for another reason begins anew");
    }

    #[test]
    fn however_often_it_was_tried_the_wait_is_one_that_sqs_takes() {
        let now = Timestamp::from_secs(1_700_000_000);
        for tries in [0, 15, 16, 17, 1_000, u32::MAX] {
            let earlier = Retry { tries, ..Retry::put_back(now, None) };
            let (next, wait) = next_try(&unavailable(), Some(&earlier), "x1", now).unwrap();
            assert!(
                next.tries >= tries && wait >= Duration::from_secs(1) && wait <= LONGEST_BACKOFF,
                "{tries}: {wait:?}"
            );
        }
    }

    #[test]
    fn what_is_put_back_after_it_was_given_up_gets_a_new_day() {
        let since = Timestamp::from_secs(1_700_000_000);
        let retry = |not_before: Option<Timestamp>| Retry {
            tries: 120,
            since: since.as_millis(),
            not_before: not_before.map(Timestamp::as_millis),
            not_taken_since: None,
            why: Some("ThrottlingException".to_owned()),
        };
        let tries = |not_before, sent: Timestamp| {
            let now = sent + Duration::from_secs(2);
            let retry = since_put_back(retry(not_before), sent, now);
            assert_eq!(retry.why.as_deref(), Some("ThrottlingException"));
            assert!(retry.tries > 0 || (retry.since == now.as_millis() && retry.not_before.is_none()));
            retry.tries
        };
        let day = since + GIVE_UP_AFTER;
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        assert_eq!(tries(None, since + minutes(5)), 120, "it is tried again");
        assert_eq!(tries(None, day), 120, "its last try");
        assert_eq!(tries(None, day + minutes(2)), 0);
        assert_eq!(tries(Some(day + minutes(30)), day + minutes(30)), 120, "it waits for GitHub");
        assert_eq!(tries(Some(day + minutes(30)), day + minutes(32)), 0);
    }

    #[test]
    fn what_failed_last_travels_in_a_form_that_may_be_shown() {
        let secret = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";
        let cause = Cause::Pipeline(PipelineError::Unavailable(format!("token {secret} {}", "x".repeat(500))));
        let why = next_try(&cause, None, "x1", Timestamp::from_secs(1)).and_then(|(retry, _)| retry.why).unwrap();
        assert!(!why.contains(secret) && why.chars().count() <= 140, "{why}");
    }

    #[test]
    fn githubs_wait_is_obeyed() {
        let limited = GitHubError::RateLimited { wait: Duration::from_secs(3000), why: String::new() };
        let now = Timestamp::from_secs(1000);
        let (retry, wait) = next_try(&limited.into(), None, "x1", now).unwrap();
        assert!(wait >= Duration::from_secs(3000));
        assert!(retry.not_before >= Some(4_000_000));
    }
}
