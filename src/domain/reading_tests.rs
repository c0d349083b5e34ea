//! Readings put together, also those that do not fit together.

use super::*;
use crate::domain::time::Timestamp;

const SHA: &str = "1f7ad5bd0c2a3e4b5c6d7e8f9a0b1c2d3e4f5a6b";
const OTHER: &str = "2e8be6ce1d3b4f5c6d7e8f9a0b1c2d3e4f5a6b7c";

fn head(status: ExecutionStatus) -> ExecutionHead {
    ExecutionHead {
        pipeline: "node-server".to_owned(),
        id: "x1".to_owned(),
        status,
        status_summary: None,
        is_rollback: false,
        is_parallel: false,
        revisions: Vec::new(),
    }
}

fn run(stage: &str, name: &str, started: u64, status: ActionStatus) -> ActionRun {
    let kind = if stage == "Source" { ActionKind::Source } else { ActionKind::Other };
    let (started, updated) = (Timestamp::from_secs(started), Timestamp::from_secs(started + 5));
    ActionRun { started, updated, ..ActionRun::sample(stage, name, kind, status) }
}

fn view(name: &str, status: StageStatus) -> StageView {
    StageView { name: name.to_owned(), actions: Vec::new(), status: Some(status), waits: None }
}

const PINNED: Source<'static> = Source { action: Some("Source"), repository: None };

fn reading(head: ExecutionHead, actions: &[ActionRun], views: &[StageView]) -> Reading {
    Reading { head, actions: actions.to_vec(), views: views.to_vec(), newer_waiting: 0, ending: Ending::default() }
}

fn assemble(status: ExecutionStatus, actions: &[ActionRun], views: &[StageView]) -> ExecutionSnapshot {
    reading(head(status), actions, views).snapshot(PINNED)
}

/// The stages in short: `Source Succeeded, Build InProgress`.
fn stages(snapshot: &ExecutionSnapshot) -> String {
    let short = |stage: &Stage| format!("{} {:?}", stage.name, stage.status);
    snapshot.stages.iter().map(short).collect::<Vec<_>>().join(", ")
}

#[test]
fn stages_stand_in_the_order_in_which_they_began() {
    let actions =
        [run("Build", "Build", 10, ActionStatus::InProgress), run("Source", "Source", 0, ActionStatus::Succeeded)];
    let snapshot = assemble(ExecutionStatus::InProgress, &actions, &[]);
    assert_eq!(stages(&snapshot), "Source Succeeded, Build InProgress");
}

#[test]
fn between_two_actions_a_stage_is_still_in_progress() {
    let actions = [run("Build", "Unit", 0, ActionStatus::Succeeded)];
    assert_eq!(stages(&assemble(ExecutionStatus::InProgress, &actions, &[])), "Build InProgress");
    let ended = [view("Build", StageStatus::Succeeded)];
    assert_eq!(stages(&assemble(ExecutionStatus::InProgress, &actions, &ended)), "Build Succeeded");
}

/// In PARALLEL mode the pipeline shows no stages, and elsewhere the next run may have taken the stage.
#[test]
fn a_stage_that_was_stopped_between_two_actions_has_not_succeeded() {
    let actions =
        [run("Source", "Source", 0, ActionStatus::Succeeded), run("Staging", "Approve", 10, ActionStatus::Succeeded)];
    assert_eq!(stages(&assemble(ExecutionStatus::Stopped, &actions, &[])), "Source Succeeded, Staging Stopped");
    let parallel = ExecutionHead { is_parallel: true, ..head(ExecutionStatus::Stopped) };
    assert!(needs_definition(&parallel, &actions) && !needs_stage_views(&parallel, &actions));
    let of_another = |names: &[&str]| {
        let actions = names.iter().map(|name| (*name).to_owned()).collect();
        [StageView { name: "Staging".to_owned(), actions, status: None, waits: None }]
    };
    let left = assemble(ExecutionStatus::Stopped, &actions, &of_another(&["Approve", "Deploy"]));
    assert_eq!(stages(&left), "Source Succeeded, Staging Stopped");
    let was_all = assemble(ExecutionStatus::Stopped, &actions, &of_another(&["Approve"]));
    assert_eq!(stages(&was_all), "Source Succeeded, Staging Succeeded");
}

