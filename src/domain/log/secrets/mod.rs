//! Masks what looks like a secret.
//!
//! A log is read by more people than the secrets in it are for. CodeBuild masks what its project names as a secret; this
//! is for the rest: what a script prints, a tool's verbose mode, a file that is shown by mistake. It goes by the forms of
//! well-known secrets, and by the names before values. What merely looks like a secret is masked too, for a masked word
//! costs a look at the log, and a secret that was shown has to be replaced.

mod bytes;
mod forms;
mod keys;
mod names;

use std::ops::Range;

use forms::{addresses, bearers};
use keys::{KEY_BEGINS, ends_key, is_key_body};
use names::arguments;

/// What stands in a secret's place.
pub(super) const MASK: &str = "***";

/// How many lines after a key's id its secret may stand, and a value after its name, where each has a line of its own.
const NEARBY: u8 = 2;

/// Masks the secrets in the lines of a log. The lines of a private key become one.
pub(super) fn mask(lines: Vec<String>) -> Vec<String> {
    let mut masker = Masker::default();
    let mut masked: Vec<String> = Vec::with_capacity(lines.len());
    for line in lines {
        let (is_key, rest) = masker.key_in(&line);
        if is_key && masked.last().is_none_or(|last| last != MASK) {
            masked.push(MASK.to_owned());
        }
        let Some(rest) = rest else { continue };
        if !is_key && ends_key(rest).is_some_and(|end| !rest[..end].contains(KEY_BEGINS)) {
            // The key began before the first line that is here.
            let body = masked.iter().rev().take_while(|line| is_key_body(line) && !line.trim().is_empty()).count();
            masked.truncate(masked.len() - body);
            if body > 0 {
                masked.push(MASK.to_owned());
            }
        }
        masked.push(masker.line(rest));
    }
    masked
}

#[derive(Default)]
struct Masker {
    /// The lines of a private key are being passed.
    in_key: bool,
    /// Lines for which a secret key is expected, since its id was there.
    expects_secret_key: u8,
    /// Lines for which a `value` is expected, since a `name` was there that is a secret's.
    expects_value: u8,
}

impl Masker {
    fn line(&mut self, line: &str) -> String {
        let mut spans = Vec::new();
        self.key_blocks(line, &mut spans);
        self.tokens(line, &mut spans);
        bearers(line, &mut spans);
        addresses(line, &mut spans);
        arguments(line, &mut spans);
        self.assignments(line, &mut spans);
        replace(line, spans)
    }
}

fn replace(line: &str, mut spans: Vec<Range<usize>>) -> String {
    spans.sort_by_key(|span| span.start);
    let mut masked = String::with_capacity(line.len());
    let mut done = None;
    for span in spans {
        // Spans that touch are one secret.
        if done.is_none_or(|done| span.start > done) {
            masked.push_str(&line[done.unwrap_or(0)..span.start]);
            masked.push_str(MASK);
        }
        done = done.max(Some(span.end));
    }
    masked.push_str(&line[done.unwrap_or(0)..]);
    masked
}

#[cfg(test)]
mod tests;
