//! A build's log, made fit to be shown to everyone who sees the commit: without secrets and colours, and short.
//!
//! Whatever a build prints comes in here: any Unicode, no structure, no end of a line. All of it is handled in time that
//! grows with its length, and nothing in it makes this fail.

mod annotations;
mod secrets;

use std::iter::Peekable;
use std::str::Chars;

use unicode_segmentation::UnicodeSegmentation;

pub use annotations::{Annotation, Level, annotations};

/// Lines that are shown: what a person reads before following the link to the whole log.
const MOST_LINES: usize = 30;

/// Characters of a line that are shown. Thirty such lines are far from the 65,535 characters that a check run's text
/// holds (GitHub REST: create a check run).
const LONGEST_LINE: usize = 400;

/// What a log's end comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    /// The last lines before the build failed, oldest first.
    pub lines: Vec<String>,
    /// What they, and those before them, say about lines of files.
    pub annotations: Vec<Annotation>,
}

/// Makes of the last messages of a log what can be shown of them.
pub fn digest(messages: &[String]) -> Digest {
    let lines = readable(messages);
    let lines = until_failure(&lines);
    let shown = &lines[lines.len().saturating_sub(MOST_LINES)..];
    Digest { annotations: annotations(lines), lines: shown.to_vec() }
}

/// A single line of somebody else's text, such as a command that failed, with its secrets masked.
pub fn masked(text: &str) -> String {
    let lines = text.lines().map(str::to_owned).collect();
    secrets::mask(lines).join("\n")
}

/// The lines of messages: plain text, secrets masked, long ones clipped.
pub fn readable(messages: &[String]) -> Vec<String> {
    let lines = messages.iter().flat_map(|message| message.lines()).map(shown).collect();
    secrets::mask(lines).iter().map(|line| clip(line)).collect()
}

/// The lines up to the failure: after a command has failed, CodeBuild goes on with `post_build` and its own housekeeping.
fn until_failure(lines: &[String]) -> &[String] {
    let is_failure = |line: &String| line.starts_with("[Container]") && line.trim_end().ends_with("State: FAILED");
    match lines.iter().position(is_failure) {
        Some(failure) => &lines[..=failure],
        None => lines,
    }
}

/// A line as a terminal would show it. Where an escape swallows what a secret is known by, such as its first letter, the
/// rest can't be told from what is no secret, and all of it is masked.
fn shown(line: &str) -> String {
    let line = written_last(line);
    let shown = plain(line);
    let secrets = |text: &str| masked(text).matches(secrets::MASK).count();
    if shown.len() < line.len() && secrets(line) > secrets(&shown) { secrets::MASK.to_owned() } else { shown }
}

/// What a carriage return has not overwritten.
fn written_last(line: &str) -> &str {
    line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default()
}

/// A line without escape sequences and control characters but tabs.
fn plain(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\u{1b}' => skip_escape(&mut chars),
            '\u{9b}' => skip_control_sequence(&mut chars),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_string(&mut chars),
            '\t' => shown.push(char),
            _ if char.is_control() => {}
            _ => shown.push(char),
        }
    }
    shown
}

/// What follows an escape (ECMA-48): the sequences that set colours and move the cursor, strings such as titles and links,
/// and short ones.
fn skip_escape(chars: &mut Peekable<Chars<'_>>) {
    match chars.next_if(|char| matches!(char, ' '..='~')) {
        Some('[') => skip_control_sequence(chars),
        Some(']' | 'P' | 'X' | '^' | '_') => skip_string(chars),
        Some(' '..='/') => {
            while chars.next_if(|char| matches!(char, ' '..='/')).is_some() {}
            chars.next_if(|char| matches!(char, '0'..='~'));
        }
        _ => {}
    }
}

fn skip_control_sequence(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|char| matches!(char, ' '..='?')).is_some() {}
    chars.next_if(|char| matches!(char, '@'..='~'));
}

/// Up to the string's terminator, or the line's end.
fn skip_string(chars: &mut Peekable<Chars<'_>>) {
    while let Some(char) = chars.next() {
        match char {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' if chars.next_if_eq(&'\\').is_some() => return,
            _ => {}
        }
    }
}

