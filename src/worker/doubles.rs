//! Wake-ups of one execution, and tries of one start, that were doubled: as the queue may do, and as it happens where the answer
//! to a message that was sent is lost. What this process has sent on is on the queue, so one that comes before it in their order
//! is over. In an order no two can end each other, and it needs no clock.
//!
//! A batch makes one of what is in it. Those that come alone would go on beside each other for as long as the execution does, or
//! the outage that keeps it from starting.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::About;
use crate::domain::time::Timestamp;
use crate::queue::message::{Follow, Job, Message, Retry};

/// As many executions and starts are kept in mind. What is forgotten is looked at once more, and that is all.
const MOST: usize = 4096;

/// When something began to be done, and how often it was gone on with since.
pub(super) type Place = (u64, u32);

/// A message among those that may be its doubles.
pub(super) struct Turn {
    about: About,
    pub(super) place: Place,
    knows: usize,
}

impl Turn {
    /// `None` where doubles do no harm.
    pub(super) fn of(message: &Message) -> Option<Self> {
        match &message.job {
            Job::Follow(job) => Some(Self::of_wake_up(job)),
            Job::Start(job) => {
                let tried = message.retry.as_ref().map(|retry| (retry.since, retry.tries));
                let place = tried.unwrap_or((message.first_sent, 0));
                Some(Self { about: (job.pipeline.clone(), job.token.clone()), place, knows: 0 })
            }
            Job::Skip(_) | Job::Look(_) | Job::Press(_) => None,
        }
    }

    pub(super) fn of_wake_up(job: &Follow) -> Self {
        let about = (job.pipeline.clone(), job.execution.clone());
        Self { about, place: job.place(), knows: job.memory.rollouts.len() }
    }
}

/// Who goes on for all of them goes on in the place of the last, or another process would take it for over.
pub(super) fn take_place(message: &mut Message, last: Place) {
    let is_before = Turn::of(message).is_some_and(|turn| turn.place < last);
    match &mut message.job {
        Job::Follow(job) => (job.since, job.nth) = last,
        Job::Start(_) if is_before => {
            let tried = message.retry.take();
            let retry = tried.unwrap_or_else(|| Retry::put_back(Timestamp::from_millis(last.0), None));
            message.retry = Some(Retry { since: last.0, tries: last.1, ..retry });
        }
        _ => {}
    }
}

/// The last of each that this process has sent on.
#[derive(Default)]
pub(super) struct Doubles(Mutex<HashMap<About, (Place, usize)>>);

impl Doubles {
    /// This one is on the queue.
    pub(super) fn note(&self, turn: Turn) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(turn.about, (turn.place, turn.knows));
    }

    /// Whether a later one, which remembers as much, is on the queue, or has come from there since.
    pub(super) fn has_later(&self, turn: &Turn) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&turn.about).is_some_and(|(place, knows)| *place > turn.place && *knows >= turn.knows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nth(nth: u32) -> Follow {
        let job = serde_json::json!({
            "pipeline": "node-server", "execution": "x1", "repository": "octo-org/node-server", "commit": "a1".repeat(20),
            "since": 1_769_292_000_000_u64, "nth": nth,
        });
        serde_json::from_value(job).unwrap()
    }

    fn of(execution: impl ToString, job: Follow) -> Follow {
        Follow { execution: execution.to_string(), ..job }
    }

    fn knowing_more(mut job: Follow) -> Follow {
        let rollout = serde_json::json!({
            "stage": "Staging", "action": "Deploy", "started": 1, "service": "node-server", "progress": "failed",
        });
        job.memory.rollouts.push(serde_json::from_value(rollout).unwrap());
        job
    }

    #[test]
    fn what_was_sent_on_is_still_to_come_and_its_double_is_over() {
        let doubles = Doubles::default();
        assert!(!doubles.has_later(&Turn::of_wake_up(&nth(6))));
        doubles.note(Turn::of_wake_up(&nth(7)));
        assert!(doubles.has_later(&Turn::of_wake_up(&nth(6))) && doubles.has_later(&Turn::of_wake_up(&nth(0))));
        assert!(!doubles.has_later(&Turn::of_wake_up(&nth(7))), "this is the one");
        assert!(!doubles.has_later(&Turn::of_wake_up(&of("x2", nth(6)))));
    }

    #[test]
    fn who_remembers_more_is_heard_and_so_is_a_chain_that_began_later() {
        let doubles = Doubles::default();
        doubles.note(Turn::of_wake_up(&nth(7)));
        assert!(!doubles.has_later(&Turn::of_wake_up(&knowing_more(nth(6)))));
        let retried = Follow { since: 1_769_292_060_000, ..nth(0) };
        assert!(!doubles.has_later(&Turn::of_wake_up(&retried)));
        assert!(doubles.has_later(&Turn::of_wake_up(&Follow { since: 1_769_291_940_000, ..nth(90) })));
        doubles.note(Turn::of_wake_up(&knowing_more(nth(7))));
        assert!(doubles.has_later(&Turn::of_wake_up(&knowing_more(nth(6)))));
    }

    #[test]
    fn a_process_that_lives_long_forgets() {
        let doubles = Doubles::default();
        for execution in 0..=MOST {
            doubles.note(Turn::of_wake_up(&of(execution, nth(7))));
        }
        assert!(doubles.0.lock().unwrap().len() <= MOST);
        assert!(doubles.has_later(&Turn::of_wake_up(&of(MOST, nth(6)))));
    }

    fn start(first_sent: u64, retry: Option<Place>) -> Message {
        let job = serde_json::json!({
            "delivery": "72d3162e", "first_sent": first_sent, "job": "start", "pipeline": "node-server",
            "repository": "octo-org/node-server", "commit": "a1".repeat(20), "ref": "refs/heads/main", "token": "t1",
            "retry": retry.map(|(since, tries)| serde_json::json!({ "since": since, "tries": tries })),
        });
        serde_json::from_value(job).unwrap()
    }

    #[test]
    fn a_start_that_is_tried_again_is_over_where_it_was_tried_before() {
        let doubles = Doubles::default();
        let is_over = |message: &Message| doubles.has_later(&Turn::of(message).unwrap());
        doubles.note(Turn::of(&start(10, Some((12, 4)))).unwrap());
        assert!(is_over(&start(10, None)) && is_over(&start(10, Some((12, 3)))));
        assert!(!is_over(&start(10, Some((12, 4)))), "this is the one");
        assert!(!is_over(&start(90, None)), "the push was delivered again");
        assert!(!is_over(&start(10, Some((90, 0)))), "it was put back");
    }

    #[test]
    fn the_start_that_goes_on_for_all_is_over_for_none() {
        for (mut goes_on, last) in [
            (start(10, None), (12, 4)),
            (start(10, Some((12, 2))), (12, 4)),
            (start(10, Some((12, 4))), (20, 0)),
            (start(10, Some((12, 4))), (12, 4)),
        ] {
            take_place(&mut goes_on, last);
            assert_eq!(Turn::of(&goes_on).unwrap().place, last);
            assert!(goes_on.retry.is_some(), "it was tried");
        }
        let mut alone = start(10, None);
        take_place(&mut alone, (10, 0));
        assert!(alone.retry.is_none());
    }
}
