//! What passes for a signature, and all that does not.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

/// What GitHub sends for a body, made by the definition of HMAC (RFC 2104) and not by what is tested.
fn sign(secret: &str, body: &[u8]) -> String {
    use sha2::Digest;
    let mut key = secret.as_bytes().to_vec();
    if key.len() > 64 {
        key = Sha256::digest(&key).to_vec();
    }
    key.resize(64, 0);
    let pad = |with: u8| key.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
    let inner = Sha256::digest([&pad(0x36), body].concat());
    format!("sha256={}", hex::encode(Sha256::digest([pad(0x5c), inner.to_vec()].concat())))
}

fn verify(header: &[u8], secrets: &[String], body: &[u8]) -> Result<(), Refusal> {
    let secrets: Vec<Secret> = secrets.iter().map(Secret::new).collect();
    Signature::parse(Some(header))?.verify(&secrets, body)
}

/// A line of the parameter that holds them.
fn secret() -> impl Strategy<Value = String> {
    prop_oneof!["[!-~]{1,80}", "\\PC{1,40}"]
}

proptest! {
    #[test]
    fn what_one_of_the_secrets_has_signed_is_taken(
        secrets in vec(secret(), 1..5),
        body in vec(any::<u8>(), 0..300),
        which in any::<Index>(),
    ) {
        prop_assert_eq!(verify(sign(&secrets[which.index(secrets.len())], &body).as_bytes(), &secrets, &body), Ok(()));
    }

    #[test]
    fn what_none_of_them_has_signed_is_refused(
        secrets in vec(secret(), 0..5),
        another in secret(),
        body in vec(any::<u8>(), 0..300),
    ) {
        prop_assume!(!secrets.contains(&another));
        prop_assert!(verify(sign(&another, &body).as_bytes(), &secrets, &body).is_err());
    }

    #[test]
    fn a_body_that_differs_in_one_bit_is_refused(
        secret in secret(),
        mut body in vec(any::<u8>(), 1..300),
        at in any::<Index>(),
        bit in 0..8_u8,
    ) {
        let header = sign(&secret, &body);
        *at.get_mut(&mut body) ^= 1 << bit;
        prop_assert_eq!(verify(header.as_bytes(), &[secret], &body), Err(Refusal::Wrong));
    }

    /// Wherever the bit is, in the digits or before them.
    #[test]
    fn a_header_that_differs_in_one_bit_is_refused(
        secret in secret(),
        body in vec(any::<u8>(), 0..100),
        at in any::<Index>(),
        bit in 0..8_u8,
    ) {
        let mut header = sign(&secret, &body).into_bytes();
        *at.get_mut(&mut header) ^= 1 << bit;
        prop_assert!(verify(&header, &[secret], &body).is_err(), "{}", header.escape_ascii());
    }

    #[test]
    fn a_signature_for_more_or_less_than_the_body_is_refused(
        secret in secret(),
        body in vec(any::<u8>(), 1..100),
        more in vec(any::<u8>(), 1..4),
    ) {
        let header = sign(&secret, &body);
        let secrets = [secret];
        prop_assert_eq!(verify(header.as_bytes(), &secrets, &[body.clone(), more].concat()), Err(Refusal::Wrong));
        prop_assert_eq!(verify(header.as_bytes(), &secrets, &body[1..]), Err(Refusal::Wrong));
    }

    /// `sha256=` and 64 digits, of which letters are small.
    #[test]
    fn only_lower_case_digits_are_taken(
        name in select(vec!["sha256=", "SHA256=", "sha1=", "", "sha256:", " sha256="]),
        digits in prop_oneof!["[0-9a-f]{64}", "[0-9a-f]{62,66}", "[0-9A-F]{64}", "[0-9a-g]{64}", "\\PC{0,70}"],
        ending in select(vec!["", "", "", " ", ",", "\n"]),
    ) {
        let header = format!("{name}{digits}{ending}");
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_right =
            name == "sha256=" && digits.len() == 64 && digits.bytes().all(is_digit) && ending.is_empty();
        let taken = Signature::parse(Some(header.as_bytes()));
        prop_assert_eq!(taken.is_ok(), is_right);
        prop_assert!(is_right || taken == Err(Refusal::Malformed));
    }

    /// With nothing to compare with, nothing passes, an empty secret's signature included.
    #[test]
    fn without_a_secret_all_is_refused(body in vec(any::<u8>(), 0..100)) {
        prop_assert_eq!(verify(sign("", &body).as_bytes(), &[], &body), Err(Refusal::NoSecret));
    }
}
