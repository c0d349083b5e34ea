//! How long it takes until the next look, for whatever is read, however long a run has gone on.

use proptest::prelude::*;

use super::*;
use crate::domain::any::{reading, run};
use crate::domain::execution::ExecutionStatus;

/// What SQS takes as a message's delay (botocore: `SendMessage`).
const LONGEST_DELAY: Duration = Duration::from_secs(900);

fn age() -> impl Strategy<Value = Duration> {
    prop_oneof![0_u64..30_000, 0_u64..3_600_000, 0_u64..200_000_000].prop_map(Duration::from_millis)
}

fn snapshot() -> impl Strategy<Value = ExecutionSnapshot> {
    prop_oneof![reading(), run().prop_flat_map(prop::sample::select)]
}

/// What the look after this one waits for, told again in the words of the design.
#[derive(Debug, PartialEq)]
enum Awaits {
    Nothing,
    ADeploy,
    ARollback,
    APerson,
    Progress,
}

fn awaits(snapshot: &ExecutionSnapshot) -> Awaits {
    let runs = |stage: &&Stage| stage.is_running();
    let actions = || snapshot.stages.iter().filter(runs).flat_map(|stage| stage.running());
    let deploys: Vec<_> = actions().filter(|action| action.kind == ActionKind::Deploy).collect();
    let is_back = |progress: &Progress| matches!(progress, Progress::RolledBack { .. });
    let is_rolled_back = |action: &&ActionRun| action.rollout().is_some_and(|rollout| is_back(&rollout.progress));
    let is_approval = |stage: &Stage| {
        stage.running().count() > 0 && stage.running().all(|action| action.kind == ActionKind::Approval)
    };
    let mut running = snapshot.stages.iter().filter(runs).peekable();
    let is_undecided = snapshot.stages.iter().any(Stage::is_undecided);
    if snapshot.is_final() && !is_undecided {
        Awaits::Nothing
    } else if is_undecided || deploys.iter().any(|deploy| !is_rolled_back(deploy)) {
        Awaits::ADeploy
    } else if !deploys.is_empty() {
        Awaits::ARollback
    } else if matches!(snapshot.waiting, Some((_, Wait::Held(_))))
        || (running.peek().is_some() && running.all(is_approval))
    {
        Awaits::APerson
    } else {
        Awaits::Progress
    }
}

proptest! {
    #[test]
    fn the_next_look_comes_when_the_design_says(snapshot in snapshot(), age in age()) {
        let secs = |wake| match wake {
            Wake::After(wait) => wait.as_secs_f64(),
            Wake::Done => 0.0,
        };
        let wait = secs(next_wake(&snapshot, age));
        let by_age = match age.as_secs() {
            0..30 => 2.0..=5.0,
            30..1800 => 10.0..=15.0,
            1800..3600 => 15.0..=60.0,
            _ => 60.0..=60.0,
        };
        match awaits(&snapshot) {
            Awaits::Nothing => prop_assert_eq!(next_wake(&snapshot, age), Wake::Done),
            Awaits::ADeploy => prop_assert!((2.0..=10.0).contains(&wait), "a deploy is looked at after {wait} s, before it is aligned"),
            Awaits::ARollback => prop_assert_eq!(wait, 60.0),
            Awaits::APerson => prop_assert_eq!(wait, 300.0),
            Awaits::Progress => prop_assert!(by_age.contains(&wait), "{age:?} old, and looked at after {wait} s"),
        }
    }

    /// The longer a run goes on, the less often it is looked at.
    #[test]
    fn looks_only_slow_down(snapshot in snapshot(), one in age(), other in age()) {
        let (young, old) = (one.min(other), one.max(other));
        let wait = |age| match next_wake(&snapshot, age) {
            Wake::After(wait) => wait,
            Wake::Done => Duration::ZERO,
        };
        prop_assert!(wait(young) <= wait(old));
    }

    #[test]
    fn a_wait_is_one_that_sqs_takes_and_ends_where_other_chains_end(
        snapshot in snapshot(),
        age in age(),
        now in 1_500_000_000_000_u64..5_000_000_000_000,
        later in 0_u64..1_000_000,
        execution in "[0-9a-f-]{0,36}",
    ) {
        let Wake::After(wait) = next_wake(&snapshot, age) else { return Ok(()) };
        let end = |now: u64| {
            let now = Timestamp::from_millis(now);
            let aligned = aligned(wait, now, &execution);
            assert!(!aligned.is_zero() && aligned <= LONGEST_DELAY, "{aligned:?}");
            assert!(aligned >= wait / 2 && aligned < wait * 3 / 2, "{wait:?} became {aligned:?}");
            (now + aligned).as_millis()
        };
        if wait >= SHORTEST_ALIGNED {
            let period = wait.as_millis() as u64;
            prop_assert_eq!(end(now) % period, end(now + later) % period);
        } else {
            prop_assert_eq!(end(now), now + wait.as_millis() as u64);
        }
    }

    #[test]
    fn what_is_over_is_not_looked_at_again(snapshots in run()) {
        let last = snapshots.last().unwrap();
        let wake = next_wake(last, Duration::ZERO);
        prop_assert_eq!(wake == Wake::Done, last.status != ExecutionStatus::InProgress && last.is_settled());
    }
}
