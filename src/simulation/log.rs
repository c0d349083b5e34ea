//! The functions' logs: nothing in them may be a secret, or what only the body of a delivery holds.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::Level;
use tracing::subscriber::DefaultGuard;

use crate::standin::EXAMPLE_APP_KEY;

/// What every secret of the simulation has in it: webhook secrets, tokens of people and of Apps, an App's proof of who it
/// is; every commit's message, which a log has no business with; and that a message made the worker panic, which none may.
const NEVER: [&str; 6] = ["of the simulation", "ghp_", "ghs_", "eyJ", " of seed ", "made the worker panic"];

/// One seed in so many is watched at a level that shows all there is.
const CHATTY: u64 = 16;

/// What was logged.
#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    tells: bool,
    lines: Vec<String>,
    leaks: Vec<String>,
}

impl Log {
    /// Takes everything that this thread logs until the guard is dropped.
    pub(super) fn of(seed: u64, tells: bool) -> (Self, DefaultGuard) {
        let log = Self(Arc::new(Mutex::new(Kept { tells, ..Kept::default() })));
        let writer = log.clone();
        let level = if seed.is_multiple_of(CHATTY) { Level::DEBUG } else { Level::INFO };
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(false)
            .without_time()
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// The lines since the last time, where they are kept.
    pub(super) fn take_lines(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).lines)
    }

    /// Lines that should never have been written.
    pub(super) fn leaks(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).leaks.clone()
    }
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = EXAMPLE_APP_KEY.lines().nth(1).unwrap_or(EXAMPLE_APP_KEY);
        if NEVER.iter().chain([&key]).any(|never| text.contains(never)) {
            kept.leaks.push(text.trim_end().to_owned());
        }
        if kept.tells {
            kept.lines.push(text.trim_end().to_owned());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
