//! After how long to look at an execution again.

use std::time::Duration;

use super::execution::{ActionKind, ActionRun, ExecutionSnapshot, Stage, Wait};
use super::rollout::Progress;
use super::time::Timestamp;

/// When the next look comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    After(Duration),
    /// The execution is final: nothing more will happen by itself.
    Done,
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// ECS tells CodePipeline nothing while a rollout fails, so a deploy action is looked at every 15 s at least: as often as
/// this, and [`aligned`] stretches a wait by less than a half.
const DEPLOY: Duration = Duration::from_secs(10);

/// A person takes their time, and the approval's event wakes the worker at once.
const APPROVAL: Duration = Duration::from_secs(5 * 60);

/// Waits below this come one after the other only at a run's beginning.
const SHORTEST_ALIGNED: Duration = Duration::from_secs(10);

/// The wait until the next look, for an execution that has been followed for `age`. Events of CodePipeline come in
/// between and make the worker look at once; this schedule is for what they do not tell, and for those that get lost.
pub fn next_wake(snapshot: &ExecutionSnapshot, age: Duration) -> Wake {
    if snapshot.is_settled() {
        return Wake::Done;
    }
    if snapshot.stages.iter().any(Stage::is_undecided) {
        return Wake::After(by_age(age).min(DEPLOY));
    }
    let running: Vec<_> = snapshot.stages.iter().filter(|stage| stage.is_running()).collect();
    let mut deploys =
        running.iter().flat_map(|stage| stage.running()).filter(|action| action.kind == ActionKind::Deploy);
    let is_rolled_back = |action: &ActionRun| {
        action.rollout().is_some_and(|rollout| matches!(rollout.progress, Progress::RolledBack { .. }))
    };
    if let Some(first) = deploys.next() {
        // What has been rolled back stays so, however long CodePipeline goes on to wait for it. Behind one that runs, the next
        // deploy may begin at any moment.
        let all_rolled_back = is_rolled_back(first) && deploys.all(is_rolled_back);
        return Wake::After(if all_rolled_back { by_age(age).max(MINUTE) } else { by_age(age).min(DEPLOY) });
    }
    let held = matches!(&snapshot.waiting, Some((_, Wait::Held(_))));
    if held || (!running.is_empty() && running.iter().all(|stage| stage.waits_for_approval())) {
        return Wake::After(APPROVAL);
    }
    Wake::After(by_age(age))
}

/// The wait, stretched or shortened by up to a half so that it ends at a whole multiple of its length. A message that was
/// sent twice makes two chains of wake-ups of one execution; ending at the same moments, they meet and become one. The
/// executions themselves are spread by their ids. The short waits of a run's beginning are left as they are.
pub fn aligned(wait: Duration, now: Timestamp, execution: &str) -> Duration {
    if wait < SHORTEST_ALIGNED {
        return wait;
    }
    let period = wait.as_millis() as u64;
    let spread = execution.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte))) % period;
    let earliest = now.as_millis() + period / 2;
    let place = (earliest + period - spread) % period;
    Duration::from_millis(period / 2 + (period - place) % period)
}

