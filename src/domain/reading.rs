//! Readings of an execution, put together.
//!
//! They come from calls made one after the other while the pipeline moves on, so they may not fit together. The execution's
//! own status is read first, and where it is final it decides.

use super::event::{CommitSha, RepositoryName};
use super::execution::{
    ActionKind, ActionRun, ActionStatus, Ending, ExecutionSnapshot, ExecutionStatus, Stage, StageStatus, Wait,
};

/// A stage as the pipeline's own view shows it for this execution; entries of other executions are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageView {
    pub name: String,
    /// The actions that it has by the pipeline's definition.
    pub actions: Vec<String>,
    /// The stage's status, where this execution is the one that was in it last.
    pub status: Option<StageStatus>,
    /// This execution waits in front of the stage.
    pub waits: Option<Wait>,
}

/// The head of an execution: what GetPipelineExecution says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutionHead {
    pub pipeline: String,
    pub id: String,
    pub status: ExecutionStatus,
    pub status_summary: Option<String>,
    /// A rollback, by a person or by a stage's condition: an earlier commit is put in place again.
    pub is_rollback: bool,
    /// In PARALLEL mode the pipeline has no state that could be asked for.
    pub is_parallel: bool,
    /// Name of the artifact and revision, as far as the source actions have run.
    pub revisions: Vec<(String, String)>,
}

/// Whether the pipeline's own view has to be read too: it alone knows of held transitions, of stages between two
/// actions, of skipped stages, and of what became of a stage whose actions do not tell.
pub fn needs_stage_views(head: &ExecutionHead, actions: &[ActionRun]) -> bool {
    let between_actions = !actions.iter().any(ActionRun::is_running);
    !head.is_parallel && (head.status != ExecutionStatus::InProgress || between_actions)
}

/// Whether the pipeline's definition has to be read too, where there is no view of it, or none that may be read: it alone
/// tells then whether the stage in which an execution was stopped had anything left to do, and in PARALLEL mode which stages were
/// skipped, and whether one that failed though all of its actions succeeded was in the pipeline's last.
pub fn needs_definition(head: &ExecutionHead, actions: &[ActionRun]) -> bool {
    match head.status {
        ExecutionStatus::Stopped | ExecutionStatus::Cancelled => true,
        ExecutionStatus::Succeeded => head.is_parallel && !head.is_rollback,
        ExecutionStatus::Failed => {
            head.is_parallel && actions.iter().all(|action| action.status == ActionStatus::Succeeded)
        }
        _ => false,
    }
}

/// Whether the list of executions has to be read too, for how many newer ones wait for the approval. In PARALLEL mode none
/// waits for another.
pub fn needs_newer(head: &ExecutionHead, actions: &[ActionRun]) -> bool {
    let waits = |action: &ActionRun| action.kind == ActionKind::Approval && action.is_running();
    !head.status.is_final() && !head.is_parallel && actions.iter().any(waits)
}

/// Whether the list of executions has to be read too, for what is in [`Ending`].
pub fn needs_ending(head: &ExecutionHead) -> bool {
    matches!(head.status, ExecutionStatus::Stopping | ExecutionStatus::Stopped | ExecutionStatus::Superseded)
}

/// All that was read of an execution.
#[derive(Clone, Debug)]
pub struct Reading {
    pub head: ExecutionHead,
    pub actions: Vec<ActionRun>,
    pub views: Vec<StageView>,
    pub newer_waiting: usize,
    pub ending: Ending,
}

/// Which source action's commit counts, where a pipeline has several: the one that was pinned, or else the one of the
/// repository that the run is reported to.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    pub action: Option<&'a str>,
    pub repository: Option<&'a RepositoryName>,
}

impl Reading {
    /// Puts the readings together.
    pub fn snapshot(&self, source: Source<'_>) -> ExecutionSnapshot {
        let Self { head, actions, views, newer_waiting, ending } = self.clone();
        let commit = commit_in(&head, &actions, source);
        let repository = source_of(&actions, source).and_then(ActionRun::repository);
        let stages = stages_of(&head, actions, &views);
        let waiting = views.iter().find_map(|view| Some((view.name.clone(), view.waits.clone()?)));
        ExecutionSnapshot {
            // Only what still runs can wait; the pipeline's view may be newer than the execution's status.
            waiting: waiting.filter(|_| !head.status.is_final()),
            pipeline: head.pipeline,
            id: head.id,
            status: head.status,
            status_summary: head.status_summary,
            is_rollback: head.is_rollback,
            commit,
            repository,
            stages,
            newer_waiting,
            ending,
        }
    }
}

