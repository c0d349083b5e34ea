//! Spans of time as people type them.

use std::time::Duration;

const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 60 * 60), ('d', 24 * 60 * 60)];

/// Longer ago than this GitHub, Lambda's queue and CloudWatch's metrics have forgotten everything.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// `--since`: a number and its unit, `90s`, `30m`, `3h` or `2d`.
pub(super) fn since(text: &str) -> Result<Duration, String> {
    let wrong = || "it must be a number with s, m, h or d, as in 30m, 3h or 2d".to_owned();
    let unit = text.chars().last().and_then(|unit| UNITS.iter().find(|(known, _)| *known == unit)).ok_or_else(wrong)?;
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    let span = Duration::from_secs(number.saturating_mul(unit.1));
    if number == 0 || span > LONGEST { Err("it must be from 1s to 366d".to_owned()) } else { Ok(span) }
}

/// `30 min`, `3 h`, `24 h`, `2 d`, the way texts say it.
pub(super) fn in_words(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        _ if seconds > 86_400 && seconds.is_multiple_of(86_400) => format!("{} d", seconds / 86_400),
        _ if seconds.is_multiple_of(3_600) => format!("{} h", seconds / 3_600),
        _ if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_number_with_its_unit() {
        assert_eq!(since("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(since("3h").map(in_words).as_deref(), Ok("3 h"));
        assert_eq!(since("2d").map(in_words).as_deref(), Ok("2 d"));
        assert_eq!(since("1d").map(in_words).as_deref(), Ok("24 h"));
        assert_eq!(since("90m").map(in_words).as_deref(), Ok("90 min"));
        for wrong in ["", "3", "h", "0h", "-1h", "3 h", "1.5h", "3é", "99999999999999999999d", "400d"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }
}
