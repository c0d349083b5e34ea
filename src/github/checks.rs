//! Check runs: what an App shows on a commit, with texts as long as they need to be, and with buttons.

use http::Method;
use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;

use super::error::{GitHubError, decode};
use super::{GitHub, PAGE, encode, moment};
use crate::domain::event::{CommitSha, RepositoryName};
use crate::domain::time::Timestamp;

/// The most that a summary and a text hold (GitHub REST: create a check run). It is documented in characters; taken as
/// bytes, it holds whichever of the two GitHub counts.
const TEXT_LIMIT: usize = 65_535;

/// What stands at the end of a text that was cut off.
const CUT: &str = "\n… (cut off: GitHub shows no more)";

/// The most annotations that a request holds (GitHub REST: create a check run). More requests append more.
const ANNOTATIONS_LIMIT: usize = 50;

const NO_APP: &str = "report = \"checks\"";

/// How a check run ended (GitHub REST: create a check run). What only GitHub itself sets is not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    ActionRequired,
    Cancelled,
    Failure,
    Neutral,
    Success,
    Skipped,
    TimedOut,
}

/// Where a check run stands. One that is completed has a conclusion, and no other has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckState {
    Queued,
    InProgress,
    Completed(Conclusion),
}

/// How much an annotation matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnnotationLevel {
    Notice,
    Warning,
    Failure,
}

/// A remark on lines of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Annotation {
    pub path: String,
    pub start_line: u64,
    pub end_line: u64,
    #[serde(rename = "annotation_level")]
    pub level: AnnotationLevel,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// What a check run's page says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckOutput {
    pub title: String,
    /// Markdown; cut off where it is longer than GitHub takes, as is `text`.
    pub summary: String,
    pub text: Option<String>,
    /// GitHub adds these to those that the check run has, so each is to be sent once.
    pub annotations: Vec<Annotation>,
}

/// A button on a check run, of which there are three at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckAction {
    /// At most 20 characters.
    pub label: String,
    /// At most 40 characters.
    pub description: String,
    /// Comes back when the button is pressed. At most 20 characters.
    pub identifier: String,
}

/// What a check run shows, and may show otherwise later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckContent {
    pub state: CheckState,
    pub started_at: Option<Timestamp>,
    /// For a completed one; GitHub takes its own time where this is left out.
    pub completed_at: Option<Timestamp>,
    pub details_url: Option<String>,
    pub output: CheckOutput,
    /// An empty list takes away the buttons that are there.
    pub actions: Vec<CheckAction>,
}

/// A check run that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCheckRun {
    pub name: String,
    pub head_sha: CommitSha,
    /// What it is known by here: the execution and the stage.
    pub external_id: String,
    pub content: CheckContent,
}

/// A check run as GitHub shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRun {
    pub id: u64,
    pub name: String,
    pub head_sha: String,
    pub external_id: String,
    /// `None` for what only GitHub sets: a run that it calls stale, or one of GitHub Actions that waits.
    pub state: Option<CheckState>,
    pub started_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
    pub details_url: Option<String>,
    pub html_url: Option<String>,
    pub title: Option<String>,
    pub summary: Option<String>,
    pub text: Option<String>,
    /// The App that made it.
    pub app: Option<u64>,
}

/// A check run on the wire, as GitHub lists it.
#[derive(Deserialize)]
struct ListedRun {
    id: u64,
    name: String,
    head_sha: String,
    #[serde(default)]
    external_id: Option<String>,
    status: String,
    #[serde(default)]
    conclusion: Option<String>,
    #[serde(default, deserialize_with = "moment::deserialize")]
    started_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "moment::deserialize")]
    completed_at: Option<Timestamp>,
    #[serde(default)]
    details_url: Option<String>,
    #[serde(default)]
    html_url: Option<String>,
    #[serde(default)]
    output: ListedOutput,
    #[serde(default)]
    app: Option<ListedApp>,
}

#[derive(Default, Deserialize)]
struct ListedOutput {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    summary: Option<String>,
    #[serde(default)]
    text: Option<String>,
}

#[derive(Deserialize)]
struct ListedApp {
    id: u64,
}

#[derive(Deserialize)]
struct Page {
    check_runs: Vec<ListedRun>,
}

