//! How statuses are written to a terminal.

use console::{StyledObject, style};
use serde::Serialize;

use crate::domain::time::Timestamp;
use crate::standin::{PostedStatus, State};

/// As many characters of a commit's name as people read.
pub(super) fn short(sha: &str) -> &str {
    sha.get(..7).unwrap_or(sha)
}

/// `3:35  1a2b3c4  success  codepipeline/node-server  Deployed 1a2b3c4 to staging in 3 m 35 s`, with the time since a
/// moment.
pub(super) fn line(posted: &PostedStatus, since: Timestamp) -> String {
    let status = &posted.status;
    let secs = posted.at.since(since).as_secs();
    let time = format!("{:>3}:{:02}", secs / 60, secs % 60);
    let context = format!("{:<32}", status.context);
    format!(
        "{}  {}  {}  {}  {}",
        style(time).dim(),
        short(&posted.sha),
        state(status.state, 7),
        style(context).bold(),
        status.description.as_deref().unwrap_or_default()
    )
}

/// A state in its colour, padded to a width.
pub(super) fn state(state: State, width: usize) -> String {
    coloured(state, format!("{:<width$}", state.as_str())).to_string()
}

/// A sign for a state.
pub(super) fn mark(state: State) -> String {
    let sign = match state {
        State::Success => "✓",
        State::Failure => "✗",
        State::Error => "!",
        State::Pending => "…",
    };
    coloured(state, sign.to_owned()).to_string()
}

fn coloured(state: State, text: String) -> StyledObject<String> {
    let text = style(text);
    match state {
        State::Success => text.green(),
        State::Failure | State::Error => text.red(),
        State::Pending => text.yellow(),
    }
}

/// A status as a line of JSON.
pub(super) fn json(posted: &PostedStatus) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Line<'a> {
        sha: &'a str,
        context: &'a str,
        state: &'a str,
        description: Option<&'a str>,
        target_url: Option<&'a str>,
    }
    let status = &posted.status;
    serde_json::to_string(&Line {
        sha: &posted.sha,
        context: &status.context,
        state: status.state.as_str(),
        description: status.description.as_deref(),
        target_url: status.target_url.as_deref(),
    })
}
