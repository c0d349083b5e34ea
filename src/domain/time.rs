//! Moments in time. The domain is handed every moment it needs and never asks a clock.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

/// A moment, in whole milliseconds since the Unix epoch (UTC).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    pub const fn as_millis(self) -> u64 {
        self.0
    }

    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// How long after `earlier` this moment is; zero where it is not after it, for clocks of different machines differ.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The moment that lies `duration` before this one, at the earliest the epoch.
    pub const fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration.as_millis() as u64))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_millis() as u64))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03} s", self.0 / 1000, self.0 % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_lie_before_and_after_each_other_and_never_before_the_epoch() {
        let (early, late) = (Timestamp::from_millis(1_500), Timestamp::from_secs(4));
        assert_eq!((early.as_secs(), late.as_millis()), (1, 4_000));
        assert_eq!(late.since(early), Duration::from_millis(2_500));
        assert_eq!(early.since(late), Duration::ZERO, "clocks of different machines differ");
        assert_eq!(early + Duration::from_millis(2_500), late);
        assert_eq!(late.before(Duration::from_millis(2_500)), early);
        assert_eq!(early.before(Duration::from_secs(2)), Timestamp::default());
    }
}