/// Cuts a line behind a whole grapheme, with an ellipsis where something is missing.
fn clip(line: &str) -> String {
    if line.chars().nth(LONGEST_LINE).is_none() {
        return line.to_owned();
    }
    let mut room = LONGEST_LINE - 1;
    let fits = |grapheme: &&str| {
        let size = grapheme.chars().count();
        let fits = size <= room;
        room = room.saturating_sub(size);
        fits
    };
    let kept: usize = line.graphemes(true).take_while(fits).map(str::len).sum();
    format!("{}…", &line[..kept])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(messages: &[&str]) -> Vec<String> {
        readable(&messages.iter().map(|message| (*message).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_line_is_what_a_terminal_would_show_in_the_end() {
        assert_eq!(of(&["\u{1b}[1;31merror\u{1b}[0m: no\u{7}\u{0}pe\tx\r\n"]), ["error: nope\tx"]);
        assert_eq!(of(&["10 %\r50 %\r100 %\r\n", "a\nb\r\nc"]), ["100 %", "a", "b", "c"]);
        let link = "\u{1b}]8;;https://example.com\u{1b}\\text\u{1b}]8;;\u{7}!";
        assert_eq!(of(&[link, "\u{1b}(Bx\u{1b}=y\u{9b}2Kz", "\u{1b}]unended", "\u{1b}"]), ["text!", "xyz", "", ""]);
        assert_eq!(of(&["\u{1b}ü \u{1b}[31"]), ["ü "]);
        for string in ['\u{90}', '\u{98}', '\u{9d}', '\u{9e}', '\u{9f}'] {
            assert_eq!(of(&[&format!("a{string}title\u{9c}b")]), ["ab"]);
        }
    }

    #[test]
    fn colours_hide_no_secret() {
        assert_eq!(of(&["ghp_0123456789abc\u{1b}[31mdefghijklmnopqrstuvwxyz0123"]), ["***"]);
        assert_eq!(of(&["pass\u{0}word=hunter2"]), ["password=***"]);
    }

    #[test]
    fn an_escape_that_swallows_the_beginning_of_a_secret_hides_none_of_it() {
        for escape in ["\u{1b}", "\u{1b}[", "\u{9b}", "\u{1b} ", "\u{1b}( "] {
            let shown = of(&[&format!("{escape} ghp_0123456789abcdefghijklmnopqrstuvwxyz")]);
            assert!(!shown[0].contains("0123"), "{escape:?}: {shown:?}");
            let shown = of(&[&format!("{escape}password=hunter2")]);
            assert!(!shown[0].contains("hunter"), "{escape:?}: {shown:?}");
        }
    }

    #[test]
    fn a_long_line_is_clipped_at_a_whole_grapheme_and_after_it_was_masked() {
        assert_eq!(of(&[&"x".repeat(400)])[0], "x".repeat(400));
        assert_eq!(of(&[&"x".repeat(401)])[0], "x".repeat(399) + "…");
        // A family is one grapheme of five characters with its joiners.
        assert_eq!(of(&[&"👨‍👩‍👧".repeat(100)])[0], "👨‍👩‍👧".repeat(79) + "…");
        let secret = format!("{}ghp_0123456789abcdefghijklmnopqrstuvwxyz", " ".repeat(380));
        assert_eq!(of(&[&secret])[0], format!("{}***", " ".repeat(380)));
    }

    #[test]
    fn the_log_ends_where_the_build_failed() {
        let container = "[Container] 2026/01/24 22:00:05.123456";
        let mut messages: Vec<String> = (1..=40).map(|number| format!("ok {number}\n")).collect();
        messages.extend([
            "src/app.ts:3:5: error: no\n".to_owned(),
            format!("{container} Command did not exit successfully make test exit status 1\n"),
            format!("{container} Phase complete: BUILD State: FAILED\n"),
            format!("{container} Phase context status code: COMMAND_EXECUTION_ERROR Message: exit status 1\n"),
            format!("{container} Entering phase POST_BUILD\n"),
            "cleaning up\n".to_owned(),
            format!("{container} Phase complete: POST_BUILD State: SUCCEEDED\n"),
        ]);
        let digest = digest(&messages);
        assert_eq!(digest.lines.len(), MOST_LINES);
        assert_eq!(digest.lines.first().unwrap(), "ok 14");
        assert_eq!(*digest.lines.last().unwrap(), format!("{container} Phase complete: BUILD State: FAILED"));
        assert_eq!(digest.annotations.len(), 1);
    }
}

#[cfg(test)]
mod properties;
