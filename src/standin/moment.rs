//! Moments as the services write them.

use serde_json::{Value, json};

use crate::domain::time::Timestamp;

/// Seconds since the epoch as a JSON number, the way AWS's JSON protocols write a timestamp.
pub(crate) fn epoch(at: Timestamp) -> Value {
    json!(at.as_millis() as f64 / 1000.0)
}

/// `2026-01-24T22:03:44Z`, the way GitHub and the EventBridge envelope write a moment.
pub(crate) fn seconds(at: Timestamp) -> String {
    let (date, time) = parts(at);
    format!("{date}T{time}Z")
}

/// `2026-01-24T22:03:44.208Z`, the way CodePipeline's events write a start time.
pub(crate) fn millis(at: Timestamp) -> String {
    let (date, time) = parts(at);
    format!("{date}T{time}.{:03}Z", at.as_millis() % 1000)
}

/// `2026/01/24 22:03:44.208000`, the way CodeBuild's agent writes a moment into a build's log.
pub(crate) fn container(at: Timestamp) -> String {
    let (date, time) = parts(at);
    format!("{} {time}.{:03}000", date.replace('-', "/"), at.as_millis() % 1000)
}

/// `Sat, 24 Jan 2026 22:03:44 GMT`, the way HTTP writes a moment.
pub(crate) fn http(at: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let days = at.as_secs() / 86_400;
    let (year, month, day) = civil(days);
    // The epoch was a Thursday. Both remainders are within their list.
    let (weekday, month) = (DAYS[(days % 7) as usize], MONTHS[((month + 11) % 12) as usize]);
    format!("{weekday}, {day:02} {month} {year:04} {} GMT", parts(at).1)
}

fn parts(at: Timestamp) -> (String, String) {
    let seconds = at.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let rest = seconds % 86_400;
    let time = format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
    (format!("{year:04}-{month:02}-{day:02}"), time)
}

/// The proleptic Gregorian date of a day since 1970-01-01. Years are counted from March, so that the leap day is the
/// last day of a year and needs no case of its own.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_has_its_own_form() {
        assert_eq!(http(Timestamp::from_secs(0)), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http(Timestamp::from_secs(1_709_251_199)), "Thu, 29 Feb 2024 23:59:59 GMT");
        assert_eq!(http(Timestamp::from_secs(1_769_292_224)), "Sat, 24 Jan 2026 22:03:44 GMT");
    }

    #[test]
    fn dates_come_out_right_around_leap_days_and_at_the_epoch() {
        assert_eq!(seconds(Timestamp::from_secs(0)), "1970-01-01T00:00:00Z");
        assert_eq!(seconds(Timestamp::from_secs(951_782_400)), "2000-02-29T00:00:00Z");
        assert_eq!(seconds(Timestamp::from_secs(1_709_251_199)), "2024-02-29T23:59:59Z");
        assert_eq!(seconds(Timestamp::from_secs(1_769_292_224)), "2026-01-24T22:03:44Z");
        assert_eq!(millis(Timestamp::from_millis(1_769_292_224_208)), "2026-01-24T22:03:44.208Z");
    }

    #[test]
    fn the_agent_of_codebuild_writes_microseconds() {
        assert_eq!(container(Timestamp::from_millis(1_769_292_224_208)), "2026/01/24 22:03:44.208000");
    }

    #[test]
    fn a_timestamp_of_the_json_protocol_is_a_number() {
        assert_eq!(epoch(Timestamp::from_millis(1_500)).to_string(), "1.5");
    }
}
