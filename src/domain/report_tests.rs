//! What GitHub shows, row by row of the design's table, and what has to be sent for it.

use super::*;
use crate::domain::execution::{ActionRun, ActionStatus, Ending};
use crate::domain::time::Timestamp;

const SHA: &str = "abc1234d0c2a3e4b5c6d7e8f9a0b1c2d3e4f5a6b";
const NEWER: &str = "def5678e1d3b4f5c6d7e8f9a0b1c2d3e4f5a6b7c";

fn sha(text: &str) -> CommitSha {
    CommitSha::parse(text).unwrap()
}

fn action(stage: &str, name: &str, status: ActionStatus) -> ActionRun {
    let kind = match stage {
        "Source" => ActionKind::Source,
        "Staging" => ActionKind::Deploy,
        _ => ActionKind::Other,
    };
    ActionRun::sample(stage, name, kind, status)
}

fn stage(name: &str, status: StageStatus) -> Stage {
    let action_status = match status {
        StageStatus::Succeeded => ActionStatus::Succeeded,
        StageStatus::Failed => ActionStatus::Failed,
        StageStatus::Stopped | StageStatus::Cancelled => ActionStatus::Abandoned,
        _ => ActionStatus::InProgress,
    };
    Stage { name: name.to_owned(), status, actions: vec![action(name, name, action_status)], attempts: 1 }
}

fn snapshot(status: ExecutionStatus, stages: &[Stage]) -> ExecutionSnapshot {
    ExecutionSnapshot {
        pipeline: "node-server".to_owned(),
        id: "x1".to_owned(),
        status,
        status_summary: None,
        is_rollback: false,
        commit: None,
        repository: None,
        stages: stages.to_vec(),
        waiting: None,
        newer_waiting: 0,
        ending: Ending::default(),
    }
}

fn options() -> RunOptions {
    RunOptions { environment: Some("staging".to_owned()), ..RunOptions::default() }
}

/// What is wanted in short, a context a line; the common beginning is left out.
fn shows(snapshot: &ExecutionSnapshot) -> String {
    shows_with(snapshot, &options())
}

fn shows_with(snapshot: &ExecutionSnapshot, options: &RunOptions) -> String {
    let short = |Wanted { report, .. }: &Wanted| {
        let context = report.context.strip_prefix("codepipeline/").unwrap();
        format!("{context} {}: {}", report.state.as_str(), report.description)
    };
    desired(snapshot, &sha(SHA), options).iter().map(short).collect::<Vec<_>>().join("\n")
}

#[test]
fn started_and_nothing_done_is_queued() {
    insta::assert_snapshot!(shows(&snapshot(ExecutionStatus::InProgress, &[])), @"node-server pending: Queued");
}

