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

/// How the name of the folder of a cluster begins, which is made anew for each.
pub const CLUSTER: &str = "interlock-db-";

/// Ends all that the folder of a cluster or of one of its hosts holds, and removes it; repeating the call changes nothing more.
/// Blocks.
///
/// # Errors
/// Where the system refuses, or the folder is none of these.
pub fn sweep(folder: &Path) -> io::Result<()> {
    let is_cluster = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(CLUSTER));
    if !is_cluster(folder) && !folder.parent().is_some_and(is_cluster) {
        return Err(io::Error::other("this is no folder of a lab's database, and stays"));
    }
    end_below(folder)?;
    disk::unmount_below(folder)?;
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_of_clusters_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let (theirs, ours) = (dir.path().join("theirs"), dir.path().join(format!("{CLUSTER}0123456789abcdef")));
        for folder in [&theirs, &ours, &ours.join("pg1"), &ours.join("pg2")] {
            fs::create_dir(folder).unwrap();
        }
        assert!(sweep(&theirs).is_err());
        sweep(&ours.join("pg1")).unwrap();
        assert!(theirs.exists() && ours.join("pg2").exists() && !ours.join("pg1").exists());
        sweep(&ours).unwrap();
        assert!(!ours.exists());
    }
}