impl Source<'_> {
    /// Whether this action counts, whatever others are still to come.
    fn is(&self, action: &ActionRun) -> bool {
        match (self.action, self.repository) {
            (Some(name), _) => name == action.name,
            (None, Some(repository)) => action.repository().as_ref() == Some(repository),
            (None, None) => true,
        }
    }
}

fn sources(actions: &[ActionRun]) -> impl Iterator<Item = &ActionRun> {
    actions.iter().filter(|action| action.kind == ActionKind::Source)
}

fn source_of<'a>(actions: &'a [ActionRun], wanted: Source<'_>) -> Option<&'a ActionRun> {
    let of_repository = Source { action: None, ..wanted };
    let find = |wanted: Source<'_>| sources(actions).find(|action| wanted.is(action));
    find(wanted).or_else(|| find(of_repository)).or_else(|| sources(actions).next())
}

/// The commit that an execution builds. While the source that counts has not told its own, that of another is not taken for
/// it; only once all of them are done, what they tell together has to do.
fn commit_in(head: &ExecutionHead, actions: &[ActionRun], wanted: Source<'_>) -> Option<CommitSha> {
    let source = source_of(actions, wanted);
    let told = || source.and_then(|action| commit_of(action, &head.revisions));
    let is_done = |source: &ActionRun| {
        sources(actions).any(|run| run.name == source.name && run.status == ActionStatus::Succeeded)
    };
    let has_gone_on = head.status.is_final() || actions.iter().any(|action| action.kind != ActionKind::Source);
    if has_gone_on && sources(actions).all(is_done) {
        return told().or_else(|| only_commit(&head.revisions));
    }
    source.filter(|action| wanted.is(action)).and_then(|_| told())
}

fn commit_of(source: &ActionRun, revisions: &[(String, String)]) -> Option<CommitSha> {
    let told = source.source_commit.as_deref().and_then(CommitSha::parse);
    let by_artifact = || {
        let ours = revisions.iter().find(|(artifact, _)| source.output_artifacts.contains(artifact));
        ours.and_then(|(_, revision)| CommitSha::parse(revision))
    };
    told.or_else(by_artifact)
}

/// The commit where the revisions leave no doubt about it.
fn only_commit(revisions: &[(String, String)]) -> Option<CommitSha> {
    let mut commits = revisions.iter().filter_map(|(_, revision)| CommitSha::parse(revision));
    let first = commits.next()?;
    commits.all(|other| other == first).then_some(first)
}

fn stages_of(head: &ExecutionHead, mut actions: Vec<ActionRun>, views: &[StageView]) -> Vec<Stage> {
    let execution = &head.status;
    // An execution that succeeded has passed every stage, so one without any trace of it was skipped, though a newer
    // execution may have taken its place in the pipeline's view. A rollback runs one stage only.
    let has_passed_all = *execution == ExecutionStatus::Succeeded && !head.is_rollback;
    // AWS lists them newest first, and of two that began at the same moment, too.
    actions.reverse();
    actions.sort_by_key(|action| action.started);
    let mut stages: Vec<Stage> = Vec::new();
    for action in actions {
        let index = stages.iter().position(|stage| stage.name == action.stage).unwrap_or_else(|| {
            stages.push(Stage {
                name: action.stage.clone(),
                status: StageStatus::InProgress,
                actions: Vec::new(),
                attempts: 1,
            });
            stages.len() - 1
        });
        stages[index].actions.push(action);
    }
    for stage in &mut stages {
        keep_newest_runs(stage);
    }
    // A stage without actions is known from the pipeline's view alone: skipped, or begun a moment ago.
    for (place, view) in views.iter().enumerate().filter(|(_, view)| has_passed_all || view.status.is_some()) {
        if !stages.iter().any(|stage| stage.name == view.name) {
            let before = |stage: &Stage| views[..place].iter().any(|earlier| earlier.name == stage.name);
            let index = stages.iter().rposition(before).map_or(0, |index| index + 1);
            let status = StageStatus::InProgress;
            stages.insert(index, Stage { name: view.name.clone(), status, actions: Vec::new(), attempts: 1 });
        }
    }
    let last = stages.len().saturating_sub(1);
    let last_listed = stages.iter().rposition(|stage| !stage.actions.is_empty()).unwrap_or_default();
    for (index, stage) in stages.iter_mut().enumerate() {
        let view = views.iter().find(|view| view.name == stage.name);
        let has_run_all = view.is_some_and(|view| has_run_all(stage, view));
        // A stage is one execution's at a time: that another one is in it now tells as much as that ours is in a later one.
        let is_anothers = view.is_some_and(|view| view.status.is_none());
        let has_left = index < last || (is_anothers && has_run_all);
        stage.status = match view.and_then(|view| view.status.as_ref()) {
            None if stage.actions.is_empty() => StageStatus::Skipped,
            // The view was read after the list. Of a deploy that the list does not show yet ECS was not asked.
            Some(StageStatus::Succeeded) if !execution.is_final() && index >= last_listed && !has_run_all => {
                StageStatus::InProgress
            }
            status => status_of(stage, execution, status, has_left, index < last || has_run_all),
        };
    }
    fail_by_condition(head, &mut stages, views);
    stages
}

