//! The end of all that works below a folder, and of the folder.

use std::{
    fs, io,
    path::Path,
    time::{Duration, Instant},
};

use crate::process::{Below, Signal, below};

/// How long killed processes may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// Kills all that works below `root`, until nothing is left.
///
/// # Errors
/// Where the system refuses a signal, or something does not go.
pub fn end_below(root: &Path) -> io::Result<()> {
    end_at(root, |_| true)
}

/// Kills what works at those places below `root` that `which` picks, until nothing is left there.
///
/// # Errors
/// Where the system refuses a signal, or something does not go.
pub fn end_at(root: &Path, which: impl Fn(&Path) -> bool) -> io::Result<()> {
    let deadline = Instant::now() + GONE_WITHIN;
    loop {
        let left: Vec<Below> = below(root)?.into_iter().filter(|one| which(&one.place)).collect();
        let Some(first) = left.first() else { return Ok(()) };
        if Instant::now() >= deadline {
            return Err(io::Error::other(format!("process {} does not end", first.identity)));
        }
        for one in &left {
            one.identity.signal(Signal::SIGKILL)?;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Ends all that a cluster's folder holds, and removes it; repeating the call changes nothing more. Blocks.
///
/// # Errors
/// Where the system refuses.
pub fn sweep(folder: &Path) -> io::Result<()> {
    end_below(folder)?;
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
