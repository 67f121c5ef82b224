//! Time, so that no test has to sleep and a jump of the wall clock can be shown to do no harm.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::Moment;

/// Reads the clocks and waits.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Reads both clocks.
    fn now(&self) -> Moment;
    /// Waits by the boot clock.
    async fn sleep(&self, length: Duration);
}
