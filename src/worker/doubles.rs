//! Wake-ups of one execution, and tries of one start, that were doubled: as the queue may do, and as it happens where the answer
//! to a message that was sent is lost. What this process has sent on or has received is on the queue, or is done with, so one that
//! comes before it in their order is over. Of copies, which have the same place, the one goes on whose id comes first. In an order
//! no two can end each other, whichever processes they come to.
//!
//! A batch makes one of what is in it. Those that come alone would go on beside each other for as long as the execution does, or
//! the outage that keeps it from starting; and where SQS takes messages without an answer, each of them makes six.

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
    /// Of two chains that meet, the one goes on that remembers more; of two deliveries of a push, the one that was tried
    /// before, for nobody may follow what it has started.
    pub(super) knows: usize,
}

impl Turn {
    /// `None` where doubles do no harm.
    pub(super) fn of(message: &Message, received_before: bool) -> Option<Self> {
        match &message.job {
            Job::Follow(job) => Some(Self::of_wake_up(job)),
            Job::Start(job) => {
                let tried = message.retry.as_ref().map(|retry| (retry.since, retry.tries));
                let place = tried.unwrap_or((message.first_sent, 0));
                let knows = usize::from(received_before || tried.is_some());
                Some(Self { about: (job.pipeline.clone(), job.token.clone()), place, knows })
            }
            Job::Skip(_) | Job::Look(_) | Job::Press(_) => None,
        }
    }

    pub(super) fn of_wake_up(job: &Follow) -> Self {
        let about = (job.pipeline.clone(), job.execution.clone());
        Self { about, place: job.place(), knows: job.memory.rollouts.len() }
    }
}

/// What the queue says of a message. One that is put back, or sent again as it is, gets a new one.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    pub(super) id: String,
    /// By the clock of SQS, where it is known.
    pub(super) sent: Option<Timestamp>,
}

