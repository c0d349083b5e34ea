//! What GitHub should show for an execution, and what has to be sent so that it does.

use std::collections::BTreeMap;

use super::event::CommitSha;
use super::execution::{ActionKind, ExecutionSnapshot, ExecutionStatus, Stage, StageStatus, Wait, YieldsTo};
use super::rollout::{Progress, Rollout};
use super::text;

/// State of a commit status (GitHub REST: create a commit status).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Pending,
    Success,
    Failure,
    Error,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Success, Self::Failure, Self::Error].into_iter().find(|state| state.as_str() == text)
    }

    pub fn is_final(self) -> bool {
        self != Self::Pending
    }
}

/// What a route says about every execution that it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunOptions {
    /// Where the pipeline deploys to, for texts: `Deployed abc1234 to staging`.
    pub environment: Option<String>,
    /// What GitHub shows for an execution that a newer one replaced.
    pub superseded: State,
    /// Where what is deployed answers, for GitHub deployments; otherwise it is found from the service.
    pub environment_url: Option<String>,
    /// Stop the execution once its rollout has failed, so that the next push need not wait for its timeout.
    pub stop_failed_rollout: bool,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { environment: None, superseded: State::Error, environment_url: None, stop_failed_rollout: false }
    }
}

/// One commit status: what GitHub should show in one context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub context: String,
    pub state: State,
    pub description: String,
}

/// A report that an execution's state asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub report: Report,
    /// What a status says instead once one has been posted: true until something ends, so that it need not be replaced. A
    /// check run is changed in place, and always says what is wanted.
    pub later: Option<String>,
    /// How many statuses this execution may post in the context altogether. The end is always posted; progress is left
    /// out once it would take the end's place.
    pub account: u32,
    /// ECS is done with a rollout that has failed. That it is still at it is then no longer true, and does not stand
    /// because the account is used up.
    pub is_rolled_back: bool,
    /// What stands, where this execution is shown with it already.
    pub yields_to: YieldsTo,
    /// Of an execution that was retried, the contexts of the stages that it yields for: a failure stands where one of them
    /// shows one too. Otherwise it is what the try before came to. Empty where nothing was retried.
    pub fails_with: Vec<String>,
}

/// Context of an execution: `codepipeline/<pipeline>`.
pub fn execution_context(pipeline: &str) -> String {
    format!("codepipeline/{pipeline}")
}

/// Context of a stage: `codepipeline/<pipeline>/<stage>`.
pub fn stage_context(pipeline: &str, stage: &str) -> String {
    format!("codepipeline/{pipeline}/{stage}")
}

/// Statuses that a context may get in one attempt. For a stage they are the beginning, two steps of progress, and the end;
/// for an execution the beginning, that it is in progress, and an end, which is two where a rollout fails and is rolled
/// back then. What an execution is at, and what it waits for, is told by its stages.
const ACCOUNT: u32 = 4;

/// What GitHub should show for an execution of `commit`. It is a function of the reading alone: whoever reads the same
/// wants the same, so that several workers agree without talking to each other.
pub fn desired(snapshot: &ExecutionSnapshot, commit: &CommitSha, options: &RunOptions) -> Vec<Wanted> {
    let attempts: u32 = snapshot.stages.iter().map(|stage| stage.attempts).sum();
    let retries = attempts - snapshot.stages.len() as u32;
    let yielding = snapshot.stages.iter().filter(|stage| retries > 0 && stage.yields_to() == YieldsTo::Ends);
    let execution = Wanted {
        report: of_execution(snapshot, commit, options),
        later: is_under_way(snapshot).then(text::under_way),
        account: ACCOUNT * (1 + retries) - snapshot.stages.iter().map(reserved).max().unwrap_or_default(),
        is_rolled_back: failed_rollout(snapshot).is_some_and(Rollout::is_decided),
        yields_to: snapshot.stages.iter().map(Stage::yields_to).max().unwrap_or_default(),
        fails_with: yielding.map(|stage| stage_context(&snapshot.pipeline, &stage.name)).collect(),
    };
    let stages = snapshot.stages.iter().map(|stage| Wanted {
        report: of_stage(snapshot, stage, commit, options),
        later: None,
        account: ACCOUNT * stage.attempts - reserved(stage),
        is_rolled_back: stage.failed_rollout().is_some_and(Rollout::is_decided),
        yields_to: stage.yields_to(),
        fails_with: Vec::new(),
    });
    // A held stage says so in its own place too, where a required check of it would otherwise not be there at all.
    // In front of an occupied one a run stands for a moment only, and may be superseded there.
    let is_begun = |name: &String| snapshot.stages.iter().any(|stage| stage.name == *name);
    let in_front = snapshot.waiting.iter().filter(|(stage, wait)| matches!(wait, Wait::Held(_)) && !is_begun(stage));
    let held = in_front.map(|(stage, wait)| Wanted {
        report: Report {
            context: stage_context(&snapshot.pipeline, stage),
            state: State::Pending,
            description: text::waits(stage, wait),
        },
        later: None,
        account: ACCOUNT,
        is_rolled_back: false,
        yields_to: YieldsTo::Nothing,
        fails_with: Vec::new(),
    });
    std::iter::once(execution).chain(stages).chain(held).collect()
}

