//! What a load balancer or an orchestrator asks: whether it lives, and whether it can work.
//!
//! What is answered may be read by anybody who reaches the port, so it says what is wrong and no more: no account, no
//! role, no name. The log has the rest, once each time that it changes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// What it takes to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Configuration and secret of the webhook.
    WebhookSettings,
    /// Configuration and token of the worker.
    WorkerSettings,
    /// That the queue is there.
    Queue,
    /// That one of the pollers, by its number, receives from the queue.
    Poller(usize),
}

impl Part {
    /// What is wrong, for everybody.
    fn problem(self) -> &'static str {
        match self {
            Self::WebhookSettings => "the webhook's settings can't be read",
            Self::WorkerSettings => "the worker's settings can't be read",
            Self::Queue | Self::Poller(_) => "the queue does not answer",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::WebhookSettings => "the webhook's settings",
            Self::WorkerSettings => "the worker's settings",
            Self::Queue | Self::Poller(_) => "the queue",
        }
    }
}

/// How all of it is.
#[derive(Default)]
pub(super) struct Health {
    wrong: RefCell<BTreeMap<Part, String>>,
    ending: Cell<bool>,
}

impl Health {
    /// Takes note of how a part is now, and logs what has changed: of several pollers the first one that fails, and the
    /// last one that is well again.
    pub(super) fn note(&self, part: Part, state: Result<(), String>) {
        let mut wrong = self.wrong.borrow_mut();
        let knows = |wrong: &BTreeMap<Part, String>| wrong.keys().any(|other| other.name() == part.name());
        let was_wrong = knows(&wrong);
        match state {
            Ok(()) => {
                if wrong.remove(&part).is_some() && !knows(&wrong) {
                    tracing::info!("{}: well again", part.name());
                }
            }
            Err(cause) => {
                if !was_wrong {
                    tracing::error!(cause, "{}; it is tried again", part.problem());
                }
                wrong.insert(part, cause);
            }
        }
    }

    /// From now on nothing new is taken.
    pub(super) fn end(&self) {
        self.ending.set(true);
    }

    /// Why no work should be sent here; `None` where it should.
    pub(super) fn problem(&self) -> Option<&'static str> {
        if self.ending.get() {
            return Some("it is shutting down");
        }
        self.wrong.borrow().keys().next().map(|part| part.problem())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_once_every_part_is_well_and_never_again_once_it_ends() {
        let health = Health::default();
        assert_eq!(health.problem(), None);
        health.note(Part::Poller(0), Err("QueueDoesNotExist: arn:aws:sqs:us-east-1:123456789012:pipehook".to_owned()));
        health.note(Part::Poller(1), Err("QueueDoesNotExist".to_owned()));
        health.note(Part::Poller(0), Ok(()));
        assert_eq!(health.problem(), Some("the queue does not answer"));
        health.note(Part::Poller(1), Ok(()));
        assert_eq!(health.problem(), None);
        health.note(Part::WebhookSettings, Err("AccessDeniedException".to_owned()));
        assert_eq!(health.problem(), Some("the webhook's settings can't be read"));
        health.note(Part::WebhookSettings, Ok(()));
        health.end();
        assert_eq!(health.problem(), Some("it is shutting down"));
    }
}
