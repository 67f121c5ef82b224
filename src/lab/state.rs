//! The folder of a lab: what lies in it, and how its documents are read and replaced whole.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use super::{known::LabFile, own};
use crate::error::Error;

/// Where a lab lives unless told otherwise, beside the platform file.
pub const DEFAULT_FOLDER: &str = ".interlock/lab";

/// The folder that holds everything a lab writes.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// Names a folder, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Makes the folder (mode 0700) where it is missing, marks it as the lab's own, and makes its path absolute.
    ///
    /// # Errors
    /// Where it is somebody else's, or the system refuses.
    pub fn create(path: &Path) -> Result<Self, Error> {
        // Labs of earlier releases left no mark.
        let has_lock = path.join("logs").join("supervisor.lock").is_file();
        own::take(path, |names| has_lock && names.iter().all(|name| is_of_lab(name) || STAYING.contains(&&**name)))?;
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path.join("logs"));
        made.and_then(|()| path.canonicalize()).map(Self).map_err(|e| fault(path, &e))
    }

    /// The folder's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// `lab.json`: see [`LabFile`].
    #[must_use]
    pub fn lab(&self) -> PathBuf {
        self.0.join("lab.json")
    }

    /// The weights and the highest epoch that the gateway has seen.
    #[must_use]
    pub fn weights(&self) -> PathBuf {
        self.0.join("weights.json")
    }

    /// The list of [`Backend`](super::known::Backend)s that the gateway follows.
    #[must_use]
    pub fn backends(&self) -> PathBuf {
        self.0.join("backends.json")
    }

    /// The list of [`Process`](super::known::Process)es, so that `lab down` can look whether one is left.
    #[must_use]
    pub fn processes(&self) -> PathBuf {
        self.0.join("processes.json")
    }

    /// The log of one process; all that stays after `lab down`.
    #[must_use]
    pub fn log(&self, name: &str) -> PathBuf {
        self.0.join("logs").join(format!("{name}.log"))
    }

    /// What only one supervisor can hold at a time. It is never removed, since another may be waiting for it.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.0.join("logs").join("supervisor.lock")
    }

    /// The file of the store; SQLite keeps its journal beside it.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.0.join("store.sqlite")
    }

    /// The list of the scripted services' replicas, by which they find each other.
    #[must_use]
    pub fn services(&self) -> PathBuf {
        self.0.join("services.json")
    }

    /// The configuration that scripted services run on.
    #[must_use]
    pub fn configuration(&self) -> PathBuf {
        self.0.join("config.json")
    }

    /// The key of the identity provider; a secret.
    #[must_use]
    pub fn signing_key(&self) -> PathBuf {
        self.0.join("identity.json")
    }

    /// The secrets of webhooks.
    #[must_use]
    pub fn webhook_secrets(&self) -> PathBuf {
        self.0.join("webhooks.json")
    }

    /// The database of a scripted service.
    #[must_use]
    pub fn database_of(&self, service: &str) -> PathBuf {
        self.0.join(DATABASES).join(format!("{service}.sqlite"))
    }

    /// The configuration and the data of Prometheus.
    #[must_use]
    pub fn prometheus(&self) -> PathBuf {
        self.0.join(PROMETHEUS)
    }

    /// The plan of the lab's database, for the agents of its hosts; it holds secrets.
    #[must_use]
    pub fn cluster(&self) -> PathBuf {
        self.0.join("cluster.json")
    }

    /// What a host of the database is meant to be.
    #[must_use]
    pub fn host(&self, name: &str) -> PathBuf {
        self.0.join(format!("host-{name}.json"))
    }

    /// Reads `lab.json`.
    ///
    /// # Errors
    /// Where no lab is up in this folder, or the file makes no sense.
    pub fn read_lab(&self) -> Result<LabFile, Error> {
        self.find_lab()?.ok_or_else(|| {
            Error::port(
                crate::ports::PortError::NotFound { what: format!("lab in {}", self.0.display()) },
                "start one with `interlock lab up`, or say where it is: --folder of `interlock lab`, or target.lab.folder in the platform file",
            )
        })
    }

    /// The same, if one is or was up there.
    ///
    /// # Errors
    /// Where what stands there cannot be read.
    pub fn find_lab(&self) -> Result<Option<LabFile>, Error> {
        read(&self.lab())
    }

    /// Removes what the lab has made there, but for the logs and what is for people.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn clear(&self) -> Result<(), Error> {
        for entry in fs::read_dir(&self.0).map_err(|e| fault(&self.0, &e))?.flatten() {
            let path = entry.path();
            let removed = match entry.file_name().to_str() {
                Some(PROMETHEUS) => fs::remove_dir_all(&path),
                Some(DATABASES) => clear_databases(&path),
                Some(name) if is_of_lab(name) => fs::remove_file(&path),
                _ => continue,
            };
            absent_is_fine(removed).map_err(|e| fault(&path, &e))?;
        }
        Ok(())
    }
}

const PROMETHEUS: &str = "prometheus";
/// The folder of the scripted services' databases.
const DATABASES: &str = "databases";
/// What stays of a lab that is down.
const STAYING: [&str; 3] = ["logs", "interlock.yaml", "slo.yaml"];

