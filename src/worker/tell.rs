//! Telling GitHub, as commit statuses or as check runs.
//!
//! Both show the same: a context, a state and a line. A check run has a page and buttons besides, and is changed in place,
//! until it is completed, where a status is posted anew.

use super::Worker;
use super::trouble::Cause;
use crate::config::ReportAs;
use crate::domain::check::{Button, Conclusion, Page};
use crate::domain::event::{CommitSha, RepositoryName};
use crate::domain::log::{Annotation, Level};
use crate::domain::report::{Author, Double, Posted, Report, Shown, ShownStatuses, State};
use crate::domain::text;
use crate::github::{
    self, AnnotationLevel, CheckAction, CheckContent, CheckOutput, CheckRun, CheckState, GitHub, GitHubError,
    ListedStatus, NewCheckRun,
};
use crate::links;

/// What goes with a report to GitHub.
#[derive(Clone, Debug, Default)]
pub(super) struct Tale<'a> {
    /// Where a reader goes on.
    pub(super) url: String,
    /// The execution that it is about; `None` before there is one.
    pub(super) execution: Option<&'a str>,
    /// What a check run shows besides. Without it, it shows the report's line alone.
    pub(super) page: Option<Page>,
    /// How a check run concludes, where that is not what the report's state alone says.
    pub(super) conclusion: Option<Conclusion>,
    /// What GitHub showed a moment ago.
    pub(super) shown: Option<&'a ShownStatuses>,
}

impl Worker {
    pub(super) async fn shown(&self, repository: &RepositoryName, commit: &CommitSha) -> Result<ShownStatuses, Cause> {
        if self.report_as().await? == ReportAs::Checks {
            let runs =
                self.ask_github(async |github: &GitHub| github.check_runs(repository, commit, None).await).await?;
            return Ok(ShownStatuses::from_newest_first(runs.iter().map(of_check_run)));
        }
        let statuses = self.ask_github(async |github: &GitHub| github.statuses(repository, commit).await).await?;
        Ok(ShownStatuses::from_newest_first(statuses.iter().map(of_status)))
    }

    /// Tells one thing. What GitHub refuses to take (a full context) is [`Cause::NotTaken`].
    pub(super) async fn tell(
        &self,
        repository: &RepositoryName,
        commit: &CommitSha,
        report: &Report,
        tale: Tale<'_>,
    ) -> Result<(), Cause> {
        let Report { context, state, description } = report;
        let told = match self.report_as().await? {
            ReportAs::Statuses => {
                let url = Some(tale.url.as_str());
                self.ask_github(async |github: &GitHub| github.post_status(repository, commit, report, url).await).await
            }
            ReportAs::Checks => self.check(repository, commit, report, &tale).await,
        };
        match told {
            Ok(()) => {
                tracing::info!(%repository, %commit, context, state = state.as_str(), description, "posted");
                Ok(())
            }
            Err(cause) => {
                let cause = not_taken(cause, context);
                if matches!(cause, Cause::NotTaken { .. }) {
                    tracing::warn!(%repository, %commit, %cause, "not posted");
                }
                Err(cause)
            }
        }
    }

    /// Changes the check run that is there for the execution, or makes one. GitHub does not open a check run again that is
    /// completed, whatever an update says: what goes on after an end is told by a new one, which takes its place.
    async fn check(
        &self,
        repository: &RepositoryName,
        commit: &CommitSha,
        report: &Report,
        tale: &Tale<'_>,
    ) -> Result<(), Cause> {
        let looked_up;
        let shown = match tale.shown {
            Some(shown) => shown,
            None => {
                let name = Some(report.context.as_str());
                let ask = async |github: &GitHub| github.check_runs(repository, commit, name).await;
                looked_up = ShownStatuses::from_newest_first(self.ask_github(ask).await?.iter().map(of_check_run));
                &looked_up
            }
        };
        // One that waited to be started becomes the execution's.
        let is_its = |run: &&Shown| run.execution.is_none() || run.execution.as_deref() == tale.execution;
        let may_show = |run: &&Shown| report.state.is_final() || !run.state.is_final();
        let before = shown.get(&report.context).filter(is_its);
        let content = content(report, tale, before.is_none_or(|before| before.state != report.state));
        let external_id = external_id(report, tale.execution);
        match before.filter(may_show).and_then(|before| before.check_run) {
            Some(id) => {
                let update =
                    async |github: &GitHub| github.update_check_run(repository, id, &external_id, &content).await;
                self.ask_github(update).await?;
            }
            None => {
                let (name, head_sha) = (report.context.clone(), commit.clone());
                let run = NewCheckRun { name, head_sha, external_id, content };
                self.ask_github(async |github: &GitHub| github.create_check_run(repository, &run).await).await?;
            }
        }
        Ok(())
    }

    /// Ends a check run that nobody changes any more, for another of its name tells the same.
    pub(super) async fn end_double(&self, repository: &RepositoryName, double: &Double) -> Result<(), Cause> {
        let Double { context, execution, check_run } = double;
        let (state, description) = (State::Success, text::told_elsewhere());
        let report = Report { context: context.clone(), state, description };
        let tale = Tale { conclusion: Some(Conclusion::Neutral), ..Tale::default() };
        let (content, external_id) = (content(&report, &tale, false), external_id(&report, Some(execution)));
        let update =
            async |github: &GitHub| github.update_check_run(repository, *check_run, &external_id, &content).await;
        self.ask_github(update).await.map(|_| ()).map_err(|cause| not_taken(cause, context))
    }

