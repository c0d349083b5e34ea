//! Everything that is wrong with a configuration, and what is very probably not meant as it is written.
//!
//! What the functions refuse is a mistake, and they are the ones who are asked: `mistakes` has no rules of its own.
//! What they take, and what hardly does what its author wants, is a doubt.

mod doubts;
mod globs;
mod mistakes;
mod parameter;
mod patterns;
mod secrets;
mod words;

use std::ops::Range;

pub(crate) use secrets::masked;

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// The functions do not take the configuration, or SSM does not.
    Error,
    Warning,
}

/// Something to mend. Texts are one line each and hold no control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    /// Bytes of the text, at the borders of characters.
    pub(crate) place: Range<usize>,
    pub(crate) message: String,
    /// What to write instead.
    pub(crate) help: Option<String>,
    /// Another place that it is about, and what that is.
    pub(crate) context: Option<(Range<usize>, String)>,
}

impl Finding {
    fn new(severity: Severity, place: Range<usize>, message: impl Into<String>) -> Self {
        Self { severity, place, message: message.into(), help: None, context: None }
    }

    fn error(place: Range<usize>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, place, message)
    }

    fn warning(place: Range<usize>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, place, message)
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

/// All that is to be said of a configuration, in the order of its text.
pub(crate) fn check(text: &str) -> Vec<Finding> {
    let (mut findings, rest) = mistakes::find(text);
    if let Some(rest) = &rest {
        findings.extend(doubts::find(rest));
    }
    findings.extend(parameter::find(text));
    findings.extend(secrets::find(text));
    let tidy = |finding: &mut Finding| {
        finding.place = within(text, &finding.place);
        if let Some((place, _)) = &mut finding.context {
            *place = within(text, place);
        }
    };
    findings.iter_mut().for_each(tidy);
    findings.sort_by_key(|finding| (finding.place.start, finding.severity));
    findings
}

/// The place without what is beyond the text, and widened to whole characters.
fn within(text: &str, place: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(place.start.min(text.len()));
    start..text.ceil_char_boundary(place.end.clamp(start, text.len()))
}

/// Line and column of an offset, both from 1; the column in characters.
pub(crate) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset.min(text.len()))];
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (1 + before.matches('\n').count(), 1 + before[line_start..].chars().count())
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
