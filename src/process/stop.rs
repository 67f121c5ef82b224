//! The signals that ask a command to end.

use std::{fs, io};

use futures::future::select_all;
use nix::sys::signal::Signal;
use tokio::signal::unix::{self, SignalKind, signal};

/// INT, TERM and HUP, from when it was made. HUP is left alone where it was ignored before, as `nohup` has it ignored.
pub struct StopSignals(Vec<(&'static str, unix::Signal)>);

impl StopSignals {
    /// Listens to them from now on: they end nothing by themselves any more.
    ///
    /// # Errors
    /// Where the system takes no handlers.
    pub fn new() -> io::Result<Self> {
        let kinds = [
            ("SIGINT", SignalKind::interrupt()),
            ("SIGTERM", SignalKind::terminate()),
            ("SIGHUP", SignalKind::hangup()),
        ];
        let heard = kinds.into_iter().filter(|(name, _)| *name != "SIGHUP" || !is_ignored(Signal::SIGHUP));
        heard.map(|(name, kind)| Ok((name, signal(kind)?))).collect::<io::Result<_>>().map(Self)
    }

    /// Waits for the next one; gives its name.
    pub async fn next(&mut self) -> &'static str {
        let each = self.0.iter_mut().map(|(name, signal)| {
            Box::pin(async {
                signal.recv().await;
                *name
            })
        });
        select_all(each).await.0
    }
}

/// Whether this process ignores a signal, see proc(5).
fn is_ignored(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask >> (signal as u32 - 1) & 1 == 1
}
