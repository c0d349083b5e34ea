//! Waits for as long as GitHub's rate limit asks for, and says so.

use std::cell::Cell;
use std::io::{self, Write as _};
use std::time::Duration;

use indicatif::ProgressBar;

use crate::cli::Error;
use crate::github::GitHubError;

/// In all, for a whole command. The limit of an hour's requests may take longer, and then a person decides.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The patience that a command has with GitHub.
pub(super) struct Patience {
    left: Cell<Duration>,
    /// What is on the terminal while it waits; hidden where that is nothing.
    bar: ProgressBar,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self::beside(ProgressBar::hidden())
    }

    /// Beside a progress bar.
    pub(super) fn beside(bar: ProgressBar) -> Self {
        Self { left: Cell::new(LONGEST), bar }
    }

    /// Makes a call, again and again where GitHub asks to wait before it.
    ///
    /// # Errors
    /// Where GitHub refuses something else, or asks to wait for longer than the patience lasts.
    pub(super) async fn call<T>(&self, call: impl AsyncFn() -> Result<T, GitHubError>) -> Result<T, GitHubError> {
        let mut least = Duration::ZERO;
        loop {
            match call().await {
                Err(GitHubError::RateLimited { wait, why }) if wait.max(least) <= self.left.get() => {
                    // Where the clocks differ, the wait that is told may be over at once, again and again.
                    let wait = wait.max(least);
                    least = wait * 2;
                    self.left.set(self.left.get().saturating_sub(wait));
                    self.note(&format!("GitHub asks to wait for {} s: {why}", wait.as_secs()));
                    tokio::time::sleep(wait).await;
                }
                answered => return answered,
            }
        }
    }

    /// As [`Self::call`], with what was to be done where that fails.
    pub(super) async fn ask<T>(
        &self,
        doing: impl Into<String>,
        call: impl AsyncFn() -> Result<T, GitHubError>,
    ) -> Result<T, Error> {
        self.call(call).await.map_err(|error| Error::github(doing, error))
    }

    fn note(&self, text: &str) {
        self.bar.suspend(|| {
            // Who can't be told waits all the same.
            let _ = writeln!(io::stderr(), "{text}");
        });
    }
}

/// Pauses between looks at something that is about to happen: short ones at first, 5 s in the end.
pub(super) struct Pauses {
    next: Duration,
    left: Duration,
}

impl Pauses {
    /// For so long in all.
    pub(super) fn new(left: Duration) -> Self {
        Self { next: Duration::from_millis(200), left }
    }

    /// Pauses. False where the time is over, and there is no use in another look.
    pub(super) async fn wait(&mut self) -> bool {
        if self.left.is_zero() {
            return false;
        }
        let pause = self.next.min(self.left);
        tokio::time::sleep(pause).await;
        self.left = self.left.saturating_sub(pause);
        self.next = (self.next * 2).min(Duration::from_secs(5));
        true
    }
}
