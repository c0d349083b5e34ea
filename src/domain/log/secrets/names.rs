//! Secrets that are known by the names before them.

use std::ops::Range;

use super::bytes::{end_of, is_blank, is_quote, is_url_base64, start_of};
use super::forms::looks_random;
use super::{Masker, NEARBY};

/// More of a name is never looked at.
const LONGEST_NAME: usize = 64;

/// `--password VALUE` of a command line, and the settings that the AWS CLI takes as `NAME VALUE`.
pub(super) fn arguments(line: &str, spans: &mut Vec<Range<usize>>) {
    let bytes = line.as_bytes();
    let mut at = end_of(bytes, 0, is_blank);
    while at < bytes.len() {
        let end = end_of(bytes, at, |byte| !is_blank(byte));
        let word = &bytes[at..end];
        at = end_of(bytes, end, is_blank);
        let name = if word.iter().all(|byte| is_url_base64(*byte)) { normalized(word) } else { continue };
        let is_flag = word.starts_with(b"--") && is_secret(&name);
        let is_setting = ["secretaccesskey", "sessiontoken"].iter().any(|setting| name.ends_with(setting));
        if !is_flag && !is_setting {
            continue;
        }
        let value = match bytes.get(at) {
            Some(quote) if is_quote(*quote) => at + 1..end_of(bytes, at + 1, |byte| byte != *quote),
            _ => at..end_of(bytes, at, |byte| !is_blank(byte)),
        };
        let text = &bytes[value.clone()];
        // The flag may be what the sentence is about: `--password via the CLI is insecure`.
        let is_prose = text.iter().all(u8::is_ascii_lowercase) || text.starts_with(b"-");
        if (is_flag && !is_prose) || looks_random(text) {
            at = value.end;
            spans.push(value);
        }
    }
}

/// What a name says about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Secret,
    /// A header whose value goes on to its end, and begins with a word that is no secret.
    Authorization,
    /// Goes on to the line's end: it may hold blanks.
    Whole,
    /// What a list of pairs calls a pair's name, and its value.
    Name,
    Value,
}

/// A name's letters and digits, small, without what is put between words; the last of them where there are many.
fn normalized(name: &[u8]) -> String {
    let name = &name[name.len().saturating_sub(LONGEST_NAME)..];
    name.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(|byte| char::from(byte.to_ascii_lowercase())).collect()
}

/// How the names of secrets end.
const SECRET_NAMES: &[&str] = &[
    "password",
    "passwords",
    "passwd",
    "passcode",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "encryptionkey",
    "signingkey",
    "masterkey",
    "accountkey",
    "authkey",
    "sharedkey",
    "sshkey",
    "licensekey",
    "credential",
    "credentials",
    "connectionstring",
    "xamzsignature",
];

/// What may follow: `DB_PASSWORD_2`, `SecretString`, `TOKEN_BASE64`.
const AFTER_NAMES: &[&str] = &["value", "string", "text", "plain", "base", "hash", "raw"];

fn is_secret(name: &str) -> bool {
    let mut name = name.trim_end_matches(|char: char| char.is_ascii_digit());
    for _ in 0..2 {
        if SECRET_NAMES.iter().any(|secret| name.ends_with(secret)) {
            return true;
        }
        let shorter = AFTER_NAMES.iter().find_map(|after| name.strip_suffix(after));
        name = shorter.unwrap_or(name).trim_end_matches(|char: char| char.is_ascii_digit());
    }
    // Not `PWD` itself, which is where the shell is.
    name.len() > 3 && name.ends_with("pwd") && name != "oldpwd"
}

fn kind_of(raw: &[u8]) -> Option<Kind> {
    let name = normalized(raw);
    let ends_with = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    if ends_with(&["authorization"]) {
        return Some(Kind::Authorization);
    }
    if ends_with(&["passphrase", "cookie"]) {
        return Some(Kind::Whole);
    }
    let lower = raw.to_ascii_lowercase();
    if is_secret(&name) || [&b"_pass"[..], b"-pass", b"_auth"].iter().any(|end| lower.ends_with(end)) {
        return Some(Kind::Secret);
    }
    match name.as_str() {
        "name" | "key" | "parameterkey" => Some(Kind::Name),
        "value" | "parametervalue" => Some(Kind::Value),
        _ => None,
    }
}

