//! The idempotency token of an execution's start.

use sha2::{Digest, Sha256};

const PREFIX: &str = "pipehook-";

const MARK_DIGITS: usize = 16;

/// What CodePipeline recognises a repeated start by: 1 to 128 characters of `[a-zA-Z0-9-]`.
///
/// It is made from the payload, which is signed, and the pipeline. The delivery's id would not do: it is a header
/// outside the signature, so whoever replays a body can choose another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRequestToken(String);

impl ClientRequestToken {
    pub fn derive(payload: &[u8], pipeline: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update(pipeline.as_bytes());
        // No pipeline's name holds a zero byte, so no two pairs of name and payload hash the same bytes.
        hash.update([0]);
        hash.update(payload);
        Self(format!("{PREFIX}{}", hex::encode(hash.finalize())))
    }

    /// A token that was derived before and travelled over the queue.
    pub fn from_queue(text: String) -> Self {
        Self(text)
    }

    /// What statuses are marked with, so that whoever sees the push again finds the execution that it started: the
    /// first digits of the hash, enough that no two pushes of a commit have the same.
    pub fn mark(&self) -> &str {
        let digits = self.0.strip_prefix(PREFIX).unwrap_or(&self.0);
        digits.get(..MARK_DIGITS).unwrap_or(digits)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_payload_and_pipeline_always_give_the_same_token() {
        let token = ClientRequestToken::derive(b"{}", "node-server");
        assert_eq!(token, ClientRequestToken::derive(b"{}", "node-server"));
        assert_ne!(token, ClientRequestToken::derive(b"{}", "node-worker"));
        assert_ne!(token, ClientRequestToken::derive(b"{ }", "node-server"));
    }

    /// A push that one version of the function has started, the next must recognise.
    #[test]
    fn a_push_is_known_by_the_same_token_and_mark_whoever_derives_them() {
        let token = ClientRequestToken::derive(b"{}", "node-server");
        insta::assert_snapshot!(token.as_str(), @"pipehook-45d4298927a82a5e8dcec47843bb61f88674778099913612938b55b2baa03bc8");
        assert_eq!(token.as_str().strip_prefix("pipehook-").and_then(|digits| digits.get(..16)), Some(token.mark()));
        let travelled = ClientRequestToken::from_queue(token.as_str().to_owned());
        assert_eq!(travelled.mark(), token.mark());
        // What an operator wrote onto the queue by hand is short, and its own mark.
        assert_eq!(ClientRequestToken::from_queue("by-hand".to_owned()).mark(), "by-hand");
    }

    #[test]
    fn it_is_one_that_codepipeline_takes() {
        let token = ClientRequestToken::derive(b"{}", "node.server@1_x");
        assert!((1..=128).contains(&token.as_str().len()));
        assert!(token.as_str().chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
    }
}

#[cfg(test)]
#[path = "token_properties.rs"]
mod properties;
