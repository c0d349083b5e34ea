//! Secrets of many forms, in whatever a build may print around them: nothing of them is shown.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::domain::any::text;

/// So much of a secret tells something of it.
const TELLING: usize = 6;

/// What a secret is made of; letters and digits, for they stand for what nobody else writes here.
fn random(length: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    vec(select(&b"QWXZqwxz0123456789"[..]), length).prop_map(|bytes| String::from_utf8(bytes).unwrap())
}

/// A token that is known by its form: what it begins with, and what follows.
fn token() -> impl Strategy<Value = (String, String)> {
    let prefixes =
        vec!["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xoxb-", "sk_live_", "dckr_pat_"];
    let key = vec(select(&b"QWXZ0123456789"[..]), 16).prop_map(|bytes| String::from_utf8(bytes).unwrap());
    prop_oneof![
        5 => (select(prefixes), random(36..40)).prop_map(|(prefix, body)| (format!("{prefix}{body}"), body)),
        1 => random(36..37).prop_map(|body| (format!("npm_{body}"), body)),
        1 => (select(vec!["AKIA", "ASIA"]), key).prop_map(|(prefix, key)| (format!("{prefix}{key}"), key)),
        1 => vec(random(20..40), 3).prop_map(|parts| (format!("eyJ{}.eyJ{}.{}", parts[0], parts[1], parts[2]), parts.join("."))),
    ]
}

/// A value that is known by what is written around it: `{}` is its place.
const PLACES: [&str; 22] = [
    "password={}",
    "DB_PASSWORD: {}",
    "export API_KEY='{}'",
    "\"secret\": \"{}\"",
    "{\"user\":\"octocat\",\"token\":\"{}\"}",
    "client_secret := \"{}\"",
    ":secret_key => '{}',",
    "GET /?access_token={}&page=2 HTTP/1.1",
    "GET /blob?sv=2026&sig={}&se=1",
    "--password {}",
    "--token={}",
    "--token \"{}\"",
    "Authorization: Bearer {}",
    "authorization: token {}",
    "curl -H \"Authorization: Basic {}\" https://example.com",
    "Set-Cookie: session={}; Path=/",
    "https://octocat:{}@example.com/x",
    "<SecretAccessKey>{}</SecretAccessKey>",
    "{\\\"password\\\": \\\"{}\\\"}",
    "[{\"name\":\"DB_PASSWORD\",\"value\":\"{}\"}]",
    "aws configure set aws_secret_access_key {}",
    "/password:{}",
];

/// What stands around a secret: no word that a secret's name could end with, and no separator right before it.
fn around() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~&&[^\"'`\\\\]]{0,40}", "\\PC{0,30}", text()]
}

fn shows_some(shown: &str, secret: &str) -> bool {
    let chars: Vec<char> = secret.chars().collect();
    chars.windows(TELLING).any(|part| shown.contains(&part.iter().collect::<String>()))
}

/// What a terminal would not show: colours, a title, a bell.
const INVISIBLE: [&str; 6] = ["\u{1b}[31m", "\u{1b}[0m", "\u{0}", "\u{7}", "\u{9b}2K", "\u{1b}]0;title\u{7}"];

/// Escape sequences that are cut off: they end with what comes next.
const CUT_OFF: [&str; 5] = ["\u{1b}", "\u{1b}[", "\u{9b}", "\u{1b} ", "\u{1b}("];

fn shown(log: &str) -> String {
    let messages: Vec<String> = log.split_inclusive('\n').map(str::to_owned).collect();
    readable(&messages).join("\n")
}

proptest! {
    #[test]
    fn a_token_is_masked_wherever_it_stands(before in around(), (token, secret) in token(), after in around()) {
        let log = format!("{before} {token} {after}");
        prop_assert!(!shows_some(&shown(&log), &secret), "{}", shown(&log));
        prop_assert!(!shows_some(&masked(&log), &secret), "{}", masked(&log));
    }

    /// Nor does an escape sequence that is cut off, and takes the token's first character for its last.
    #[test]
    fn a_token_behind_an_escape_is_masked((token, secret) in token(), escape in select(&CUT_OFF[..]), blank in "[ ]?") {
        let log = format!("{escape}{blank}{token}");
        prop_assert!(!shows_some(&shown(&log), &secret), "{}", shown(&log));
    }

    /// Colours within it hide nothing.
    #[test]
    fn a_token_with_colours_in_it_is_masked((token, secret) in token(), paint in select(&INVISIBLE[..]), at in any::<prop::sample::Index>()) {
        let at = at.index(token.len());
        let log = format!("{}{paint}{}", &token[..at], &token[at..]);
        prop_assert!(!shows_some(&shown(&log), &secret), "{}", shown(&log));
    }

    #[test]
    fn a_value_is_masked_by_what_stands_around_it(
        before in "[a-z ]{0,30}",
        place in select(&PLACES[..]),
        secret in random(12..60),
        after in "[a-z ]{0,30}",
    ) {
        let log = format!("{before} {} {after}", place.replace("{}", &secret));
        prop_assert!(!shows_some(&shown(&log), &secret), "{}", shown(&log));
        prop_assert!(!shows_some(&masked(&log), &secret), "{}", masked(&log));
    }

    #[test]
    fn a_private_key_is_masked_whole(
        kind in select(vec!["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "]),
        body in vec(random(64..65), 1..30),
        before in vec("[a-z ]{0,30}", 0..3),
        after in vec("[a-z ]{0,30}", 0..3),
        ends in any::<bool>(),
    ) {
        let mut lines = before;
        lines.push(format!("-----BEGIN {kind}PRIVATE KEY-----"));
        lines.extend(body.clone());
        if ends {
            lines.push(format!("-----END {kind}PRIVATE KEY-----"));
            lines.extend(after);
        }
        let shown = shown(&lines.join("\n"));
        prop_assert!(!body.iter().any(|line| shows_some(&shown, line)), "{shown}");
    }

    /// What is cut off a long line takes no mask away, and a line that is shown is masked already.
    #[test]
    fn what_is_shown_is_masked_short_and_plain(
        messages in vec(prop_oneof![text(), "[\\PC\\x00-\\x9f]{0,40}"].prop_flat_map(|text| (1..40_usize).prop_map(move |times| text.repeat(times))), 0..6),
    ) {
        let lines = readable(&messages);
        for line in &lines {
            prop_assert!(line.chars().count() <= LONGEST_LINE, "{} characters", line.chars().count());
            prop_assert!(!line.chars().any(|char| char.is_control() && char != '\t'), "{line:?}");
        }
        let digest = digest(&messages);
        prop_assert!(digest.lines.len() <= MOST_LINES);
        prop_assert!(digest.annotations.iter().all(|annotation| annotation.line > 0 && !annotation.path.starts_with('/')));
    }

    #[test]
    fn masking_again_changes_nothing_back((token, secret) in token(), before in around(), longest in 0..LONGEST_LINE) {
        let once = masked(&format!("{before} {token}"));
        let cut: String = once.chars().take(longest).collect();
        prop_assert!(!shows_some(&masked(&cut), &secret));
    }
}