/// In front of the next stage, which is occupied, while a newer execution comes into the one that this one has left.
#[test]
fn a_stage_that_another_execution_is_in_now_has_ended_once_all_of_it_has_run() {
    let actions =
        [run("Source", "Source", 0, ActionStatus::Succeeded), run("Build", "Build", 10, ActionStatus::Succeeded)];
    let of_another = |names: &[&str]| {
        let actions = names.iter().map(|name| (*name).to_owned()).collect();
        [StageView { name: "Build".to_owned(), actions, status: None, waits: None }]
    };
    let left = assemble(ExecutionStatus::InProgress, &actions, &of_another(&["Build"]));
    assert_eq!(stages(&left), "Source Succeeded, Build Succeeded");
    let was_not_all = assemble(ExecutionStatus::InProgress, &actions, &of_another(&["Build", "Test"]));
    assert_eq!(stages(&was_not_all), "Source Succeeded, Build InProgress", "the list of actions is older");
    let unread = assemble(ExecutionStatus::InProgress, &actions, &[]);
    assert_eq!(stages(&unread), "Source Succeeded, Build InProgress");
}

/// A worker may stand still between the two readings, while the deploy begins and CodePipeline is done with it.
#[test]
fn a_stage_has_not_succeeded_of_which_the_list_does_not_show_every_action() {
    let of = |name: &str, actions: &[&str], status| {
        let actions = actions.iter().map(|name| (*name).to_owned()).collect();
        StageView { actions, ..view(name, status) }
    };
    let staging = of("Staging", &["Approve", "Deploy"], StageStatus::Succeeded);
    let began = of("Source", &["Source"], StageStatus::Succeeded);
    let source = run("Source", "Source", 0, ActionStatus::Succeeded);
    let approve = run("Staging", "Approve", 10, ActionStatus::Succeeded);
    let deploy = run("Staging", "Deploy", 20, ActionStatus::Succeeded);
    let told = |actions: &[&ActionRun], views: &[StageView]| {
        let actions: Vec<_> = actions.iter().map(|run| (*run).clone()).collect();
        stages(&assemble(ExecutionStatus::InProgress, &actions, views))
    };
    let views = [began.clone(), staging.clone()];
    assert_eq!(told(&[&source], &views), "Source Succeeded, Staging InProgress");
    assert_eq!(told(&[&source, &approve], &views), "Source Succeeded, Staging InProgress");
    assert_eq!(told(&[&source, &approve, &deploy], &views), "Source Succeeded, Staging Succeeded");
    // The execution may have gone on to a stage that the list does not show either.
    let views = [began, staging, view("Prod", StageStatus::InProgress)];
    let has_gone_on = told(&[&source, &approve], &views);
    assert_eq!(has_gone_on, "Source Succeeded, Staging InProgress, Prod InProgress");
    // What the list shows of a later stage, it would show of this one, too: the action was added after the run.
    let prod = run("Prod", "Deploy", 30, ActionStatus::InProgress);
    assert_eq!(told(&[&source, &approve, &prod], &views), "Source Succeeded, Staging Succeeded, Prod InProgress");
}

#[test]
fn of_a_retried_action_the_newest_run_counts() {
    let actions = [
        run("Build", "Build", 100, ActionStatus::InProgress),
        run("Build", "Build", 0, ActionStatus::Failed),
        run("Build", "Lint", 0, ActionStatus::Succeeded),
    ];
    let snapshot = assemble(ExecutionStatus::InProgress, &actions, &[]);
    assert_eq!(stages(&snapshot), "Build InProgress");
    let runs = snapshot.stages[0].actions.iter().map(|run| (run.name.as_str(), run.status.clone()));
    assert_eq!(
        runs.collect::<Vec<_>>(),
        [("Lint", ActionStatus::Succeeded), ("Build", ActionStatus::InProgress)],
        "in the order in which they began"
    );
    assert_eq!(snapshot.stages[0].attempts, 2);
    let tries = [0, 50, 100].map(|began| run("Build", "Build", began, ActionStatus::Failed));
    assert_eq!(assemble(ExecutionStatus::Failed, &tries, &[]).stages[0].attempts, 3);
}

#[test]
fn a_failed_action_of_a_running_execution_may_be_about_to_be_retried() {
    let actions = [run("Build", "Build", 0, ActionStatus::Failed)];
    assert_eq!(stages(&assemble(ExecutionStatus::InProgress, &actions, &[])), "Build InProgress");
    assert_eq!(stages(&assemble(ExecutionStatus::Failed, &actions, &[])), "Build Failed");
}

