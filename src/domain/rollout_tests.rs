//! What is concluded from what ECS says, above all where CodePipeline says the opposite.

use super::*;
use crate::domain::execution::ActionKind;

const BEGAN: u64 = 1000;

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// A deploy action that began at 1000 s; one that is over was so at 1060 s.
fn action(status: ActionStatus) -> ActionRun {
    ActionRun::sample("Staging", "Deploy", ActionKind::Deploy, status)
}

fn revision(number: u32) -> Revision {
    Revision { family: "node-server".to_owned(), number }
}

/// A deployment of two tasks that are up, of a revision, created then.
fn deployment(number: u32, created: u64, state: RolloutState) -> Deployment {
    Deployment {
        id: format!("ecs-svc/{number}-{created}"),
        is_primary: false,
        revision: Some(revision(number)),
        created: Some(at(created)),
        updated: Some(at(created + 50)),
        tasks: Tasks { desired: 2, running: 2, pending: 0, failed: 0 },
        state: Some(state),
        reason: None,
    }
}

fn primary(deployment: Deployment) -> Deployment {
    Deployment { is_primary: true, ..deployment }
}

fn failed(deployment: Deployment) -> Deployment {
    Deployment {
        state: Some(RolloutState::Failed),
        reason: Some("ECS deployment circuit breaker: tasks failed to start.".to_owned()),
        tasks: Tasks { desired: 2, running: 0, pending: 0, failed: 3 },
        ..deployment
    }
}

fn service(deployments: &[Deployment]) -> Service {
    let name = "node-server".to_owned();
    Service { name, has_breaker: true, has_stages: false, deployments: deployments.to_vec(), history: Vec::new() }
}

fn judged(deployments: &[Deployment], status: ActionStatus) -> Rollout {
    judge(&service(deployments), &action(status), None, at(1070))
}

#[test]
fn the_deployment_that_began_after_the_action_is_its_own() {
    let new = Deployment {
        tasks: Tasks { desired: 2, running: 1, pending: 1, failed: 0 },
        ..primary(deployment(42, BEGAN + 3, RolloutState::InProgress))
    };
    let rollout = judged(&[new, deployment(41, 10, RolloutState::Completed)], ActionStatus::InProgress);
    assert_eq!(rollout.revision, Some(revision(42)));
    assert_eq!(rollout.progress, Progress::Rolling { lifecycle: None });
    assert_eq!(rollout.tasks.running, 1);
}

#[test]
fn what_the_run_before_left_behind_is_not_blamed_on_this_one() {
    let left = [primary(failed(deployment(41, 10, RolloutState::Failed)))];
    assert_eq!(judged(&left, ActionStatus::InProgress).progress, Progress::NotBegun);
}

#[test]
fn it_runs_once_ecs_says_so() {
    let new = primary(deployment(42, BEGAN + 3, RolloutState::Completed));
    let running = action(ActionStatus::InProgress);
    let runs = service(&[new.clone(), deployment(41, 10, RolloutState::Completed)]);
    let judged = judge(&runs, &running, None, at(BEGAN + 60));
    assert_eq!(judged.progress, Progress::Runs { since: at(BEGAN + 53) });
    // Once the old one is drained, the new one is known from before.
    let seen = Rollout { progress: Progress::Rolling { lifecycle: None }, ..judged };
    let alone = judge(&service(&[new]), &running, Some(&seen), at(BEGAN + 60));
    assert_eq!(alone.progress, Progress::Runs { since: at(BEGAN + 53) });
}

