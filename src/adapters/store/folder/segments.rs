//! The parts of a run's journal in a folder: one is begun for each term, and records are appended to it.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    disk::{create_synced, failed, is_full, replace},
    files::Files,
    read::read_journal,
};
use crate::{
    error::Error,
    journal::{After, Chain, Claim, Grant, Head, Header, Record, Sealed, Segment, Tail, broken, superseded},
    model::{Epoch, RunId},
};

/// Only one append of a grant at a time; those of other grants do not wait for it.
pub(super) type Slot = Arc<Mutex<Option<Place>>>;

/// Where the next record goes, and the line before it, where it is not known whether that would outlast a power cut.
#[derive(Debug, Clone)]
pub(super) struct Place {
    tail: Tail,
    unsynced: Option<String>,
}

impl Files {
    /// Begins the part of the journal that belongs to a claim, behind all that earlier owners have written until now.
    pub(super) fn begin_segment(&self, claim: Claim) -> Result<(), Error> {
        let (disk, folder, run) = (&*self.locks.disk, self.locks.folder(&claim.run), claim.run.clone());
        let before = read_journal(disk, &folder)?.1;
        let segment = Segment(Some(claim.epoch));
        let path = folder.join(segment.name());
        let Tail { segment: older, bytes, chain: Chain { records, hash } } = before.clone();
        let after = After { segment: older.name(), bytes, records, hash };
        let epoch = claim.epoch;
        let line = Header { claim, after }.seal().map_err(|e| failed(&path, &io::Error::other(e)))?;
        // The owner before may have died between a line and its sync: what is counted here must outlast a power cut, or the
        // line that counts it would not fit what is left.
        let before_path = folder.join(before.segment.name());
        let begin = || {
            disk.sync(&before_path)?;
            disk.sync_folder(&folder)?;
            create_synced(disk, &path, line.as_bytes())?;
            disk.sync_folder(&folder).inspect_err(|_| {
                let _ = disk.remove(&path);
            })
        };
        match self.with_room(&run, begin) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Error::Superseded { run: run.to_string(), ours: epoch.0, theirs: epoch.0 });
            }
            other => other.map_err(|e| failed(&path, &e))?,
        }
        let tail = Tail { segment, bytes: line.len() as u64, chain: before.chain };
        *self.slot(&run, epoch).lock().unwrap_or_else(PoisonError::into_inner) = Some(Place { tail, unsynced: None });
        Ok(())
    }

    fn slot(&self, run: &RunId, epoch: Epoch) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry((run.clone(), epoch)).or_default().clone()
    }

    /// Appends a record, and looks once it is durable whether it was still ours to write.
    pub(super) fn append(&self, grant: &Grant, entry: serde_json::Value) -> Result<Record, Error> {
        self.check(grant)?;
        let folder = self.locks.folder(&grant.run);
        let slot = self.slot(&grant.run, grant.epoch);
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let mut place = self.place(grant, slot.take())?;
        let path = folder.join(place.tail.segment.name());
        let write = |offset: u64, line: &str| {
            self.with_room(&grant.run, || self.locks.disk.write_at(&path, offset, line.as_bytes()))
        };
        // It was written and may not be durable; others may have read it already, so that it stays as it is.
        if let Some(line) = place.unsynced.clone() {
            let offset = place.tail.bytes - line.len() as u64;
            let synced = write(offset, &line).and_then(|()| self.locks.disk.sync(&path));
            place.unsynced = synced.is_err().then_some(line);
            if let Err(e) = synced {
                *slot = Some(place);
                return Err(failed(&path, &e));
            }
        }
        let sealed = place.tail.chain.seal(self.now().wall, grant.epoch, entry);
        let Sealed { record, line, chain } = sealed.map_err(|e| failed(&path, &io::Error::other(e)))?;
        let offset = place.tail.bytes;
        if let Err(e) = write(offset, &line) {
            // Not a whole line, so that nobody has read it.
            let _ = self.locks.disk.truncate(&path, offset);
            *slot = Some(place);
            return Err(failed(&path, &e));
        }
        place.tail = Tail { bytes: offset + line.len() as u64, chain, ..place.tail };
        let sync = || self.locks.disk.sync(&path);
        // A sync that failed may have dropped what it was to write, so that this is written again.
        let synced = sync().or_else(|e| match is_full(&e) && self.locks.disk.remove(&self.spare(&grant.run)).is_ok() {
            true => write(offset, &line).and_then(|()| sync()),
            false => Err(e),
        });
        if let Err(e) = synced {
            place.unsynced = Some(line);
            *slot = Some(place);
            return Err(failed(&path, &e));
        }
        let head = place.tail.chain.head();
        let name = place.tail.segment.head();
        *slot = Some(place);
        self.check(grant)?;
        self.note_head(&folder, &name, head.as_ref());
        Ok(record)
    }

    /// Not synced and allowed to fail: a head that lags behind is no contradiction.
    fn note_head(&self, folder: &std::path::Path, name: &str, head: Option<&Head>) {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let count = LAST.fetch_add(1, Ordering::Relaxed);
        let temporary = folder.join(format!(".{name}.{}.{count}", std::process::id()));
        let written = serde_json::to_vec(&head).map_err(io::Error::other);
        let _ = written.and_then(|text| replace(&*self.locks.disk, &folder.join(name), &temporary, &text));
    }

    /// Where the next record of a grant goes, as it is remembered or as the journal shows it.
    fn place(&self, grant: &Grant, known: Option<Place>) -> Result<Place, Error> {
        let folder = self.locks.folder(&grant.run);
        if let Some(place) = known {
            let path = folder.join(place.tail.segment.name());
            let size = self.locks.disk.size(&path).map_err(|e| failed(&path, &e))?;
            if size == place.tail.bytes {
                return Ok(place);
            }
        }
        let tail = read_journal(&*self.locks.disk, &folder)?.1;
        if tail.segment.0.is_some_and(|epoch| epoch > grant.epoch) {
            return Err(superseded(grant, tail.segment.0.unwrap_or_default()));
        }
        let path = folder.join(tail.segment.name());
        let own = Segment(Some(grant.epoch));
        if tail.segment != own && self.locks.exists(&folder.join(own.name()))? {
            return Err(broken(&folder.join(own.name()), tail.chain.records, "its first line is torn"));
        }
        // What a write that failed has left.
        self.locks.disk.truncate(&path, tail.bytes).map_err(|e| failed(&path, &e))?;
        Ok(Place { tail, unsynced: None })
    }
}
