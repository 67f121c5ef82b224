//! Time for a database in memory: real while somebody writes to it, and free otherwise.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use interlock::{
    model::{Moment, Timestamp},
    ports::Clock,
};

/// When it begins.
const BEGIN: i64 = 1_700_000_000;

/// A clock that sleeps for real while there are sessions, whose writers know no other time; else a sleep moves it on at once.
#[derive(Clone)]
pub struct SharedClock {
    begun: Instant,
    passed: Arc<Mutex<Duration>>,
    sessions: Arc<AtomicU64>,
}

impl SharedClock {
    pub(super) fn new(sessions: Arc<AtomicU64>) -> Self {
        Self { begun: Instant::now(), passed: Arc::default(), sessions }
    }

    /// Moves it on.
    pub fn pass(&self, time: Duration) {
        *self.passed.lock().unwrap_or_else(PoisonError::into_inner) += time;
    }
}

#[async_trait]
impl Clock for SharedClock {
    fn now(&self) -> Moment {
        let passed = *self.passed.lock().unwrap_or_else(PoisonError::into_inner) + self.begun.elapsed();
        let wall = Timestamp::from_second(BEGIN).unwrap_or_default().checked_add(passed).unwrap_or_default();
        Moment { wall, boot: Duration::from_secs(3600) + passed }
    }

    async fn sleep(&self, length: Duration) {
        if self.sessions.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(length).await;
        } else {
            self.pass(length);
            // Others that wait for something else get their turn.
            tokio::task::yield_now().await;
        }
    }
}
