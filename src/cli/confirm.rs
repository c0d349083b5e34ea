//! Asks before something is changed.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use super::Error;

/// Asks whether to go on, unless `--yes` has said so.
///
/// # Errors
/// Where the answer is no, or there is nobody to ask.
pub(super) fn confirm(is_said: bool, question: &str) -> Result<(), Error> {
    if is_said {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(Error::NobodyToAsk);
    }
    let mut err = io::stderr().lock();
    write!(err, "{question} [y/N] ").and_then(|()| err.flush()).map_err(Error::Output)?;
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    match (read, answer.trim().to_ascii_lowercase().as_str()) {
        (Ok(_), "y" | "yes") => Ok(()),
        _ => Err(Error::NotConfirmed),
    }
}
