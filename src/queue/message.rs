//! What pipehook writes on its queue, and what it reads from it.
//!
//! Functions of two versions meet here during a deploy: fields are added with a default, never renamed or removed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::memory::Memory;
use crate::domain::event::{self, CommitSha, Ref, RepositoryName};
use crate::domain::report::{RunOptions, State};
use crate::domain::route::StartRequest;
use crate::domain::time::Timestamp;
use crate::domain::token::ClientRequestToken;

/// One message: what to do, and what has happened to it so far.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    /// GitHub's id of the delivery that all of this goes back to, or an event's id: for log lines.
    pub delivery: String,
    /// When the first message of this job was sent, in milliseconds since the epoch.
    pub first_sent: u64,
    /// What went wrong so far, where this is a further try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    #[serde(flatten)]
    pub job: Job,
}

/// A job that failed for a reason that may pass.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Retry {
    /// How many tries have failed in a row.
    pub tries: u32,
    /// When the first of them failed, in milliseconds since the epoch.
    pub since: u64,
    /// GitHub asked not to be called before this moment, in milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<u64>,
    /// Since when GitHub refuses to take what is reported, where that is what failed; in milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_taken_since: Option<u64>,
    /// What the last of them failed of, for who looks into the dead-letter queue: fit to be shown, and short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Retry {
    /// Of a job that somebody has put back: it begins anew, but is known to have been tried.
    pub fn put_back(now: Timestamp, earlier: Option<&Self>) -> Self {
        let why = earlier.and_then(|earlier| earlier.why.clone());
        Self { tries: 0, since: now.as_millis(), not_before: None, not_taken_since: None, why }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "job", rename_all = "snake_case")]
pub enum Job {
    Start(Start),
    Skip(Skip),
    Follow(Follow),
    Look(Look),
    Press(Press),
}

/// Do what somebody asked for by pressing something on a check run, if they may.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Press {
    /// Who pressed.
    pub actor: String,
    #[serde(flatten)]
    pub what: PressedThing,
    /// The run anew, for where a stage can't be retried. It names pipeline, repository and commit as well.
    pub start: Start,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "pressed", rename_all = "snake_case")]
pub enum PressedThing {
    Button { check_run: u64, name: String, identifier: String },
    Rerun { check_run: u64, name: String, completed: String },
    RerunAll { updated: String },
}

impl Press {
    pub fn new(press: &event::Press, request: &StartRequest, token: &ClientRequestToken) -> Self {
        let what = match press.what.clone() {
            event::Pressed::Button { check_run, name, identifier } => {
                PressedThing::Button { check_run, name, identifier }
            }
            event::Pressed::Rerun { check_run, name, completed } => PressedThing::Rerun { check_run, name, completed },
            event::Pressed::RerunAll { updated } => PressedThing::RerunAll { updated },
        };
        Self { actor: press.actor.clone(), what, start: Start::new(request, token) }
    }
}

/// Start an execution.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Start {
    pub pipeline: String,
    pub repository: String,
    pub commit: String,
    /// The commit may be a tag object's name.
    #[serde(default)]
    pub may_be_tag_object: bool,
    #[serde(rename = "ref")]
    pub git_ref: String,
    #[serde(default)]
    pub source_action: Option<String>,
    #[serde(default)]
    pub variables: Vec<(String, String)>,
    #[serde(default)]
    pub options: Options,
    pub token: String,
    /// GitHub asked not to be called before this moment, in milliseconds since the epoch. Nothing is started later for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub github_not_before: Option<u64>,
}

/// Tell GitHub that a filter left a pipeline out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Skip {
    pub pipeline: String,
    pub repository: String,
    pub commit: String,
    pub reason: String,
}

/// Follow an execution until it is final: the next look of a chain of wake-ups.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Follow {
    pub pipeline: String,
    pub execution: String,
    pub repository: String,
    /// The commit that was pushed.
    pub commit: String,
    #[serde(default)]
    pub source_action: Option<String>,
    #[serde(default)]
    pub options: Options,
    /// The mark of the push that started the execution; `None` for an adopted one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<String>,
    /// When following began, in milliseconds since the epoch.
    pub since: u64,
    /// How many wake-ups of the chain were before this one.
    #[serde(default)]
    pub nth: u32,
    #[serde(flatten)]
    pub memory: Memory,
}

impl Follow {
    /// Where it stands in the order of all wake-ups of its execution: by when its chain began, and within a chain by its
    /// number.
    pub fn place(&self) -> (u64, u32) {
        (self.since, self.nth)
    }

    /// Makes it the first of a chain that begins then, in the order and in how soon it looks again, where its own did not
    /// begin later.
    pub fn begin_anew(&mut self, at: Timestamp) {
        if at.as_millis() > self.since {
            (self.since, self.nth) = (at.as_millis(), 0);
        }
    }
}