#[test]
fn what_is_only_seen_later_may_be_the_rollback_itself() {
    // All that is left of the failed rollout is the deployment that went back, and that began after the action as well.
    let back = service(&[primary(deployment(41, BEGAN + 40, RolloutState::Completed))]);
    for status in [ActionStatus::InProgress, ActionStatus::Succeeded] {
        let rollout = judge(&back, &action(status), None, at(BEGAN + 200));
        assert!(!matches!(rollout.progress, Progress::Runs { .. }), "{rollout:?}");
        let status = ServiceDeploymentStatus::RolledBack;
        let told = Service { history: vec![history(status, Some(revision(41)))], ..back.clone() };
        let rollout = judge(&told, &action(ActionStatus::Succeeded), None, at(BEGAN + 200));
        assert_eq!(rollout.progress, Progress::RolledBack { to: Some(revision(41)) });
    }
    let reason = Some("ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/1.".to_owned());
    let goes_back = Deployment { reason, ..primary(deployment(41, BEGAN + 40, RolloutState::InProgress)) };
    let rollout = judge(&service(&[goes_back]), &action(ActionStatus::InProgress), None, at(BEGAN + 50));
    assert_eq!(rollout.progress, Progress::NotBegun);
}

#[test]
fn what_is_only_seen_beside_a_later_deploy_may_be_the_rollback_itself() {
    let running = action(ActionStatus::InProgress);
    let later = primary(deployment(43, BEGAN + 160, RolloutState::InProgress));
    for first in [41, 42] {
        let seen = service(&[later.clone(), deployment(first, BEGAN + 40, RolloutState::Completed)]);
        assert!(needs_history(&seen, &running, None, at(BEGAN + 200)));
        let rollout = judge(&seen, &running, None, at(BEGAN + 200));
        assert_eq!((rollout.revision, rollout.progress), (None, Progress::NotBegun));
    }
    let back = service(&[later, deployment(41, BEGAN + 40, RolloutState::Completed)]);
    let told = Service { history: vec![history(ServiceDeploymentStatus::RolledBack, Some(revision(41)))], ..back };
    let rollout = judge(&told, &running, None, at(BEGAN + 200));
    assert_eq!(rollout.progress, Progress::RolledBack { to: Some(revision(41)) });
}

#[test]
fn a_circuit_breaker_fails_it_while_the_action_goes_on() {
    let old = primary(deployment(41, BEGAN + 40, RolloutState::InProgress));
    let rollout = judged(&[old, failed(deployment(42, BEGAN + 3, RolloutState::Failed))], ActionStatus::InProgress);
    assert_eq!(rollout.progress, Progress::Failed { rolling_back_to: Some(revision(41)) });
    assert_eq!(rollout.tasks.failed, 3);
}

#[test]
fn without_a_revision_to_go_back_to_it_has_failed_all_the_same() {
    let first = [primary(failed(deployment(1, BEGAN + 3, RolloutState::Failed)))];
    assert_eq!(judged(&first, ActionStatus::InProgress).progress, Progress::Failed { rolling_back_to: None });
}

#[test]
fn an_action_that_succeeds_because_the_rollback_is_steady_has_not_deployed() {
    let old = primary(deployment(41, BEGAN + 30, RolloutState::Completed));
    let rollout = judged(&[old, failed(deployment(42, BEGAN + 3, RolloutState::Failed))], ActionStatus::Succeeded);
    assert_eq!(rollout.progress, Progress::RolledBack { to: Some(revision(41)) });
}

#[test]
fn what_was_seen_to_fail_has_failed_though_ecs_has_forgotten_it() {
    let seen = judged(
        &[
            primary(deployment(41, BEGAN + 40, RolloutState::InProgress)),
            failed(deployment(42, BEGAN + 3, RolloutState::Failed)),
        ],
        ActionStatus::InProgress,
    );
    let steady = service(&[primary(deployment(41, BEGAN + 40, RolloutState::Completed))]);
    for status in [ActionStatus::InProgress, ActionStatus::Succeeded, ActionStatus::Failed] {
        let later = judge(&steady, &action(status), Some(&seen), at(1070));
        assert_eq!(later.progress, Progress::RolledBack { to: Some(revision(41)) });
        assert_eq!(later.reason, seen.reason);
        assert_eq!(later.tasks.failed, 3);
        // And a service that is deployed to again tells nothing of the old failure.
        let next = service(&[primary(deployment(43, BEGAN + 400, RolloutState::Completed))]);
        assert!(judge(&next, &action(ActionStatus::Succeeded), Some(&later), at(2000)).is_failed());
    }
}