/// A rollout may end twice, by failing and by having been rolled back: a place is kept for that until it has failed.
fn reserved(stage: &Stage) -> u32 {
    let may_fail = |rollout: &Rollout| matches!(rollout.progress, Progress::Rolling { .. });
    u32::from(stage.rollouts().any(may_fail))
}

/// What ECS says of a rollout counts at once, whatever CodePipeline makes of it later.
fn failed_rollout(snapshot: &ExecutionSnapshot) -> Option<&Rollout> {
    snapshot.stages.iter().rev().find_map(Stage::failed_rollout)
}

/// Whether there is nothing to say of an execution but what it is at.
fn is_under_way(snapshot: &ExecutionSnapshot) -> bool {
    let is_open = match &snapshot.status {
        ExecutionStatus::Stopping | ExecutionStatus::Unknown(_) => false,
        ExecutionStatus::Succeeded => !snapshot.is_settled(),
        status => !status.is_final(),
    };
    is_open && failed_rollout(snapshot).is_none()
}

fn of_execution(snapshot: &ExecutionSnapshot, commit: &CommitSha, options: &RunOptions) -> Report {
    if let Some(rollout) = failed_rollout(snapshot) {
        let context = execution_context(&snapshot.pipeline);
        return Report { context, state: State::Failure, description: text::rollout_failed(rollout) };
    }
    let (state, description) = match &snapshot.status {
        _ if is_under_way(snapshot) => (State::Pending, progress(snapshot, commit)),
        ExecutionStatus::Succeeded => {
            let kinds = || snapshot.stages.iter().flat_map(|stage| &stage.actions).map(|action| action.kind);
            let deployed = kinds().any(|kind| kind == ActionKind::Deploy);
            let environment = options.environment.as_deref();
            let took = snapshot.duration();
            let last = snapshot.stages.iter().rev().find(|stage| stage.rollouts().next().is_some());
            let rollouts = last.into_iter().flat_map(Stage::rollouts);
            let told = text::execution_succeeded(commit, deployed, snapshot.is_rollback, environment, took, rollouts);
            (State::Success, told)
        }
        ExecutionStatus::Failed => {
            let failed = snapshot.stages.iter().rev().find(|stage| stage.status == StageStatus::Failed);
            let summary = snapshot.status_summary.as_deref();
            (State::Failure, failed.map_or_else(|| text::failed_without_a_stage(summary), text::stage_failed))
        }
        ExecutionStatus::Stopping => (State::Pending, text::stopping(stop_reason(snapshot))),
        ExecutionStatus::Unknown(status) => (State::Pending, text::unknown_status(status)),
        _ => ended_early(snapshot, options),
    };
    Report { context: execution_context(&snapshot.pipeline), state, description }
}

/// What a run that was stopped, cancelled or superseded shows, for itself and for every stage that it had begun.
fn ended_early(snapshot: &ExecutionSnapshot, options: &RunOptions) -> (State, String) {
    match &snapshot.status {
        ExecutionStatus::Superseded => (options.superseded, text::superseded(snapshot.ending.superseded_by.as_ref())),
        ExecutionStatus::Cancelled => (State::Error, text::cancelled()),
        _ => (State::Error, text::stopped(stop_reason(snapshot))),
    }
}

fn stop_reason(snapshot: &ExecutionSnapshot) -> Option<&str> {
    snapshot.ending.stop_reason.as_deref().or(snapshot.status_summary.as_deref())
}

fn progress(snapshot: &ExecutionSnapshot, commit: &CommitSha) -> String {
    if let Some((stage, wait)) = &snapshot.waiting {
        return text::waits(stage, wait);
    }
    let Some(stage) = snapshot.stages.iter().rev().find(|stage| stage.is_running()).or(snapshot.stages.last()) else {
        return text::queued();
    };
    if stage.waits_for_approval() { approval(snapshot, stage, commit) } else { text::in_progress(stage) }
}