/// The name before a separator.
struct Name<'a> {
    text: &'a [u8],
    start: usize,
    is_quoted: bool,
    /// The byte before it, and before its quote.
    before: Option<u8>,
}

fn name_before<'a>(bytes: &'a [u8], separator: usize) -> Option<Name<'a>> {
    let is_part = |byte: u8| is_url_base64(byte) || byte == b'.';
    let mut end = start_of(bytes, separator, is_blank);
    if end > 0 && bytes[end - 1] == b']' {
        end -= 1;
    }
    let is_quoted = end > 0 && is_quote(bytes[end - 1]);
    if is_quoted {
        end = start_of(bytes, end - 1, |byte| byte == b'\\');
    }
    let start = start_of(bytes, end, is_part);
    let before = start.checked_sub(1).map(|at| bytes[at]);
    (start < end).then(|| Name { text: &bytes[start..end], start, is_quoted, before })
}

/// The word before a name, for names of two words and more.
fn word_before(bytes: &[u8], start: usize) -> &[u8] {
    let end = start_of(bytes, start, is_blank);
    &bytes[start_of(bytes, end, |byte| byte.is_ascii_alphabetic())..end]
}

impl Masker {
    /// Values by their names: `NAME=VALUE`, `name: value`, `"name": "value"`, `<Name>value</Name>` and the like.
    pub(super) fn assignments(&mut self, line: &str, spans: &mut Vec<Range<usize>>) {
        let bytes = line.as_bytes();
        self.expects_value = self.expects_value.saturating_sub(1);
        let mut at = 0;
        while let Some(found) = bytes[at..].iter().position(|byte| b":=>".contains(byte)) {
            let separator = at + found;
            at = separator + 1;
            if bytes[separator] == b':' && bytes.get(at) == Some(&b':') {
                // A path, as in `token::parse`; before its second colon is no name.
                continue;
            }
            let Some(name) = name_before(bytes, separator) else { continue };
            if bytes[separator] == b'>' && name.before != Some(b'<') {
                continue;
            }
            let Some(kind) = of_words(bytes, &name).or_else(|| kind_of(name.text)) else { continue };
            if is_something_else(bytes, separator, &name) {
                continue;
            }
            match kind {
                Kind::Name => {
                    // Only a short value is a name; and a longer one is not read again and again.
                    let nearby = &bytes[..bytes.len().min(separator + 2 * LONGEST_NAME)];
                    let is_secret = kind_of(&nearby[value_after(nearby, separator, &name, kind)]) == Some(Kind::Secret);
                    self.expects_value = if is_secret { NEARBY + 1 } else { 0 };
                    continue;
                }
                Kind::Value if self.expects_value == 0 => continue,
                Kind::Value => self.expects_value = 0,
                _ => {}
            }
            let value = value_after(bytes, separator, &name, kind);
            at = value.end.max(at);
            if !value.is_empty() {
                spans.push(value);
            }
        }
    }
}

/// What makes a name a secret's by what is before it: `Secret Access Key`, `API key`, and `&sig=` of a signed address.
fn of_words(bytes: &[u8], name: &Name<'_>) -> Option<Kind> {
    let is = |text: &str| name.text.eq_ignore_ascii_case(text.as_bytes());
    let is_secret = match name.before? {
        b'?' | b'&' => is("sig") || is("signature"),
        b' ' | b'\t' if is("key") => {
            let word = normalized(word_before(bytes, name.start));
            matches!(word.as_str(), "api" | "access" | "secret" | "private" | "encryption" | "signing")
        }
        _ => false,
    };
    is_secret.then_some(Kind::Secret)
}