/// A stage may fail by its condition, after all of its actions have succeeded. The rollback that begins then takes its place
/// in the pipeline's view, so that nothing but the failure of the execution tells. A newer execution has been in the stage before,
/// too; then nobody knows whether this one has failed here or in front of the next stage, unless there is none.
fn fail_by_condition(head: &ExecutionHead, stages: &mut [Stage], views: &[StageView]) {
    let has_failed = stages.iter().any(|stage| stage.status == StageStatus::Failed);
    let is_anothers = |stage: &Stage| views.iter().any(|view| view.name == stage.name && view.status.is_none());
    let Some((last, earlier)) = stages.split_last_mut() else { return };
    let has_none_behind = views.last().is_some_and(|view| view.name == last.name);
    let has_lost_its_place = is_anothers(last) && earlier.last().is_some_and(|before| !is_anothers(before));
    if head.status == ExecutionStatus::Failed && !has_failed && (has_none_behind || has_lost_its_place) {
        last.status = StageStatus::Failed;
    }
}

/// A retried action is in the list once for each try; the newest counts.
fn keep_newest_runs(stage: &mut Stage) {
    let runs = std::mem::take(&mut stage.actions);
    let tries_of = |name: &str| runs.iter().filter(|run| run.name == name).count();
    stage.attempts = runs.iter().map(|run| tries_of(&run.name)).max().unwrap_or(1) as u32;
    for run in runs.iter().rev() {
        if !stage.actions.iter().any(|newer| newer.name == run.name) {
            stage.actions.insert(0, run.clone());
        }
    }
}

/// Whether each of the stage's actions has run.
fn has_run_all(stage: &Stage, view: &StageView) -> bool {
    view.actions.iter().all(|name| stage.actions.iter().any(|run| run.name == *name))
}

/// `has_left` says that the execution has gone on from the stage, `is_through` that no action of it is left that has not run.
fn status_of(
    stage: &Stage,
    execution: &ExecutionStatus,
    view: Option<&StageStatus>,
    has_left: bool,
    is_through: bool,
) -> StageStatus {
    let has = |status: &ActionStatus| stage.actions.iter().any(|action| action.status == *status);
    let from_actions = if stage.actions.is_empty() || stage.running().next().is_some() {
        StageStatus::InProgress
    } else if stage.failed().is_some() {
        StageStatus::Failed
    } else if has(&ActionStatus::Abandoned) {
        StageStatus::Stopped
    } else {
        StageStatus::Succeeded
    };
    if !execution.is_final() {
        // While the execution runs, the pipeline's view is the better witness: it was read last, and a failed action
        // may be about to be tried again. Without it, the list of actions alone does not tell that a stage has ended.
        return match view {
            Some(view) => view.clone(),
            None if has_left => from_actions,
            None => StageStatus::InProgress,
        };
    }
    // Once the execution is final, nothing in it still runs, whatever a reading from before says.
    let running = |status: &StageStatus| matches!(status, StageStatus::InProgress | StageStatus::Stopping);
    let ended = view.cloned().filter(|view| !running(view)).unwrap_or(from_actions);
    let was_cut_off = matches!(execution, ExecutionStatus::Stopped | ExecutionStatus::Cancelled);
    match execution {
        // What has run of the stage went well, but nothing tells that this was all of it.
        _ if was_cut_off && view.is_none() && !is_through && ended == StageStatus::Succeeded => StageStatus::Stopped,
        ExecutionStatus::Succeeded if running(&ended) => StageStatus::Succeeded,
        ExecutionStatus::Failed if running(&ended) => StageStatus::Failed,
        ExecutionStatus::Succeeded | ExecutionStatus::Failed => ended,
        _ if matches!(ended, StageStatus::Succeeded | StageStatus::Skipped) => ended,
        ExecutionStatus::Cancelled => StageStatus::Cancelled,
        _ => StageStatus::Stopped,
    }
}

#[cfg(test)]
#[path = "reading_tests.rs"]
mod tests;