fn stage_progress(snapshot: &ExecutionSnapshot, stage: &Stage, commit: &CommitSha) -> String {
    if stage.waits_for_approval() { approval(snapshot, stage, commit) } else { text::stage_in_progress(stage) }
}

fn approval(snapshot: &ExecutionSnapshot, stage: &Stage, commit: &CommitSha) -> String {
    text::waits_for_approval(&stage.name, commit, snapshot.newer_waiting)
}

fn of_stage(snapshot: &ExecutionSnapshot, stage: &Stage, commit: &CommitSha, options: &RunOptions) -> Report {
    if let Some(rollout) = stage.failed_rollout() {
        let context = stage_context(&snapshot.pipeline, &stage.name);
        return Report { context, state: State::Failure, description: text::rollout_failed(rollout) };
    }
    let (state, description) = match &stage.status {
        StageStatus::InProgress => (State::Pending, stage_progress(snapshot, stage, commit)),
        StageStatus::Succeeded if stage.is_undecided() => (State::Pending, text::stage_in_progress(stage)),
        StageStatus::Stopping => (State::Pending, text::stopping(stop_reason(snapshot))),
        StageStatus::Succeeded => (State::Success, text::stage_succeeded(stage)),
        StageStatus::Skipped => (State::Success, text::stage_skipped()),
        StageStatus::Failed => (State::Failure, text::stage_failed(stage)),
        // A stage that was stopped by itself while the run goes on has no reason but its own.
        StageStatus::Stopped | StageStatus::Cancelled if !snapshot.is_final() => (State::Error, text::stopped(None)),
        StageStatus::Stopped | StageStatus::Cancelled => ended_early(snapshot, options),
        StageStatus::Unknown(status) if snapshot.is_final() => (State::Error, text::unknown_status(status)),
        StageStatus::Unknown(status) => (State::Pending, text::unknown_status(status)),
    };
    Report { context: stage_context(&snapshot.pipeline, &stage.name), state, description }
}

/// Who posted a status, as its link tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    pub execution: String,
    /// The push that started the execution; `None` for an adopted one.
    pub push: Option<String>,
}

/// Something that GitHub shows, with who posted it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    pub report: Report,
    pub author: Option<Author>,
    /// The id of the check run that shows it, and can be changed; `None` for a status.
    pub check_run: Option<u64>,
}

impl From<(Report, Option<Author>)> for Posted {
    fn from((report, author): (Report, Option<Author>)) -> Self {
        Self { report, author, check_run: None }
    }
}

/// What GitHub shows in one context of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The context as it was posted.
    pub context: String,
    pub state: State,
    pub description: String,
    /// The execution that the status links to.
    pub execution: Option<String>,
    /// The check run that shows it.
    pub check_run: Option<u64>,
    /// How many statuses each execution has posted here.
    pub posts: BTreeMap<String, u32>,
    /// What each of them has said here last.
    pub last: BTreeMap<String, State>,
}

impl Shown {
    fn posts_of(&self, execution: &str) -> u32 {
        self.posts.get(execution).copied().unwrap_or_default()
    }
}

/// What GitHub shows on a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShownStatuses {
    /// By context in lower case: GitHub tells contexts apart without case.
    contexts: BTreeMap<String, Shown>,
    /// The push that started each execution, as far as links tell.
    pushes: BTreeMap<String, String>,
    doubles: Vec<Double>,
}

/// A check run that stands open behind a newer one of its name and execution: two workers made one at the same moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Double {
    pub context: String,
    pub execution: String,
    pub check_run: u64,
}

impl ShownStatuses {
    /// Takes the statuses of a commit, or its check runs, newest first.
    pub fn from_newest_first(posted: impl IntoIterator<Item = impl Into<Posted>>) -> Self {
        let mut shown = Self::default();
        for Posted { report, author, check_run } in posted.into_iter().map(Into::into) {
            let newer = shown.get(&report.context).and_then(|newer| newer.execution.clone());
            if let (Some(execution), Some(check_run), State::Pending) = (newer, check_run, report.state)
                && author.as_ref().is_some_and(|author| author.execution == execution)
            {
                shown.doubles.push(Double { context: report.context.clone(), execution, check_run });
            }
            let latest = shown.contexts.entry(report.context.to_lowercase()).or_insert_with(|| Shown {
                context: report.context,
                state: report.state,
                description: report.description,
                execution: author.as_ref().map(|author| author.execution.clone()),
                check_run,
                posts: BTreeMap::new(),
                last: BTreeMap::new(),
            });
            if let Some(Author { execution, push }) = author {
                *latest.posts.entry(execution.clone()).or_default() += 1;
                latest.last.entry(execution.clone()).or_insert(report.state);
                shown.pushes.extend(push.map(|push| (execution, push)));
            }
        }
        shown
    }

