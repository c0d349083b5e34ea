//! Wake-ups of one execution that were doubled, as the queue may do, and as it happens where the answer to a message that was
//! sent is lost. What this process has sent on is on the queue, so one that comes before it in their order is over. In an order no
//! two can end each other, and it needs no clock.
//!
//! A batch makes one of what is in it. Where Lambda does not wait for batches to fill, those that come within a second come
//! alone, and would go on beside each other for as long as the execution does.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::About;
use crate::queue::message::Follow;

/// As many executions are kept in mind. What is forgotten is looked at once more, and that is all.
const MOST: usize = 4096;

/// The last wake-up of each execution that this process has sent on.
#[derive(Default)]
pub(super) struct Doubles(Mutex<HashMap<About, Sent>>);

struct Sent {
    place: (u64, u32),
    knows: usize,
}

fn about(job: &Follow) -> About {
    (job.pipeline.clone(), job.execution.clone())
}

impl Doubles {
    /// This wake-up is on the queue.
    pub(super) fn note(&self, job: &Follow) {
        let sent = Sent { place: job.place(), knows: job.memory.rollouts.len() };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(about(job), sent);
    }

    /// Whether a later one, which remembers as much, is on the queue, or has come from there since.
    pub(super) fn has_later(&self, job: &Follow) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_later = |sent: &Sent| sent.place > job.place() && sent.knows >= job.memory.rollouts.len();
        known.get(&about(job)).is_some_and(is_later)
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
        assert!(!doubles.has_later(&nth(6)));
        doubles.note(&nth(7));
        assert!(doubles.has_later(&nth(6)) && doubles.has_later(&nth(0)));
        assert!(!doubles.has_later(&nth(7)), "this is the one");
        assert!(!doubles.has_later(&of("x2", nth(6))));
    }

    #[test]
    fn who_remembers_more_is_heard_and_so_is_a_chain_that_began_later() {
        let doubles = Doubles::default();
        doubles.note(&nth(7));
        assert!(!doubles.has_later(&knowing_more(nth(6))));
        let retried = Follow { since: 1_769_292_060_000, ..nth(0) };
        assert!(!doubles.has_later(&retried));
        assert!(doubles.has_later(&Follow { since: 1_769_291_940_000, ..nth(90) }));
        doubles.note(&knowing_more(nth(7)));
        assert!(doubles.has_later(&knowing_more(nth(6))));
    }

    #[test]
    fn a_process_that_lives_long_forgets() {
        let doubles = Doubles::default();
        for execution in 0..=MOST {
            doubles.note(&of(execution, nth(7)));
        }
        assert!(doubles.0.lock().unwrap().len() <= MOST);
        assert!(doubles.has_later(&of(MOST, nth(6))));
    }
}
