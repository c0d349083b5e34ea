//! Identifiers that look like the services' own, derived from a seed.

use sha2::{Digest, Sha256};

/// A sequence of identifiers. The same seed and purpose give the same sequence in every run.
#[derive(Debug)]
pub(crate) struct Ids {
    seed: u64,
    purpose: &'static str,
    drawn: u64,
}

impl Ids {
    pub(crate) fn new(seed: u64, purpose: &'static str) -> Self {
        Self { seed, purpose, drawn: 0 }
    }

    fn block(&mut self) -> [u8; 32] {
        self.drawn += 1;
        let mut hash = Sha256::new();
        hash.update(self.seed.to_be_bytes());
        hash.update(self.purpose.as_bytes());
        hash.update(self.drawn.to_be_bytes());
        hash.finalize().into()
    }

    /// A version 4 UUID in lower case, the form of execution ids, message ids and approval tokens.
    pub(crate) fn uuid(&mut self) -> String {
        let mut block = self.block();
        block[6] = (block[6] & 0x0f) | 0x40;
        block[8] = (block[8] & 0x3f) | 0x80;
        let text = hex::encode(&block[..16]);
        [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
    }

    /// `length` hexadecimal digits, at most 64. A commit id takes 40.
    pub(crate) fn hex(&mut self, length: usize) -> String {
        let mut text = hex::encode(self.block());
        text.truncate(length);
        text
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let mut number = [0; 8];
        number.copy_from_slice(&self.block()[..8]);
        u64::from_be_bytes(number).checked_rem(bound).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids_and_another_purpose_gives_others() {
        let mut one = Ids::new(7, "executions");
        let mut again = Ids::new(7, "executions");
        let first = one.uuid();
        assert_eq!(first, again.uuid());
        assert_ne!(first, one.uuid());
        assert_ne!(first, Ids::new(7, "messages").uuid());
        assert_eq!(first.len(), 36);
        assert_eq!(&first[14..15], "4");
        assert_eq!(one.hex(40).len(), 40);
        assert_eq!(one.below(0), 0);
    }
}
