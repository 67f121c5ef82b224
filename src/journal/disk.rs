//! Writing files so that they are whole after a crash, and locking them between processes.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use nix::fcntl::{Flock, FlockArg};

use crate::error::Error;

/// Turns a system error into one that names the place.
pub fn failed(place: &Path, error: &io::Error) -> Error {
    let mend = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room on that disk and try again",
        io::ErrorKind::PermissionDenied => "check who owns the folder",
        io::ErrorKind::NotFound => "`interlock runs list` shows what the store has",
        _ => "check the disk",
    };
    Error::Store { place: place.display().to_string(), why: error.to_string(), mend: mend.to_owned() }
}

/// Replaces a file in one step. With `durable` it is on the disk when this returns.
pub fn replace(path: &Path, content: &[u8], durable: bool) -> io::Result<()> {
    let parent = path.parent().unwrap_or_else(|| Path::new("."));
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary = parent.join(format!(".{name}.{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    let written = file.write_all(content).and_then(|()| if durable { file.sync_all() } else { Ok(()) });
    if let Err(e) = written.and_then(|()| fs::rename(&temporary, path)) {
        let _ = fs::remove_file(&temporary);
        return Err(e);
    }
    if durable { sync_folder(parent) } else { Ok(()) }
}

/// Makes a folder's entries durable.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Holds a file's lock until dropped; other processes wait for it.
pub fn exclusive(path: &Path) -> io::Result<Flock<File>> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| io::Error::from(errno))
}
