//! Secrets in a configuration. It lies in a plain parameter, which many may read who may not read secrets.

use std::ops::Range;

use super::Finding;

/// How tokens begin, how many letters, digits and underscores follow at least, and what they are.
const TOKENS: [(&str, usize, &str); 10] = [
    ("ghp_", 36, "a personal access token of GitHub's"),
    ("gho_", 36, "an OAuth token of GitHub's"),
    ("ghu_", 36, "a user token of a GitHub App's"),
    ("ghs_", 36, "an installation token of a GitHub App's"),
    ("ghr_", 36, "a refresh token of GitHub's"),
    ("github_pat_", 22, "a personal access token of GitHub's"),
    ("AKIA", 16, "an access key of AWS's"),
    ("ASIA", 16, "an access key of AWS's"),
    ("glpat-", 20, "a token of GitLab's"),
    ("xoxb-", 20, "a token of Slack's"),
];

/// How a private key begins, and how it ends.
const KEY: (&str, &str) = ("-----BEGIN ", "-----END ");

pub(super) fn find(text: &str) -> Vec<Finding> {
    let finding = |(place, what): (Range<usize>, &str)| {
        Finding::warning(place, format!("this looks like {what}")).help(
            "secrets belong into Secrets Manager, where the functions read theirs; others may have read this one, so replace it",
        )
    };
    places(text).into_iter().map(finding).collect()
}

/// The text with asterisks for what looks like a secret, byte for byte: what is shown of it may end up in a log.
pub(crate) fn masked(text: &str) -> String {
    let mut masked = text.to_owned();
    for (place, _) in places(text) {
        // Line breaks stay, for the lines to be counted.
        let stars: String = text[place.clone()].bytes().map(|byte| if byte == b'\n' { '\n' } else { '*' }).collect();
        masked.replace_range(place, &stars);
    }
    masked
}

fn places(text: &str) -> Vec<(Range<usize>, &'static str)> {
    let mut places = Vec::new();
    for (prefix, least, what) in TOKENS {
        for (start, _) in text.match_indices(prefix) {
            let is_inside = text[..start].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
            let rest = &text[start + prefix.len()..];
            let length =
                rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(rest.len());
            if !is_inside && length >= least {
                places.push((start..start + prefix.len() + length, what));
            }
        }
    }
    for (start, _) in text.match_indices(KEY.0) {
        let rest = &text[start + KEY.0.len()..];
        // One that is never closed goes on to the end of the text.
        let end = rest.find(KEY.1).map_or(rest.len(), |end| end + rest[end..].find('\n').unwrap_or(rest.len() - end));
        places.push((start..start + KEY.0.len() + end, "a private key"));
    }
    places
}