    async fn report_as(&self) -> Result<ReportAs, Cause> {
        Ok(self.config().await?.github.report)
    }

    /// Asks GitHub, once more with a token that was read again where it does not take the one that is in use.
    pub(super) async fn ask_github<T>(&self, ask: impl AsyncFn(&GitHub) -> Result<T, GitHubError>) -> Result<T, Cause> {
        let github = self.github(false).await?;
        match ask(&github).await {
            Err(GitHubError::Unauthorized(_)) => {
                let github = self.github(true).await?;
                Ok(ask(&github).await?)
            }
            answered => Ok(answered?),
        }
    }
}

/// What GitHub refuses is told apart from what it can't do: the run goes on without it.
fn not_taken(cause: Cause, context: &str) -> Cause {
    match cause {
        Cause::GitHub(GitHubError::Refused(why)) => Cause::NotTaken { context: context.to_owned(), why },
        cause => cause,
    }
}

fn of_status(status: &ListedStatus) -> Posted {
    let author = status.target_url.as_deref().and_then(links::author_of);
    Posted { report: status.report(), author, check_run: None }
}

fn of_check_run(run: &CheckRun) -> Posted {
    let push = run.details_url.as_deref().and_then(links::author_of).and_then(|author| author.push);
    let execution = execution_of(&run.external_id);
    Posted {
        report: shown_by(run).0,
        author: execution.map(|execution| Author { execution: execution.to_owned(), push }),
        check_run: Some(run.id),
    }
}

/// What a check run shows, and how it has concluded.
pub(super) fn shown_by(run: &CheckRun) -> (Report, Option<Conclusion>) {
    let conclusion = match run.state {
        Some(CheckState::Queued | CheckState::InProgress) => None,
        Some(CheckState::Completed(conclusion)) => Some(from_the_wire(conclusion)),
        // Only GitHub makes it so, and whatever is wanted replaces it.
        None => Some(Conclusion::Cancelled),
    };
    let state = conclusion.map_or(State::Pending, Conclusion::state);
    (Report { context: run.name.clone(), state, description: run.title.clone().unwrap_or_default() }, conclusion)
}

/// What a check run is known by: the execution, and the stage where it is a stage's.
fn external_id(report: &Report, execution: Option<&str>) -> String {
    let stage = report.context.splitn(3, '/').nth(2).map(|stage| format!("/{stage}")).unwrap_or_default();
    execution.map(|execution| format!("{execution}{stage}")).unwrap_or_default()
}

/// The execution that a check run is about.
pub(super) fn execution_of(external_id: &str) -> Option<&str> {
    external_id.split('/').next().filter(|execution| !execution.is_empty())
}

/// `is_new` says that the check run shows another state so far: GitHub adds annotations to those that are there.
fn content(report: &Report, tale: &Tale<'_>, is_new: bool) -> CheckContent {
    let page = tale.page.clone().unwrap_or_default();
    let concludes = tale.conclusion.or(page.conclusion).filter(|conclusion| conclusion.state() == report.state);
    let conclusion = concludes.or_else(|| Conclusion::of(report.state));
    let summary = if page.summary.is_empty() { report.description.clone() } else { page.summary };
    let annotations = page.annotations.iter().filter(|_| is_new).map(annotation).collect();
    let button = |button: Button| CheckAction {
        label: button.label,
        description: button.description,
        identifier: button.identifier,
    };
    CheckContent {
        state: conclusion.map_or(CheckState::InProgress, |conclusion| CheckState::Completed(on_the_wire(conclusion))),
        started_at: page.started,
        completed_at: page.completed.filter(|_| conclusion.is_some()),
        details_url: Some(tale.url.clone()).filter(|url| !url.is_empty()),
        output: CheckOutput { title: report.description.clone(), summary, text: page.text, annotations },
        actions: page.buttons.into_iter().map(button).collect(),
    }
}

fn annotation(annotation: &Annotation) -> github::Annotation {
    let Annotation { path, line, level, message } = annotation;
    github::Annotation {
        path: path.clone(),
        start_line: u64::from(*line),
        end_line: u64::from(*line),
        level: match level {
            Level::Error => AnnotationLevel::Failure,
            Level::Warning => AnnotationLevel::Warning,
            Level::Notice => AnnotationLevel::Notice,
        },
        message: message.clone(),
        title: None,
    }
}

fn from_the_wire(conclusion: github::Conclusion) -> Conclusion {
    match conclusion {
        github::Conclusion::Success => Conclusion::Success,
        github::Conclusion::Failure | github::Conclusion::TimedOut => Conclusion::Failure,
        github::Conclusion::Neutral => Conclusion::Neutral,
        github::Conclusion::Cancelled => Conclusion::Cancelled,
        github::Conclusion::Skipped => Conclusion::Skipped,
        github::Conclusion::ActionRequired => Conclusion::ActionRequired,
    }
}

fn on_the_wire(conclusion: Conclusion) -> github::Conclusion {
    match conclusion {
        Conclusion::Success => github::Conclusion::Success,
        Conclusion::Failure => github::Conclusion::Failure,
        Conclusion::Neutral => github::Conclusion::Neutral,
        Conclusion::Cancelled => github::Conclusion::Cancelled,
        Conclusion::Skipped => github::Conclusion::Skipped,
        Conclusion::ActionRequired => github::Conclusion::ActionRequired,
    }
}