#[test]
fn the_old_deployment_may_come_back_as_itself() {
    let seen = judged(
        &[primary(deployment(42, BEGAN + 3, RolloutState::InProgress)), deployment(41, 10, RolloutState::Completed)],
        ActionStatus::InProgress,
    );
    let back = service(&[primary(deployment(41, 10, RolloutState::Completed))]);
    let rollout = judge(&back, &action(ActionStatus::Succeeded), Some(&seen), at(1070));
    assert_eq!(rollout.progress, Progress::RolledBack { to: Some(revision(41)) });
}

#[test]
fn a_newer_deploy_in_its_place_is_no_rollback() {
    let newer = [
        primary(deployment(43, BEGAN + 58, RolloutState::Completed)),
        deployment(42, BEGAN + 3, RolloutState::InProgress),
    ];
    assert_eq!(judged(&newer, ActionStatus::Succeeded).progress, Progress::Unconfirmed);
    assert!(!judged(&newer, ActionStatus::InProgress).is_failed());
    let recorded = Service { history: vec![history(ServiceDeploymentStatus::Successful, None)], ..service(&newer) };
    let rollout = judge(&recorded, &action(ActionStatus::Succeeded), None, at(1070));
    assert_eq!(rollout.progress, Progress::Runs { since: at(BEGAN + 50) });
}

#[test]
fn a_newer_deploy_that_is_under_way_may_be_rolled_back_past_this_one() {
    let own = deployment(42, BEGAN + 3, RolloutState::InProgress);
    let newer = primary(deployment(43, BEGAN + 58, RolloutState::InProgress));
    let stopped = vec![history(ServiceDeploymentStatus::Stopped, None)];
    let both = Service { history: stopped, ..service(&[newer.clone(), own.clone()]) };
    let succeeded = action(ActionStatus::Succeeded);
    let progress = |now| judge(&both, &succeeded, None, at(now)).progress;
    assert_eq!(progress(1060 + 600), Progress::Rolling { lifecycle: None });
    assert_eq!(progress(1060 + 601), Progress::Unconfirmed, "it is not waited for without end");
    let failed_action = judge(&both, &action(ActionStatus::Failed), None, at(1070)).progress;
    assert_eq!(failed_action, Progress::Unconfirmed, "a failure needs no witness");
    let back = primary(deployment(41, BEGAN + 90, RolloutState::InProgress));
    let undone = service(&[back, failed(newer), own]);
    let rollout = judge(&undone, &succeeded, None, at(1100));
    assert_eq!(rollout.progress, Progress::Failed { rolling_back_to: Some(revision(41)) });
}

#[test]
fn an_action_that_succeeded_waits_for_ecs_to_say_so_but_not_for_ever() {
    let at_work = Deployment {
        tasks: Tasks { desired: 2, running: 1, pending: 1, failed: 0 },
        ..primary(deployment(42, BEGAN + 3, RolloutState::InProgress))
    };
    let service = service(&[at_work, deployment(41, 10, RolloutState::Completed)]);
    let succeeded = action(ActionStatus::Succeeded);
    assert_eq!(judge(&service, &succeeded, None, at(1070)).progress, Progress::Rolling { lifecycle: None });
    assert_eq!(judge(&service, &succeeded, None, at(1060 + 600)).progress, Progress::Rolling { lifecycle: None });
    assert_eq!(judge(&service, &succeeded, None, at(1060 + 601)).progress, Progress::Unconfirmed);
    let recorded = vec![history(ServiceDeploymentStatus::AtWork, None)];
    let staged = Service { has_stages: true, history: recorded, deployments: Vec::new(), ..service };
    let rolling = Progress::Rolling { lifecycle: Some("BAKE_TIME".to_owned()) };
    assert_eq!(judge(&staged, &succeeded, None, at(1060 + 600)).progress, rolling);
    assert_eq!(judge(&staged, &succeeded, None, at(1060 + 601)).progress, Progress::Unconfirmed);
    let running = action(ActionStatus::InProgress);
    assert_eq!(judge(&staged, &running, None, at(1060 + 601)).progress, rolling, "the action waits for it");
}

