//! The texts that people read at GitHub.

use super::*;
use crate::domain::build::{Build, Failure, Phase};
use crate::domain::execution::{ActionStatus, StageStatus, Work};
use crate::domain::service::Tasks;

#[test]
fn durations_are_short() {
    let texts = [0, 40, 60, 252, 3600, 3780].map(|secs| duration(Duration::from_secs(secs)));
    assert_eq!(texts, ["0 s", "40 s", "1 m", "4 m 12 s", "1 h", "1 h 3 m"]);
}

#[test]
fn a_long_text_is_cut_at_a_whole_grapheme() {
    assert_eq!(clip(&"x".repeat(140)), "x".repeat(140));
    assert_eq!(clip(&"x".repeat(141)), "x".repeat(139) + "…");
    // A letter with seven marks is one grapheme of eight UTF-16 units: it fits whole or not at all.
    let marked = "e\u{301}\u{302}\u{303}\u{304}\u{306}\u{307}\u{308}";
    assert_eq!(clip(&marked.repeat(20)), marked.repeat(17) + "…");
}

/// GitHub refuses the whole status, which would stay pending.
#[test]
fn an_emoji_is_left_out() {
    assert_eq!(clip("Deployed 1f7ad5b to prod 🚀 in 4 m"), "Deployed 1f7ad5b to prod in 4 m");
    assert_eq!(clip("by 👨‍👩‍👧 for 日本 ✓"), "by for 日本 ✓", "what has three bytes is taken");
    assert_eq!(clip(&format!("{}x", "🚀".repeat(200))), "x", "and takes no room");
    assert_eq!(stopped(Some("👎")), "Stopped");
    assert_eq!(stopped(Some("👎 wrong branch")), "Stopped: wrong branch");
}

#[test]
fn how_long_something_goes_on_makes_no_new_step() {
    assert_eq!(step("Build: PRE_BUILD for 40 s"), "Build: PRE_BUILD");
    assert_eq!(step("Build: BUILD for 1 h 3 m"), "Build: BUILD");
    assert_eq!(step("Build waits for 2 approvals"), "Build waits for 2 approvals");
    assert_eq!(step("Staging is held: closed for s m h"), "Staging is held: closed for s m h");
    assert_eq!(step("Queued"), "Queued");
}

#[test]
fn a_description_may_name_a_phase() {
    assert!(names_a_phase("Build: docker-build, PRE_BUILD for 40 s"));
    assert!(names_a_phase("Build: BUILD"));
    assert!(!names_a_phase("Build: docker-build in progress"));
    assert!(!names_a_phase("Queued"));
}

#[test]
fn a_secret_in_a_command_is_masked() {
    let told = clip("Build failed in BUILD: exit status 2 (curl --password=hunter2 https://user:s3cr3tpw@example.com)");
    assert!(!told.contains("hunter2") && !told.contains("s3cr3tpw"), "{told}");
}

#[test]
fn a_text_of_aws_becomes_one_clean_line() {
    assert_eq!(clip("exit\nstatus\t1\u{7}  (make test)"), "exit status 1 (make test)");
}

const SHA: &str = "abc1234d0c2a3e4b5c6d7e8f9a0b1c2d3e4f5a6b";

fn commit() -> CommitSha {
    CommitSha::parse(SHA).unwrap()
}

fn stage(name: &str, actions: &[ActionRun]) -> Stage {
    Stage { name: name.to_owned(), status: StageStatus::InProgress, actions: actions.to_vec(), attempts: 1 }
}

fn action(name: &str, kind: ActionKind, status: ActionStatus) -> ActionRun {
    ActionRun::sample("Build", name, kind, status)
}

fn rollout(progress: Progress, failed: u32) -> Rollout {
    Rollout {
        revision: Some(Revision { family: "node-server".to_owned(), number: 42 }),
        tasks: Tasks { desired: 2, running: 1, pending: 1, failed },
        ..Rollout::unknown("node-server", progress)
    }
}

const ROLLING: Progress = Progress::Rolling { lifecycle: None };

