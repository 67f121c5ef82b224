//! How long this machine kept a thread waiting that only wanted to sleep for a millisecond.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const NAP: Duration = Duration::from_millis(1);

/// Watches the machine until it is asked.
pub struct Witness {
    stop: Arc<AtomicBool>,
    worst: Arc<AtomicU64>,
    thread: thread::JoinHandle<()>,
}

impl Witness {
    pub fn begin() -> Self {
        let (stop, worst) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (told, longest) = (stop.clone(), worst.clone());
        let thread = thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                let begun = Instant::now();
                thread::sleep(NAP);
                let late = begun.elapsed().saturating_sub(NAP);
                longest.fetch_max(u64::try_from(late.as_micros()).unwrap(), Ordering::Relaxed);
            }
        });
        Self { stop, worst, thread }
    }

    /// The longest that it was kept waiting, in microseconds.
    pub fn worst(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.worst.load(Ordering::Relaxed)
    }
}