#[test]
fn without_a_breaker_failing_tasks_are_told_and_may_recover() {
    let fails = |failed| Deployment {
        tasks: Tasks { desired: 2, running: 0, pending: 2, failed },
        ..primary(deployment(42, BEGAN + 3, RolloutState::InProgress))
    };
    let old = deployment(41, 10, RolloutState::Completed);
    let without = |failed| Service { has_breaker: false, ..service(&[fails(failed), old.clone()]) };
    let running = action(ActionStatus::InProgress);
    assert_eq!(judge(&without(2), &running, None, at(1100)).progress, Progress::Rolling { lifecycle: None });
    let failing = judge(&without(3), &running, None, at(1100));
    assert_eq!(failing.progress, Progress::Failing);
    let recovered = service(&[primary(deployment(42, BEGAN + 3, RolloutState::Completed))]);
    assert!(!judge(&recovered, &running, Some(&failing), at(1200)).is_failed());
}

#[test]
fn what_can_be_read_nowhere_is_not_confirmed() {
    assert_eq!(judged(&[], ActionStatus::Succeeded).progress, Progress::Unconfirmed);
    let old = [primary(deployment(41, 10, RolloutState::Completed))];
    assert_eq!(judged(&old, ActionStatus::Succeeded).progress, Progress::Unconfirmed);
}

fn history(status: ServiceDeploymentStatus, to: Option<Revision>) -> ServiceDeployment {
    ServiceDeployment {
        status,
        reason: None,
        lifecycle: Some("BAKE_TIME".to_owned()),
        created: Some(at(BEGAN + 3)),
        finished: Some(at(BEGAN + 50)),
        revision: Some(revision(42)),
        rollback_to: to,
        tasks: Tasks { desired: 2, running: 2, pending: 0, failed: 0 },
    }
}

#[test]
fn the_history_tells_of_strategies_with_stages_and_of_what_is_gone() {
    let old = deployment(41, 10, RolloutState::Completed);
    let judged = |status, to, has_stages| {
        let history = vec![history(status, to)];
        let service = Service { has_stages, history, ..service(&[primary(old.clone())]) };
        judge(&service, &action(ActionStatus::Succeeded), None, at(1070)).progress
    };
    use ServiceDeploymentStatus as Status;
    for has_stages in [true, false] {
        assert_eq!(judged(Status::Successful, None, has_stages), Progress::Runs { since: at(BEGAN + 50) });
        let back = Some(revision(41));
        assert_eq!(judged(Status::RolledBack, back.clone(), has_stages), Progress::RolledBack { to: back.clone() });
        let failed = Progress::Failed { rolling_back_to: back.clone() };
        assert_eq!(judged(Status::RollingBack, back, has_stages), failed);
        assert_eq!(judged(Status::Stopped, None, has_stages), Progress::RolledBack { to: Some(revision(41)) });
        let rolling = Progress::Rolling { lifecycle: Some("BAKE_TIME".to_owned()) };
        assert_eq!(judged(Status::AtWork, None, has_stages), rolling);
    }
}