/// Who goes on for all of them goes on in the place of the last, or another process would take it for over.
pub(super) fn take_place(message: &mut Message, last: Place) {
    let is_before = Turn::of(message, false).is_some_and(|turn| turn.place < last);
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

/// The last of each that this process knows of.
#[derive(Default)]
pub(super) struct Doubles(Mutex<HashMap<About, Known>>);

struct Known {
    place: Place,
    knows: usize,
    /// Which copy was received, and when; `None` of what was sent on.
    received: Option<(Envelope, Timestamp)>,
}

impl Doubles {
    /// This one was sent on.
    pub(super) fn note(&self, turn: Turn) {
        let Turn { about, place, knows } = turn;
        self.insert(about, Known { place, knows, received: None });
    }

    /// This one was received, and is not a double of what was known before.
    pub(super) fn note_received(&self, turn: Turn, envelope: &Envelope, now: Timestamp) {
        if !self.is_double(&turn, envelope) {
            let Turn { about, place, knows } = turn;
            self.insert(about, Known { place, knows, received: Some((envelope.clone(), now)) });
        }
    }

    /// Whether a later one, which remembers as much, is on the queue or came from there; or a copy that goes first, and was there
    /// when this one was.
    pub(super) fn is_double(&self, turn: &Turn, envelope: &Envelope) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = known.get(&turn.about).filter(|known| known.knows >= turn.knows) else { return false };
        // What was sent after the copy was received may have become of it: somebody has put it back. That takes minutes, so
        // that two clocks may be held against each other.
        let was_there = |received: Timestamp| envelope.sent.is_some_and(|sent| sent < received);
        let goes_first = |(first, received): &(Envelope, Timestamp)| first.id < envelope.id && was_there(*received);
        known.place > turn.place || (known.place == turn.place && known.received.as_ref().is_some_and(goes_first))
    }

    fn insert(&self, about: About, last: Known) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(about, last);
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

    fn envelope(id: &str) -> Envelope {
        Envelope { id: id.to_owned(), sent: Some(Timestamp::from_secs(100)) }
    }

    /// Of a wake-up that comes now.
    fn is_over(doubles: &Doubles, job: &Follow) -> bool {
        doubles.is_double(&Turn::of_wake_up(job), &envelope("m1"))
    }

    #[test]
    fn what_was_sent_on_is_still_to_come_and_its_double_is_over() {
        let doubles = Doubles::default();
        assert!(!is_over(&doubles, &nth(6)));
        doubles.note(Turn::of_wake_up(&nth(7)));
        assert!(is_over(&doubles, &nth(6)) && is_over(&doubles, &nth(0)));
        assert!(!is_over(&doubles, &nth(7)), "this is the one");
        assert!(!is_over(&doubles, &of("x2", nth(6))));
    }

    #[test]
    fn what_has_come_ends_what_comes_before_it() {
        let doubles = Doubles::default();
        let now = Timestamp::from_secs(130);
        doubles.note_received(Turn::of_wake_up(&nth(7)), &envelope("m2"), now);
        doubles.note_received(Turn::of_wake_up(&nth(6)), &envelope("m1"), now);
        assert!(is_over(&doubles, &nth(6)), "though its id comes first");
        assert!(!is_over(&doubles, &nth(8)) && !is_over(&doubles, &knowing_more(nth(6))));
    }

    #[test]
    fn of_copies_the_one_goes_on_whose_id_comes_first() {
        let doubles = Doubles::default();
        let comes = |id: &str, second: u64| {
            let (turn, envelope) = (Turn::of_wake_up(&nth(7)), envelope(id));
            doubles.note_received(Turn::of_wake_up(&nth(7)), &envelope, Timestamp::from_secs(second));
            !doubles.is_double(&turn, &envelope)
        };
        assert!(comes("m4", 130), "nothing is known of another");
        assert!(!comes("m5", 131) && comes("m2", 132), "it may be what another process ends others for");
        assert!(!comes("m4", 133) && !comes("m3", 134));
        assert!(comes("m2", 312), "it failed, and comes again");
        doubles.note_received(Turn::of_wake_up(&knowing_more(nth(7))), &envelope("m3"), Timestamp::from_secs(313));
        assert!(comes("m2", 314), "who remembers more does not end who goes first");
        assert!(!doubles.is_double(&Turn::of_wake_up(&knowing_more(nth(7))), &envelope("m3")));
    }

    /// From the dead-letter queue, or as it waits for GitHub: it is a message of its own then.
    #[test]
    fn a_copy_that_was_sent_after_the_first_had_come_may_be_what_became_of_it() {
        let doubles = Doubles::default();
        doubles.note_received(Turn::of_wake_up(&nth(7)), &envelope("m1"), Timestamp::from_secs(130));
        let is_over = |sent: Option<u64>| {
            let sent = sent.map(Timestamp::from_secs);
            doubles.is_double(&Turn::of_wake_up(&nth(7)), &Envelope { id: "m2".to_owned(), sent })
        };
        assert!(is_over(Some(129)));
        assert!(!is_over(Some(130)) && !is_over(Some(1_000)) && !is_over(None));
        doubles.note(Turn::of_wake_up(&nth(7)));
        assert!(!is_over(Some(129)), "it was sent on as it is");
    }

    #[test]
    fn who_remembers_more_is_heard_and_so_is_a_chain_that_began_later() {
        let doubles = Doubles::default();
        doubles.note(Turn::of_wake_up(&nth(7)));
        assert!(!is_over(&doubles, &knowing_more(nth(6))));
        let retried = Follow { since: 1_769_292_060_000, ..nth(0) };
        assert!(!is_over(&doubles, &retried));
        assert!(is_over(&doubles, &Follow { since: 1_769_291_940_000, ..nth(90) }));
        doubles.note(Turn::of_wake_up(&knowing_more(nth(7))));
        assert!(is_over(&doubles, &knowing_more(nth(6))));
    }

    /// What it has sent may come after all that the other chain has told.
    #[test]
    fn a_wake_up_that_begins_anew_is_over_for_no_chain_that_began_before() {
        let doubles = Doubles::default();
        let mut uncertain = nth(3);
        let other = Follow { since: uncertain.since + 5_000, ..nth(9) };
        doubles.note(Turn::of_wake_up(&other));
        assert!(is_over(&doubles, &uncertain));
        uncertain.begin_anew(Timestamp::from_millis(other.since + 1));
        assert!(!is_over(&doubles, &uncertain));
        doubles.note(Turn::of_wake_up(&uncertain));
        assert!(is_over(&doubles, &other), "it looks now");
        let mut of_a_clock_behind = Follow { nth: 1, ..uncertain };
        doubles.note(Turn::of_wake_up(&of_a_clock_behind));
        of_a_clock_behind.begin_anew(Timestamp::from_millis(other.since));
        assert!(!is_over(&doubles, &of_a_clock_behind), "it keeps its place");
    }

    #[test]
    fn a_process_that_lives_long_forgets() {
        let doubles = Doubles::default();
        for execution in 0..=MOST {
            doubles.note(Turn::of_wake_up(&of(execution, nth(7))));
        }
        assert!(doubles.0.lock().unwrap().len() <= MOST);
        assert!(is_over(&doubles, &of(MOST, nth(6))));
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
        let is_over = |message: &Message| doubles.is_double(&Turn::of(message, true).unwrap(), &envelope("m1"));
        doubles.note(Turn::of(&start(10, Some((12, 4))), false).unwrap());
        assert!(is_over(&start(10, None)) && is_over(&start(10, Some((12, 3)))));
        assert!(!is_over(&start(10, Some((12, 4)))), "this is the one");
        assert!(!is_over(&start(90, None)), "the push was delivered again");
        assert!(!is_over(&start(10, Some((90, 0)))), "it was put back");
    }

    #[test]
    fn a_start_that_was_received_before_is_over_for_none_that_was_not() {
        let doubles = Doubles::default();
        let is_over = |message: &Message, received_before: bool| {
            doubles.is_double(&Turn::of(message, received_before).unwrap(), &envelope("m2"))
        };
        let delivered_again = Turn::of(&start(90, None), false).unwrap();
        doubles.note_received(delivered_again, &envelope("m1"), Timestamp::from_secs(130));
        for first_sent in [10, 90] {
            assert!(is_over(&start(first_sent, None), false));
            assert!(!is_over(&start(first_sent, None), true), "nobody may follow what it has started");
        }
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
            assert_eq!(Turn::of(&goes_on, false).unwrap().place, last);
            assert!(goes_on.retry.is_some(), "it was tried");
        }
        let mut alone = start(10, None);
        take_place(&mut alone, (10, 0));
        assert!(alone.retry.is_none());
    }
}
