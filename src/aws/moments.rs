//! What time it is at AWS, as its answers tell.
//!
//! A function's clock is AWS's. A person's may be minutes off, and how long a build is in its phase, or whether a rollout
//! has begun late, is a difference between two moments of AWS's.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;

use crate::clock::Clock;
use crate::domain::time::Timestamp;

/// The header tells whole seconds, and has been on its way: what is less than this is no difference of clocks.
const NO_DIFFERENCE: u64 = 2_000;

/// How far AWS's clock is ahead of the machine's, in milliseconds, by the `Date` of its last answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Moments(Arc<AtomicI64>);

impl Moments {
    /// A clock that goes as AWS's does. Until the first answer it is the machine's own.
    pub(crate) fn clock(&self) -> Clock {
        let (own, ahead) = (Clock::system(), self.0.clone());
        Clock::from_fn(move || {
            let now = own.now().as_millis();
            Timestamp::from_millis(now.saturating_add_signed(ahead.load(Ordering::Relaxed)))
        })
    }

    fn learn(&self, date: &str) {
        let told = DateTime::from_str(date, Format::HttpDate).ok().and_then(|told| told.to_millis().ok());
        let Some(told) = told else { return };
        let ahead = told.saturating_sub_unsigned(Clock::system().now().as_millis());
        let ahead = if ahead.unsigned_abs() < NO_DIFFERENCE { 0 } else { ahead };
        self.0.store(ahead, Ordering::Relaxed);
    }
}

#[dyn_dispatch_hint]
impl Intercept for Moments {
    fn name(&self) -> &'static str {
        "Moments"
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.learn(date);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_goes_as_the_answers_say() {
        let moments = Moments::default();
        moments.learn("Sat, 24 Jan 2026 22:00:00 GMT");
        let told = Timestamp::from_secs(1_769_292_000);
        let now = moments.clock().now();
        assert!(now >= told && now.since(told).as_secs() < 60, "{now:?}");
        moments.learn("yesterday");
        assert!(moments.clock().now().since(told).as_secs() < 60, "what can't be read changes nothing");
    }

    #[test]
    fn the_second_that_the_header_leaves_out_is_no_difference() {
        let moments = Moments::default();
        let now = DateTime::from_millis(i64::try_from(Clock::system().now().as_millis()).unwrap_or_default());
        moments.learn(&now.fmt(Format::HttpDate).unwrap_or_default());
        assert_eq!(moments.0.load(Ordering::Relaxed), 0);
    }
}
