//! The end of all that works below a folder, and of the folder.

use std::{
    fs, io,
    path::Path,
    time::{Duration, Instant},
};

use super::disk;
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
    kill(root, &which)?;
    // Killed first, and then released: nothing that had waited for its disk goes on to answer anybody.
    disk::thaw_below(root);
    loop {
        let Some(left) = kill(root, &which)? else { return Ok(()) };
        if Instant::now() >= deadline {
            return Err(io::Error::other(format!("process {} does not end", left.identity)));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Kills what is there now; gives one of it.
fn kill(root: &Path, which: &impl Fn(&Path) -> bool) -> io::Result<Option<Below>> {
    let mut found = None;
    for one in below(root)?.into_iter().filter(|one| which(&one.place)) {
        one.identity.signal(Signal::SIGKILL)?;
        found.get_or_insert(one);
    }
    Ok(found)
}

/// Ends all that a cluster's folder holds, and removes it; repeating the call changes nothing more. Blocks.
///
/// # Errors
/// Where the system refuses.
pub fn sweep(folder: &Path) -> io::Result<()> {
    end_below(folder)?;
    disk::unmount_below(folder)?;
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
