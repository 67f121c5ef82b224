//! Orphans: what our children leave behind stays below us, and is waited for once it has ended.

use std::{fs, io};

use nix::{
    sys::{
        prctl,
        wait::{WaitPidFlag, waitpid},
    },
    unistd::{Pid, getpid},
};

use super::identity;

/// Makes this process the parent of all orphans below it, instead of the system's first process.
///
/// # Errors
/// Where the system refuses.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(prctl::set_child_subreaper(true)?)
}

/// Waits for the children that have ended, but for those that somebody else here waits for.
pub fn reap(is_waited_for: impl Fn(i32) -> bool) {
    let own = getpid().as_raw();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let ended = identity::stat(pid).is_ok_and(|stat| stat.parent == own && stat.state == 'Z');
        if ended && !is_waited_for(pid) {
            // It may have been waited for meanwhile, which is what was wanted.
            let _ = waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG));
        }
    }
}
