//! What SQS says about a message's text: whether it may be sent, and its digests.

use md5::{Digest, Md5};
use serde_json::{Map, Value};

/// The size of a message with its attributes, in bytes.
pub(super) const LIMIT: usize = 1_048_576;

/// Whether every character is one that XML 1.0 allows, which is what SQS takes.
pub(super) fn is_legal(text: &str) -> bool {
    text.chars().all(
        |c| matches!(c, '\u{9}' | '\u{a}' | '\u{d}' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..),
    )
}

/// The MD5 of a body, in lower-case hexadecimal digits.
pub(super) fn md5(body: &str) -> String {
    hex::encode(Md5::digest(body.as_bytes()))
}

/// The MD5 of attributes with string values: each name in order, with its type and value, all with their lengths in
/// front (SQS developer guide, "Calculating the MD5 message digest for message attributes").
pub(super) fn md5_of_attributes(attributes: &Map<String, Value>) -> String {
    let mut names: Vec<&String> = attributes.keys().collect();
    names.sort_unstable();
    let mut digest = Md5::new();
    let mut part = |bytes: &[u8], transport: bool| {
        if transport {
            digest.update([1]);
        }
        digest.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        digest.update(bytes);
    };
    for name in names {
        let attribute = &attributes[name];
        part(name.as_bytes(), false);
        part(attribute["DataType"].as_str().unwrap_or_default().as_bytes(), false);
        part(attribute["StringValue"].as_str().unwrap_or_default().as_bytes(), true);
    }
    hex::encode(digest.finalize())
}

/// The size that counts against the limit: the body and each attribute's name, type and value.
pub(super) fn size(body: &str, attributes: &Map<String, Value>) -> usize {
    let text = |value: &Value| value.as_str().map_or(0, str::len);
    let each = |(name, value): (&String, &Value)| name.len() + text(&value["DataType"]) + text(&value["StringValue"]);
    body.len() + attributes.iter().map(each).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_refused_and_tabs_and_emoji_are_not() {
        assert!(is_legal("a\tb\nc\rd \u{1f680}"));
        assert!(!is_legal("\u{0}"));
        assert!(!is_legal("\u{1b}[31m"));
        assert!(!is_legal("\u{fffe}"));
    }

    #[test]
    fn the_digest_of_a_body_is_the_published_one() {
        assert_eq!(md5(""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(md5("abc"), "900150983cd24fb0d6963f7d28e17f72");
    }
}