/// What has the form of an assignment and is none: an image's tag, a place in a file, a parser's complaint.
fn is_something_else(bytes: &[u8], separator: usize, name: &Name<'_>) -> bool {
    let is_tight = bytes.get(separator + 1).is_some_and(|byte| !is_blank(*byte) && !is_quote(*byte));
    // Not `/password:x`, a switch.
    let is_in_path = matches!(name.before, Some(b'/' | b'@')) && name.start > 1 && !is_blank(bytes[name.start - 2]);
    if bytes[separator] == b':' && is_tight && is_in_path {
        return true;
    }
    let complains = || {
        let word = word_before(bytes, name.start);
        word.eq_ignore_ascii_case(b"unexpected") || word.eq_ignore_ascii_case(b"expected")
    };
    bytes[separator] == b':' && name.text.eq_ignore_ascii_case(b"token") && complains()
}

/// Where the value after a separator is. Where its end is not certain, more is taken rather than less.
fn value_after(bytes: &[u8], separator: usize, name: &Name<'_>, kind: Kind) -> Range<usize> {
    if bytes[separator] == b'>' {
        // An element, and not a type such as `Vec<Token>`.
        let start = separator + 1;
        let end = end_of(bytes, start, |byte| byte != b'<');
        return start..if bytes[end..].starts_with(b"</") { end } else { start };
    }
    let from = end_of(bytes, separator, |byte| b":=>".contains(&byte));
    let from = end_of(bytes, from, is_blank);
    let is_marked = matches!(bytes.get(from), Some(b'b' | b'u' | b'r' | b'f' | b'$'))
        && bytes.get(from + 1).copied().is_some_and(is_quote);
    let from = if is_marked { from + 1 } else { from };
    let opening = end_of(bytes, from, |byte| byte == b'\\');
    match bytes.get(opening) {
        Some(quote) if is_quote(*quote) => {
            let is_escaped = opening > from;
            let quotes = end_of(bytes, opening, |byte| byte == *quote) - opening;
            let start = if quotes >= 3 { opening + 3 } else { opening + 1 };
            let end = closing(bytes, start, *quote, is_escaped);
            if kind == Kind::Authorization { after_scheme(bytes, start, end) } else { start..end }
        }
        // The values within have names of their own.
        Some(b'{') if bytes.get(from + 1).is_none_or(|byte| is_blank(*byte) || is_quote(*byte)) => from..from,
        first => {
            let outer = name.before.filter(|before| is_quote(*before) && !name.is_quoted);
            let end = match outer {
                Some(quote) => end_of(bytes, from, |byte| byte != quote),
                None => bytes.len(),
            };
            let is_query = matches!(name.before, Some(b'?' | b'&'));
            let ends_word = |byte: u8| match byte {
                b'&' => is_query,
                b',' | b'}' | b']' => name.is_quoted,
                byte => is_blank(byte),
            };
            let word = |from| end_of(&bytes[..end], from, |byte| !ends_word(byte));
            match kind {
                Kind::Authorization => after_scheme(bytes, from, end),
                Kind::Whole => from..end,
                _ if outer.is_some() && !is_query => from..end,
                // A list ends with its bracket, and what only begins like one with its word.
                _ if first == Some(&b'[') => from + 1..word(end_of(&bytes[..end], from, |byte| byte != b']')),
                _ => from..word(from),
            }
        }
    }
}

/// Where a quote closes, or the line ends. One that was opened behind a backslash closes behind one.
fn closing(bytes: &[u8], start: usize, quote: u8, is_escaped: bool) -> usize {
    let mut at = start;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if is_escaped && bytes.get(at + 1) == Some(&quote) => return at,
            b'\\' => at += 2,
            byte if byte == quote => return at,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The credentials of an `Authorization` header: one word where the scheme is one that has one, else all.
fn after_scheme(bytes: &[u8], from: usize, end: usize) -> Range<usize> {
    let scheme = end_of(&bytes[..end], from, |byte| byte.is_ascii_alphabetic());
    let has_word = ["bearer", "basic", "token", "negotiate"]
        .iter()
        .any(|known| bytes[from..scheme].eq_ignore_ascii_case(known.as_bytes()));
    if !has_word {
        return from..end;
    }
    let start = end_of(&bytes[..end], scheme, is_blank);
    start..end_of(&bytes[..end], start, |byte| !is_blank(byte))
}
