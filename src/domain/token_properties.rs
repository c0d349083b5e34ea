//! Tokens, for whatever is delivered to whatever pipeline.

use std::collections::HashSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A pipeline's name as CodePipeline takes it (botocore: `PipelineName`).
fn pipeline() -> impl Strategy<Value = String> {
    "[A-Za-z0-9.@_-]{1,100}"
}

proptest! {
    /// botocore: `ClientRequestToken`, 1 to 128 of `[a-zA-Z0-9-]`.
    #[test]
    fn every_token_is_one_that_codepipeline_takes(payload in vec(any::<u8>(), 0..500), pipeline in pipeline()) {
        let token = ClientRequestToken::derive(&payload, &pipeline);
        prop_assert!((1..=128).contains(&token.as_str().len()));
        prop_assert!(token.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
        prop_assert_eq!(token.mark().len(), MARK_DIGITS);
        prop_assert!(token.as_str().contains(token.mark()));
        prop_assert_eq!(&ClientRequestToken::from_queue(token.as_str().to_owned()), &token);
    }

    /// Also where the bytes are the same and only lie on the other side of the border between name and payload.
    #[test]
    fn tokens_differ_where_the_pipeline_or_the_payload_does(payload in "[a-z.]{1,12}", name in "[a-z.]{1,12}") {
        let whole = format!("{name}{payload}");
        let pairs = (1..=whole.len()).map(|border| whole.split_at(border));
        let tokens: HashSet<String> =
            pairs.map(|(name, payload)| ClientRequestToken::derive(payload.as_bytes(), name).as_str().to_owned()).collect();
        prop_assert_eq!(tokens.len(), whole.len());
    }

    #[test]
    fn a_payload_that_differs_in_one_bit_has_another_token_and_mark(
        mut payload in vec(any::<u8>(), 1..200),
        pipeline in pipeline(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let before = ClientRequestToken::derive(&payload, &pipeline);
        *at.get_mut(&mut payload) ^= 1 << bit;
        let after = ClientRequestToken::derive(&payload, &pipeline);
        prop_assert_ne!(&before, &after);
        prop_assert_ne!(before.mark(), after.mark());
    }
}
