//! Pruning of a run that is over: one line takes the place of its journal.

use std::io;

use super::{
    disk::{failed, replace_synced},
    files::Files,
    read::{read_journal, read_pruned},
};
use crate::{
    error::Error,
    journal::{Record, Sealed},
    model::RunId,
};

/// What is left of a journal: the line that follows its last record.
pub(super) const PRUNED: &str = "pruned.jsonl";
/// The line while it is written.
const TEMPORARY: &str = ".pruned.jsonl";

impl Files {
    /// The runs whose line is there beside what it stands for.
    pub(super) fn half_pruned(&self) -> Result<Vec<RunId>, Error> {
        let mut half = Vec::new();
        for run in self.locks.runs()? {
            let folder = self.locks.folder(&run);
            let names = self.locks.disk.list(&folder).map_err(|e| failed(&folder, &e))?;
            if names.iter().any(|name| name == PRUNED) && names.iter().any(|name| is_of_a_journal(name)) {
                half.push(run);
            }
        }
        Ok(half)
    }

    /// What tells that a target was given free, and in which term, stays beside the line.
    pub(super) fn prune(&self, run: &RunId, checkpoint: serde_json::Value) -> Result<Record, Error> {
        let (disk, folder) = (&*self.locks.disk, self.locks.folder(run));
        let told = |e: io::Error| failed(&folder, &e);
        let names = disk.list(&folder).map_err(told)?;
        let record = match read_pruned(disk, &folder, &names)? {
            Some((record, _)) => record,
            None => {
                let (records, tail) = read_journal(disk, &folder)?;
                let epoch = records.last().map(|record| record.epoch).unwrap_or_default();
                let sealed = tail.chain.seal(self.now().wall, epoch, checkpoint);
                let Sealed { record, line, .. } = sealed.map_err(|e| told(io::Error::other(e)))?;
                replace_synced(disk, &folder.join(PRUNED), &folder.join(TEMPORARY), line.as_bytes()).map_err(told)?;
                record
            }
        };
        for name in disk.list(&folder).map_err(told)?.iter().filter(|name| is_of_a_journal(name)) {
            disk.remove(&folder.join(name)).map_err(|e| failed(&folder.join(name), &e))?;
        }
        disk.sync_folder(&folder).map_err(told)?;
        Ok(record)
    }
}

/// Whether the store has written it for a journal that is not needed any more. What it has not made stays.
fn is_of_a_journal(name: &str) -> bool {
    let name = name.strip_prefix('.').unwrap_or(name);
    let numbered =
        |before: &str| name.strip_prefix(before).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    matches!(name, "journal.jsonl" | "head.json" | "reserve")
        || name.starts_with("head.json.")
        || ["journal-", "head-", "left-", "snapshot-"].iter().any(|before| numbered(before))
}