#[test]
fn a_deploy_that_was_stopped_for_a_later_one_has_not_failed() {
    let stopped = |status, runs_now: u32, state| {
        let history = vec![history(ServiceDeploymentStatus::Stopped, None)];
        let primary = primary(deployment(runs_now, BEGAN + 60, state));
        judge(&Service { history, ..service(&[primary]) }, &action(status), None, at(1070)).progress
    };
    use RolloutState::{Completed, InProgress};
    assert_eq!(stopped(ActionStatus::Succeeded, 43, Completed), Progress::Unconfirmed);
    assert_eq!(stopped(ActionStatus::InProgress, 43, Completed), Progress::Rolling { lifecycle: None });
    // The later one was rolled back, and past this one.
    assert_eq!(stopped(ActionStatus::Succeeded, 41, Completed), Progress::RolledBack { to: Some(revision(41)) });
    let goes_back = Progress::Failed { rolling_back_to: Some(revision(41)) };
    assert_eq!(stopped(ActionStatus::Succeeded, 41, InProgress), goes_back);
    // Somebody has stopped it, and ECS does not tell what runs.
    let alone = Service { history: vec![history(ServiceDeploymentStatus::Stopped, None)], ..service(&[]) };
    let judged = |service| judge(&service, &action(ActionStatus::Succeeded), None, at(1070)).progress;
    assert_eq!(judged(alone.clone()), Progress::Failed { rolling_back_to: None });
    let own = service(&[primary(deployment(42, BEGAN + 3, InProgress))]);
    let staged = Service { history: alone.history.clone(), has_stages: true, ..own };
    assert_eq!(judged(staged), Progress::Failed { rolling_back_to: None }, "it is what there is");
    // The history alone knows of the later one.
    let later =
        ServiceDeployment { revision: Some(revision(43)), ..history(ServiceDeploymentStatus::Successful, None) };
    let followed = Service { history: [alone.history.clone(), vec![later]].concat(), ..alone };
    assert_eq!(judged(followed), Progress::Unconfirmed);
}

#[test]
fn the_history_is_asked_only_where_it_is_needed() {
    let new = primary(deployment(42, BEGAN + 3, RolloutState::InProgress));
    let rolling = service(&[new.clone(), deployment(41, 10, RolloutState::Completed)]);
    let running = action(ActionStatus::InProgress);
    assert!(!needs_history(&rolling, &running, None, at(BEGAN + 20)));
    let known = judge(&rolling, &running, None, at(BEGAN + 20));
    assert!(!needs_history(&rolling, &running, Some(&known), at(BEGAN + 300)));
    // Who sees it alone, and for the first time, may see the rollback of it.
    assert!(needs_history(&service(&[new]), &running, None, at(BEGAN + 20)));
    let staged = Service { has_stages: true, ..rolling };
    assert!(needs_history(&staged, &running, Some(&known), at(BEGAN + 20)));
    let nothing = service(&[primary(deployment(41, 10, RolloutState::Completed))]);
    assert!(!needs_history(&nothing, &running, None, at(BEGAN + 20)));
    assert!(needs_history(&nothing, &running, None, at(BEGAN + 300)));
    assert!(needs_history(&nothing, &action(ActionStatus::Succeeded), None, at(BEGAN + 20)));
}

#[test]
fn a_deployment_that_tells_how_it_goes_needs_no_history() {
    let new = primary(deployment(42, BEGAN + 3, RolloutState::InProgress));
    let old = deployment(41, 10, RolloutState::Completed);
    let rolling = service(&[new.clone(), old.clone()]);
    assert!(!needs_history(&rolling, &action(ActionStatus::Succeeded), None, at(1070)));
    // Another deploy has taken its place: how it ended, only the history may tell, once the action is over.
    let replaced = service(&[
        primary(deployment(43, BEGAN + 30, RolloutState::InProgress)),
        Deployment { is_primary: false, ..new },
        old.clone(),
    ]);
    assert!(!needs_history(&replaced, &action(ActionStatus::InProgress), None, at(1070)));
    assert!(needs_history(&replaced, &action(ActionStatus::Succeeded), None, at(1070)));
    let nothing = service(&[primary(old)]);
    assert!(!needs_history(&nothing, &action(ActionStatus::InProgress), None, at(BEGAN + 60)));
    assert!(needs_history(&nothing, &action(ActionStatus::InProgress), None, at(BEGAN + 61)));
    // Without stages, the deployment is the better witness while it is there.
    let recorded = Service { history: vec![history(ServiceDeploymentStatus::AtWork, None)], ..rolling };
    let judged = judge(&recorded, &action(ActionStatus::InProgress), None, at(1070));
    assert_eq!(judged.progress, Progress::Rolling { lifecycle: None });
    let done = Service { history: vec![history(ServiceDeploymentStatus::Successful, None)], ..recorded };
    let judged = judge(&done, &action(ActionStatus::InProgress), None, at(1070));
    assert_eq!(judged.progress, Progress::Rolling { lifecycle: None });
}

