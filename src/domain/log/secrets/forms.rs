//! Secrets that are known by their form, wherever they stand.

use std::ops::Range;

use super::bytes::{end_of, is_alphanumeric, is_base64, is_jwt, is_quote, is_upper, is_url_base64, is_word};
use super::{Masker, NEARBY};

impl Masker {
    /// Secrets that are known by their form.
    pub(super) fn tokens(&mut self, line: &str, spans: &mut Vec<Range<usize>>) {
        self.expects_secret_key = self.expects_secret_key.saturating_sub(1);
        let bytes = line.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let found = KNOWN.iter().find_map(|known| Some((known, known.end(bytes, at)?)));
            match found {
                Some((known, end)) => {
                    if matches!(known.prefix, "AKIA" | "ASIA") {
                        self.expects_secret_key = NEARBY + 1;
                    }
                    spans.push(at..end);
                    at = end;
                }
                None => match jwt_end(bytes, at) {
                    Some(end) => {
                        spans.push(at..end);
                        at = end;
                    }
                    None => at += 1,
                },
            }
        }
        if self.expects_secret_key > 0 {
            secret_keys(line, spans);
        }
    }
}

/// A kind of secret that begins with something of its own.
struct Known {
    prefix: &'static str,
    /// What follows.
    is_part: fn(u8) -> bool,
    /// How much of it there is at least.
    least: usize,
}

impl Known {
    /// The end of one that begins here.
    fn end(&self, bytes: &[u8], at: usize) -> Option<usize> {
        if !bytes[at..].starts_with(self.prefix.as_bytes()) {
            return None;
        }
        let from = at + self.prefix.len();
        let mut end = end_of(bytes, from, self.is_part);
        // A full stop after it ends a sentence.
        while end > from && bytes[end - 1] == b'.' {
            end -= 1;
        }
        (end - from >= self.least).then_some(end)
    }
}

const fn known(prefix: &'static str, is_part: fn(u8) -> bool, least: usize) -> Known {
    Known { prefix, is_part, least }
}

/// Ids and tokens of AWS, GitHub, and what else builds often hold: of registries of packages and images, chat and payment.
const KNOWN: &[Known] = &[
    known("AKIA", is_upper, 16),
    known("ASIA", is_upper, 16),
    // How session tokens of AWS begin.
    known("IQoJb3JpZ2lu", is_base64, 60),
    known("FwoGZXIvYXdz", is_base64, 60),
    known("FQoGZXIvYXdz", is_base64, 60),
    known("ghp_", is_word, 20),
    known("gho_", is_word, 20),
    known("ghu_", is_word, 20),
    // `ghs_` and 36 characters, or `ghs_`, the App's id and a JWT.
    known("ghs_", is_jwt, 20),
    known("ghr_", is_word, 20),
    known("github_pat_", is_word, 20),
    known("glpat-", is_url_base64, 20),
    known("npm_", is_alphanumeric, 36),
    known("pypi-", is_url_base64, 50),
    known("dckr_pat_", is_url_base64, 20),
    known("xoxb-", is_url_base64, 20),
    known("xoxp-", is_url_base64, 20),
    known("xapp-", is_url_base64, 20),
    known("sk_live_", is_word, 20),
    known("rk_live_", is_word, 20),
    known("AIza", is_url_base64, 35),
    // JSON in base64, as the passwords of ECR are.
    known("eyJ", is_base64, 100),
];

/// The end of a JSON Web Token that begins here: three parts or more, of which the first is JSON.
fn jwt_end(bytes: &[u8], at: usize) -> Option<usize> {
    if !bytes[at..].starts_with(b"eyJ") || (at > 0 && is_url_base64(bytes[at - 1])) {
        return None;
    }
    let mut end = end_of(bytes, at, is_url_base64);
    let mut parts = 1;
    while bytes.get(end) == Some(&b'.') {
        let part = end_of(bytes, end + 1, is_url_base64);
        // One that is encrypted may have an empty second part, one that is not signed an empty third. After these, a full
        // stop ends a sentence.
        if part == end + 1 && parts >= 3 {
            break;
        }
        end = part;
        parts += 1;
    }
    (parts >= 3 && end - at >= 30).then_some(end)
}

/// Secret access keys, which have no mark: 40 characters of base64 in capitals and small letters.
fn secret_keys(line: &str, spans: &mut Vec<Range<usize>>) {
    let bytes = line.as_bytes();
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    let mut at = 0;
    while at < bytes.len() {
        let end = end_of(bytes, at, is_part);
        let run = &bytes[at..end];
        if run.len() >= 40 && run.iter().any(u8::is_ascii_uppercase) && run.iter().any(u8::is_ascii_lowercase) {
            spans.push(at..end);
        }
        at = end + 1;
    }
}

/// `Bearer TOKEN`, wherever it stands. Prose has the word too, so what follows has to look like a token.
pub(super) fn bearers(line: &str, spans: &mut Vec<Range<usize>>) {
    let bytes = line.as_bytes();
    let mut at = 0;
    for word in line.split_inclusive(|char: char| !char.is_ascii_alphabetic()) {
        let after = at + word.len();
        at = after;
        if word.len() != "Bearer ".len() || !word.to_ascii_lowercase().starts_with("bearer ") {
            continue;
        }
        let end = end_of(bytes, after, |byte| is_base64(byte) || b"._~-".contains(&byte));
        if looks_random(&bytes[after..end]) {
            spans.push(after..end);
        }
    }
}

pub(super) fn looks_random(word: &[u8]) -> bool {
    word.len() >= 24 || (word.len() >= 8 && word.iter().any(u8::is_ascii_digit))
}

/// The password of `scheme://user:password@host`.
pub(super) fn addresses(line: &str, spans: &mut Vec<Range<usize>>) {
    let bytes = line.as_bytes();
    let mut from = 0;
    while let Some(found) = line[from..].find("://") {
        let start = from + found + "://".len();
        let is_part = |byte: u8| !(byte.is_ascii_whitespace() || is_quote(byte) || b"/?#<>\\|".contains(&byte));
        let end = end_of(bytes, start, is_part);
        if let Some(at) = bytes[start..end].iter().rposition(|byte| *byte == b'@') {
            let user = &bytes[start..start + at];
            if let Some(colon) = user.iter().position(|byte| *byte == b':').filter(|colon| colon + 1 < at) {
                spans.push(start + colon + 1..start + at);
            }
        }
        from = end;
    }
}
