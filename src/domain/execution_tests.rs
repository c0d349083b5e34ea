//! What can be concluded from an execution as it was read.

use super::*;
use crate::domain::service::Revision;
use std::time::Duration;

fn action(name: &str, kind: ActionKind, status: ActionStatus) -> ActionRun {
    ActionRun::sample("Staging", name, kind, status)
}

fn deploy(status: ActionStatus, progress: Progress) -> ActionRun {
    let rollout = Rollout::unknown("node-server", progress);
    ActionRun { work: Some(Work::Rollout(rollout)), ..action("Deploy", ActionKind::Deploy, status) }
}

fn lasting(action: ActionRun, from: u64, to: u64) -> ActionRun {
    ActionRun { started: Timestamp::from_secs(from), updated: Timestamp::from_secs(to), ..action }
}

fn stage(status: StageStatus, actions: &[ActionRun]) -> Stage {
    Stage { name: "Staging".to_owned(), status, actions: actions.to_vec(), attempts: 1 }
}

fn execution(stages: &[Stage]) -> ExecutionSnapshot {
    ExecutionSnapshot {
        pipeline: "node-server".to_owned(),
        id: "x1".to_owned(),
        status: ExecutionStatus::InProgress,
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

const ROLLING: Progress = Progress::Rolling { lifecycle: None };

#[test]
fn a_build_that_has_succeeded_needs_no_explanation_and_a_rollout_always_does() {
    let asked = |place: Option<Place>, status| {
        ActionRun { place, ..action("Work", ActionKind::Other, status) }.is_worth_asking_about()
    };
    let build = || Some(Place::Build("node-server:1".to_owned()));
    let service =
        || Some(Place::Service { cluster: "main".to_owned(), service: "node-server".to_owned(), account: None });
    assert!(asked(build(), ActionStatus::InProgress));
    assert!(asked(build(), ActionStatus::Failed));
    assert!(!asked(build(), ActionStatus::Succeeded));
    assert!(asked(service(), ActionStatus::Succeeded));
    assert!(!asked(None, ActionStatus::InProgress), "there is nowhere to ask");
}

#[test]
fn a_stage_runs_until_it_has_come_to_an_end() {
    use StageStatus::{Cancelled, Failed, InProgress, Skipped, Stopped, Stopping, Succeeded, Unknown};
    for status in [InProgress, Stopping, Unknown("Paused".to_owned())] {
        assert!(stage(status.clone(), &[]).is_running(), "{status:?}");
    }
    for status in [Succeeded, Failed, Stopped, Cancelled, Skipped] {
        assert!(!stage(status.clone(), &[]).is_running(), "{status:?}");
    }
}

#[test]
fn a_success_is_undecided_while_ecs_is_at_work() {
    let at_work = |status, of_action| stage(status, &[deploy(of_action, ROLLING)]).is_undecided();
    assert!(at_work(StageStatus::Succeeded, ActionStatus::Succeeded));
    assert!(at_work(StageStatus::InProgress, ActionStatus::Succeeded));
    assert!(at_work(StageStatus::Succeeded, ActionStatus::InProgress), "the list of actions lags behind");
    assert!(!at_work(StageStatus::InProgress, ActionStatus::InProgress), "it simply runs");
    assert!(!at_work(StageStatus::Failed, ActionStatus::Failed));
    let runs = deploy(ActionStatus::Succeeded, Progress::Runs { since: Timestamp::default() });
    assert!(!stage(StageStatus::Succeeded, &[runs]).is_undecided());
}

#[test]
fn a_reading_that_rests_on_nothing_from_ecs_yields_to_what_was_shown_and_after_a_retry_to_less() {
    let yields_to = |progress: Progress, attempts| {
        Stage { attempts, ..stage(StageStatus::InProgress, &[deploy(ActionStatus::InProgress, progress)]) }.yields_to()
    };
    for progress in [Progress::NotBegun, Progress::Unreadable, ROLLING, Progress::Unconfirmed] {
        assert_eq!(yields_to(progress.clone(), 1), YieldsTo::Ends, "{progress:?}");
    }
    // That the try before has failed is over.
    assert_eq!(yields_to(Progress::NotBegun, 2), YieldsTo::Nothing);
    assert_eq!(yields_to(Progress::Unreadable, 2), YieldsTo::Nothing);
    assert_eq!(yields_to(ROLLING, 2), YieldsTo::Nothing);
    assert_eq!(yields_to(Progress::Unconfirmed, 2), YieldsTo::Nothing, "it is over, and was no success");
    let held_back = stage(StageStatus::Succeeded, &[deploy(ActionStatus::Succeeded, ROLLING)]);
    assert_eq!(Stage { attempts: 2, ..held_back }.yields_to(), YieldsTo::Successes);
    let succeeded = stage(StageStatus::Succeeded, &[deploy(ActionStatus::Succeeded, Progress::Unconfirmed)]);
    assert_eq!(
        Stage { attempts: 2, ..succeeded }.yields_to(),
        YieldsTo::Ends,
        "the rollout may have been seen to fail"
    );
    assert_eq!(yields_to(Progress::Failing, 1), YieldsTo::Nothing);
    let mut shown = deploy(ActionStatus::InProgress, ROLLING);
    let revision = Some(Revision { family: "node-server".to_owned(), number: 42 });
    shown.work = Some(Work::Rollout(Rollout { revision, ..Rollout::unknown("node-server", ROLLING) }));
    let seen = stage(StageStatus::InProgress, std::slice::from_ref(&shown));
    assert_eq!(seen.yields_to(), YieldsTo::Nothing, "ECS shows what it rolls out");
    let overtaken = stage(StageStatus::Succeeded, &[ActionRun { status: ActionStatus::Succeeded, ..shown }]);
    assert_eq!(overtaken.yields_to(), YieldsTo::Successes, "a later deploy is under way");
}

#[test]
fn that_a_stage_goes_on_of_which_nothing_runs_yields_to_its_success() {
    let yields_to = |status, actions: &[ActionStatus]| {
        let actions: Vec<ActionRun> = actions.iter().map(|status| unit(status.clone())).collect();
        stage(status, &actions).yields_to()
    };
    let done = || ActionStatus::Succeeded;
    assert_eq!(yields_to(StageStatus::InProgress, &[done(), done()]), YieldsTo::Successes);
    assert_eq!(yields_to(StageStatus::InProgress, &[done(), ActionStatus::InProgress]), YieldsTo::Nothing);
    assert_eq!(yields_to(StageStatus::InProgress, &[done(), ActionStatus::Failed]), YieldsTo::Nothing);
    assert_eq!(yields_to(StageStatus::Stopping, &[done()]), YieldsTo::Nothing);
}

#[test]
fn a_deploy_is_unconfirmed_once_it_has_succeeded_and_ecs_tells_nothing() {
    let unconfirmed = |status, progress| execution(&[stage(StageStatus::InProgress, &[deploy(status, progress)])]);
    assert!(unconfirmed(ActionStatus::Succeeded, Progress::Unconfirmed).is_unconfirmed());
    assert!(unconfirmed(ActionStatus::Succeeded, Progress::Unreadable).is_unconfirmed());
    assert!(!unconfirmed(ActionStatus::Succeeded, ROLLING).is_unconfirmed());
    assert!(!unconfirmed(ActionStatus::Failed, Progress::Unconfirmed).is_unconfirmed());
    assert!(!execution(&[]).is_unconfirmed());
}

#[test]
fn a_deploy_comes_after_a_wait_for_an_approval_or_in_front_of_its_stage() {
    let built = |until| stage(StageStatus::Succeeded, &[lasting(unit(ActionStatus::Succeeded), 100, until)]);
    let deploys = |from| lasting(action("Deploy", ActionKind::Deploy, ActionStatus::InProgress), from, from + 5);
    let approved = lasting(action("Approve", ActionKind::Approval, ActionStatus::Succeeded), 200, 900);
    let waited = |stages: &[Stage]| execution(stages).deploys_after_a_wait();

    let staging = |actions: &[ActionRun]| stage(StageStatus::InProgress, actions);
    assert!(waited(&[built(190), staging(&[approved.clone(), deploys(901)])]));
    assert!(waited(&[built(190), staging(&[deploys(251)])]), "the stage was held");
    assert!(!waited(&[built(190), staging(&[deploys(250)])]), "a minute goes by itself");
    assert!(!waited(&[built(190), staging(&[deploys(191)])]));
    assert!(!waited(&[staging(&[deploys(500)])]), "nothing was before it");
    assert!(!waited(&[built(190), staging(&[approved])]), "nothing deploys yet");
    let tests = lasting(unit(ActionStatus::InProgress), 900, 905);
    assert!(!waited(&[built(190), staging(&[tests])]), "what runs after the wait is no deploy");
}

fn unit(status: ActionStatus) -> ActionRun {
    action("Unit", ActionKind::Other, status)
}

#[test]
fn a_rollout_that_failed_is_one_of_the_whole_execution() {
    let back = deploy(ActionStatus::Succeeded, Progress::RolledBack { to: None });
    let rolling = deploy(ActionStatus::InProgress, ROLLING);
    assert!(execution(&[stage(StageStatus::Succeeded, &[rolling.clone(), back])]).has_failed_rollout());
    assert!(!execution(&[stage(StageStatus::InProgress, &[rolling])]).has_failed_rollout());
}

#[test]
fn an_execution_lasts_from_its_first_action_to_the_end_of_its_last() {
    let first = stage(StageStatus::Succeeded, &[lasting(unit(ActionStatus::Succeeded), 100, 160)]);
    let actions = [lasting(unit(ActionStatus::Succeeded), 200, 420), lasting(unit(ActionStatus::Failed), 190, 300)];
    let run = execution(&[first, stage(StageStatus::Failed, &actions)]);
    assert_eq!(run.ended_at(), Timestamp::from_secs(420));
    assert_eq!(run.duration(), Duration::from_secs(320));
    assert_eq!(run.stages[1].duration(), Duration::from_secs(230));
    assert_eq!(execution(&[]).duration(), Duration::ZERO);
}

/// `runs` and `watch` show it, and scripts read it.
#[test]
fn a_status_is_called_as_codepipeline_calls_it() {
    let statuses = [
        ExecutionStatus::InProgress,
        ExecutionStatus::Stopping,
        ExecutionStatus::Succeeded,
        ExecutionStatus::Failed,
        ExecutionStatus::Stopped,
        ExecutionStatus::Cancelled,
        ExecutionStatus::Superseded,
        ExecutionStatus::Unknown("Paused".to_owned()),
    ];
    let called = statuses.iter().map(ExecutionStatus::as_str).collect::<Vec<_>>().join(" ");
    assert_eq!(called, "InProgress Stopping Succeeded Failed Stopped Cancelled Superseded Paused");
}

#[test]
fn of_the_stages_that_failed_the_last_may_be_retried() {
    let named = |name: &str, status| Stage { name: name.to_owned(), ..stage(status, &[]) };
    let failed = |stages: &[Stage]| execution(stages).failed_stage().map(|stage| stage.name.clone());
    let build = named("Build", StageStatus::Failed);
    assert_eq!(failed(&[named("Build", StageStatus::Succeeded), named("Staging", StageStatus::InProgress)]), None);
    assert_eq!(failed(&[build.clone(), named("Staging", StageStatus::InProgress)]).as_deref(), Some("Build"));
    assert_eq!(failed(&[build, named("Staging", StageStatus::Failed)]).as_deref(), Some("Staging"));
}