#[test]
fn of_a_strategy_with_stages_the_history_is_the_better_witness() {
    let deployments =
        [primary(deployment(42, BEGAN + 3, RolloutState::InProgress)), deployment(41, 10, RolloutState::Completed)];
    let staged = |history| Service { has_stages: true, history, ..service(&deployments) };
    let progress = |service: &Service| judge(service, &action(ActionStatus::InProgress), None, at(1070)).progress;
    let baking = Progress::Rolling { lifecycle: Some("BAKE_TIME".to_owned()) };
    assert_eq!(progress(&staged(vec![history(ServiceDeploymentStatus::AtWork, None)])), baking);
    assert_eq!(progress(&staged(Vec::new())), Progress::Rolling { lifecycle: None }, "it can't be read");
}

/// What is judged where this was found before, and the history says that now.
fn after(before: Progress, status: ServiceDeploymentStatus, to: Option<Revision>) -> Progress {
    let before = Rollout { revision: Some(revision(42)), ..Rollout::unknown("node-server", before) };
    let service = Service { has_stages: true, history: vec![history(status, to)], ..service(&[]) };
    judge(&service, &action(ActionStatus::InProgress), Some(&before), at(1070)).progress
}

#[test]
fn what_is_known_of_a_failure_is_not_lost_by_a_reading_that_knows_less() {
    use ServiceDeploymentStatus as Status;
    let to = || Some(revision(41));
    let failed = |to| Progress::Failed { rolling_back_to: to };
    let rolling = || Progress::Rolling { lifecycle: None };
    assert_eq!(after(failed(to()), Status::RolledBack, None), Progress::RolledBack { to: to() });
    assert_eq!(after(rolling(), Status::RolledBack, None), Progress::RolledBack { to: None });
    assert_eq!(after(failed(to()), Status::Stopped, None), failed(to()));
    assert_eq!(after(rolling(), Status::Stopped, None), failed(None));
    assert_eq!(after(failed(None), Status::RollingBack, to()), failed(to()), "and more may become known");
    assert_eq!(after(failed(to()), Status::AtWork, None), failed(to()));
    assert_eq!(after(rolling(), Status::Successful, None), Progress::Runs { since: at(BEGAN + 50) });
}

#[test]
fn a_deployment_that_by_ecss_clock_began_just_before_the_action_is_its_own() {
    let early = |millis| Deployment {
        created: Some(Timestamp::from_millis(millis)),
        ..primary(deployment(42, 0, RolloutState::InProgress))
    };
    let judged =
        |millis| judged(&[early(millis), deployment(41, 10, RolloutState::Completed)], ActionStatus::InProgress);
    assert_eq!(judged(999_000).progress, Progress::Rolling { lifecycle: None });
    assert_eq!(judged(998_999).progress, Progress::NotBegun);
}

#[test]
fn a_deployment_that_began_after_the_action_was_over_is_another_ones() {
    let late = |millis| Deployment {
        created: Some(Timestamp::from_millis(millis)),
        ..primary(deployment(42, 0, RolloutState::Completed))
    };
    let judged = |millis| judged(&[late(millis), deployment(41, 10, RolloutState::Completed)], ActionStatus::Succeeded);
    assert!(matches!(judged(1_061_000).progress, Progress::Runs { .. }));
    assert_eq!(judged(1_061_001).progress, Progress::Unconfirmed);
}

