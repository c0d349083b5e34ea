//! Moments as GitHub writes them: RFC 3339, in whole seconds, in UTC.

use serde::{Deserialize, Deserializer, Serializer};

use crate::domain::time::Timestamp;

const DAY: u64 = 24 * 60 * 60;

/// `2026-01-24T22:03:44Z`.
pub(crate) fn format(at: Timestamp) -> String {
    let (days, rest) = (at.as_secs() / DAY, at.as_secs() % DAY);
    let (mut year, mut day) = (1970, days);
    while day >= days_of(year) {
        day -= days_of(year);
        year += 1;
    }
    let mut month = 1;
    while day >= month_days(year, month) {
        day -= month_days(year, month);
        month += 1;
    }
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", day + 1)
}

/// The moment of a text like `2026-01-24T22:03:44Z`, also with a fraction of a second and in another time zone.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let (time, zone_minutes) = match time.strip_suffix(['Z', 'z']) {
        Some(time) => (time, 0),
        None => {
            let (time, zone) = time.split_at(time.rfind(['+', '-'])?);
            let (hours, minutes) = zone[1..].split_once(':')?;
            let minutes = number(hours)? * 60 + number(minutes)?;
            let minutes = i64::try_from(minutes).ok()?;
            (time, if zone.starts_with('-') { -minutes } else { minutes })
        }
    };
    let time = time.split_once('.').map_or(time, |(whole, _)| whole);
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    // A minute's 60th second is a leap second.
    let right = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=month_days(year, month)).contains(&day)
        && (hour < 24 && minute < 60 && second <= 60);
    if !right {
        return None;
    }
    let days = (1970..year).map(days_of).sum::<u64>() + (1..month).map(|month| month_days(year, month)).sum::<u64>();
    let seconds = (days + day - 1) * DAY + hour * 3600 + minute * 60 + second;
    let seconds = i64::try_from(seconds).ok()? - zone_minutes * 60;
    u64::try_from(seconds).ok().map(Timestamp::from_secs)
}

fn numbers(text: &str, separator: char) -> Option<[u64; 3]> {
    let mut parts = text.split(separator).map(number);
    let all = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(all)
}

fn number(digits: &str) -> Option<u64> {
    (digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok())?
}

fn is_leap(year: u64) -> bool {
    (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400)
}

fn days_of(year: u64) -> u64 {
    365 + u64::from(is_leap(year))
}

fn month_days(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// For `#[serde(serialize_with)]`; a moment that is not known is left out by `skip_serializing_if`.
pub(super) fn serialize<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.serialize_str(&format(*at)),
        None => serializer.serialize_none(),
    }
}

/// For `#[serde(deserialize_with)]`; what is no moment is as good as none.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.as_deref().and_then(parse))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_come_back_as_they_were_written() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T00:00:00Z", 951_782_400),
            ("2024-02-29T23:59:59Z", 1_709_251_199),
            ("2024-12-31T23:59:59Z", 1_735_689_599),
            ("2026-01-24T22:03:44Z", 1_769_292_224),
        ] {
            assert_eq!(format(Timestamp::from_secs(seconds)), text);
            assert_eq!(parse(text), Some(Timestamp::from_secs(seconds)));
        }
    }

    #[test]
    fn fractions_and_time_zones_are_understood_and_nonsense_is_not() {
        let expected = Some(Timestamp::from_secs(1_769_292_224));
        assert_eq!(parse("2026-01-24T22:03:44.208Z"), expected);
        assert_eq!(parse("2026-01-24T14:03:44-08:00"), expected);
        assert_eq!(parse("2026-01-25T03:33:44+05:30"), expected);
        for text in ["", "2026-01-24", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-24T22:03Z", "soon"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
