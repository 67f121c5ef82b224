//! The disk under the folder store: the few calls that it makes, and what a power cut leaves of each.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::Path,
};

use crate::error::Error;

/// Files and folders. A call that changes something is there for every process when it returns, and after a power cut
/// only once it was synced: what a file holds by [`Disk::sync`], its name by [`Disk::sync_folder`].
pub trait Disk: Send + Sync {
    /// Reads a whole file.
    ///
    /// # Errors
    /// As the system says.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Reads a part of a file; less where it ends before.
    ///
    /// # Errors
    /// As the system says.
    fn read_from(&self, path: &Path, from: u64, length: u64) -> io::Result<Vec<u8>> {
        let bytes = self.read(path)?;
        let (from, length) =
            (usize::try_from(from).unwrap_or(usize::MAX), usize::try_from(length).unwrap_or(usize::MAX));
        Ok(bytes.into_iter().skip(from).take(length).collect())
    }
    /// Names what a folder has.
    ///
    /// # Errors
    /// As the system says.
    fn list(&self, folder: &Path) -> io::Result<Vec<String>>;
    /// How long a file is, in bytes.
    ///
    /// # Errors
    /// As the system says.
    fn size(&self, path: &Path) -> io::Result<u64>;
    /// Creates a folder that must not exist, in one that does.
    ///
    /// # Errors
    /// `AlreadyExists`, and as the system says.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Creates a file that must not exist. Where this fails with anything but `AlreadyExists`, there is no such file.
    ///
    /// # Errors
    /// `AlreadyExists`, and as the system says.
    fn create(&self, path: &Path, content: &[u8]) -> io::Result<()>;
    /// Writes at a place in a file that exists.
    ///
    /// # Errors
    /// As the system says; a part may have been written.
    fn write_at(&self, path: &Path, offset: u64, content: &[u8]) -> io::Result<()>;
    /// Cuts a file off.
    ///
    /// # Errors
    /// As the system says.
    fn truncate(&self, path: &Path, length: u64) -> io::Result<()>;
    /// Makes durable what a file holds.
    ///
    /// # Errors
    /// As the system says; then nobody knows what a power cut would leave.
    fn sync(&self, path: &Path) -> io::Result<()>;
    /// Makes durable which names a folder has.
    ///
    /// # Errors
    /// As the system says.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Gives a file another name, in place of whichever file has it.
    ///
    /// # Errors
    /// As the system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Gives a file a second name, which must not exist.
    ///
    /// # Errors
    /// `AlreadyExists`, and as the system says.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file's name.
    ///
    /// # Errors
    /// As the system says.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder with all that it has.
    ///
    /// # Errors
    /// As the system says.
    fn remove_folder(&self, folder: &Path) -> io::Result<()>;
}

/// How many bytes of a file are read at once.
const AT_ONCE: u64 = 1024 * 1024;

#[derive(Debug, Clone, Copy, Default)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn read_from(&self, path: &Path, from: u64, length: u64) -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        if from > 0 {
            file.seek(SeekFrom::Start(from))?;
        }
        // Room for all of it, so that it is read at once; of a long file it grows.
        let mut bytes = Vec::with_capacity(usize::try_from(length.min(AT_ONCE)).unwrap_or_default());
        file.take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        fs::metadata(path).map(|meta| meta.len())
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(path)
    }

    fn create(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(content).inspect_err(|_| {
            let _ = fs::remove_file(path);
        })
    }

    fn write_at(&self, path: &Path, offset: u64, content: &[u8]) -> io::Result<()> {
        OpenOptions::new().write(true).open(path)?.write_all_at(content, offset)
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        OpenOptions::new().write(true).open(path)?.set_len(length)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        // Opened for writing: some network file systems report a failed write only to those.
        OpenOptions::new().write(true).open(path)?.sync_data()
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_folder(&self, folder: &Path) -> io::Result<()> {
        fs::remove_dir_all(folder)
    }
}

/// Whether there is no room left for this user.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Turns a system error into one that names the place.
pub(super) fn failed(place: &Path, error: &io::Error) -> Error {
    let hint = match error.kind() {
        _ if is_full(error) => "make room on that disk and try again",
        io::ErrorKind::PermissionDenied => "check who owns the folder",
        io::ErrorKind::NotFound => "`interlock runs list` shows what the store has",
        _ => "check the disk",
    };
    Error::Store { place: place.display().to_string(), why: error.to_string(), hint: hint.to_owned() }
}

pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// Creates a folder and those above it, each durable before the next; does nothing where it exists.
pub(super) fn create_folders(disk: &dyn Disk, folder: &Path) -> io::Result<()> {
    match disk.list(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        other => return other.map(drop),
    }
    let above = parent(folder);
    if above != folder {
        create_folders(disk, above)?;
    }
    match disk.create_folder(folder) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
        _ => {}
    }
    disk.sync_folder(above)
}

/// Creates a file that must not exist, and makes what it holds durable; its name is for the caller to sync.
pub(super) fn create_synced(disk: &dyn Disk, path: &Path, content: &[u8]) -> io::Result<()> {
    disk.create(path, content)?;
    disk.sync(path).inspect_err(|_| {
        let _ = disk.remove(path);
    })
}

/// Replaces a file in one step by way of `temporary`, which nobody else may use; then it is durable. What an earlier try has left
/// there is removed.
pub(super) fn replace_synced(disk: &dyn Disk, path: &Path, temporary: &Path, content: &[u8]) -> io::Result<()> {
    let _ = disk.remove(temporary);
    create_synced(disk, temporary, content)?;
    disk.rename(temporary, path).inspect_err(|_| {
        let _ = disk.remove(temporary);
    })?;
    path.parent().map_or(Ok(()), |folder| disk.sync_folder(folder))
}

/// Replaces a file in one step by way of `temporary`, which nobody else may use. Nothing is synced: after a power cut
/// the file is as before, as now, or unreadable.
pub(super) fn replace(disk: &dyn Disk, path: &Path, temporary: &Path, content: &[u8]) -> io::Result<()> {
    disk.create(temporary, content)?;
    disk.rename(temporary, path).inspect_err(|_| {
        let _ = disk.remove(temporary);
    })
}