#[test]
fn what_has_no_details_is_told_in_fixed_words() {
    let texts = [
        queued(),
        queued_for("CodePipeline throttles"),
        stage_skipped(),
        cancelled(),
        superseded(None),
        superseded(Some(&commit())),
        built_another(&commit()),
        failed_without_a_stage(None),
        failed_without_a_stage(Some("the role may not be assumed")),
        stopping(None),
        stopped(Some("wrong branch")),
        unknown_status("Paused"),
        cannot_start("there is no such pipeline", "mend the route"),
        execution_gone(),
        told_elsewhere(),
        told_in_another_deployment(),
        given_up(),
        left_out("the commit's message says [skip ci]"),
    ];
    insta::assert_snapshot!(texts.join("\n"), @"
    Queued
    Queued: CodePipeline throttles
    Skipped by its entry condition
    Cancelled: the pipeline was changed
    Superseded by a newer execution
    Superseded by abc1234
    Superseded by abc1234: the pipeline took the branch's head
    Failed
    Failed: the role may not be assumed
    Stopping
    Stopped: wrong branch
    CodePipeline says Paused
    Can't start: there is no such pipeline; mend the route
    The execution is gone: its pipeline was deleted or recreated
    Told in another check run of this name
    Told in another deployment of this run
    Given up after a day of failures; redrive pipehook's dead-letter queue to go on
    Skipped: the commit's message says [skip ci]
    ");
}

#[test]
fn of_a_long_reason_and_its_mending_the_mending_stays_whole() {
    let mending = "set source_action to the name of the pipeline's source action";
    let told = cannot_start(&"x".repeat(200), mending);
    assert_eq!(told.chars().count(), MAX_DESCRIPTION);
    assert!(told.starts_with("Can't start: xxx") && told.ends_with(&format!("x…; {mending}")), "{told}");
}

#[test]
fn a_wait_says_for_what() {
    let texts = [
        waits("Staging", &Wait::Occupied),
        waits("Staging", &Wait::Held(String::new())),
        waits("Staging", &Wait::Held("release freeze".to_owned())),
        waits_for_approval("Staging", &commit(), 0),
        waits_for_approval("Staging", &commit(), 1),
        waits_for_approval("Staging", &commit(), 2),
    ];
    insta::assert_snapshot!(texts.join("\n"), @"
    Staging waits for an earlier execution
    Staging is held
    Staging is held: release freeze
    Staging waits for approval of abc1234
    Staging waits for approval of abc1234; 1 newer commit waits
    Staging waits for approval of abc1234; 2 newer commits wait
    ");
}

#[test]
fn a_phase_is_told_for_how_long_once_that_is_worth_it() {
    let told = |name: &str, secs, action_name: &str, attempts| {
        let lasted = Duration::from_secs(secs);
        let phase = Phase { name: name.to_owned(), since: Timestamp::default(), lasted };
        let work = Some(Work::Build(Build { phase: Some(phase), ..Build::default() }));
        let action = ActionRun { work, ..action(action_name, ActionKind::Other, ActionStatus::InProgress) };
        stage_in_progress(&Stage { attempts, ..stage("Build", &[action]) })
    };
    let texts = [
        told("BUILD", 4, "Build", 1),
        told("BUILD", 5, "Build", 1),
        told("BUILD", 90, "docker-build", 2),
        told("PROVISIONING", 20, "docker-build", 1),
        told("PROVISIONING", 60, "docker-build", 1),
    ];
    insta::assert_snapshot!(texts.join("\n"), @"
    Build: BUILD
    Build: BUILD for 5 s
    Build: docker-build, BUILD, attempt 2 for 1 m 30 s
    Build: docker-build in progress
    Build: docker-build, PROVISIONING for 1 m
    ");
}

#[test]
fn a_deploy_tells_what_is_known_of_it() {
    let deploying = |rollout: Option<Rollout>, summary: Option<&str>, attempts| {
        let action = ActionRun {
            work: rollout.map(Work::Rollout),
            summary: summary.map(str::to_owned),
            ..action("Deploy", ActionKind::Deploy, ActionStatus::InProgress)
        };
        stage_in_progress(&Stage { attempts, ..stage("Staging", &[action]) })
    };
    let unseen = Rollout { revision: None, ..rollout(ROLLING, 0) };
    let none_is_up =
        |failed| Rollout { tasks: Tasks { running: 0, ..rollout(ROLLING, failed).tasks }, ..rollout(ROLLING, 0) };
    let texts = [
        deploying(Some(rollout(ROLLING, 0)), None, 1),
        deploying(Some(none_is_up(0)), None, 1),
        deploying(Some(none_is_up(1)), None, 1),
        deploying(Some(rollout(ROLLING, 1)), None, 2),
        deploying(Some(rollout(Progress::Runs { since: Timestamp::default() }, 0)), None, 1),
        deploying(Some(unseen), Some("said by the action"), 1),
        deploying(Some(rollout(Progress::NotBegun, 0)), Some("said by the action"), 1),
        deploying(None, Some(" 40 % of the traffic is on the new tasks "), 2),
        deploying(None, Some(" "), 1),
        deploying(None, None, 1),
    ];
    insta::assert_snapshot!(texts.join("\n"), @"
    Rolling out node-server: 1 of 2 tasks on :42
    Staging: Deploy in progress
    Rolling out node-server: 0 of 2 tasks on :42; 1 failed
    Rolling out node-server: 1 of 2 tasks on :42; 1 failed, attempt 2
    Rolling out node-server: 1 of 2 tasks on :42
    Staging: Deploy in progress
    Staging: Deploy in progress
    Staging: 40 % of the traffic is on the new tasks, attempt 2
    Staging: Deploy in progress
    Staging: Deploy in progress
    ");
    let script = ActionRun {
        summary: Some("said by a script".to_owned()),
        ..action("Script", ActionKind::Other, ActionStatus::InProgress)
    };
    assert_eq!(stage_in_progress(&stage("Staging", &[script])), "Staging: Script in progress", "it is no deploy");
}

#[test]
fn a_deploy_that_is_over_tells_nothing_while_the_stage_goes_on() {
    let deployed = |progress| ActionRun {
        work: Some(Work::Rollout(rollout(progress, 0))),
        ..action("Deploy", ActionKind::Deploy, ActionStatus::Succeeded)
    };
    let smoke = || action("Smoke", ActionKind::Other, ActionStatus::InProgress);
    let runs = || Progress::Runs { since: Timestamp::default() };
    let told = |actions: &[ActionRun]| stage_in_progress(&stage("Staging", actions));
    assert_eq!(told(&[deployed(runs()), smoke()]), "Staging: Smoke in progress");
    assert_eq!(told(&[deployed(ROLLING), smoke()]), "Rolling out node-server: 1 of 2 tasks on :42", "ECS is at work");
    assert_eq!(told(&[deployed(runs())]), "Rolling out node-server: 1 of 2 tasks on :42", "nothing else runs");
}

#[test]
fn a_failed_rollout_says_how_many_tasks_failed_and_why() {
    let back = || Some(Revision { family: "node-server".to_owned(), number: 41 });
    let failed = |to: Option<Revision>, failed, reason: Option<&str>, cause: Option<&str>| {
        rollout_failed(&Rollout {
            reason: reason.map(str::to_owned),
            cause: cause.map(str::to_owned),
            ..rollout(Progress::Failed { rolling_back_to: to }, failed)
        })
    };
    let breaker = Some("ECS deployment circuit breaker: tasks failed to start.");
    let texts = [
        failed(back(), 3, breaker, None),
        failed(None, 3, breaker, Some("exited with 1")),
        failed(None, 4, breaker, None),
        failed(None, 0, breaker, None),
        failed(back(), 2, None, None),
        failed(None, 2, Some("."), None),
        failed(None, 0, None, None),
        failed(None, 0, Some("Service deployment rolled back because an alarm went off."), None),
        rollout_failed(&rollout(Progress::RolledBack { to: back() }, 0)),
        rollout_failed(&rollout(Progress::RolledBack { to: None }, 0)),
        rollout_failed(&rollout(Progress::Failing, 5)),
    ];
    insta::assert_snapshot!(texts.join("\n"), @"
    Rollout failed: tasks failed to start (3 of 3); rolling back to :41
    Rollout failed: tasks failed to start (3 of 3); exited with 1
    Rollout failed: tasks failed to start (4 so far)
    Rollout failed: tasks failed to start
    Rollout failed: tasks failed (2 of 3); rolling back to :41
    Rollout failed: tasks failed (2 of 3)
    Rollout failed
    Rollout failed: an alarm went off
    Rolled back to :41
    Rolled back
    Rollout is failing: tasks fail (5 so far), without a circuit breaker
    ");
}

#[test]
fn a_failed_stage_says_where_and_why() {
    let failed = |action: ActionRun| stage_failed(&stage("Build", &[action]));
    let plain = || action("docker-build", ActionKind::Other, ActionStatus::Failed);
    let text = |text: &str| Some(text.to_owned());
    let build = |reason: Option<&str>| {
        let failure = Failure { phase: "BUILD".to_owned(), reason: reason.map(str::to_owned) };
        Some(Work::Build(Build { failure: Some(failure), ..Build::default() }))
    };
    let texts = [
        stage_failed(&stage("Build", &[])),
        failed(plain()),
        failed(action("Build", ActionKind::Other, ActionStatus::Failed)),
        failed(ActionRun { error: text("access denied"), summary: text("it failed"), ..plain() }),
        failed(ActionRun { error: text(" "), summary: text("it failed"), ..plain() }),
        failed(ActionRun { summary: text(" "), ..plain() }),
        failed(ActionRun { work: build(Some("exit status 1")), error: text("Build terminated"), ..plain() }),
        failed(ActionRun { work: build(None), error: text("Build terminated"), ..plain() }),
        failed(ActionRun { work: build(Some(" ")), ..plain() }),
        failed(ActionRun {
            summary: text("not on a Friday"),
            ..action("Approve", ActionKind::Approval, ActionStatus::Failed)
        }),
    ];
    insta::assert_snapshot!(texts.join("\n"), @"
    Build failed
    Build failed in docker-build
    Build failed
    Build failed in docker-build: access denied
    Build failed in docker-build: it failed
    Build failed in docker-build
    Build failed in BUILD: exit status 1
    Build failed in BUILD: Build terminated
    Build failed in BUILD
    Build: approval rejected: not on a Friday
    ");
}

#[test]
fn a_success_says_what_runs_where_and_since_when() {
    let runs = |secs| rollout(Progress::Runs { since: Timestamp::from_secs(secs) }, 0);
    let took = Duration::from_secs(252);
    let done = |deployed, rollback, environment, rollouts: &[Rollout]| {
        execution_succeeded(&commit(), deployed, rollback, environment, took, rollouts.iter())
    };
    let deployed = |rollout| {
        let work = Some(Work::Rollout(rollout));
        let action = ActionRun { work, ..action("Deploy", ActionKind::Deploy, ActionStatus::Succeeded) };
        stage_succeeded(&stage("Staging", &[action]))
    };
    let texts = [
        done(true, false, Some("staging"), &[runs(1_769_292_204)]),
        done(true, false, None, &[runs(1_769_292_204), runs(60 * 60 + 5 * 60 + 59)]),
        done(false, false, Some("staging"), &[]),
        done(true, true, Some("staging"), &[]),
        done(false, true, Some("staging"), &[]),
        done(true, true, None, &[]),
        deployed(runs(23 * 60 * 60 + 59 * 60)),
        deployed(rollout(Progress::Unconfirmed, 0)),
        stage_succeeded(&stage("Staging", &[])),
    ];
    insta::assert_snapshot!(texts.join("\n"), @"
    Deployed abc1234 to staging in 4 m 12 s; node-server:42 runs since 22:03 UTC
    Deployed abc1234 in 4 m 12 s; node-server:42 runs since 22:03 UTC, node-server:42 runs since 01:05 UTC
    Passed with abc1234 in 4 m 12 s
    Rolled back to abc1234 in staging in 4 m 12 s
    Rolled back to abc1234 in staging in 4 m 12 s
    Rolled back to abc1234 in 4 m 12 s
    Staging succeeded in 1 m; node-server:42 runs since 23:59 UTC
    Staging succeeded in 1 m
    Staging succeeded
    ");
}

#[test]
fn what_only_looks_like_how_long_something_goes_on_is_a_part_of_the_step() {
    for whole in [
        "Staging is held: waits for 40",
        "Staging is held: waits for 40 d",
        "Staging is held: waits for  s",
        "Staging is held: waits for 4 m 12 s now",
        "Staging is held: waits for x s",
    ] {
        assert_eq!(step(whole), whole);
    }
    assert_eq!(step("Rollout failed: tasks failed (2 of 3)"), step("Rollout failed: tasks failed (3 of 3)"));
    assert!(!names_a_phase("Deploy: ON") && !names_a_phase("Build: docker-build, v2"));
}
