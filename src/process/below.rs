//! Processes that work below a folder, whoever has started them: found by where they are, never by a name.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{Identity, identity};

/// A process that works below a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Below {
    pub identity: Identity,
    /// Where it works, seen from the folder; what was deleted meanwhile keeps its place.
    pub place: PathBuf,
    /// Whether it is stopped by a signal.
    pub stopped: bool,
}

/// The processes that work below `folder` and have no terminal: a person who looks around there is left alone.
///
/// # Errors
/// Where `/proc` cannot be read. A process that ends meanwhile, or hides its folder from us, is none of these.
pub fn below(folder: &Path) -> io::Result<Vec<Below>> {
    let boot_id = identity::boot_id()?;
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let Some(place) = place(pid, folder) else { continue };
        let Ok(stat) = identity::stat(pid) else { continue };
        if stat.terminal || matches!(stat.state, 'Z' | 'X') {
            continue;
        }
        let identity = Identity { pid, start_ticks: stat.start_ticks, boot_id: boot_id.clone() };
        found.push(Below { identity, place, stopped: matches!(stat.state, 'T' | 't') });
    }
    Ok(found)
}

/// Where a process works, if that is below `folder`.
pub(super) fn place(pid: i32, folder: &Path) -> Option<PathBuf> {
    let cwd = fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
    cwd.strip_prefix(folder).ok().map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_is_found_by_where_it_works() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().canonicalize().unwrap();
        fs::create_dir(folder.join("data")).unwrap();
        assert_eq!(below(&folder).unwrap(), []);
        let mut command = Command::new("setsid");
        command.args(["sleep", "60"]).current_dir(folder.join("data")).stdin(Stdio::null());
        let mut child = command.spawn().unwrap();
        // It is known for what it is once it has left our terminal, should we have one.
        let found = (0..500).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            below(&folder).unwrap().pop()
        });
        child.kill().unwrap();
        child.wait().unwrap();
        let found = found.unwrap();
        assert_eq!(found.identity.pid, i32::try_from(child.id()).unwrap());
        assert_eq!((found.place.as_path(), found.stopped), (Path::new("data"), false));
        assert_eq!(below(&folder).unwrap(), []);
    }
}
