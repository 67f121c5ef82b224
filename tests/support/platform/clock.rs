//! A clock for tests that must not wait.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use interlock::{
    model::{Moment, Timestamp},
    ports::Clock,
};

/// A clock that stands still, but for sleeps: they pass at once and move it on. Clones share one clock.
#[derive(Debug, Clone)]
pub struct MemoryClock(Arc<Mutex<Moment>>);

impl MemoryClock {
    /// A clock that begins at `wall`, one hour after the boot.
    #[must_use]
    pub fn new(wall: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Moment { wall, boot: Duration::from_secs(3600) })))
    }

    /// Moves both clocks on.
    pub fn advance(&self, by: Duration) {
        let mut now = self.lock();
        now.boot += by;
        now.wall = now.wall.checked_add(by).unwrap_or(now.wall);
    }

    /// Lets the wall clock jump, and nothing else.
    pub fn jump(&self, to: Timestamp) {
        self.lock().wall = to;
    }

    fn lock(&self) -> MutexGuard<'_, Moment> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Clock for MemoryClock {
    fn now(&self) -> Moment {
        *self.lock()
    }

    async fn sleep(&self, length: Duration) {
        self.advance(length);
        // Others that wait for something else get their turn.
        tokio::task::yield_now().await;
    }
}