fn by_age(age: Duration) -> Duration {
    match age {
        age if age < 5 * SECOND => 2 * SECOND,
        age if age < 30 * SECOND => 5 * SECOND,
        age if age < 10 * MINUTE => 10 * SECOND,
        age if age < 30 * MINUTE => 15 * SECOND,
        age if age < 60 * MINUTE => 30 * SECOND,
        _ => MINUTE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::execution::{ActionStatus, Ending, ExecutionStatus, StageStatus, Work};
    use crate::domain::rollout::Rollout;

    fn running(kind: ActionKind) -> ExecutionSnapshot {
        let action = ActionRun::sample("Stage", "Action", kind, ActionStatus::InProgress);
        let status = StageStatus::InProgress;
        ExecutionSnapshot {
            pipeline: "p".to_owned(),
            id: "x1".to_owned(),
            status: ExecutionStatus::InProgress,
            status_summary: None,
            is_rollback: false,
            commit: None,
            repository: None,
            stages: vec![Stage { name: "Stage".to_owned(), status, actions: vec![action], attempts: 1 }],
            waiting: None,
            newer_waiting: 0,
            ending: Ending::default(),
        }
    }

    fn waits(kind: ActionKind) -> Vec<u64> {
        let ages = [0, 20, 120, 1200, 3000, 7200].map(Duration::from_secs);
        let wait = |age| match next_wake(&running(kind), age) {
            Wake::After(wait) => wait.as_secs(),
            Wake::Done => 0,
        };
        ages.into_iter().map(wait).collect()
    }

    #[test]
    fn looks_begin_at_seconds_and_slow_down() {
        assert_eq!(waits(ActionKind::Other), [2, 5, 10, 15, 30, 60]);
    }

    #[test]
    fn each_pace_ends_at_its_moment() {
        let wait = |age| next_wake(&running(ActionKind::Other), Duration::from_secs(age));
        for (until, before, from) in [(5, 2, 5), (30, 5, 10), (10 * 60, 10, 15), (30 * 60, 15, 30), (60 * 60, 30, 60)] {
            let after = |secs| Wake::After(Duration::from_secs(secs));
            assert_eq!((wait(until - 1), wait(until)), (after(before), after(from)), "at {until} s");
        }
    }

    #[test]
    fn a_deploy_is_never_out_of_sight_for_long() {
        assert_eq!(waits(ActionKind::Deploy), [2, 5, 10, 10, 10, 10]);
    }

    /// Looked at after an hour: how long until the next look, where these deploys run.
    fn after_an_hour(progress: &[Progress]) -> u64 {
        let deploy = |progress: &Progress| ActionRun {
            work: Some(Work::Rollout(Rollout::unknown("node-server", progress.clone()))),
            ..ActionRun::sample("Stage", "Action", ActionKind::Deploy, ActionStatus::InProgress)
        };
        let mut snapshot = running(ActionKind::Deploy);
        snapshot.stages[0].actions = progress.iter().map(deploy).collect();
        match next_wake(&snapshot, 60 * MINUTE) {
            Wake::After(wait) => wait.as_secs(),
            Wake::Done => 0,
        }
    }

    #[test]
    fn a_deploy_that_was_rolled_back_is_looked_at_every_minute_at_most() {
        let back = || Progress::RolledBack { to: None };
        let rolling = || Progress::Rolling { lifecycle: None };
        assert_eq!(after_an_hour(&[back()]), 60);
        assert_eq!(after_an_hour(&[back(), rolling()]), 10);
        assert_eq!(after_an_hour(&[rolling(), back()]), 10);
        let runs = Progress::Runs { since: Timestamp::default() };
        assert_eq!(after_an_hour(&[runs]), 10, "the next deploy may begin at any moment");
        let mut fresh = running(ActionKind::Deploy);
        fresh.stages[0].actions[0].work = Some(Work::Rollout(Rollout::unknown("node-server", back())));
        assert_eq!(next_wake(&fresh, Duration::ZERO), Wake::After(MINUTE), "from the beginning");
    }

    #[test]
    fn a_success_that_ecs_does_not_show_yet_is_looked_at_as_a_deploy_is() {
        let mut undecided = running(ActionKind::Deploy);
        undecided.status = ExecutionStatus::Succeeded;
        undecided.stages[0].status = StageStatus::Succeeded;
        undecided.stages[0].actions[0].status = ActionStatus::Succeeded;
        let rolling = Rollout::unknown("node-server", Progress::Rolling { lifecycle: None });
        undecided.stages[0].actions[0].work = Some(Work::Rollout(rolling));
        assert_eq!(next_wake(&undecided, 60 * MINUTE), Wake::After(DEPLOY));
        assert_eq!(next_wake(&undecided, Duration::ZERO), Wake::After(2 * SECOND));
    }

    #[test]
    fn an_approval_beside_a_stage_that_works_slows_nothing_down() {
        let mut both = running(ActionKind::Approval);
        both.stages.extend(running(ActionKind::Other).stages);
        assert_eq!(next_wake(&both, 2 * MINUTE), Wake::After(10 * SECOND));
        // Between two stages nothing runs, and nobody is waited for.
        let between = ExecutionSnapshot { stages: Vec::new(), ..running(ActionKind::Other) };
        assert_eq!(next_wake(&between, 2 * MINUTE), Wake::After(10 * SECOND));
        let behind_another = ExecutionSnapshot { waiting: Some(("Staging".to_owned(), Wait::Occupied)), ..between };
        assert_eq!(next_wake(&behind_another, 2 * MINUTE), Wake::After(10 * SECOND));
    }

    #[test]
    fn an_approval_and_a_held_stage_are_looked_at_every_five_minutes() {
        assert_eq!(waits(ActionKind::Approval), [300; 6]);
        let held = ExecutionSnapshot {
            stages: Vec::new(),
            waiting: Some(("Staging".to_owned(), Wait::Held(String::new()))),
            ..running(ActionKind::Other)
        };
        assert_eq!(next_wake(&held, Duration::ZERO), Wake::After(APPROVAL));
    }

    #[test]
    fn chains_of_one_execution_come_to_wake_at_the_same_moments() {
        let wait = 10 * SECOND;
        let ends = |now: u64| {
            let now = Timestamp::from_millis(now);
            let aligned = aligned(wait, now, "x1");
            assert!(aligned >= wait / 2 && aligned < wait * 3 / 2, "{aligned:?}");
            (now + aligned).as_millis() % 10_000
        };
        let first = ends(1_769_292_000_123);
        assert!((0..60).all(|n| ends(1_769_292_000_000 + n * 777) == first));
    }

    #[test]
    fn executions_wake_apart_from_each_other_and_the_short_waits_of_the_beginning_stay_as_they_are() {
        let now = Timestamp::from_millis(1_769_292_000_123);
        let ids = (0..20).map(|number| format!("{number}d2f3c4a-0000-4000-8000-1234567890ab"));
        let mut ends: Vec<_> = ids.map(|id| (now + aligned(MINUTE, now, &id)).as_millis() % 60_000).collect();
        ends.sort_unstable();
        ends.dedup();
        assert_eq!(ends.len(), 20);
        assert!(ends.iter().any(|end| *end < 20_000) && ends.iter().any(|end| *end > 40_000), "{ends:?}");
        assert_eq!(aligned(5 * SECOND, now, "x1"), 5 * SECOND);
        assert_ne!(aligned(10 * SECOND, now, "x1"), 10 * SECOND);
    }

    #[test]
    fn a_final_execution_is_done() {
        let done = ExecutionSnapshot { status: ExecutionStatus::Superseded, ..running(ActionKind::Other) };
        assert_eq!(next_wake(&done, Duration::ZERO), Wake::Done);
    }
}

#[cfg(test)]
#[path = "wake_properties.rs"]
mod properties;