#[test]
fn an_earlier_revision_that_takes_its_place_brings_it_back_though_nothing_says_failed() {
    let own = deployment(42, BEGAN + 3, RolloutState::InProgress);
    let back = |state| Deployment { state, ..primary(deployment(41, BEGAN + 30, RolloutState::InProgress)) };
    let judged = |back: Deployment| judged(&[back, own.clone()], ActionStatus::InProgress).progress;
    let to = || Some(revision(41));
    assert_eq!(judged(back(Some(RolloutState::InProgress))), Progress::Failed { rolling_back_to: to() });
    assert_eq!(judged(back(Some(RolloutState::Completed))), Progress::RolledBack { to: to() });
    assert_eq!(judged(back(None)), Progress::RolledBack { to: to() }, "its tasks are up");
    let coming = Tasks { desired: 2, running: 1, pending: 1, failed: 0 };
    assert_eq!(judged(Deployment { tasks: coming, ..back(None) }), Progress::Failed { rolling_back_to: to() });
    assert_eq!(
        judged(Deployment { tasks: coming, ..back(Some(RolloutState::Completed)) }),
        Progress::RolledBack { to: to() }
    );
}

#[test]
fn where_the_same_revision_is_deployed_once_more_a_failure_leads_nowhere() {
    let own = failed(deployment(42, BEGAN + 3, RolloutState::Failed));
    let again = primary(deployment(42, BEGAN + 30, RolloutState::Completed));
    let rollout = judged(&[again, own], ActionStatus::InProgress);
    assert!(!matches!(rollout.progress, Progress::RolledBack { .. }), "{rollout:?}");
}

#[test]
fn of_a_service_that_ecs_does_not_roll_itself_the_tasks_tell() {
    let seen = Rollout { revision: Some(revision(42)), ..Rollout::unknown("node-server", Progress::NotBegun) };
    let own = Deployment { state: None, ..primary(deployment(42, BEGAN + 3, RolloutState::InProgress)) };
    let old = deployment(41, 10, RolloutState::Completed);
    let progress = |deployments: &[Deployment], status| {
        judge(&service(deployments), &action(status), Some(&seen), at(1070)).progress
    };
    let rolling = Progress::Rolling { lifecycle: None };
    let runs = Progress::Runs { since: at(BEGAN + 53) };
    assert_eq!(progress(std::slice::from_ref(&own), ActionStatus::Succeeded), runs);
    assert_eq!(progress(std::slice::from_ref(&own), ActionStatus::InProgress), rolling, "the action waits for it");
    assert_eq!(progress(&[own.clone(), old], ActionStatus::Succeeded), rolling, "the old one is not drained");
    let coming = Deployment { tasks: Tasks { desired: 2, running: 1, pending: 1, failed: 0 }, ..own.clone() };
    assert_eq!(progress(&[coming], ActionStatus::Succeeded), rolling);
    let undated = Deployment { updated: None, ..own };
    assert_eq!(progress(&[undated], ActionStatus::Succeeded), Progress::Runs { since: at(1060) });
}

#[test]
fn of_another_family_the_later_deployment_is_the_newer_one() {
    let own = deployment(42, BEGAN + 3, RolloutState::InProgress);
    let other = Some(Revision { family: "node-worker".to_owned(), number: 1 });
    let progress = |created| {
        let primary =
            Deployment { revision: other.clone(), ..primary(deployment(1, created, RolloutState::Completed)) };
        let seen = Rollout { revision: own.revision.clone(), ..Rollout::unknown("node-server", Progress::NotBegun) };
        judge(&service(&[primary, own.clone()]), &action(ActionStatus::Succeeded), Some(&seen), at(1070)).progress
    };
    assert_eq!(progress(BEGAN + 4), Progress::Unconfirmed, "a later deploy has taken its place");
    for before in [10, BEGAN + 3] {
        assert_eq!(progress(before), Progress::RolledBack { to: other.clone() });
    }
}