/// Removes the databases of scripted services, and their folder unless somebody has put something else there.
fn clear_databases(folder: &Path) -> io::Result<()> {
    const ENDINGS: [&str; 3] = [".sqlite", ".sqlite-wal", ".sqlite-shm"];
    for entry in fs::read_dir(folder)?.flatten() {
        let name = entry.file_name();
        if ENDINGS.iter().any(|ending| name.to_string_lossy().ends_with(ending)) {
            fs::remove_file(entry.path())?;
        }
    }
    match fs::remove_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        other => other,
    }
}

/// Whether a lab that is up has made what has this name, and removes it when it goes down.
fn is_of_lab(name: &str) -> bool {
    // What a writer left that was killed halfway: its pid is in the name.
    let temporary = name.strip_suffix(".tmp").and_then(|name| name.rsplit_once('.'));
    let stem = match temporary {
        Some((stem, pid)) if pid.parse::<u32>().is_ok() => stem,
        Some(_) => return false,
        None => match name.strip_suffix(".json") {
            Some(stem) => stem,
            None => return matches!(name, PROMETHEUS | "store.sqlite" | "store.sqlite-journal"),
        },
    };
    matches!(
        stem,
        "lab" | "weights" | "backends" | "services" | "config" | "identity" | "webhooks" | "processes" | "cluster"
    ) || stem.starts_with("host-")
}

/// Reads a JSON document; none where there is no such file.
///
/// # Errors
/// Where the file cannot be read or makes no sense.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Error> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| fault(path, &e)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(fault(path, &e)),
    }
}

/// Writes a JSON document (mode 0600) so that a reader sees the old or the new one whole, also after a power cut.
///
/// # Errors
/// Where the system refuses.
pub fn write<T: Serialize + ?Sized>(path: &Path, value: &T) -> Result<(), Error> {
    let text = serde_json::to_vec_pretty(value).map_err(|e| fault(path, &e))?;
    replace(path, &text).map_err(|e| fault(path, &e))
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Each writer has one thread for one file, so the pid makes the name its own.
    let temp = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&temp)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temp, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// The error of a file in the lab's folder.
pub(crate) fn fault(path: &Path, why: &impl std::fmt::Display) -> Error {
    Error::Store {
        place: path.display().to_string(),
        why: why.to_string(),
        hint: "look at the lab's folder, or name another with --folder".into(),
    }
}

/// The error of a part of the lab that does not work.
pub(crate) fn broken(what: &str, why: impl std::fmt::Display) -> Error {
    Error::port(crate::ports::PortError::unreachable(what, why), "the logs in the lab's folder say more")
}

/// A token that nobody can guess.
#[must_use]
pub fn new_token() -> String {
    format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>())
}

#[cfg(test)]
mod tests {
    use super::{super::known::Backend, *};

    #[test]
    fn documents_are_private_and_replaced_whole() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::create(&dir.path().join("lab")).unwrap();
        assert!(folder.read_lab().is_err());
        write(&folder.backends(), &Vec::<Backend>::new()).unwrap();
        assert_eq!(folder.backends().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read::<Vec<Backend>>(&folder.backends()).unwrap(), Some(vec![]));
        folder.clear().unwrap();
        assert_eq!(read::<Vec<Backend>>(&folder.backends()).unwrap(), None);
    }

    /// A file of its own beside each that the lab makes, and one that only looks like it.
    #[test]
    fn what_the_lab_did_not_make_stays() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::create(&dir.path().join("lab")).unwrap();
        let at = |name: &str| folder.path().join(name);
        let theirs = ["notes.tmp", "host-list.txt", "host-pg1.json.bak", "weights.json.orig", "lab.yaml", "a.12.tmp"];
        let ours = ["lab.json", "weights.json", "host-pg1.json", "weights.4242.tmp", "store.sqlite", "cluster.json"];
        for name in theirs.into_iter().chain(ours) {
            fs::write(at(name), "{}").unwrap();
        }
        fs::create_dir(at("data")).unwrap();
        fs::create_dir(folder.prometheus()).unwrap();
        folder.clear().unwrap();
        assert_eq!(theirs.map(|name| at(name).exists()), [true; 6]);
        assert_eq!(ours.map(|name| at(name).exists()), [false; 6]);
        assert!(at("data").is_dir() && !folder.prometheus().exists());
    }

    #[test]
    fn a_folder_of_somebody_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let earlier = ["logs/supervisor.lock", "interlock.yaml", "slo.yaml"];
        fs::create_dir(dir.path().join("logs")).unwrap();
        for (at, name) in earlier.into_iter().enumerate() {
            fs::write(dir.path().join(name), "{}").unwrap();
            // A lab of an earlier release, which left no mark.
            assert!(Folder::create(dir.path()).is_ok(), "{at}");
            fs::remove_file(dir.path().join(own::MARKER)).unwrap();
        }
        for theirs in ["notes", "prometheus.yml", "weights.json.orig"] {
            fs::write(dir.path().join(theirs), "{}").unwrap();
            assert!(Folder::create(dir.path()).is_err(), "{theirs}");
            assert!(!dir.path().join(own::MARKER).exists());
            fs::remove_file(dir.path().join(theirs)).unwrap();
        }
    }
}
