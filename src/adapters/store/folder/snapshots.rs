//! Snapshots beside a run's journal: replaced by name, and durable before a record names them.

use std::{io, path::PathBuf};

use super::{
    disk::{failed, replace_synced},
    files::Files,
};
use crate::{
    error::Error,
    journal::Grant,
    model::{Epoch, RunId},
};

impl Files {
    pub(super) fn save_snapshot(&self, grant: &Grant, turn: u8, text: &[u8]) -> Result<(), Error> {
        self.check(grant)?;
        let path = self.snapshot_path(&grant.run, grant.epoch, turn);
        let temporary = self.locks.folder(&grant.run).join(format!(".snapshot-{}-{turn}", grant.epoch));
        let write = || replace_synced(&*self.locks.disk, &path, &temporary, text);
        self.with_room(&grant.run, write).map_err(|e| failed(&path, &e))
    }

    pub(super) fn snapshot(&self, run: &RunId, term: Epoch, turn: u8) -> Result<Option<String>, Error> {
        let path = self.snapshot_path(run, term, turn);
        match self.locks.disk.read(&path) {
            // What is no text is not what was written, and its digest says so.
            Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(failed(&path, &e)),
        }
    }

    /// A run that is over needs them no more.
    pub(super) fn drop_snapshots(&self, run: &RunId) {
        let folder = self.locks.folder(run);
        let names = self.locks.disk.list(&folder).unwrap_or_default();
        for name in names.iter().filter(|name| name.starts_with("snapshot-") || name.starts_with(".snapshot-")) {
            let _ = self.locks.disk.remove(&folder.join(name));
        }
    }

    fn snapshot_path(&self, run: &RunId, term: Epoch, turn: u8) -> PathBuf {
        self.locks.folder(run).join(format!("snapshot-{:010}-{turn}.json", term.0))
    }
}
