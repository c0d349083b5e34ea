//! Asking before something is changed.

use std::io::{self, BufRead, IsTerminal, Write};

use console::style;

use crate::cli::Error;

/// Goes on where `--yes` was given, or whoever sits at the terminal says so.
///
/// # Errors
/// Where they do not, and where there is nobody to ask.
pub(in crate::cli) fn ask(question: &str, yes: bool) -> Result<(), Error> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let question = question.lines().next().unwrap_or_default().to_owned();
        return Err(Error::NotAsked { question });
    }
    let says_yes = put(question, &mut io::stdin().lock(), &mut io::stderr().lock()).map_err(Error::Output)?;
    if says_yes { Ok(()) } else { Err(Error::Declined) }
}

/// Puts a question, and takes nothing but a yes for one.
fn put(question: &str, input: &mut impl BufRead, output: &mut impl Write) -> io::Result<bool> {
    write!(output, "{} [y/N] ", style(question).for_stderr().bold())?;
    output.flush()?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(with: &str) -> bool {
        put("Stop it?", &mut with.as_bytes(), &mut Vec::new()).unwrap_or_default()
    }

    #[test]
    fn only_a_yes_is_one() {
        assert!(["y\n", "Y\n", "yes\n", " Yes \r\n"].into_iter().all(answered));
        assert!(!["\n", "", "n\n", "no\n", "yep\n", "y y\n"].into_iter().any(answered));
    }

    #[test]
    fn the_question_says_what_it_takes_silence_for() {
        let mut shown = Vec::new();
        let said = put("Stop it?", &mut "y\n".as_bytes(), &mut shown).unwrap_or_default();
        assert!(said);
        assert_eq!(console::strip_ansi_codes(&String::from_utf8_lossy(&shown)), "Stop it? [y/N] ");
    }
}