/// A check run on the wire, as it is created and updated.
#[derive(Serialize)]
struct Sent<'a> {
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    new: Option<SentNew<'a>>,
    external_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details_url: Option<&'a str>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    conclusion: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "moment::serialize")]
    started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "moment::serialize")]
    completed_at: Option<Timestamp>,
    output: SentOutput<'a>,
    actions: &'a [CheckAction],
}

#[derive(Serialize)]
struct SentNew<'a> {
    name: &'a str,
    head_sha: &'a str,
}

#[derive(Serialize)]
struct SentOutput<'a> {
    title: &'a str,
    summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "<[Annotation]>::is_empty")]
    annotations: &'a [Annotation],
}

impl Conclusion {
    const ALL: [Self; 7] = [
        Self::ActionRequired,
        Self::Cancelled,
        Self::Failure,
        Self::Neutral,
        Self::Success,
        Self::Skipped,
        Self::TimedOut,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ActionRequired => "action_required",
            Self::Cancelled => "cancelled",
            Self::Failure => "failure",
            Self::Neutral => "neutral",
            Self::Success => "success",
            Self::Skipped => "skipped",
            Self::TimedOut => "timed_out",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|conclusion| conclusion.as_str() == text)
    }
}

impl CheckState {
    /// `queued`, `in_progress` or `completed`.
    pub fn status(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::Completed(_) => "completed",
        }
    }

    pub fn conclusion(self) -> Option<Conclusion> {
        match self {
            Self::Completed(conclusion) => Some(conclusion),
            Self::Queued | Self::InProgress => None,
        }
    }

    pub fn parse(status: &str, conclusion: Option<&str>) -> Option<Self> {
        match status {
            "queued" => Some(Self::Queued),
            "in_progress" => Some(Self::InProgress),
            "completed" => Conclusion::parse(conclusion?).map(Self::Completed),
            _ => None,
        }
    }
}

impl GitHub {
    /// The check runs of our own App on a commit, newest first: all of them, or those of one name.
    pub async fn check_runs(
        &self,
        repository: &RepositoryName,
        commit: &CommitSha,
        name: Option<&str>,
    ) -> Result<Vec<CheckRun>, GitHubError> {
        let app = self.app_id(repository).await?.ok_or(GitHubError::NeedsApp(NO_APP))?;
        let name = name.map(|name| format!("&check_name={}", encode(name))).unwrap_or_default();
        let path =
            format!("/repos/{repository}/commits/{commit}/check-runs?filter=all&app_id={app}&per_page={PAGE}{name}");
        let listed = self.list(repository, &path, |page: Page| page.check_runs).await?;
        let mut runs: Vec<CheckRun> = listed.into_iter().map(CheckRun::from).collect();
        runs.retain(|run| run.app.is_none_or(|made_by| made_by == app));
        runs.sort_by_key(|run| std::cmp::Reverse(run.id));
        Ok(runs)
    }

    /// A check run, whoever made it.
    pub async fn check_run(&self, repository: &RepositoryName, id: u64) -> Result<CheckRun, GitHubError> {
        let answer = self.read(repository, &format!("/repos/{repository}/check-runs/{id}")).await?;
        decode::<ListedRun>(&answer).map(CheckRun::from)
    }

    pub async fn create_check_run(
        &self,
        repository: &RepositoryName,
        run: &NewCheckRun,
    ) -> Result<CheckRun, GitHubError> {
        let path = format!("/repos/{repository}/check-runs");
        let new = SentNew { name: &run.name, head_sha: run.head_sha.as_str() };
        let (id, content) = (run.external_id.as_str(), &run.content);
        let (first, more) = in_requests(&content.output.annotations);
        let made = self.send_check_run(repository, Method::POST, &path, id, content, Some(new), first).await?;
        self.send_annotations(repository, made, id, content, more).await
    }

    /// Shows something else in a check run of our own.
    pub async fn update_check_run(
        &self,
        repository: &RepositoryName,
        id: u64,
        external_id: &str,
        content: &CheckContent,
    ) -> Result<CheckRun, GitHubError> {
        let path = format!("/repos/{repository}/check-runs/{id}");
        let (first, more) = in_requests(&content.output.annotations);
        let updated = self.send_check_run(repository, Method::PATCH, &path, external_id, content, None, first).await?;
        self.send_annotations(repository, updated, external_id, content, more).await
    }

