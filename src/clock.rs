//! The only place that asks what time it is.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::time::Timestamp;

/// Tells the time. The functions use the system's; a simulation hands in its own.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    pub fn system() -> Self {
        Self::from_fn(|| {
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Timestamp::from_millis(since_epoch.as_millis() as u64)
        })
    }

    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}
