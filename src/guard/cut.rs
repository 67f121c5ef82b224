//! Places where a test may end the process, before and after every journal record.
//!
//! `INTERLOCK_CUT=before:7` kills the process with SIGKILL when its seventh record is due, that is between an effect
//! and its record; `after:7` right after that record is durable. Without the feature `cut-points` this is empty.

/// Between an effect and its record.
pub fn before_record() {
    #[cfg(feature = "cut-points")]
    armed::pass("before");
}

/// Right after a record is durable.
pub fn after_record() {
    #[cfg(feature = "cut-points")]
    armed::pass("after");
}

#[cfg(feature = "cut-points")]
mod armed {
    use std::sync::atomic::{AtomicU64, Ordering};

    static RECORDS: AtomicU64 = AtomicU64::new(0);

    pub(super) fn pass(place: &str) {
        let Ok(cut) = std::env::var("INTERLOCK_CUT") else { return };
        let count = match place {
            "before" => RECORDS.fetch_add(1, Ordering::SeqCst) + 1,
            _ => RECORDS.load(Ordering::SeqCst),
        };
        if cut == format!("{place}:{count}") {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
        }
    }
}
