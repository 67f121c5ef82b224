//! Folders that are the lab's own: marked when they are made. What somebody else has made is neither taken nor removed.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use super::state::fault;
use crate::error::Error;

/// The file that marks such a folder.
pub const MARKER: &str = ".interlock-lab";
const TEXT: &str = "`interlock lab` has made this folder. It removes here what it has made itself, and nothing else.\n";

/// Makes a folder (mode 0700) and marks it, or finds the mark of an earlier time. One without a mark is taken only where it is
/// empty, or where `is_earlier` knows all its names as those that an earlier release has left.
///
/// # Errors
/// Where the folder is somebody else's, or the system refuses.
pub fn take(folder: &Path, is_earlier: impl Fn(&[String]) -> bool) -> Result<(), Error> {
    let told = |e: io::Error| fault(folder, &e);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(told)?;
    let names = names(folder).map_err(told)?;
    if names.iter().any(|name| name == MARKER) {
        return Ok(());
    }
    if !names.is_empty() && !is_earlier(&names) {
        let what = format!("{} is not empty, and `interlock lab` did not make it", folder.display());
        return Err(Error::usage(what, "name a folder that is new or empty; nothing was touched"));
    }
    let marker = File::options().write(true).create_new(true).mode(0o600).open(folder.join(MARKER));
    match marker.and_then(|mut file| file.write_all(TEXT.as_bytes())) {
        // Another command has marked it meanwhile.
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(told(e)),
        _ => Ok(()),
    }
}

/// Keeps other commands from a marked folder until the file is dropped, or this process ends.
///
/// # Errors
/// Where another command has it; `held` says by what and what to do.
pub fn hold(folder: &Path, held: impl FnOnce() -> Error) -> Result<File, Error> {
    let path = folder.join(MARKER);
    let file = File::open(&path).map_err(|e| fault(&path, &e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(held()),
        Err(fs::TryLockError::Error(e)) => Err(fault(&path, &e)),
    }
}

/// Writes a document into a marked folder. Another one of that name stays, under the next free name of `NAME.1`, `NAME.2`.
///
/// # Errors
/// Where the system refuses.
pub fn write_beside(path: &Path, text: &str) -> Result<(), Error> {
    if fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    set_aside(path)?;
    let file = File::options().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|e| fault(path, &e))
}

/// Gives what is at a path the next free name of `NAME.1`, `NAME.2`; does nothing where nothing is there.
///
/// # Errors
/// Where the system refuses.
pub fn set_aside(path: &Path) -> Result<(), Error> {
    if path.symlink_metadata().is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
        return Ok(());
    }
    let numbered = |number: u32| PathBuf::from(format!("{}.{number}", path.display()));
    let free = (1..).map(numbered).find(|other| other.symlink_metadata().is_err()).unwrap_or_else(|| numbered(0));
    fs::rename(path, free).map_err(|e| fault(path, &e))
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once_it_is_empty_or_marked() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("new/lab");
        take(&folder, |_| false).unwrap();
        fs::write(folder.join("notes"), "mine").unwrap();
        take(&folder, |_| false).unwrap();

        let theirs = dir.path().join("theirs");
        fs::create_dir(&theirs).unwrap();
        fs::write(theirs.join("notes"), "mine").unwrap();
        let refused = take(&theirs, |_| false).unwrap_err();
        assert!(refused.to_string().contains("did not make it"), "{refused}");
        assert_eq!(names(&theirs).unwrap(), ["notes"]);
    }

    #[test]
    fn what_is_there_under_a_documents_name_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("interlock.yaml");
        for text in ["first", "second", "third", "third"] {
            write_beside(&path, text).unwrap();
        }
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(["interlock.yaml", "interlock.yaml.1", "interlock.yaml.2"].map(read), ["third", "first", "second"]);
    }

    #[test]
    fn one_command_at_a_time_holds_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        take(dir.path(), |_| false).unwrap();
        let held = || Error::usage("held", "");
        let first = hold(dir.path(), held).unwrap();
        assert!(hold(dir.path(), held).is_err());
        drop(first);
        assert!(hold(dir.path(), held).is_ok());
    }
}
