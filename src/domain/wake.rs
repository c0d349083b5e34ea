//! After how long to look at an execution again.

use std::time::Duration;

use super::execution::{ActionKind, ActionRun, ExecutionSnapshot, Stage, Wait};
use super::rollout::Rollout;
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

/// ECS tells CodePipeline nothing while a rollout fails, so a deploy action is looked at this often at least.
const DEPLOY: Duration = Duration::from_secs(15);

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
    let is_decided = |action: &ActionRun| action.rollout().is_some_and(Rollout::is_decided);
    if let Some(first) = deploys.next() {
        // What has been rolled back stays so, however long CodePipeline goes on to wait for it.
        let all_decided = is_decided(first) && deploys.all(is_decided);
        return Wake::After(if all_decided { by_age(age).max(MINUTE) } else { by_age(age).min(DEPLOY) });
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
    use crate::domain::execution::{ActionRun, ActionStatus, Ending, ExecutionStatus, StageStatus};

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
    fn a_deploy_is_never_out_of_sight_for_long() {
        assert_eq!(waits(ActionKind::Deploy), [2, 5, 10, 15, 15, 15]);
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
    fn a_final_execution_is_done() {
        let done = ExecutionSnapshot { status: ExecutionStatus::Superseded, ..running(ActionKind::Other) };
        assert_eq!(next_wake(&done, Duration::ZERO), Wake::Done);
    }
}

#[cfg(test)]
#[path = "wake_properties.rs"]
mod properties;
