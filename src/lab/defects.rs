//! How the faults of a release act on the requests of its users.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::lab::fault::{Deviation, Fault};

/// How long a hanging request hangs; far beyond any timeout, and yet bounded.
const HANG: Duration = Duration::from_secs(3600);
/// How the process ends when it crashes by its fault; EX_SOFTWARE of sysexits(3).
const CRASH: i32 = 70;

/// The faults of a release, and how far each has come.
pub struct Defects {
    faults: Vec<Fault>,
    served: AtomicU64,
    burst: AtomicU32,
    leaked: Mutex<Vec<Vec<u8>>>,
}

impl Defects {
    /// Faults that have not acted yet.
    pub fn new(faults: Vec<Fault>) -> Self {
        Self { faults, served: AtomicU64::new(0), burst: AtomicU32::new(0), leaked: Mutex::new(Vec::new()) }
    }

    /// Acts on one request: delays it, or ends the process; says whether the request is to fail.
    pub async fn act(&self) -> bool {
        let served = self.served.fetch_add(1, Ordering::Relaxed);
        let mut fails = false;
        for fault in &self.faults {
            match fault {
                Fault::CrashAfter(n) if served >= *n => {
                    tracing::error!(served, "crashes, as its release does");
                    std::process::exit(CRASH);
                }
                Fault::Hang { after, share } if served >= *after && chance(*share) => tokio::time::sleep(HANG).await,
                Fault::Latency { delay, share } if chance(*share) => tokio::time::sleep(*delay).await,
                Fault::ErrorRate { share, burst, after } if served >= *after => fails |= self.fails(*share, *burst),
                Fault::Leak { bytes, max } => self.leak(*bytes, *max),
                Fault::CrashAfter(_)
                | Fault::Hang { .. }
                | Fault::Latency { .. }
                | Fault::ErrorRate { .. }
                | Fault::Deviates(_) => {}
            }
        }
        fails
    }

    /// Whether the steps of a request deviate in this way.
    pub fn deviates(&self, how: Deviation) -> bool {
        self.faults.contains(&Fault::Deviates(how))
    }

    /// The memory that was kept, in bytes.
    pub fn leaked(&self) -> usize {
        self.leaked.lock().unwrap_or_else(PoisonError::into_inner).iter().map(Vec::len).sum()
    }

    /// Whether this request fails: in runs of `burst`, and `share` of all in the long run.
    ///
    /// A run begins with chance p = s / (s + b (1 - s)): then b failures stand against (1 - p) / p successes between
    /// two runs on average, which makes the share of failures s.
    fn fails(&self, share: f64, burst: u32) -> bool {
        let within = self.burst.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        if within {
            return true;
        }
        let begins = share >= 1.0 || chance(share / (share + f64::from(burst) * (1.0 - share)));
        if begins {
            self.burst.store(burst - 1, Ordering::Relaxed);
        }
        begins
    }

    fn leak(&self, bytes: u64, max: u64) {
        let mut leaked = self.leaked.lock().unwrap_or_else(PoisonError::into_inner);
        let size = usize::try_from(bytes).unwrap_or(usize::MAX);
        if (leaked.len() as u64 + 1).saturating_mul(bytes) <= max {
            // Not zero, or the pages would never be touched.
            leaked.push(vec![1; size]);
        }
    }
}

fn chance(share: f64) -> bool {
    share > 0.0 && rand::random::<f64>() < share
}