#[test]
fn once_the_execution_is_final_nothing_in_it_still_runs() {
    let lagging = [run("Staging", "Deploy", 0, ActionStatus::InProgress)];
    for (execution, stage) in [
        (ExecutionStatus::Succeeded, "Staging Succeeded"),
        (ExecutionStatus::Failed, "Staging Failed"),
        (ExecutionStatus::Stopped, "Staging Stopped"),
        (ExecutionStatus::Superseded, "Staging Stopped"),
        (ExecutionStatus::Cancelled, "Staging Cancelled"),
    ] {
        assert_eq!(stages(&assemble(execution.clone(), &lagging, &[])), stage);
        let stale = [view("Staging", StageStatus::InProgress)];
        assert_eq!(stages(&assemble(execution, &lagging, &stale)), stage);
    }
}

#[test]
fn what_had_succeeded_stays_a_success_in_a_stopped_execution() {
    let actions =
        [run("Source", "Source", 0, ActionStatus::Succeeded), run("Build", "Build", 10, ActionStatus::Abandoned)];
    assert_eq!(stages(&assemble(ExecutionStatus::Stopped, &actions, &[])), "Source Succeeded, Build Stopped");
}

#[test]
fn a_skipped_stage_is_known_from_the_pipelines_view_and_stands_in_its_place() {
    let actions =
        [run("Source", "Source", 0, ActionStatus::Succeeded), run("Staging", "Deploy", 20, ActionStatus::Succeeded)];
    let views = [
        view("Source", StageStatus::Succeeded),
        view("Build", StageStatus::Skipped),
        view("Staging", StageStatus::Succeeded),
    ];
    let snapshot = assemble(ExecutionStatus::Succeeded, &actions, &views);
    assert_eq!(stages(&snapshot), "Source Succeeded, Build Skipped, Staging Succeeded");
}

#[test]
fn a_status_that_aws_adds_is_followed_as_running() {
    let actions = [run("Build", "Build", 0, ActionStatus::Unknown("Paused".to_owned()))];
    assert_eq!(stages(&assemble(ExecutionStatus::Unknown("Paused".to_owned()), &actions, &[])), "Build InProgress");
    assert!(!ExecutionStatus::Unknown("Paused".to_owned()).is_final());
}

#[test]
fn the_commit_is_that_of_the_pinned_source_action() {
    let mut docs = run("Source", "Docs", 0, ActionStatus::Succeeded);
    docs.output_artifacts = vec!["DocsOutput".to_owned()];
    let mut source = run("Source", "Source", 0, ActionStatus::Succeeded);
    source.output_artifacts = vec!["SourceOutput".to_owned()];
    source.source_repository = Some("octo-org/node-server".to_owned());
    let revision = |artifact: &str, sha: &str| (artifact.to_owned(), sha.to_owned());
    let head = ExecutionHead {
        revisions: vec![revision("DocsOutput", OTHER), revision("SourceOutput", SHA)],
        ..head(ExecutionStatus::InProgress)
    };
    docs.source_repository = Some("octo-org/docs".to_owned());
    let reading = reading(head, &[docs, source], &[]);
    let snapshot = reading.snapshot(PINNED);
    assert_eq!(snapshot.commit.unwrap().as_str(), SHA);
    assert_eq!(snapshot.repository.unwrap().as_str(), "octo-org/node-server");
    let ours = RepositoryName::parse("octo-org/node-server");
    let unpinned = reading.snapshot(Source { action: None, repository: ours.as_ref() });
    assert_eq!(unpinned.commit.unwrap().as_str(), SHA, "of the sources, the one of our repository counts");
}