/// Look at an execution once: an event said that something happened to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Look {
    pub pipeline: String,
    pub execution: String,
    #[serde(default)]
    pub happening: Happening,
    /// When the event came, in milliseconds since the epoch.
    pub since: u64,
    /// The execution was looked at before, and nobody followed it then: who still finds it so begins to follow.
    #[serde(default)]
    pub come_back: bool,
}

/// What an event says, as far as it matters for who looks when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    ExecutionStarted,
    /// A failed execution was retried: nobody follows it any more.
    ExecutionResumed,
    /// Something else about the execution as a whole.
    #[default]
    OfExecution,
    StageStarted,
    /// Something else about a stage.
    OfStage,
    ActionStarted,
    /// Something else about an action.
    OfAction,
}

impl Job {
    pub fn pipeline(&self) -> &str {
        match self {
            Self::Start(job) => &job.pipeline,
            Self::Skip(job) => &job.pipeline,
            Self::Follow(job) => &job.pipeline,
            Self::Look(job) => &job.pipeline,
            Self::Press(job) => &job.start.pipeline,
        }
    }

    /// What tells this job from others that may fail at the same time.
    pub fn seed(&self) -> &str {
        match self {
            Self::Start(job) => &job.token,
            Self::Skip(job) => &job.commit,
            Self::Follow(job) => &job.execution,
            Self::Look(job) => &job.execution,
            Self::Press(job) => &job.start.token,
        }
    }
}

/// [`RunOptions`], as they travel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_url: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stop_failed_rollout: bool,
}

impl From<&RunOptions> for Options {
    fn from(options: &RunOptions) -> Self {
        Self {
            environment: options.environment.clone(),
            superseded: Some(options.superseded.as_str().to_owned()),
            environment_url: options.environment_url.clone(),
            stop_failed_rollout: options.stop_failed_rollout,
        }
    }
}

impl From<&Options> for RunOptions {
    fn from(options: &Options) -> Self {
        let superseded = options.superseded.as_deref().and_then(State::parse).filter(|state| state.is_final());
        Self {
            environment: options.environment.clone(),
            superseded: superseded.unwrap_or(State::Error),
            environment_url: options.environment_url.clone(),
            stop_failed_rollout: options.stop_failed_rollout,
        }
    }
}

/// A message that is ours, but says something that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("the message's `{field}` is \"{value}\"")]
pub struct FieldError {
    field: &'static str,
    value: String,
}

impl Start {
    pub fn new(request: &StartRequest, token: &ClientRequestToken) -> Self {
        Self {
            pipeline: request.pipeline.clone(),
            repository: request.repository.to_string(),
            commit: request.commit.to_string(),
            may_be_tag_object: request.may_be_tag_object,
            git_ref: request.git_ref.to_string(),
            source_action: request.source_action.clone(),
            variables: request.variables.clone(),
            options: Options::from(&request.options),
            token: token.as_str().to_owned(),
            github_not_before: None,
        }
    }

    pub fn request(&self) -> Result<StartRequest, FieldError> {
        Ok(StartRequest {
            pipeline: self.pipeline.clone(),
            repository: repository(&self.repository)?,
            commit: commit(&self.commit)?,
            may_be_tag_object: self.may_be_tag_object,
            git_ref: Ref::parse(&self.git_ref)
                .ok_or_else(|| FieldError { field: "ref", value: self.git_ref.clone() })?,
            source_action: self.source_action.clone(),
            variables: self.variables.clone(),
            options: RunOptions::from(&self.options),
        })
    }

    /// How much longer GitHub asked not to be called. What AWS does for the start need not wait for that.
    pub fn waits_for_github(&self, now: Timestamp) -> Option<Duration> {
        still_to_wait(self.github_not_before, now)
    }
}

fn still_to_wait(not_before: Option<u64>, now: Timestamp) -> Option<Duration> {
    let not_before = not_before.map(Timestamp::from_millis)?;
    (now < not_before).then(|| not_before.since(now))
}

pub fn repository(text: &str) -> Result<RepositoryName, FieldError> {
    RepositoryName::parse(text).ok_or_else(|| FieldError { field: "repository", value: text.to_owned() })
}

pub fn commit(text: &str) -> Result<CommitSha, FieldError> {
    CommitSha::parse(text).ok_or_else(|| FieldError { field: "commit", value: text.to_owned() })
}

impl Message {
    pub fn new(delivery: String, now: Timestamp, job: Job) -> Self {
        Self { delivery, first_sent: now.as_millis(), retry: None, job }
    }

    /// How much longer GitHub asked not to be called; the wait may be longer than the longest delay of a message.
    pub fn waits_for_github(&self, now: Timestamp) -> Option<Duration> {
        still_to_wait(self.retry.as_ref()?.not_before, now)
    }

    /// The body of the message. SQS takes what XML 1.0 has a place for; of the characters that JSON does not escape
    /// by itself, that leaves out only U+FFFE and U+FFFF, which stand within strings and can be escaped there.
    pub fn to_body(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string(self)?.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff"))
    }
}
