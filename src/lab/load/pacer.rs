//! Says when each request is due, from a thread that does nothing else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::mpsc::{self, error::TrySendError};

/// The last stretch before a request is due is spent looking at the clock, since sleeps end late.
const SPIN: Duration = Duration::from_micros(20);
/// The longest sleep, so that the end of the load is noticed.
const NAP: Duration = Duration::from_millis(100);

/// What the pacer and its runner share.
#[derive(Default)]
pub struct Pace {
    /// Ends the pacer early.
    pub stop: AtomicBool,
    /// Requests that were due when the queue was full.
    pub dropped: AtomicU64,
}

/// Sends the time at which each of `total` requests is due, evenly at `rate` a second from `start` on.
///
/// # Errors
/// Where the thread cannot be started.
pub fn start(
    start: Instant,
    rate: f64,
    total: u64,
    due: mpsc::Sender<Instant>,
    pace: Arc<Pace>,
) -> std::io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("pacer".into()).spawn(move || {
        // Sleeps then end within microseconds instead of fifty (prctl(2)); without it there is only more jitter.
        let _ = nix::sys::prctl::set_timerslack(1_000);
        for n in 0..total {
            #[expect(clippy::cast_precision_loss, reason = "a load of 2^53 requests is out of reach")]
            let at = start + Duration::from_secs_f64(n as f64 / rate);
            if !wait_until(at, &pace.stop) {
                return;
            }
            match due.try_send(at) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => {
                    pace.dropped.fetch_add(1, Ordering::Relaxed);
                }
                Err(TrySendError::Closed(_)) => return,
            }
        }
    })
}

fn wait_until(at: Instant, stop: &AtomicBool) -> bool {
    loop {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        let left = at.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        if left > SPIN {
            thread::sleep((left - SPIN).min(NAP));
        } else {
            std::hint::spin_loop();
        }
    }
}
