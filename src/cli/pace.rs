//! A clock that hurries through the waiting.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::domain::time::Timestamp;

/// The longest step of real time that is taken for one. The clock is asked much more often than this, so a longer one
/// means that the machine was busy elsewhere, and a build must not end in the blink that it missed.
const LONGEST_STEP: Duration = Duration::from_millis(50);

/// The world's time. It runs at a multiple of real time, but no faster than real time while a function is at work: what
/// a function does takes as long as it takes, only the waiting is shortened. Otherwise 30 s, which a function has on
/// Lambda, would be over before a slow machine has answered one request.
#[derive(Clone)]
pub(super) struct Pace(Arc<Mutex<State>>);

struct State {
    rate: f64,
    at_work: usize,
    world_millis: f64,
    real: Instant,
}

impl State {
    fn rate_now(&self) -> f64 {
        if self.at_work > 0 { self.rate.min(1.0) } else { self.rate }
    }

    fn catch_up(&mut self) {
        let now = Instant::now();
        let step = now.duration_since(self.real).min(LONGEST_STEP);
        self.world_millis += step.as_secs_f64() * 1000.0 * self.rate_now();
        self.real = now;
    }
}

impl Pace {
    /// Starts at the system's time, `rate` times as fast.
    pub(super) fn new(rate: f64) -> Self {
        Self(Arc::new(Mutex::new(State {
            rate,
            at_work: 0,
            world_millis: Clock::system().now().as_millis() as f64,
            real: Instant::now(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Timestamp {
        let mut state = self.state();
        state.catch_up();
        Timestamp::from_millis(state.world_millis as u64)
    }

    /// From now on it is so many times as fast as real time.
    pub(super) fn set_rate(&self, rate: f64) {
        let mut state = self.state();
        state.catch_up();
        state.rate = rate;
    }

    pub(super) fn clock(&self) -> Clock {
        let pace = self.clone();
        Clock::from_fn(move || pace.now())
    }

    /// How long the world's time takes until then in real time, if nobody is at work.
    pub(super) fn real_time_until(&self, then: Timestamp) -> Duration {
        let left = then.since(self.now());
        Duration::try_from_secs_f64(left.as_secs_f64() / self.state().rate).unwrap_or(Duration::MAX)
    }

    /// Says that a function is at work, until what is returned is dropped.
    pub(super) fn at_work(&self) -> AtWork {
        let mut state = self.state();
        state.catch_up();
        state.at_work += 1;
        drop(state);
        AtWork(self.clone())
    }
}

/// A function at work.
pub(super) struct AtWork(Pace);

impl Drop for AtWork {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.catch_up();
        state.at_work = state.at_work.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_hurries_only_while_nobody_is_at_work() {
        // A rate at which any real time at all is days.
        let pace = Pace::new(1e12);
        let at_work = pace.at_work();
        let before = pace.now();
        std::thread::sleep(Duration::from_millis(2));
        assert!(pace.now().since(before) <= LONGEST_STEP);
        drop(at_work);
        std::thread::sleep(Duration::from_millis(2));
        assert!(pace.now().since(before) > Duration::from_secs(86_400));
        pace.set_rate(1.0);
        let before = pace.now();
        std::thread::sleep(Duration::from_millis(2));
        assert!(pace.now().since(before) <= LONGEST_STEP);
    }
}
