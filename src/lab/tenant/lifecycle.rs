//! Whether a replica drains or ends.

use std::sync::atomic::{AtomicBool, Ordering};

/// Serves, drains because it was asked to, or ends.
#[derive(Debug, Default)]
pub struct Lifecycle {
    asked: AtomicBool,
    ending: AtomicBool,
}

impl Lifecycle {
    /// Whether connections are to be closed after their next answer.
    pub fn is_draining(&self) -> bool {
        self.asked.load(Ordering::Relaxed) || self.is_ending()
    }

    /// Begins or ends to drain; a replica that is to end drains whatever is asked.
    pub fn drain(&self, draining: bool) {
        self.asked.store(draining, Ordering::Relaxed);
    }

    /// Whether it was told to end, which takes it out of what is ready.
    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Relaxed)
    }

    /// Notes that it was told to end.
    pub fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }
}