    pub fn get(&self, context: &str) -> Option<&Shown> {
        self.contexts.get(&context.to_lowercase())
    }

    /// The doubles of an execution's check runs.
    pub fn doubles_of<'a>(&'a self, execution: &'a str) -> impl Iterator<Item = &'a Double> {
        self.doubles.iter().filter(move |double| double.execution == execution)
    }

    /// Whether exactly this stands in its context.
    pub fn shows(&self, report: &Report) -> bool {
        let same = |shown: &Shown| shown.state == report.state && shown.description == report.description;
        self.get(&report.context).is_some_and(same)
    }

    /// The push that has started an execution.
    pub fn push_of(&self, execution: &str) -> Option<&str> {
        self.pushes.get(execution).map(String::as_str)
    }

    /// The execution that a push has started.
    pub fn execution_of_push(&self, push: &str) -> Option<&str> {
        self.pushes.iter().find(|(_, mark)| *mark == push).map(|(execution, _)| execution.as_str())
    }

    /// Whether another push than this has started the execution.
    pub fn is_of_another_push(&self, execution: &str, push: &str) -> bool {
        self.push_of(execution).is_some_and(|mark| mark != push)
    }

    /// The other executions whose statuses stand in a context of this pipeline.
    pub fn other_executions(&self, pipeline: &str, execution: &str) -> Vec<String> {
        let ours = |(context, shown): (&String, &Shown)| {
            let other = shown.execution.as_ref().filter(|shown| *shown != execution)?;
            is_of_pipeline(context, pipeline).then(|| other.clone())
        };
        let mut others: Vec<_> = self.contexts.iter().filter_map(ours).collect();
        others.sort();
        others.dedup();
        others
    }

    /// The other executions that have spoken in a context of this pipeline in which this one stands now.
    pub fn spoken_over(&self, pipeline: &str, execution: &str) -> Vec<String> {
        let stands = |(context, shown): &(&String, &Shown)| {
            shown.execution.as_deref() == Some(execution) && is_of_pipeline(context, pipeline)
        };
        let spoken = self.contexts.iter().filter(stands).flat_map(|(_, shown)| shown.posts.keys());
        let mut others: Vec<_> = spoken.filter(|other| *other != execution).cloned().collect();
        others.sort();
        others.dedup();
        others
    }

    /// The contexts of this pipeline in which the execution is shown as pending, its wait to be started included.
    pub fn pending_of(&self, pipeline: &str, execution: &str) -> Vec<String> {
        let own = execution_context(pipeline).to_lowercase();
        let is_open = |(context, shown): &(&String, &Shown)| {
            let ours = match shown.execution.as_deref() {
                Some(other) => other == execution,
                None => **context == own,
            };
            ours && shown.state == State::Pending && is_of_pipeline(context, pipeline)
        };
        let open = self.contexts.iter().filter(is_open);
        open.map(|(_, shown)| shown.context.clone()).collect()
    }

    /// Whether somebody follows the execution: it has spoken in its own context, also where another execution of the commit
    /// has spoken there since, and has not ended there while it still runs.
    ///
    /// `has_ended` says that its end may be shown already: it is final, or its rollout has failed.
    pub fn is_followed(&self, pipeline: &str, execution: &str, has_ended: bool) -> bool {
        let last = self.get(&execution_context(pipeline)).and_then(|shown| shown.last.get(execution));
        last.is_some_and(|last| has_ended || *last == State::Pending)
    }
}

/// Whether a stage has succeeded that is shown to have failed, and ECS has nothing to say of it, or that the service runs what it
/// deployed: somebody has retried it, and nobody has told of that.
pub fn has_been_retried(snapshot: &ExecutionSnapshot, shown: &ShownStatuses) -> bool {
    let runs = |rollout: &Rollout| matches!(rollout.progress, Progress::Runs { .. });
    let has_succeeded = |stage: &&Stage| stage.status == StageStatus::Succeeded && stage.rollouts().all(runs);
    snapshot.stages.iter().filter(has_succeeded).any(|stage| {
        let shown = shown.get(&stage_context(&snapshot.pipeline, &stage.name));
        shown.is_some_and(|shown| {
            shown.execution.as_deref() == Some(&snapshot.id) && matches!(shown.state, State::Failure | State::Error)
        })
    })
}

