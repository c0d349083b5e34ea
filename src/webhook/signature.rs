//! GitHub's signature over a delivery's body.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::settings::Secret;

/// The header that holds the signature; `X-Hub-Signature`, with SHA-1, is not looked at.
pub const HEADER: &str = "x-hub-signature-256";

/// Why a delivery is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("no {HEADER} header: the webhook at GitHub has no secret, or this is not GitHub")]
    Missing,
    #[error("the {HEADER} header is not sha256= and 64 lower-case hexadecimal digits")]
    Malformed,
    #[error("no webhook secret is configured: set PIPEHOOK_WEBHOOK_SECRET_PARAMETER")]
    NoSecret,
    #[error("the signature does not fit the body: the secret at GitHub is another one, or this is not GitHub")]
    Wrong,
}

/// A signature that has the right form.
#[derive(Debug, PartialEq, Eq)]
pub struct Signature([u8; 32]);

impl Signature {
    /// Takes the header's value as GitHub sends it: `sha256=` and 64 lower-case digits, and nothing else.
    pub fn parse(header: Option<&[u8]>) -> Result<Self, Refusal> {
        let digits = header.ok_or(Refusal::Missing)?.strip_prefix(b"sha256=").ok_or(Refusal::Malformed)?;
        if digits.iter().any(u8::is_ascii_uppercase) {
            return Err(Refusal::Malformed);
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| Refusal::Malformed)?;
        Ok(Self(bytes))
    }

    /// Whether one of the secrets made this signature over the body, as it came, byte by byte. The comparison takes
    /// the same time wherever the signatures differ.
    pub fn verify(&self, secrets: &[Secret], body: &[u8]) -> Result<(), Refusal> {
        if secrets.is_empty() {
            return Err(Refusal::NoSecret);
        }
        let made_by = |secret: &Secret| {
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else {
                return false;
            };
            mac.update(body);
            mac.verify_slice(&self.0).is_ok()
        };
        if secrets.iter().any(made_by) { Ok(()) } else { Err(Refusal::Wrong) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const PUBLISHED: &[u8] = b"sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn check(header: &[u8], secrets: &[&str], body: &[u8]) -> Result<(), Refusal> {
        let secrets: Vec<_> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
        Signature::parse(Some(header))?.verify(&secrets, body)
    }

    #[test]
    fn the_vector_that_github_publishes_passes() {
        assert_eq!(check(PUBLISHED, &[SECRET], BODY), Ok(()));
    }

    #[test]
    fn during_a_rotation_any_of_the_secrets_will_do() {
        assert_eq!(check(PUBLISHED, &["the new one", SECRET], BODY), Ok(()));
    }

    #[test]
    fn another_body_or_secret_is_refused() {
        assert_eq!(check(PUBLISHED, &[SECRET], b"Hello, World?"), Err(Refusal::Wrong));
        assert_eq!(check(PUBLISHED, &["another"], BODY), Err(Refusal::Wrong));
    }

    #[test]
    fn without_a_secret_nothing_passes() {
        assert_eq!(check(PUBLISHED, &[], BODY), Err(Refusal::NoSecret));
    }

    #[test]
    fn only_the_form_that_github_sends_is_taken() {
        assert_eq!(Signature::parse(None), Err(Refusal::Missing));
        let upper = PUBLISHED.to_ascii_uppercase();
        let upper_digits = [b"sha256=", &upper[7..]].concat();
        let twice = [PUBLISHED, b", ", PUBLISHED].concat();
        let bad: [&[u8]; 7] =
            [b"", b"sha256=", &PUBLISHED[7..], &PUBLISHED[..70], b"sha1=757107ea", &upper_digits, &twice];
        for header in bad {
            assert_eq!(Signature::parse(Some(header)), Err(Refusal::Malformed), "{}", header.escape_ascii());
        }
    }
}

#[cfg(test)]
#[path = "signature_properties.rs"]
mod properties;