#[test]
fn each_stage_that_is_reached_has_its_own_context() {
    let stages = [stage("Source", StageStatus::Succeeded), stage("Build", StageStatus::InProgress)];
    insta::assert_snapshot!(shows(&snapshot(ExecutionStatus::InProgress, &stages)), @r"
    node-server pending: Build in progress
    node-server/Source success: Source succeeded in 1 m
    node-server/Build pending: Build in progress
    ");
}

#[test]
fn actions_that_are_not_called_like_their_stage_are_named() {
    let mut build = stage("Build", StageStatus::InProgress);
    build.actions = ["docker-image", "lint"].map(|name| action("Build", name, ActionStatus::InProgress)).to_vec();
    build.attempts = 2;
    insta::assert_snapshot!(shows(&snapshot(ExecutionStatus::InProgress, &[build])), @r"
    node-server pending: Build: docker-image, lint in progress, attempt 2
    node-server/Build pending: Build: docker-image, lint in progress, attempt 2
    ");
}

#[test]
fn an_approval_names_the_commit_that_waits_for_it() {
    let mut staging = stage("Staging", StageStatus::InProgress);
    staging.actions[0].kind = ActionKind::Approval;
    insta::assert_snapshot!(shows(&snapshot(ExecutionStatus::InProgress, &[staging])), @r"
    node-server pending: Staging waits for approval of abc1234
    node-server/Staging pending: Staging waits for approval of abc1234
    ");
}

#[test]
fn a_held_stage_says_why() {
    let held = ExecutionSnapshot {
        waiting: Some(("Staging".to_owned(), Wait::Held("release freeze".to_owned()))),
        ..snapshot(ExecutionStatus::InProgress, &[stage("Source", StageStatus::Succeeded)])
    };
    insta::assert_snapshot!(shows(&held), @r"
    node-server pending: Staging is held: release freeze
    node-server/Source success: Source succeeded in 1 m
    node-server/Staging pending: Staging is held: release freeze
    ");
}

#[test]
fn a_stage_that_is_occupied_or_has_begun_is_not_told_of_once_more() {
    let waits = |wait, stages: &[Stage]| ExecutionSnapshot {
        waiting: Some(("Staging".to_owned(), wait)),
        ..snapshot(ExecutionStatus::InProgress, stages)
    };
    insta::assert_snapshot!(shows(&waits(Wait::Occupied, &[stage("Source", StageStatus::Succeeded)])), @"
    node-server pending: Staging waits for an earlier execution
    node-server/Source success: Source succeeded in 1 m
    ");
    let held = Wait::Held("release freeze".to_owned());
    insta::assert_snapshot!(shows(&waits(held, &[stage("Staging", StageStatus::Failed)])), @"
    node-server pending: Staging is held: release freeze
    node-server/Staging failure: Staging failed
    ");
}

#[test]
fn a_failure_says_where_and_why_and_stages_never_reached_get_nothing() {
    let mut build = stage("Build", StageStatus::Failed);
    build.actions[0].error = Some("exit status 1\n(make test)".to_owned());
    let stages = [stage("Source", StageStatus::Succeeded), build];
    insta::assert_snapshot!(shows(&snapshot(ExecutionStatus::Failed, &stages)), @r"
    node-server failure: Build failed: exit status 1 (make test)
    node-server/Source success: Source succeeded in 1 m
    node-server/Build failure: Build failed: exit status 1 (make test)
    ");
}

#[test]
fn a_rejected_approval_says_so() {
    let mut staging = stage("Staging", StageStatus::Failed);
    staging.actions[0].kind = ActionKind::Approval;
    staging.actions[0].summary = Some("not on a Friday".to_owned());
    insta::assert_snapshot!(shows(&snapshot(ExecutionStatus::Failed, &[staging])), @r"
    node-server failure: Staging: approval rejected: not on a Friday
    node-server/Staging failure: Staging: approval rejected: not on a Friday
    ");
}

#[test]
fn a_stopped_run_is_an_error_in_every_stage_that_it_had_begun() {
    let mut stopped = snapshot(
        ExecutionStatus::Stopped,
        &[stage("Source", StageStatus::Succeeded), stage("Build", StageStatus::Stopped)],
    );
    stopped.ending.stop_reason = Some("wrong branch".to_owned());
    insta::assert_snapshot!(shows(&stopped), @r"
    node-server error: Stopped: wrong branch
    node-server/Source success: Source succeeded in 1 m
    node-server/Build error: Stopped: wrong branch
    ");
    let stopping = ExecutionSnapshot { status: ExecutionStatus::Stopping, ..stopped };
    assert!(shows(&stopping).starts_with("node-server pending: Stopping: wrong branch"));
}

#[test]
fn a_stage_that_was_stopped_by_itself_has_no_reason_but_its_own() {
    let stages = [stage("Lint", StageStatus::Stopped), stage("Build", StageStatus::InProgress)];
    let mut running = snapshot(ExecutionStatus::InProgress, &stages);
    running.status_summary = Some("a summary of the whole run".to_owned());
    insta::assert_snapshot!(shows(&running), @"
    node-server pending: Build in progress
    node-server/Lint error: Stopped
    node-server/Build pending: Build in progress
    ");
}

#[test]
fn a_cancelled_run_is_an_error() {
    let stages = [stage("Build", StageStatus::Cancelled)];
    insta::assert_snapshot!(shows(&snapshot(ExecutionStatus::Cancelled, &stages)), @r"
    node-server error: Cancelled: the pipeline was changed
    node-server/Build error: Cancelled: the pipeline was changed
    ");
}

#[test]
fn a_status_that_aws_adds_is_told_as_it_is() {
    let paused = || "Paused".to_owned();
    let stages = [stage("Build", StageStatus::Unknown(paused()))];
    insta::assert_snapshot!(shows(&snapshot(ExecutionStatus::Unknown(paused()), &stages)), @"
    node-server pending: CodePipeline says Paused
    node-server/Build pending: CodePipeline says Paused
    ");
    insta::assert_snapshot!(shows(&snapshot(ExecutionStatus::Failed, &stages)), @"
    node-server failure: Failed
    node-server/Build error: CodePipeline says Paused
    ");
}

#[test]
fn a_superseded_run_names_the_newer_commit_in_the_state_that_the_route_asks_for() {
    let mut superseded = snapshot(ExecutionStatus::Superseded, &[stage("Source", StageStatus::Succeeded)]);
    assert!(shows(&superseded).starts_with("node-server error: Superseded by a newer execution"));
    superseded.ending.superseded_by = Some(sha(NEWER));
    insta::assert_snapshot!(shows(&superseded), @r"
    node-server error: Superseded by def5678
    node-server/Source success: Source succeeded in 1 m
    ");
    let as_success = RunOptions { superseded: State::Success, ..options() };
    assert!(shows_with(&superseded, &as_success).starts_with("node-server success: Superseded by def5678"));
}

#[test]
fn a_skipped_stage_is_a_success_with_its_reason() {
    let mut skipped = stage("Build", StageStatus::Skipped);
    skipped.actions.clear();
    let stages = [stage("Source", StageStatus::Succeeded), skipped];
    insta::assert_snapshot!(shows(&snapshot(ExecutionStatus::Succeeded, &stages)), @r"
    node-server success: Passed with abc1234 in 1 m
    node-server/Source success: Source succeeded in 1 m
    node-server/Build success: Skipped by its entry condition
    ");
}

#[test]
fn a_success_says_what_runs_where() {
    let stages = [stage("Source", StageStatus::Succeeded), stage("Staging", StageStatus::Succeeded)];
    let mut done = snapshot(ExecutionStatus::Succeeded, &stages);
    done.stages[1].actions[0].updated = Timestamp::from_secs(1252);
    insta::assert_snapshot!(shows(&done), @r"
    node-server success: Deployed abc1234 to staging in 4 m 12 s
    node-server/Source success: Source succeeded in 1 m
    node-server/Staging success: Staging succeeded in 4 m 12 s
    ");
    done.is_rollback = true;
    assert!(shows(&done).starts_with("node-server success: Rolled back to abc1234 in staging in 4 m 12 s"));
}

fn wanted(state: State, description: &str, account: u32) -> Wanted {
    let report =
        Report { context: "codepipeline/node-server/Build".to_owned(), state, description: description.to_owned() };
    Wanted { report, later: None, account, is_rolled_back: false, yields_to: YieldsTo::Nothing, fails_with: Vec::new() }
}

fn author(execution: &str) -> Author {
    Author { execution: execution.to_owned(), push: None }
}

/// What GitHub shows after these statuses of execution `by`, the oldest first.
fn shown(by: &str, statuses: &[(State, &str)]) -> ShownStatuses {
    let newest_first =
        statuses.iter().rev().map(|(state, description)| (wanted(*state, description, 0).report, Some(author(by))));
    ShownStatuses::from_newest_first(newest_first)
}

fn running() -> ExecutionSnapshot {
    snapshot(ExecutionStatus::InProgress, &[])
}

#[test]
fn a_run_speaks_over_those_that_have_spoken_where_it_stands() {
    let own = execution_context("node-server");
    let posted = |context: &str, by: &str| {
        let context = context.to_owned();
        (Report { context, state: State::Success, description: "Said".to_owned() }, Some(author(by)))
    };
    let shown = ShownStatuses::from_newest_first([
        posted(&own, "x1"),
        posted(&own, "x3"),
        posted(&own, "x2"),
        posted(&own, "x1"),
        posted("codepipeline/node-server/Build", "x2"),
        posted("codepipeline/node-server/Build", "x4"),
        posted("codepipeline/another", "x1"),
        posted("codepipeline/another", "x5"),
    ]);
    assert_eq!(shown.spoken_over("node-server", "x1"), ["x2", "x3"]);
    assert_eq!(shown.spoken_over("node-server", "x2"), ["x4"]);
    assert_eq!(shown.spoken_over("node-server", "x3"), Vec::<String>::new());
}

#[test]
fn a_status_equal_to_the_last_one_is_not_posted() {
    let begun = wanted(State::Pending, "Build in progress", 4);
    let posted = diff(&running(), std::slice::from_ref(&begun), &ShownStatuses::default(), &[]);
    assert_eq!(posted, std::slice::from_ref(&begun.report));
    assert_eq!(diff(&running(), &[begun], &shown("x1", &[(State::Pending, "Build in progress")]), &[]), []);
}

#[test]
fn progress_that_exceeds_the_account_is_left_out_and_the_end_is_not() {
    let three = [(State::Pending, "1"), (State::Pending, "2"), (State::Pending, "3")];
    assert_eq!(diff(&running(), &[wanted(State::Pending, "4", 4)], &shown("x1", &three), &[]), []);
    let two = shown("x1", &three[..2]);
    assert_eq!(diff(&running(), &[wanted(State::Pending, "3", 4)], &two, &[]).len(), 1);
    let end = wanted(State::Success, "done", 4);
    assert_eq!(diff(&running(), &[end], &shown("x1", &three), &[]).len(), 1);
}

#[test]
fn an_end_that_says_this_and_more_stands() {
    let due_after = |said: (State, &str), to_say: (State, &str)| {
        let wanted = wanted(to_say.0, to_say.1, 4);
        diff(&running(), &[wanted], &shown("x1", &[said]), &[]).len()
    };
    let with_cause = (State::Failure, "Rolled back to :41; node-server exited with 1");
    assert_eq!(due_after(with_cause, (State::Failure, "Rolled back to :41")), 0);
    assert_eq!(due_after((State::Failure, "Rolled back to :41"), with_cause), 1);
    assert_eq!(due_after(with_cause, (State::Failure, "Rolled back to :4")), 1);
    let [newer_wait, none_waits] = ["Staging waits; 1 newer commit waits", "Staging waits"];
    assert_eq!(due_after((State::Pending, newer_wait), (State::Pending, none_waits)), 1, "progress goes both ways");
}

#[test]
fn beyond_the_account_only_how_a_rollback_ended_is_told() {
    let due_after = |said: &str, is_rolled_back| {
        let wanted = Wanted { is_rolled_back, ..wanted(State::Failure, "Rolled back to :41", 0) };
        diff(&running(), &[wanted], &shown("x1", &[(State::Failure, said)]), &[]).len()
    };
    assert_eq!(due_after("Rollout failed: tasks failed (2 of 3); rolling back to :41", true), 1);
    assert_eq!(due_after("Rollout failed: tasks failed (2 of 3); rolling back to :41", false), 0);
    assert_eq!(due_after("Deploy failed", true), 0);
}

#[test]
fn what_was_shown_stands_against_a_reading_that_yields_to_it() {
    let due_after = |said: State, yields_to| {
        let wanted = Wanted { yields_to, ..wanted(State::Pending, "In progress", 4) };
        diff(&running(), &[wanted], &shown("x1", &[(said, "Shown")]), &[]).len()
    };
    let after_each =
        |yields_to| [State::Pending, State::Success, State::Failure].map(|said| due_after(said, yields_to));
    assert_eq!(after_each(YieldsTo::Nothing), [1, 1, 1]);
    assert_eq!(after_each(YieldsTo::Successes), [1, 0, 1]);
    assert_eq!(after_each(YieldsTo::Ends), [1, 0, 0]);
}

/// What is posted in the run's own context for a reading, after these statuses.
fn own_after(statuses: &[(State, &str)], stages: &[Stage]) -> Option<String> {
    let context = execution_context("node-server");
    let posted = statuses.iter().rev().map(|(state, description)| {
        let report = Report { context: context.clone(), state: *state, description: (*description).to_owned() };
        (report, Some(author("x1")))
    });
    let snapshot = snapshot(ExecutionStatus::InProgress, stages);
    let wanted = desired(&snapshot, &sha(SHA), &options());
    let due = diff(&snapshot, &wanted[..1], &ShownStatuses::from_newest_first(posted), &[]);
    due.first().map(|report| report.description.clone())
}

#[test]
fn a_run_says_what_it_is_at_once_and_leaves_the_rest_to_its_stages() {
    let source = [stage("Source", StageStatus::InProgress)];
    let build = [stage("Source", StageStatus::Succeeded), stage("Build", StageStatus::InProgress)];
    let in_source = (State::Pending, "Source in progress");
    let in_progress = (State::Pending, "In progress");
    assert_eq!(own_after(&[], &source).as_deref(), Some("Source in progress"));
    assert_eq!(own_after(&[in_source], &source), None, "it is still true");
    assert_eq!(own_after(&[in_source], &build).as_deref(), Some("In progress"));
    assert_eq!(own_after(&[in_source, in_progress], &build), None, "as it stays true until the end");
    let failed = (State::Failure, "Build failed");
    assert_eq!(own_after(&[in_source, failed], &build).as_deref(), Some("In progress"), "it is tried again");
}

#[test]
fn the_wait_to_be_started_was_the_first_thing_that_a_run_said() {
    let queued = Report {
        context: execution_context("node-server"),
        state: State::Pending,
        description: "Queued: CodePipeline throttles".to_owned(),
    };
    let shown = ShownStatuses::from_newest_first([(queued, None)]);
    let running = snapshot(ExecutionStatus::InProgress, &[stage("Source", StageStatus::InProgress)]);
    let wanted = desired(&running, &sha(SHA), &options());
    let due = diff(&running, &wanted[..1], &shown, &[]);
    assert_eq!(due.iter().map(|report| report.description.as_str()).collect::<Vec<_>>(), ["In progress"]);
}

#[test]
fn what_a_run_says_later_is_for_statuses_that_it_has_posted() {
    let later = Wanted { later: Some("In progress".to_owned()), ..wanted(State::Pending, "Source in progress", 4) };
    let shown = |state, execution: Option<&str>, posts: u32, check_run| Shown {
        context: later.report.context.clone(),
        state,
        description: "said before".to_owned(),
        execution: execution.map(str::to_owned),
        check_run,
        posts: [("x1".to_owned(), posts)].into(),
        last: BTreeMap::new(),
    };
    let says = |shown: Shown| to_post(&later, Some(&shown), "x1").description;
    assert_eq!(says(shown(State::Pending, Some("x1"), 1, None)), "In progress");
    assert_eq!(says(shown(State::Pending, None, 0, None)), "In progress", "the wait was this run's");
    assert_eq!(says(shown(State::Success, None, 0, None)), "Source in progress", "a skipped push is no wait");
    assert_eq!(says(shown(State::Pending, Some("x0"), 0, None)), "Source in progress", "another run has said it");
    assert_eq!(says(shown(State::Pending, Some("x1"), 1, Some(7))), "Source in progress", "a check run is changed");
    assert_eq!(to_post(&later, None, "x1").description, "Source in progress");
}

/// How many statuses each context may get, the execution's own first.
fn accounts(snapshot: &ExecutionSnapshot) -> Vec<u32> {
    desired(snapshot, &sha(SHA), &options()).iter().map(|wanted| wanted.account).collect()
}

#[test]
fn a_context_has_room_for_four_statuses_an_attempt() {
    let stages = ["Source", "Build", "Staging"].map(|name| stage(name, StageStatus::Succeeded));
    assert_eq!(accounts(&snapshot(ExecutionStatus::InProgress, &[])), [4]);
    assert_eq!(accounts(&snapshot(ExecutionStatus::InProgress, &stages)), [4, 4, 4, 4]);
    // Whoever tries a stage again opens a new account for it and for the run.
    let mut again = snapshot(ExecutionStatus::InProgress, &stages);
    again.stages[1].attempts = 3;
    assert_eq!(accounts(&again), [12, 4, 12, 4]);
    again.waiting = Some(("Production".to_owned(), Wait::Held("freeze".to_owned())));
    assert_eq!(accounts(&again), [12, 4, 12, 4, 4], "what is told of a stage that is held has room too");
}

#[test]
fn a_place_is_kept_for_a_rollout_that_may_fail_first_and_be_rolled_back_then() {
    let account = |progress, tasks| {
        let stage = deploying(rollout(progress, tasks), StageStatus::InProgress);
        accounts(&snapshot(ExecutionStatus::InProgress, &[stage]))
    };
    let rolling = Progress::Rolling { lifecycle: None };
    assert_eq!(account(rolling.clone(), DOWN), [3, 3], "the run's and the stage's");
    assert_eq!(account(rolling, UP), [3, 3], "tasks that have come up may fail as well");
    assert_eq!(account(Progress::Failed { rolling_back_to: None }, DOWN), [4, 4], "it has failed");
}

#[test]
fn that_a_rollback_is_over_is_told_although_workers_that_came_twice_have_used_the_account_up() {
    let stage = |progress| vec![deploying(rollout(progress, DOWN), StageStatus::InProgress)];
    let reading = |progress| snapshot(ExecutionStatus::InProgress, &stage(progress));
    let under_way = reading(Progress::Failed { rolling_back_to: None });
    let over = reading(Progress::RolledBack { to: None });
    let context = "codepipeline/node-server/Staging";
    let wants = |snapshot: &ExecutionSnapshot| desired(snapshot, &sha(SHA), &options()).remove(1).report;
    let twice = |report: &Report| vec![(report.clone(), Some(author("x1"))); 2];
    let begun =
        Report { context: context.to_owned(), state: State::Pending, description: "Staging: Deploy".to_owned() };
    let posted = [twice(&wants(&under_way)), twice(&begun)].concat();
    let due = diff(&over, &desired(&over, &sha(SHA), &options()), &ShownStatuses::from_newest_first(posted), &[]);
    assert!(due.contains(&wants(&over)), "{due:?}");
}

#[test]
fn states_are_called_as_github_calls_them() {
    for (state, name) in
        [(State::Pending, "pending"), (State::Success, "success"), (State::Failure, "failure"), (State::Error, "error")]
    {
        assert_eq!((state.as_str(), State::parse(name)), (name, Some(state)));
    }
    assert_eq!(State::parse("expected"), None);
}

#[test]
fn contexts_are_told_apart_without_case() {
    let mut status = wanted(State::Pending, "Build in progress", 4).report;
    status.context = status.context.to_uppercase();
    let shown = ShownStatuses::from_newest_first([(status, Some(author("x1")))]);
    assert_eq!(diff(&running(), &[wanted(State::Pending, "Build in progress", 4)], &shown, &[]), []);
}

#[test]
fn a_final_state_that_was_covered_is_posted_again() {
    let covered = shown("x1", &[(State::Success, "done"), (State::Pending, "Build in progress")]);
    assert_eq!(diff(&running(), &[wanted(State::Success, "done", 4)], &covered, &[]).len(), 1);
}

#[test]
fn the_status_of_an_older_execution_is_replaced_and_that_of_a_newer_one_stands() {
    let begun = [wanted(State::Pending, "Build in progress", 4)];
    let other = shown("x2", &[(State::Success, "done")]);
    assert_eq!(diff(&running(), &begun, &other, &[]).len(), 1);
    assert_eq!(diff(&running(), &begun, &other, &["x2".to_owned()]), []);
    let alike = shown("x2", &[(State::Pending, "Build in progress")]);
    assert_eq!(diff(&running(), &begun, &alike, &[]).len(), 1, "its link leads to the older one");
}

#[test]
fn a_stage_that_was_held_does_not_stay_pending_when_the_run_is_over() {
    let held = shown("x1", &[(State::Pending, "Build is held: release freeze")]);
    let superseded = snapshot(ExecutionStatus::Superseded, &[]);
    let due = diff(&superseded, &desired(&superseded, &sha(SHA), &options()), &held, &[]);
    let [build, _] = &due[..] else { panic!("{due:?}") };
    assert_eq!((build.context.as_str(), build.state), ("codepipeline/node-server/Build", State::Error));
}

#[test]
fn a_pipeline_whose_name_begins_alike_is_another() {
    assert!(is_of_pipeline("codepipeline/node", "node"));
    assert!(is_of_pipeline("codepipeline/node/build", "Node"));
    assert!(!is_of_pipeline("codepipeline/node-server", "node"));
}

#[test]
fn somebody_follows_as_long_as_the_executions_context_is_open() {
    let context = |state| {
        let report = Report { context: execution_context("p"), state, description: String::new() };
        ShownStatuses::from_newest_first([(report, Some(author("x1")))])
    };
    assert!(context(State::Pending).is_followed("p", "x1", false));
    assert!(!context(State::Failure).is_followed("p", "x1", false), "retried after its end");
    assert!(context(State::Failure).is_followed("p", "x1", true));
    assert!(!context(State::Pending).is_followed("p", "x2", false));
    let covered = |last| {
        let said = |execution, state| {
            let report = Report { context: execution_context("p"), state, description: String::new() };
            (report, Some(author(execution)))
        };
        ShownStatuses::from_newest_first([said("x2", State::Pending), said("x1", last), said("x1", State::Pending)])
    };
    assert!(covered(State::Pending).is_followed("p", "x1", false), "by whoever spoke for it before");
    assert!(covered(State::Failure).is_followed("p", "x1", true));
    assert!(!covered(State::Failure).is_followed("p", "x1", false), "retried after its end");
}

/// A status of an execution in a context of a pipeline, or another thing's where `context` says so.
fn posted(context: &str, state: State, author: Option<(&str, Option<&str>)>) -> (Report, Option<Author>) {
    let author =
        author.map(|(execution, push)| Author { execution: execution.to_owned(), push: push.map(str::to_owned) });
    (Report { context: context.to_owned(), state, description: "said".to_owned() }, author)
}

#[test]
fn of_two_check_runs_that_one_execution_made_the_older_one_stands_open_behind() {
    let check_run = |id, state, execution| {
        let (report, author) = posted("codepipeline/p/Build", state, Some((execution, None)));
        Posted { report, author, check_run: Some(id) }
    };
    let doubles = |newest_first: Vec<Posted>, execution: &str| {
        let shown = ShownStatuses::from_newest_first(newest_first);
        shown.doubles_of(execution).map(|double| double.check_run).collect::<Vec<_>>()
    };
    const NONE: [u64; 0] = [];
    let two = || vec![check_run(2, State::Success, "x1"), check_run(1, State::Pending, "x1")];
    assert_eq!(doubles(two(), "x1"), [1]);
    assert_eq!(doubles(two(), "x2"), NONE);
    let ended = vec![check_run(2, State::Success, "x1"), check_run(1, State::Failure, "x1")];
    assert_eq!(doubles(ended, "x1"), NONE, "it has ended itself");
    let of_another = vec![check_run(2, State::Success, "x2"), check_run(1, State::Pending, "x1")];
    assert_eq!(doubles(of_another, "x1"), NONE, "it is another execution's");
}

#[test]
fn only_what_is_shown_to_the_letter_is_shown() {
    let shown = shown("x1", &[(State::Pending, "Build in progress")]);
    let shows = |state, description| shown.shows(&wanted(state, description, 0).report);
    assert!(shows(State::Pending, "Build in progress"));
    assert!(!shows(State::Success, "Build in progress"));
    assert!(!shows(State::Pending, "Queued"));
    let elsewhere = Report { context: "lint".to_owned(), ..wanted(State::Pending, "Build in progress", 0).report };
    assert!(!shown.shows(&elsewhere));
}

#[test]
fn a_stage_that_succeeded_and_is_shown_to_have_failed_has_been_retried() {
    let build = |status| snapshot(ExecutionStatus::Succeeded, &[stage("Build", status)]);
    let failed = [(State::Failure, "Build failed")];
    let succeeded = build(StageStatus::Succeeded);
    assert!(has_been_retried(&succeeded, &shown("x1", &failed)));
    assert!(has_been_retried(&succeeded, &shown("x1", &[(State::Error, "Stopped")])));
    assert!(!has_been_retried(&succeeded, &shown("x2", &failed)), "that was another execution");
    assert!(!has_been_retried(&succeeded, &shown("x1", &[(State::Pending, "Build in progress")])));
    assert!(!has_been_retried(&build(StageStatus::Failed), &shown("x1", &failed)));
    let staging = |progress| {
        let staging = deploying(rollout(progress, UP), StageStatus::Succeeded);
        snapshot(ExecutionStatus::Succeeded, &[staging])
    };
    let context = stage_context("node-server", "Staging");
    let undone = Report { context, state: State::Failure, description: "Rolled back to :41".to_owned() };
    let undone = ShownStatuses::from_newest_first([(undone, Some(author("x1")))]);
    assert!(!has_been_retried(&staging(Progress::Unconfirmed), &undone), "ECS had the last word");
    assert!(has_been_retried(&staging(Progress::Runs { since: Timestamp::from_secs(1060) }), &undone));
}

#[test]
fn links_tell_which_push_started_which_execution() {
    let shown = ShownStatuses::from_newest_first([
        posted("codepipeline/p", State::Pending, Some(("x2", Some("push-2")))),
        posted("codepipeline/p/Build", State::Success, Some(("x1", Some("push-1")))),
        posted("codepipeline/q", State::Success, Some(("adopted", None))),
    ]);
    assert_eq!(
        [shown.push_of("x1"), shown.push_of("x2"), shown.push_of("adopted")],
        [Some("push-1"), Some("push-2"), None]
    );
    assert_eq!(shown.execution_of_push("push-1"), Some("x1"));
    assert_eq!(shown.execution_of_push("push-2"), Some("x2"));
    assert_eq!(shown.execution_of_push("push-3"), None);
    assert!(shown.is_of_another_push("x1", "push-2"));
    assert!(!shown.is_of_another_push("x1", "push-1"));
    assert!(!shown.is_of_another_push("adopted", "push-1"), "nobody knows what started it");
}

#[test]
fn the_other_executions_of_a_pipeline_are_those_whose_statuses_stand_there() {
    let shown = ShownStatuses::from_newest_first([
        posted("codepipeline/p", State::Pending, Some(("x3", None))),
        posted("codepipeline/p/Source", State::Success, Some(("x2", None))),
        posted("codepipeline/p/Build", State::Success, Some(("x2", None))),
        posted("codepipeline/p/Build", State::Success, Some(("x1", None))),
        posted("codepipeline/q", State::Success, Some(("x4", None))),
        posted("codepipeline/p/Lint", State::Success, None),
    ]);
    assert_eq!(shown.other_executions("p", "x3"), ["x2"]);
    assert_eq!(shown.other_executions("p", "x2"), ["x3"]);
    assert_eq!(shown.other_executions("q", "x1"), ["x4"]);
}

#[test]
fn what_is_open_of_an_execution_is_its_own_and_the_wait_to_be_started() {
    let shown = ShownStatuses::from_newest_first([
        posted("codepipeline/p", State::Pending, None),
        posted("codepipeline/p/Source", State::Success, Some(("x1", None))),
        posted("codepipeline/p/Build", State::Pending, Some(("x1", None))),
        posted("codepipeline/p/Lint", State::Pending, Some(("x2", None))),
        posted("codepipeline/p/Manual", State::Pending, None),
        posted("codepipeline/q/Build", State::Pending, Some(("x1", None))),
    ]);
    assert_eq!(shown.pending_of("p", "x1"), ["codepipeline/p", "codepipeline/p/Build"]);
    assert_eq!(shown.pending_of("p", "x2"), ["codepipeline/p", "codepipeline/p/Lint"]);
    assert_eq!(shown.pending_of("q", "x2"), Vec::<String>::new());
}

#[test]
fn a_run_that_is_over_ends_only_what_is_not_told_of_by_itself() {
    let stages = [stage("Build", StageStatus::Succeeded)];
    let open = ShownStatuses::from_newest_first([
        posted("codepipeline/Node-Server/Build", State::Pending, Some(("x1", None))),
        posted("codepipeline/node-server/Staging", State::Pending, Some(("x1", None))),
    ]);
    let due = |status| {
        let run = snapshot(status, &stages);
        let due = diff(&run, &desired(&run, &sha(SHA), &options()), &open, &[]);
        due.into_iter().map(|report| format!("{} {}", report.context, report.state.as_str())).collect::<Vec<_>>()
    };
    assert_eq!(
        due(ExecutionStatus::InProgress),
        ["codepipeline/node-server pending", "codepipeline/node-server/Build success"]
    );
    assert_eq!(
        due(ExecutionStatus::Succeeded),
        [
            "codepipeline/node-server/Build success",
            "codepipeline/node-server/Staging success",
            "codepipeline/node-server success"
        ],
        "the run's own end comes last"
    );
}

// ---- What is behind the actions.

use crate::domain::build::{Build, Failure, Phase};
use crate::domain::execution::Work;
use crate::domain::service::{Revision, Tasks};
use std::time::Duration;

fn building(build: Build, status: ActionStatus) -> Stage {
    let stage_status = if status == ActionStatus::Failed { StageStatus::Failed } else { StageStatus::InProgress };
    let mut stage = stage("Build", stage_status);
    stage.actions = vec![ActionRun { work: Some(Work::Build(build)), ..action("Build", "docker-build", status) }];
    stage
}

fn revision(number: u32) -> Option<Revision> {
    Some(Revision { family: "node-server".to_owned(), number })
}

fn rollout(progress: Progress, tasks: Tasks) -> Rollout {
    Rollout {
        revision: revision(42),
        tasks,
        reason: Some("ECS deployment circuit breaker: tasks failed to start.".to_owned()),
        ..Rollout::unknown("node-server", progress)
    }
}

fn deploying(rollout: Rollout, status: StageStatus) -> Stage {
    let mut stage = stage("Staging", status);
    stage.actions[0].work = Some(Work::Rollout(rollout));
    stage
}

const UP: Tasks = Tasks { desired: 2, running: 2, pending: 0, failed: 0 };
const DOWN: Tasks = Tasks { desired: 2, running: 0, pending: 0, failed: 3 };

#[test]
fn a_failure_of_the_try_before_does_not_stand_for_a_deploy_that_ecs_shows_nothing_of() {
    let staging = deploying(rollout(Progress::Unconfirmed, DOWN), StageStatus::Stopped);
    let build = Stage { attempts: 2, ..stage("Build", StageStatus::Succeeded) };
    let stopped = snapshot(ExecutionStatus::Stopped, &[build, staging.clone()]);
    let own = execution_context("node-server");
    let [of_build, of_staging] = ["Build", "Staging"].map(|stage| stage_context("node-server", stage));
    let due_after = |snapshot: &ExecutionSnapshot, said: &[(&String, State, &str)]| {
        let posted = said.iter().map(|(context, state, description)| {
            let description = (*description).to_owned();
            (Report { context: (*context).clone(), state: *state, description }, Some(author("x1")))
        });
        let shown = ShownStatuses::from_newest_first(posted);
        let due = diff(snapshot, &desired(snapshot, &sha(SHA), &options()), &shown, &[]);
        due.iter().any(|report| report.context == own)
    };
    let built_badly = [(&own, State::Failure, "Build failed"), (&of_build, State::Failure, "Build failed")];
    let told = [
        (&own, State::Failure, "Rollout failed: tasks failed (2 of 3)"),
        (&of_staging, State::Failure, "Rollout failed: tasks failed (2 of 3)"),
    ];
    assert!(due_after(&stopped, &built_badly), "the build was tried again, and the run is stopped");
    let was_pending = (&of_staging, State::Pending, "Staging in progress");
    assert!(due_after(&stopped, &[built_badly[0], built_badly[1], was_pending]));
    assert!(!due_after(&stopped, &told), "ECS was seen to fail in this try");
    let first_try = snapshot(ExecutionStatus::Stopped, &[stage("Build", StageStatus::Succeeded), staging]);
    assert!(!due_after(&first_try, &told[..1]), "there was no other try");
}

#[test]
fn a_build_tells_its_phase() {
    let phase =
        Phase { name: "PRE_BUILD".to_owned(), since: Timestamp::from_secs(1000), lasted: Duration::from_secs(40) };
    let stage = building(Build { phase: Some(phase), ..Build::default() }, ActionStatus::InProgress);
    insta::assert_snapshot!(shows(&snapshot(ExecutionStatus::InProgress, &[stage])), @"
    node-server pending: Build: docker-build in progress
    node-server/Build pending: Build: docker-build, PRE_BUILD for 40 s
    ");
}

#[test]
fn a_failed_build_tells_where_and_why() {
    let failure = Failure { phase: "BUILD".to_owned(), reason: Some("exit status 1 (make test)".to_owned()) };
    let stage = building(Build { failure: Some(failure), ..Build::default() }, ActionStatus::Failed);
    insta::assert_snapshot!(shows(&snapshot(ExecutionStatus::Failed, &[stage])), @"
    node-server failure: Build failed in BUILD: exit status 1 (make test)
    node-server/Build failure: Build failed in BUILD: exit status 1 (make test)
    ");
}

#[test]
fn a_rollout_tells_how_many_tasks_are_up() {
    let rolling =
        rollout(Progress::Rolling { lifecycle: None }, Tasks { desired: 2, running: 1, pending: 1, failed: 0 });
    let stage = deploying(rolling, StageStatus::InProgress);
    insta::assert_snapshot!(shows(&snapshot(ExecutionStatus::InProgress, &[stage])), @"
    node-server pending: Staging in progress
    node-server/Staging pending: Rolling out node-server: 1 of 2 tasks on :42
    ");
    let tasks = Tasks { desired: 2, running: 0, pending: 2, failed: 1 };
    let cause = Some("node-server exited with 1".to_owned());
    let lifecycle = Some("BAKE_TIME".to_owned());
    let rolling = Rollout { cause, ..rollout(Progress::Rolling { lifecycle }, tasks) };
    let stage = deploying(rolling, StageStatus::InProgress);
    insta::assert_snapshot!(shows(&snapshot(ExecutionStatus::InProgress, &[stage])), @"
    node-server pending: Staging in progress
    node-server/Staging pending: Rolling out node-server: 0 of 2 tasks on :42, bake time; 1 failed: node-server exited with 1
    ");
}

#[test]
fn a_failed_rollout_is_a_failure_whatever_codepipeline_says() {
    let failed = rollout(Progress::Failed { rolling_back_to: revision(41) }, DOWN);
    let back = Rollout {
        cause: Some("CannotPullContainerError: pull image manifest has been retried 1 time(s): not found".to_owned()),
        ..rollout(Progress::RolledBack { to: revision(41) }, DOWN)
    };
    let failing = rollout(Progress::Failing, DOWN);
    let told = |rollout: &Rollout, stage: StageStatus, status: ExecutionStatus| {
        shows(&snapshot(status, &[deploying(rollout.clone(), stage)]))
    };
    insta::assert_snapshot!(told(&failed, StageStatus::InProgress, ExecutionStatus::InProgress), @"
    node-server failure: Rollout failed: tasks failed to start (3 of 3); rolling back to :41
    node-server/Staging failure: Rollout failed: tasks failed to start (3 of 3); rolling back to :41
    ");
    insta::assert_snapshot!(told(&back, StageStatus::Succeeded, ExecutionStatus::Succeeded), @"
    node-server failure: Rolled back to :41; CannotPullContainerError: pull image manifest has been retried 1 time(s): not found
    node-server/Staging failure: Rolled back to :41; CannotPullContainerError: pull image manifest has been retried 1 time(s): not found
    ");
    insta::assert_snapshot!(told(&back, StageStatus::Stopped, ExecutionStatus::Stopped), @"
    node-server failure: Rolled back to :41; CannotPullContainerError: pull image manifest has been retried 1 time(s): not found
    node-server/Staging failure: Rolled back to :41; CannotPullContainerError: pull image manifest has been retried 1 time(s): not found
    ");
    insta::assert_snapshot!(told(&failing, StageStatus::InProgress, ExecutionStatus::InProgress), @"
    node-server failure: Rollout is failing: tasks fail (3 of 3), without a circuit breaker
    node-server/Staging failure: Rollout is failing: tasks fail (3 of 3), without a circuit breaker
    ");
}

/// Without a circuit breaker it may go on for an hour.
#[test]
fn one_more_task_that_fails_is_no_news() {
    let failing = |failed: u32| {
        let tasks = Tasks { failed, ..DOWN };
        snapshot(ExecutionStatus::InProgress, &[deploying(rollout(Progress::Failing, tasks), StageStatus::InProgress)])
    };
    let told = |failed: u32| desired(&failing(failed), &sha(SHA), &options());
    let shown = ShownStatuses::from_newest_first(told(3).into_iter().map(|wanted| (wanted.report, Some(author("x1")))));
    assert_eq!(diff(&failing(4), &told(4), &shown, &[]), []);
}

#[test]
fn a_success_says_which_revision_runs_and_since_when() {
    let since = Timestamp::from_secs(1_769_292_204);
    let stage = deploying(rollout(Progress::Runs { since }, UP), StageStatus::Succeeded);
    insta::assert_snapshot!(shows(&snapshot(ExecutionStatus::Succeeded, &[stage])), @"
    node-server success: Deployed abc1234 to staging in 1 m; node-server:42 runs since 22:03 UTC
    node-server/Staging success: Staging succeeded in 1 m; node-server:42 runs since 22:03 UTC
    ");
}

#[test]
fn a_success_that_ecs_does_not_show_yet_is_pending() {
    let stage = deploying(rollout(Progress::Rolling { lifecycle: None }, UP), StageStatus::Succeeded);
    let undecided = snapshot(ExecutionStatus::Succeeded, &[stage]);
    insta::assert_snapshot!(shows(&undecided), @"
    node-server pending: Staging in progress
    node-server/Staging pending: Rolling out node-server: 2 of 2 tasks on :42
    ");
    assert!(!undecided.is_settled());
}

#[test]
fn what_was_left_pending_is_ended_with_the_run_and_not_told_again_and_again_before() {
    let left = shown_by("x1", State::Pending, "Staging in progress");
    let after = |progress| {
        let succeeded =
            snapshot(ExecutionStatus::Succeeded, &[deploying(rollout(progress, UP), StageStatus::Succeeded)]);
        let due = diff(&succeeded, &desired(&succeeded, &sha(SHA), &options()), &left, &[]);
        due.into_iter()
            .filter(|report| report.context.ends_with("/Build"))
            .map(|report| report.state)
            .collect::<Vec<_>>()
    };
    assert_eq!(after(Progress::Rolling { lifecycle: None }), []);
    assert_eq!(after(Progress::Runs { since: Timestamp::default() }), [State::Success]);
}

#[test]
fn what_failed_is_not_made_good_by_a_reading_that_knows_less() {
    let failed = shown_by("x1", State::Failure, "Rolled back to :41");
    let unconfirmed = Rollout::unknown("node-server", Progress::Unconfirmed);
    let stage = deploying(unconfirmed, StageStatus::Succeeded);
    let succeeded = snapshot(ExecutionStatus::Succeeded, &[stage]);
    let wanted = desired(&succeeded, &sha(SHA), &options());
    assert_eq!(diff(&succeeded, &wanted, &failed, &[]), []);
    let confirmed = deploying(rollout(Progress::Runs { since: Timestamp::default() }, UP), StageStatus::Succeeded);
    let succeeded = snapshot(ExecutionStatus::Succeeded, &[confirmed]);
    let wanted = desired(&succeeded, &sha(SHA), &options());
    assert_eq!(diff(&succeeded, &wanted, &failed, &[]).len(), 2);
}

#[test]
fn how_long_a_phase_lasts_is_no_news() {
    let shown = shown_by("x1", State::Pending, "Build: docker-build, PRE_BUILD for 40 s");
    let phase = |name: &str| Phase {
        name: name.to_owned(),
        since: Timestamp::from_secs(1000),
        lasted: Duration::from_secs(50),
    };
    let due = |name: &str| {
        let build = Build { phase: Some(phase(name)), ..Build::default() };
        let snapshot = snapshot(ExecutionStatus::InProgress, &[building(build, ActionStatus::InProgress)]);
        let wanted = desired(&snapshot, &sha(SHA), &options());
        let due = diff(&snapshot, &wanted, &shown, &[]);
        due.into_iter().filter(|report| report.context.ends_with("/Build")).count()
    };
    assert_eq!(due("PRE_BUILD"), 0);
    assert_eq!(due("BUILD"), 1);
}

#[test]
fn a_phase_that_is_over_too_soon_for_a_word_takes_no_step_back() {
    let shown = shown_by("x1", State::Pending, "Build: docker-build, PRE_BUILD for 40 s");
    let due = |stage: Stage, status| {
        let snapshot = snapshot(status, &[stage]);
        let due = diff(&snapshot, &desired(&snapshot, &sha(SHA), &options()), &shown, &[]);
        due.into_iter().find(|report| report.context.ends_with("/Build")).map(|report| report.description)
    };
    let between = building(Build::default(), ActionStatus::InProgress);
    assert_eq!(due(between, ExecutionStatus::InProgress), None);
    let failed = building(Build::default(), ActionStatus::Failed);
    assert_eq!(due(failed, ExecutionStatus::Failed).as_deref(), Some("Build failed in docker-build"));
}

/// Both contexts of the stage, shown once by an execution.
fn shown_by(execution: &str, state: State, description: &str) -> ShownStatuses {
    let author = || Some(Author { execution: execution.to_owned(), push: None });
    let contexts = ["codepipeline/node-server", "codepipeline/node-server/Staging", "codepipeline/node-server/Build"];
    let report = |context: &str| Report { context: context.to_owned(), state, description: description.to_owned() };
    ShownStatuses::from_newest_first(contexts.into_iter().map(|context| (report(context), author())))
}

#[test]
fn a_deploy_by_codedeploy_is_told_as_far_as_its_action_tells() {
    let deploying = |status, error: Option<&str>| {
        let summary = Some("Deployment d-ABC123: 40 % of the traffic is on the new tasks".to_owned());
        let error = error.map(str::to_owned);
        let stage_status = if status == ActionStatus::Failed { StageStatus::Failed } else { StageStatus::InProgress };
        let mut stage = stage("Staging", stage_status);
        stage.actions = vec![ActionRun { summary, error, ..action("Staging", "Deploy", status) }];
        stage
    };
    let running = deploying(ActionStatus::InProgress, None);
    insta::assert_snapshot!(shows(&snapshot(ExecutionStatus::InProgress, &[running])), @"
    node-server pending: Staging: Deploy in progress
    node-server/Staging pending: Staging: Deployment d-ABC123: 40 % of the traffic is on the new tasks
    ");
    let failed = deploying(ActionStatus::Failed, Some("The deployment d-ABC123 has failed: health checks"));
    insta::assert_snapshot!(shows(&snapshot(ExecutionStatus::Failed, &[failed])), @"
    node-server failure: Staging failed in Deploy: The deployment d-ABC123 has failed: health checks
    node-server/Staging failure: Staging failed in Deploy: The deployment d-ABC123 has failed: health checks
    ");
}
