//! Runs of bytes: what is looked for is ASCII, whatever lies around it.

pub(super) fn is_upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

pub(super) fn is_alphanumeric(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

pub(super) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)
}

pub(super) fn is_url_base64(byte: u8) -> bool {
    is_word(byte) || byte == b'-'
}

pub(super) fn is_jwt(byte: u8) -> bool {
    is_url_base64(byte) || byte == b'.'
}

pub(super) fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

pub(super) fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

/// The end of a run of bytes of a kind.
pub(super) fn end_of(bytes: &[u8], from: usize, is_part: impl Fn(u8) -> bool) -> usize {
    bytes[from..].iter().position(|byte| !is_part(*byte)).map_or(bytes.len(), |length| from + length)
}

/// The beginning of a run of bytes of a kind.
pub(super) fn start_of(bytes: &[u8], until: usize, is_part: impl Fn(u8) -> bool) -> usize {
    bytes[..until].iter().rposition(|byte| !is_part(*byte)).map_or(0, |at| at + 1)
}
