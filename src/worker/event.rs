//! Who looks when something has happened: CodePipeline's events come several at a time, to several workers.

use std::time::Duration;

use crate::queue::message::Happening;

impl Happening {
    /// Whether an execution that nobody follows is adopted because of it. One event for the whole and one for each
    /// stage are enough, and keep the chains of wake-ups few where nobody can tell who follows.
    pub(super) fn adopts(self) -> bool {
        !matches!(self, Self::OfStage | Self::ActionStarted | Self::OfAction)
    }

    /// Whether it insists where GitHub can't be asked: there is one of it for an execution, and not one for each part.
    pub(super) fn insists(self) -> bool {
        matches!(self, Self::ExecutionStarted | Self::ExecutionResumed | Self::OfExecution)
    }

    /// How long to leave it to others. Where a stage ends and the next begins, four events come at the same moment, to
    /// as many workers; if all looked at once, all would find the same to post, and would post it. So the one that
    /// always comes looks at once, and the others a little later, mostly to find that all has been said.
    pub(super) fn wait(self) -> Option<Duration> {
        match self {
            Self::ExecutionStarted | Self::ExecutionResumed | Self::OfExecution | Self::StageStarted => None,
            Self::OfStage => Some(Duration::from_secs(2)),
            Self::ActionStarted => Some(Duration::from_secs(3)),
            Self::OfAction => Some(Duration::from_secs(4)),
        }
    }
}
