//! Private keys, which go over many lines.

use std::ops::Range;

use super::Masker;

pub(super) const KEY_BEGINS: &str = "-----BEGIN ";
const KEY_ENDS: &str = "-----END ";
const PRIVATE: &str = "PRIVATE KEY";

/// Where the first line that ends a private key begins.
pub(super) fn ends_key(line: &str) -> Option<usize> {
    let mut ends = line.match_indices(KEY_ENDS);
    ends.find(|(at, _)| title(&line[at + KEY_ENDS.len()..]).is_some_and(|title| title.contains(PRIVATE)))
        .map(|(at, _)| at)
}

/// `RSA PRIVATE KEY` of what follows `-----BEGIN `.
fn title(text: &str) -> Option<&str> {
    text.split_once("-----").map(|(title, _)| title)
}

/// Whether a line may be one within a private key: base64, perhaps behind what a tool puts before each line, or one of the
/// few headers.
pub(super) fn is_key_body(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    let Some(last) = words.next_back() else { return true };
    let is_base64 = last.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    let is_alone = words.next_back().is_none();
    (is_base64 && (is_alone || last.len() >= 60)) || line.contains("Proc-Type:") || line.contains("DEK-Info:")
}

impl Masker {
    /// Passes the lines of a private key that has begun. Says whether a part of the line is the key's, and gives what is
    /// not.
    pub(super) fn key_in<'a>(&mut self, line: &'a str) -> (bool, Option<&'a str>) {
        if !self.in_key {
            return (false, Some(line));
        }
        if let Some(end) = line.find(KEY_ENDS) {
            self.in_key = false;
            return (true, Some(&line[end..]));
        }
        self.in_key = is_key_body(line);
        if self.in_key { (true, None) } else { (false, Some(line)) }
    }

    /// A private key, or its beginning, within a line.
    pub(super) fn key_blocks(&mut self, line: &str, spans: &mut Vec<Range<usize>>) {
        let mut from = 0;
        while let Some(found) = line[from..].find(KEY_BEGINS) {
            from += found + KEY_BEGINS.len();
            let Some(title) = title(&line[from..]) else { return };
            from += title.len() + "-----".len();
            if !title.contains(PRIVATE) {
                continue;
            }
            let end = line[from..].find(KEY_ENDS).map(|end| from + end);
            self.in_key = end.is_none();
            let end = end.unwrap_or(line.len());
            if !line[from..end].trim().is_empty() {
                spans.push(from..end);
            }
            from = end;
        }
    }
}