/// Whoever took it would call the pushed commit superseded, and tell the rest on a commit of another repository.
#[test]
fn while_the_pinned_source_action_runs_the_commit_of_another_is_not_taken_for_it() {
    let of = |name: &str, repository: &str, status| ActionRun {
        output_artifacts: vec![format!("{name}Output")],
        source_repository: Some(repository.to_owned()),
        ..run("Source", name, 0, status)
    };
    let infra = || of("Infra", "octo-org/infra", ActionStatus::Succeeded);
    let source = |status| of("Source", "octo-org/node-server", status);
    let commit = |execution, actions: &[ActionRun], wanted: Source<'_>| {
        let revisions = vec![("InfraOutput".to_owned(), OTHER.to_owned())];
        let head = ExecutionHead { revisions, ..head(execution) };
        reading(head, actions, &[]).snapshot(wanted).commit.map(|commit| commit.to_string())
    };
    let ours = RepositoryName::parse("octo-org/node-server");
    let unpinned = Source { action: None, repository: ours.as_ref() };
    for wanted in [PINNED, unpinned] {
        let runs = [infra(), source(ActionStatus::InProgress)];
        assert_eq!(commit(ExecutionStatus::InProgress, &runs, wanted), None);
        assert_eq!(commit(ExecutionStatus::InProgress, &[infra()], wanted), None, "ours has not begun");
        let failed = [infra(), source(ActionStatus::Failed)];
        assert_eq!(commit(ExecutionStatus::Failed, &failed, wanted), None);
    }
    // A pipeline whose only source is told by another name than the route's.
    let built = [infra(), run("Build", "Build", 10, ActionStatus::InProgress)];
    assert_eq!(commit(ExecutionStatus::InProgress, &built, PINNED).as_deref(), Some(OTHER));
    let both = [infra(), source(ActionStatus::Succeeded), run("Build", "Build", 10, ActionStatus::InProgress)];
    let revisions =
        [("InfraOutput", OTHER), ("SourceOutput", SHA)].map(|(name, sha)| (name.to_owned(), sha.to_owned()));
    let head = ExecutionHead { revisions: revisions.to_vec(), ..head(ExecutionStatus::InProgress) };
    let both = reading(head, &both, &[]);
    let renamed = Source { action: Some("Code"), repository: ours.as_ref() };
    for wanted in [PINNED, renamed] {
        assert_eq!(both.snapshot(wanted).commit.unwrap().as_str(), SHA, "by its name, or else by its repository");
    }
}

/// The rollback that its condition begins takes the stage, as the pipeline's view shows it.
#[test]
fn a_stage_whose_actions_have_succeeded_may_have_failed_by_its_condition() {
    let actions =
        [run("Source", "Source", 0, ActionStatus::Succeeded), run("Staging", "Deploy", 10, ActionStatus::Succeeded)];
    let of_rollback = StageView { status: None, ..view("Staging", StageStatus::InProgress) };
    let views = [view("Source", StageStatus::Succeeded), of_rollback];
    assert_eq!(stages(&assemble(ExecutionStatus::Failed, &actions, &views)), "Source Succeeded, Staging Failed");
    let told = [view("Source", StageStatus::Succeeded), view("Staging", StageStatus::Failed)];
    assert_eq!(stages(&assemble(ExecutionStatus::Failed, &actions, &told)), "Source Succeeded, Staging Failed");
    assert_eq!(stages(&assemble(ExecutionStatus::Succeeded, &actions, &views)), "Source Succeeded, Staging Succeeded");
    let of_newer = |name: &str| StageView { status: None, ..view(name, StageStatus::InProgress) };
    let before_prod = [view("Source", StageStatus::Succeeded), of_newer("Staging"), of_newer("Prod")];
    assert_eq!(stages(&assemble(ExecutionStatus::Failed, &actions, &before_prod)), "Source Succeeded, Staging Failed");
    let newer = [of_newer("Source"), of_newer("Staging"), of_newer("Prod")];
    assert_eq!(
        stages(&assemble(ExecutionStatus::Failed, &actions, &newer)),
        "Source Succeeded, Staging Succeeded",
        "it may have failed in front of the next stage"
    );
    assert_eq!(stages(&assemble(ExecutionStatus::Failed, &actions, &newer[..2])), "Source Succeeded, Staging Failed");
    let parallel = |status| ExecutionHead { is_parallel: true, ..head(status) };
    assert!(needs_definition(&parallel(ExecutionStatus::Failed), &actions));
    let broken = [run("Staging", "Deploy", 10, ActionStatus::Failed)];
    assert!(!needs_definition(&parallel(ExecutionStatus::Failed), &broken));
    assert!(!needs_definition(&head(ExecutionStatus::Failed), &actions));
    // What failed in front of its first action is a stage of its own.
    let in_front = [view("Source", StageStatus::Succeeded), view("Staging", StageStatus::Failed)];
    assert_eq!(
        stages(&assemble(ExecutionStatus::Failed, &actions[..1], &in_front)),
        "Source Succeeded, Staging Failed"
    );
}

#[test]
fn of_two_tries_that_began_at_the_same_moment_the_one_counts_that_is_listed_first() {
    let actions = [run("Build", "Build", 10, ActionStatus::Succeeded), run("Build", "Build", 10, ActionStatus::Failed)];
    assert_eq!(stages(&assemble(ExecutionStatus::Succeeded, &actions, &[])), "Build Succeeded");
}