#[test]
fn while_the_action_runs_a_newer_deploy_in_its_place_says_nothing() {
    let own = deployment(42, BEGAN + 3, RolloutState::InProgress);
    let newer = primary(deployment(43, BEGAN + 30, RolloutState::Completed));
    let rolling = Progress::Rolling { lifecycle: None };
    let seen = Rollout { revision: Some(revision(42)), ..Rollout::unknown("node-server", rolling.clone()) };
    let both = service(&[newer.clone(), own]);
    assert_eq!(judge(&both, &action(ActionStatus::InProgress), Some(&seen), at(1070)).progress, rolling);
    let stopped = Service { history: vec![history(ServiceDeploymentStatus::Stopped, None)], ..both };
    assert_eq!(judge(&stopped, &action(ActionStatus::InProgress), None, at(1070)).progress, rolling);
    let gone = |status| judge(&service(std::slice::from_ref(&newer)), &action(status), Some(&seen), at(1070)).progress;
    assert_eq!(gone(ActionStatus::InProgress), rolling);
    assert_eq!(gone(ActionStatus::Succeeded), Progress::Unconfirmed);
}

#[test]
fn what_ecs_says_of_a_rollout_is_a_reason_once_it_has_failed() {
    let told = |state| Deployment {
        reason: Some("ECS deployment ecs-svc/42 in progress.".to_owned()),
        ..primary(deployment(42, BEGAN + 3, state))
    };
    let reason =
        |state| judged(&[told(state), deployment(41, 10, RolloutState::Completed)], ActionStatus::InProgress).reason;
    assert_eq!(reason(RolloutState::InProgress), None);
    assert!(reason(RolloutState::Failed).is_some());
}

#[test]
fn it_is_worth_asking_why_tasks_stopped_once_some_have_failed() {
    let with = |progress, failed| Rollout {
        tasks: Tasks { failed, ..Tasks::default() },
        ..Rollout::unknown("node-server", progress)
    };
    let rolling = || Progress::Rolling { lifecycle: None };
    assert!(with(rolling(), 1).has_failing_tasks());
    assert!(with(Progress::RolledBack { to: None }, 0).has_failing_tasks());
    assert!(!with(rolling(), 0).has_failing_tasks());
}

#[test]
fn what_the_action_before_left_behind_a_moment_ago_is_not_its_own() {
    // The rollback of the run before began half a second before this action, which then began its own.
    let back =
        Deployment { created: Some(Timestamp::from_millis(999_500)), ..deployment(41, 0, RolloutState::Completed) };
    let own = primary(deployment(43, BEGAN + 1, RolloutState::Completed));
    let rollout = judge(&service(&[own, back.clone()]), &action(ActionStatus::InProgress), None, at(BEGAN + 5));
    assert_eq!((rollout.revision, matches!(rollout.progress, Progress::Runs { .. })), (Some(revision(43)), true));
    let only_back = judge(&service(&[primary(back)]), &action(ActionStatus::InProgress), None, at(BEGAN + 1));
    assert_eq!(only_back.progress, Progress::NotBegun);
}

#[test]
fn the_rollback_of_the_run_before_is_not_its_own_though_it_began_later() {
    // The action before has succeeded too early: ECS gives its deployment up when this action has begun, and before it has
    // begun its own.
    let before = failed(deployment(42, BEGAN - 28, RolloutState::Failed));
    let back = deployment(41, BEGAN + 1, RolloutState::InProgress);
    let own = Deployment {
        tasks: Tasks { desired: 2, running: 0, pending: 2, failed: 0 },
        ..primary(deployment(43, BEGAN + 2, RolloutState::InProgress))
    };
    let rollout = judged(&[own, back.clone(), before.clone()], ActionStatus::InProgress);
    assert_eq!((rollout.revision, rollout.tasks.pending), (Some(revision(43)), 2));
    let not_yet = judged(&[primary(back), before], ActionStatus::InProgress);
    assert_eq!((not_yet.revision, not_yet.progress), (None, Progress::NotBegun));
}