    async fn send_annotations(
        &self,
        repository: &RepositoryName,
        mut run: CheckRun,
        external_id: &str,
        content: &CheckContent,
        annotations: &[Annotation],
    ) -> Result<CheckRun, GitHubError> {
        let path = format!("/repos/{repository}/check-runs/{}", run.id);
        for more in annotations.chunks(ANNOTATIONS_LIMIT) {
            run = self.send_check_run(repository, Method::PATCH, &path, external_id, content, None, more).await?;
        }
        Ok(run)
    }

    #[allow(clippy::too_many_arguments)] // All of it is one request.
    async fn send_check_run(
        &self,
        repository: &RepositoryName,
        method: Method,
        path: &str,
        external_id: &str,
        content: &CheckContent,
        new: Option<SentNew<'_>>,
        annotations: &[Annotation],
    ) -> Result<CheckRun, GitHubError> {
        if !self.is_app() {
            return Err(GitHubError::NeedsApp(NO_APP));
        }
        let CheckContent { state, started_at, completed_at, details_url, output, actions } = content;
        let is_update = new.is_none();
        let body = Sent {
            new,
            external_id,
            details_url: details_url.as_deref(),
            status: state.status(),
            conclusion: state.conclusion().map(Conclusion::as_str),
            started_at: *started_at,
            // GitHub takes a moment of completion to mean that the run is completed.
            completed_at: completed_at.filter(|_| state.conclusion().is_some()),
            output: SentOutput {
                title: &output.title,
                summary: clip(&output.summary),
                // A text that an update leaves out might stay.
                text: output.text.as_deref().map(clip).or_else(|| is_update.then(String::new)),
                annotations,
            },
            actions,
        };
        let answer = self.write(repository, method, path, &body).await?;
        decode::<ListedRun>(&answer.body).map(CheckRun::from).map_err(GitHubError::of_write)
    }
}

/// What the first request holds, and the rest.
fn in_requests(annotations: &[Annotation]) -> (&[Annotation], &[Annotation]) {
    annotations.split_at(annotations.len().min(ANNOTATIONS_LIMIT))
}

/// As much of a text as GitHub takes, in whole graphemes.
fn clip(text: &str) -> String {
    if text.len() <= TEXT_LIMIT {
        return text.to_owned();
    }
    let ends = text.grapheme_indices(true).map(|(at, grapheme)| at + grapheme.len());
    let end = ends.take_while(|end| *end <= TEXT_LIMIT - CUT.len()).last().unwrap_or_default();
    format!("{}{CUT}", &text[..end])
}

impl From<ListedRun> for CheckRun {
    fn from(run: ListedRun) -> Self {
        Self {
            state: CheckState::parse(&run.status, run.conclusion.as_deref()),
            id: run.id,
            name: run.name,
            head_sha: run.head_sha,
            external_id: run.external_id.unwrap_or_default(),
            started_at: run.started_at,
            completed_at: run.completed_at,
            details_url: run.details_url,
            html_url: run.html_url,
            title: run.output.title,
            summary: run.output.summary,
            text: run.output.text.filter(|text| !text.is_empty()),
            app: run.app.map(|app| app.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Families are one grapheme of several characters each.
        #[test]
        fn a_text_that_is_too_long_ends_behind_a_whole_grapheme(before in "[a-zé]{0,40}", missing in 0_usize..60) {
            let family = "👩‍👩‍👧‍👦";
            let families = family.repeat(TEXT_LIMIT / family.len());
            let text = format!("{before}{families}");
            let text = &text[..text.floor_char_boundary(text.len() - missing)];
            let clipped = clip(text);
            prop_assert!(clipped.len() <= TEXT_LIMIT);
            match clipped.strip_suffix(CUT) {
                Some(kept) => {
                    prop_assert!(text.starts_with(kept));
                    prop_assert_eq!((kept.len() - before.len()) % family.len(), 0);
                    prop_assert!(kept.len() + family.len() > TEXT_LIMIT - CUT.len(), "no more is missing than has to be");
                }
                None => prop_assert_eq!(clipped, text),
            }
        }
    }
}