/// Whether a context is a pipeline's own or one of its stages'.
pub fn is_of_pipeline(context: &str, pipeline: &str) -> bool {
    let own = execution_context(pipeline).to_lowercase();
    context.to_lowercase().strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What has to be posted so that GitHub shows what is wanted.
///
/// `newer` are the executions, among those that GitHub shows, which began after this one: what they say of the commit
/// stands. Progress that would exceed a context's account is left out; an end never is.
pub fn diff(snapshot: &ExecutionSnapshot, wanted: &[Wanted], shown: &ShownStatuses, newer: &[String]) -> Vec<Report> {
    let id = snapshot.id.as_str();
    let is_newers = |shown: &Shown| shown.execution.as_ref().is_some_and(|other| newer.contains(other));
    let has_failed = |shown: &Shown| matches!(shown.state, State::Failure | State::Error);
    let fails = |context: &String| {
        shown.get(context).is_some_and(|shown| shown.execution.as_deref() == Some(id) && has_failed(shown))
    };
    let is_due = |wanted: &Wanted, report: &Report| {
        let Some(shown_now) = shown.get(&report.context) else {
            return true;
        };
        let ours = shown_now.execution.as_deref() == Some(id);
        if is_newers(shown_now) || (ours && (shown.shows(report) || shown.shows(&wanted.report))) {
            return false;
        }
        let stands = match wanted.yields_to {
            YieldsTo::Nothing => false,
            YieldsTo::Successes => shown_now.state == State::Success,
            YieldsTo::Ends if has_failed(shown_now) => {
                wanted.fails_with.is_empty() || wanted.fails_with.iter().any(fails)
            }
            YieldsTo::Ends => shown_now.state.is_final(),
        };
        if ours && stands {
            return false;
        }
        if !ours || report.state != shown_now.state {
            return true;
        }
        let (said, to_say) = (&shown_now.description, &report.description);
        // An end that says this and more stands: tasks that tell why they stopped are gone after a while.
        let says_more = said.strip_prefix(to_say.as_str()).is_some_and(|more| more.starts_with(';'));
        if report.state.is_final() && says_more {
            return false;
        }
        // A phase that is over so soon that it is not worth a word takes no step back from the one before.
        if !report.state.is_final() && text::names_a_phase(said) && to_say.contains("in progress") {
            return false;
        }
        // What is shown is as true as what is wanted, and only less exact: it is worth a new step, while there is room.
        let room = if report.state.is_final() { 0 } else { 1 };
        let is_outdated = wanted.is_rolled_back && text::failed_rollout(said).is_some();
        text::step(to_say) != text::step(said) && (is_outdated || shown_now.posts_of(id) + room < wanted.account)
    };
    let reports = wanted.iter().map(|wanted| (wanted, to_post(wanted, shown.get(&wanted.report.context), id)));
    let mut due: Vec<Report> =
        reports.filter(|(wanted, report)| is_due(wanted, report)).map(|(_, report)| report).collect();
    due.extend(left_pending(snapshot, wanted, shown));
    // The execution's end comes last: who waits for it finds everything else said.
    let own = execution_context(&snapshot.pipeline);
    due.sort_by_key(|report| report.context == own && report.state.is_final());
    due
}

/// What is posted for what is wanted, after what is shown.
fn to_post(wanted: &Wanted, shown: Option<&Shown>, id: &str) -> Report {
    // That it is queued is posted before there is an execution.
    let has_begun = |shown: &Shown| {
        let was_queued = shown.execution.is_none() && shown.state == State::Pending;
        shown.check_run.is_none() && (was_queued || shown.posts_of(id) > 0)
    };
    let later = wanted.later.clone().filter(|_| shown.is_some_and(has_begun));
    let description = later.unwrap_or_else(|| wanted.report.description.clone());
    Report { description, ..wanted.report.clone() }
}

/// Contexts in which a final execution would stay pending: a stage that it waited in front of and never began.
fn left_pending(snapshot: &ExecutionSnapshot, wanted: &[Wanted], shown: &ShownStatuses) -> Vec<Report> {
    // A run that is over may still have its end to tell, while ECS is at work: this ends with it.
    let has_end = |of_run: &&Wanted| snapshot.is_final() && of_run.report.state.is_final();
    let Some(of_run) = wanted.first().filter(has_end) else {
        return Vec::new();
    };
    let is_wanted = |context: &String| wanted.iter().any(|wanted| wanted.report.context.eq_ignore_ascii_case(context));
    let open = shown.pending_of(&snapshot.pipeline, &snapshot.id).into_iter();
    open.filter(|context| !is_wanted(context)).map(|context| Report { context, ..of_run.report.clone() }).collect()
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "report_properties.rs"]
mod properties;