#[test]
fn a_stage_without_a_trace_in_a_run_that_succeeded_was_skipped() {
    let actions = [run("Source", "Source", 0, ActionStatus::Succeeded)];
    let unseen = StageView { name: "Build".to_owned(), actions: Vec::new(), status: None, waits: None };
    let views = [view("Source", StageStatus::Succeeded), unseen];
    assert_eq!(stages(&assemble(ExecutionStatus::Succeeded, &actions, &views)), "Source Succeeded, Build Skipped");
    assert_eq!(stages(&assemble(ExecutionStatus::Failed, &actions, &views)), "Source Succeeded");
    let rollback = ExecutionHead { is_rollback: true, ..head(ExecutionStatus::Succeeded) };
    assert_eq!(stages(&reading(rollback, &actions, &views).snapshot(PINNED)), "Source Succeeded");
}

#[test]
fn revisions_that_disagree_name_no_commit() {
    let revision = |sha: &str| ("?".to_owned(), sha.to_owned());
    assert_eq!(only_commit(&[revision(SHA), revision(SHA)]).unwrap().as_str(), SHA);
    assert_eq!(only_commit(&[revision(SHA), revision(OTHER)]), None);
    assert_eq!(only_commit(&[revision("an S3 object's version")]), None);
}

#[test]
fn the_pipelines_view_is_read_only_where_nothing_else_tells() {
    let running = [run("Build", "Build", 0, ActionStatus::InProgress)];
    let between = [run("Build", "Build", 0, ActionStatus::Succeeded)];
    assert!(!needs_stage_views(&head(ExecutionStatus::InProgress), &running));
    assert!(needs_stage_views(&head(ExecutionStatus::InProgress), &between));
    assert!(needs_stage_views(&head(ExecutionStatus::Failed), &between));
    let parallel = ExecutionHead { is_parallel: true, ..head(ExecutionStatus::Failed) };
    assert!(!needs_stage_views(&parallel, &between));
}

#[test]
fn the_definition_is_read_of_an_execution_that_was_stopped_where_no_view_tells() {
    let failed = [run("Build", "Build", 0, ActionStatus::Failed)];
    let of = |status| needs_definition(&head(status), &failed);
    assert!(of(ExecutionStatus::Stopped) && of(ExecutionStatus::Cancelled));
    assert!(!of(ExecutionStatus::InProgress) && !of(ExecutionStatus::Failed), "its actions tell");
    assert!(!of(ExecutionStatus::Succeeded), "the pipeline's view tells which stages were skipped");
    let parallel = ExecutionHead { is_parallel: true, ..head(ExecutionStatus::Succeeded) };
    assert!(needs_definition(&parallel, &[]));
    assert!(!needs_definition(&ExecutionHead { is_rollback: true, ..parallel }, &[]), "a rollback runs one stage");
}

#[test]
fn newer_executions_are_counted_only_where_an_approval_waits() {
    let approval = |status| ActionRun::sample("Staging", "Approve", ActionKind::Approval, status);
    let running = head(ExecutionStatus::InProgress);
    assert!(needs_newer(&running, &[approval(ActionStatus::InProgress)]));
    assert!(!needs_newer(&running, &[approval(ActionStatus::Succeeded)]));
    assert!(!needs_newer(&running, &[run("Build", "Build", 0, ActionStatus::InProgress)]));
    assert!(!needs_newer(&head(ExecutionStatus::Stopped), &[approval(ActionStatus::InProgress)]));
    let parallel = ExecutionHead { is_parallel: true, ..head(ExecutionStatus::InProgress) };
    assert!(!needs_newer(&parallel, &[approval(ActionStatus::InProgress)]), "none waits for another");
}

#[test]
fn why_a_run_ended_is_asked_only_where_the_list_of_executions_tells() {
    for status in [ExecutionStatus::Stopping, ExecutionStatus::Stopped, ExecutionStatus::Superseded] {
        assert!(needs_ending(&head(status.clone())), "{status:?}");
    }
    for status in [ExecutionStatus::InProgress, ExecutionStatus::Succeeded, ExecutionStatus::Failed] {
        assert!(!needs_ending(&head(status.clone())), "{status:?}");
    }
}

#[test]
fn only_what_still_runs_waits() {
    let actions = [run("Source", "Source", 0, ActionStatus::Succeeded)];
    let held = StageView {
        waits: Some(Wait::Held("freeze".to_owned())),
        status: None,
        ..view("Build", StageStatus::InProgress)
    };
    let views = [view("Source", StageStatus::Succeeded), held];
    let running = assemble(ExecutionStatus::InProgress, &actions, &views);
    assert_eq!(running.waiting, Some(("Build".to_owned(), Wait::Held("freeze".to_owned()))));
    assert_eq!(assemble(ExecutionStatus::Superseded, &actions, &views).waiting, None);
}
