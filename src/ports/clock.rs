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
    /// Waits beside other work, such as between two signs of life. A clock that sleeps move on, as tests have it, is not
    /// moved on by this.
    async fn pause(&self, length: Duration) {
        tokio::time::sleep(length).await;
    }
}
