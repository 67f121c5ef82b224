//! Places where a test may end the process: before and after every journal record, and amid the effect that follows one.
//!
//! `INTERLOCK_CUT=before:7` kills the process with SIGKILL when its seventh record is due, that is between an effect
//! and its record; `after:7` right after that record is durable; `amid:7:30` 30 ms after that. Without the feature
//! `cut-points` this is empty.

/// Between an effect and its record.
pub fn before_record() {
    #[cfg(feature = "cut-points")]
    armed::before();
}

/// Right after a record is durable.
pub fn after_record() {
    #[cfg(feature = "cut-points")]
    armed::after();
}

#[cfg(feature = "cut-points")]
mod armed {
    use std::{
        sync::atomic::{AtomicU64, Ordering},
        time::Duration,
    };

    static RECORDS: AtomicU64 = AtomicU64::new(0);

    pub(super) fn before() {
        let count = RECORDS.fetch_add(1, Ordering::SeqCst) + 1;
        if wanted().is_some_and(|cut| cut == format!("before:{count}")) {
            die();
        }
    }

    pub(super) fn after() {
        let count = RECORDS.load(Ordering::SeqCst);
        let Some(cut) = wanted() else { return };
        if cut == format!("after:{count}") {
            die();
        }
        let amid = cut.strip_prefix(&format!("amid:{count}:")).and_then(|millis| millis.parse().ok());
        if let Some(millis) = amid {
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(millis));
                die();
            });
        }
    }

    fn wanted() -> Option<String> {
        std::env::var("INTERLOCK_CUT").ok()
    }

    fn die() {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::this(), nix::sys::signal::Signal::SIGKILL);
    }
}
