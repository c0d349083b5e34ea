//! Wake-ups of one execution that were doubled, as the queue may do, and as it happens where the answer to a message that was
//! sent is lost. Of those that come at the same moment to one process, the first goes on, and the others are over.
//!
//! A batch makes one of what is in it. Where Lambda does not wait for batches to fill, those that come within a second come
//! alone, and would go on beside each other for as long as the execution does.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::About;
use crate::domain::time::Timestamp;

/// Waits are aligned to moments, and SQS takes them in whole seconds; then a look takes its time.
const TOGETHER: Duration = Duration::from_secs(3);

/// A wake-up that comes later than this replaces none: whoever looks now may see that it has to be earlier.
const SOON: Duration = Duration::from_secs(60);

/// What this process has sent on last, of each execution.
pub(super) struct Doubles(Mutex<Sent>);

struct Sent {
    last: HashMap<About, WakeUp>,
    /// As many are kept before those that have come are forgotten.
    most: usize,
}

struct WakeUp {
    sent: Timestamp,
    due: Timestamp,
    knows: usize,
}

impl Doubles {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Sent { last: HashMap::new(), most: 64 }))
    }

    /// The next wake-up of an execution is on the queue, for so long; `knows` is how much it remembers.
    pub(super) fn note(&self, about: About, now: Timestamp, wait: Duration, knows: usize) {
        let mut sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sent.last.insert(about, WakeUp { sent: now, due: now + wait, knows });
        if sent.last.len() > sent.most {
            sent.last.retain(|_, wake_up| wake_up.due > now);
            sent.most = 64.max(sent.last.len() * 2);
        }
    }

    /// Whether one that comes now is the double of one that has just been sent on. That one has not come yet, and is as
    /// good.
    pub(super) fn has(&self, about: &About, now: Timestamp, knows: usize) -> bool {
        let sent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sent.last.get(about).is_some_and(|WakeUp { sent, due, knows: known }| {
            let is_still_to_come = now < *due && due.since(now) <= SOON;
            is_still_to_come && now.since(*sent) <= TOGETHER && knows <= *known
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_769_292_000);

    fn about(execution: &str) -> About {
        ("node-server".to_owned(), execution.to_owned())
    }

    #[test]
    fn what_comes_right_after_one_that_was_sent_on_is_its_double() {
        let doubles = Doubles::new();
        let after = |milliseconds| NOW + Duration::from_millis(milliseconds);
        assert!(!doubles.has(&about("x1"), NOW, 0));
        doubles.note(about("x1"), NOW, Duration::from_secs(10), 1);
        assert!(doubles.has(&about("x1"), after(0), 1) && doubles.has(&about("x1"), after(3_000), 1));
        assert!(!doubles.has(&about("x1"), after(3_001), 1), "it is out of step");
        assert!(!doubles.has(&about("x1"), after(900), 2), "it remembers more");
        assert!(!doubles.has(&about("x2"), after(900), 1));
    }

    #[test]
    fn one_that_is_due_is_nobodys_double_and_one_that_is_far_off_replaces_none() {
        let doubles = Doubles::new();
        doubles.note(about("x1"), NOW, Duration::from_secs(2), 0);
        assert!(doubles.has(&about("x1"), NOW + Duration::from_millis(1_999), 0));
        assert!(!doubles.has(&about("x1"), NOW + Duration::from_secs(2), 0));
        doubles.note(about("x1"), NOW, Duration::from_secs(61), 0);
        assert!(!doubles.has(&about("x1"), NOW, 0) && doubles.has(&about("x1"), NOW + Duration::from_secs(1), 0));
    }

    #[test]
    fn what_has_come_is_forgotten() {
        let doubles = Doubles::new();
        for nth in 0..1_000 {
            doubles.note(about(&nth.to_string()), NOW + Duration::from_secs(nth), Duration::from_secs(10), 0);
        }
        assert!(doubles.0.lock().unwrap().last.len() <= 64);
    }
}
