//! A dead letter in words: what it was to do, and why that was not done.

use serde_json::{Value, json};

use crate::aws::dead_letters::Letter;
use crate::cli::show::short;
use crate::domain::listed::short_id;
use crate::domain::log::masked;
use crate::domain::text;
use crate::domain::time::Timestamp;
use crate::queue::message::{FieldError, Job, Message, PressedThing, Retry, commit, repository};
use crate::queue::received::{Received, ReceivedError};

/// What is made of a dead letter.
#[derive(Debug)]
pub(super) struct Reading {
    /// `start`, `skip`, `follow`, `look`, `press`, `event`, or `unreadable`.
    pub(super) kind: &'static str,
    pub(super) pipeline: Option<String>,
    pub(super) what: String,
    pub(super) why: String,
    /// How many tries have failed, as far as it tells: those of a message that comes back to the queue are counted by SQS.
    pub(super) tries: u32,
    /// Since when it was to be done.
    pub(super) since: Timestamp,
    pub(super) delivery: Option<String>,
}

impl Reading {
    pub(super) fn of(letter: &Letter) -> Self {
        match Received::parse(&letter.body) {
            Ok(Some(Received::Ours(message))) => Self::of_message(letter, &message),
            Ok(Some(Received::Event(event))) => Self {
                kind: "event",
                what: text::clip(&format!("event of {} of {}", short_id(&event.execution), event.pipeline)),
                pipeline: Some(event.pipeline),
                why: died(),
                tries: letter.receives,
                since: letter.sent,
                delivery: Some(event.id),
            },
            Ok(None) => Self::unreadable(letter, "an event that is of no execution".to_owned()),
            Err(error) => {
                // What does not parse may hold anything.
                let why = match error {
                    ReceivedError::NotJson(cause) => format!("it is not JSON: {cause}"),
                    ReceivedError::NotAnEvent(cause) => format!("it is no event of an execution: {cause}"),
                    ReceivedError::NotOurs(cause) => format!("it is no message of pipehook's: {cause}"),
                };
                Self::unreadable(letter, why)
            }
        }
    }

    fn unreadable(letter: &Letter, why: String) -> Self {
        Self {
            kind: "unreadable",
            pipeline: None,
            what: format!("{} bytes that nobody can read", letter.body.len()),
            why: text::clip(&why),
            tries: letter.receives,
            since: letter.sent,
            delivery: None,
        }
    }

    fn of_message(letter: &Letter, message: &Message) -> Self {
        let (kind, what) = job(&message.job);
        let why = match (wrong_field(&message.job), &message.retry) {
            (Err(error), _) => error.to_string(),
            (Ok(()), Some(Retry { why: Some(why), .. })) => why.clone(),
            (Ok(()), Some(Retry { why: None, tries, .. })) => format!("it failed {tries} times in a row"),
            (Ok(()), None) => died(),
        };
        let tries = message.retry.as_ref().map_or(letter.receives, |retry| retry.tries);
        Self {
            kind,
            pipeline: Some(message.job.pipeline().to_owned()),
            what: text::clip(&what),
            why: text::clip(&why),
            tries,
            since: Timestamp::from_millis(message.first_sent),
            delivery: Some(message.delivery.clone()),
        }
    }
}

/// What is known of a message that came back to the queue again and again.
fn died() -> String {
    "its function died or ran out of time; the worker's log says more".to_owned()
}

fn job(job: &Job) -> (&'static str, String) {
    match job {
        Job::Start(job) => ("start", format!("start {} on {} ({})", job.pipeline, short(&job.commit), job.git_ref)),
        Job::Skip(job) => ("skip", format!("say that {} is skipped on {}", job.pipeline, short(&job.commit))),
        Job::Follow(job) => {
            ("follow", format!("follow {} of {} on {}", short_id(&job.execution), job.pipeline, short(&job.commit)))
        }
        Job::Look(job) => ("look", format!("look at {} of {}", short_id(&job.execution), job.pipeline)),
        Job::Press(job) => {
            let what = match &job.what {
                PressedThing::Button { name, .. } => format!("a button of {name}"),
                PressedThing::Rerun { name, .. } => format!("re-run of {name}"),
                PressedThing::RerunAll { .. } => "re-run of all".to_owned(),
            };
            ("press", format!("{what}, pressed by {} on {}", job.actor, short(&job.start.commit)))
        }
    }
}

/// Whether a field of it says what can't be, which is hopeless.
fn wrong_field(job: &Job) -> Result<(), FieldError> {
    let both = |named: &str, sha: &str| repository(named).and_then(|_| commit(sha)).map(drop);
    match job {
        Job::Start(job) => job.request().map(drop),
        Job::Press(job) => job.start.request().map(drop),
        Job::Skip(job) => both(&job.repository, &job.commit),
        Job::Follow(job) => both(&job.repository, &job.commit),
        Job::Look(_) => Ok(()),
    }
}

/// The body for a message that is put back: as it is, but that it begins anew, and is known to have been tried, so that
/// what it may have started is looked for before it is started again.
pub(super) fn put_back(letter: &Letter, now: Timestamp) -> String {
    let Ok(Some(Received::Ours(message))) = Received::parse(&letter.body) else { return letter.body.clone() };
    let retry = Retry::put_back(now, message.retry.as_ref());
    // Fields of a newer version stay as they are.
    let changed = serde_json::from_str(&letter.body).ok().and_then(|mut body: Value| {
        body.as_object_mut()?.insert("retry".to_owned(), json!(retry));
        Some(body.to_string().replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff"))
    });
    changed.unwrap_or_else(|| letter.body.clone())
}

/// The body for people: indented where it is JSON, and without secrets.
pub(super) fn readable(body: &str) -> String {
    let json: Result<Value, _> = serde_json::from_str(body);
    let text = json.and_then(|json| serde_json::to_string_pretty(&json)).unwrap_or_else(|_| body.to_owned());
    let plain = |line: &str| line.chars().filter(|c| !c.is_control()).collect::<String>();
    masked(&text).lines().map(plain).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_holds_no_secrets_and_no_orders_to_the_terminal() {
        let body = "{\"token\": \"ghp_0123456789abcdefghijklmnopqrstuvwxyz\", \"a\": \"\u{9b}2J\"}";
        let shown = readable(body);
        assert!(!shown.contains("ghp_0123") && !shown.contains('\u{9b}'), "{shown}");
        assert_eq!(readable("password=hunter2\u{1b}[2J"), "password=***");
    }
}
