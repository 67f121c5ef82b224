//! What the folder store does, each as one blocking call. Nothing that another process needs is held through a sync.

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    disk::{create_folders, create_synced, failed, is_full, parent, replace},
    locks::{Found, Locks},
    read::read_journal,
};
use crate::{
    error::Error,
    journal::{
        After, Beat, Chain, Claim, FIRST, Grant, Head, Header, Lock, Owner, Record, Sealed, Segment, Tail, alive,
        broken, held, superseded,
    },
    model::{Epoch, Moment, RunId, Target},
};

/// Room kept for the records of the way back, in bytes: some hundred records of a few hundred bytes.
const SPARE: usize = 256 * 1024;
/// How often a free target is tried against others who want it as well.
const TRIES: u32 = 10;

/// Where the next record goes, and the line before it, where it is not known whether that would outlast a power cut.
#[derive(Debug, Clone)]
struct Place {
    tail: Tail,
    unsynced: Option<String>,
}

/// Only one append of a grant at a time; those of other grants do not wait for it.
type Slot = Arc<Mutex<Option<Place>>>;

pub(super) struct Files {
    pub(super) locks: Locks,
    slots: Mutex<HashMap<(RunId, Epoch), Slot>>,
}

impl Files {
    pub(super) fn new(locks: Locks) -> Self {
        Self { locks, slots: Mutex::default() }
    }

    fn now(&self) -> Moment {
        self.locks.clock.now()
    }

    fn spare(&self, run: &RunId) -> PathBuf {
        self.locks.folder(run).join("reserve")
    }

    pub(super) fn is_exhausted(&self, run: &RunId) -> bool {
        self.locks.disk.size(&self.spare(run)).is_err()
    }

    /// Does something, and once more with the room that is kept for it where the disk is full, and only there.
    fn with_room<T>(&self, run: &RunId, act: impl Fn() -> io::Result<T>) -> io::Result<T> {
        match act() {
            Err(e) if is_full(&e) && self.locks.disk.remove(&self.spare(run)).is_ok() => {
                // Some file systems give room back only once it is certain that nobody needs it.
                let _ = self.locks.disk.sync_folder(&self.locks.folder(run));
                act()
            }
            other => other,
        }
    }

    /// Whether the grant is still ours: nobody has claimed a later term, and the target was not given free.
    pub(super) fn check(&self, grant: &Grant) -> Result<(), Error> {
        let claims = self.locks.claims(&grant.target);
        let highest = claims.highest().map_err(|e| failed(&claims.folder, &e))?.unwrap_or(grant.epoch);
        if highest > grant.epoch || self.locks.is_closed(&grant.run, grant.epoch)? {
            return Err(superseded(grant, highest.max(grant.epoch)));
        }
        Ok(())
    }

    pub(super) fn open(&self, run: &RunId, target: &Target, owner: &Owner, ttl: Duration) -> Result<Grant, Error> {
        let claims = self.locks.claims(target);
        create_folders(&*self.locks.disk, &claims.folder).map_err(|e| failed(&claims.folder, &e))?;
        // Another process may have created them and not come to this yet.
        for folder in [&self.locks.root.join("locks"), &self.locks.root] {
            self.locks.disk.sync_folder(folder).map_err(|e| failed(folder, &e))?;
        }
        let _ = self.locks.disk.sync_folder(parent(&self.locks.root));
        for _ in 0..TRIES {
            let before = self.locks.standing(target)?;
            if let Some(Found { lock, .. }) = &before
                && let Some(holder) = &lock.run
            {
                return Err(held(lock, holder));
            }
            let (claimed, epoch) =
                before.map_or((Epoch(0), Epoch(1)), |found| (found.claimed, found.lock.epoch.next()));
            let (run, target, owner, at) = (run.clone(), target.clone(), owner.clone(), self.now().into());
            let claim = Claim { target, epoch, run, owner, ttl, at };
            self.create_run(&claim)?;
            match self.claim(&claim, claimed, || Ok(())) {
                Ok(()) => return Ok(grant_of(claim)),
                Err(e) => {
                    let _ = self.locks.disk.remove_folder(&self.locks.folder(&claim.run));
                    if !matches!(e, Error::Superseded { .. }) {
                        return Err(e);
                    }
                }
            }
        }
        Err(failed(&claims.folder, &io::Error::new(io::ErrorKind::WouldBlock, "others claim the target all the time")))
    }

    /// Creates a run's folder with all that it needs, durably, or leaves nothing.
    fn create_run(&self, claim: &Claim) -> Result<(), Error> {
        let (disk, folder) = (&*self.locks.disk, self.locks.folder(&claim.run));
        match disk.create_folder(&folder) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                return Err(Error::Taken { run: claim.run.to_string() });
            }
            other => other.map_err(|e| failed(&folder, &e))?,
        }
        let fill = || -> io::Result<()> {
            // Written out, not only sized: a sparse file would hold no room.
            create_synced(disk, &folder.join("reserve"), &vec![b'.'; SPARE])?;
            let told = serde_json::to_vec_pretty(claim).map_err(io::Error::other)?;
            create_synced(disk, &folder.join("run.json"), &told)?;
            create_synced(disk, &folder.join(FIRST), b"")?;
            disk.sync_folder(&folder)?;
            disk.sync_folder(&self.locks.root)
        };
        fill().map_err(|e| {
            let _ = disk.remove_folder(&folder);
            failed(&folder, &e)
        })
    }

    /// Claims a term: when this returns it is durable, and nobody has claimed one since `claimed` was the highest. `may_claim` is
    /// asked before the claim, and under it.
    fn claim(&self, claim: &Claim, claimed: Epoch, may_claim: impl Fn() -> Result<(), Error>) -> Result<(), Error> {
        let claims = self.locks.claims(&claim.target);
        let lost = |theirs: Epoch| Error::Superseded {
            run: claim.run.to_string(),
            ours: claim.epoch.0.saturating_sub(1),
            theirs: theirs.0,
        };
        create_folders(&*self.locks.disk, &claims.folder).map_err(|e| failed(&claims.folder, &e))?;
        may_claim()?;
        match claims.highest().map_err(|e| failed(&claims.folder, &e))? {
            Some(highest) if highest > claimed => return Err(lost(highest)),
            _ => {}
        }
        match self.with_room(&claim.run, || claims.claim(claim)) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Err(lost(claim.epoch)),
            other => other.map_err(|e| failed(&claims.path(claim.epoch), &e))?,
        }
        // A claim that was slow to come about is not to look like an owner who has been silent ever since.
        let _ = claims.beat(claim.epoch, self.now().into());
        let synced = may_claim().and_then(|()| {
            let synced = self.with_room(&claim.run, || self.locks.disk.sync_folder(&claims.folder));
            synced.map_err(|e| failed(&claims.folder, &e))
        });
        if let Err(e) = synced {
            claims.withdraw(claim.epoch);
            return Err(e);
        }
        let others = claims.epochs().map_err(|e| failed(&claims.folder, &e))?;
        match others.into_iter().rev().find(|other| *other > claimed && *other != claim.epoch) {
            // A later one, or one of a lower term that was not there when this one was chosen: its owner has the target. Where
            // that one has seen ours as well, both give way, and whoever tries again first gets it.
            Some(other) => {
                claims.withdraw(claim.epoch);
                Err(lost(other))
            }
            None => {
                claims.prune(claim.epoch);
                self.locks.note_for_earlier_releases(&claim.target, claim.epoch, Some(claim));
                Ok(())
            }
        }
    }

    pub(super) fn take_over(&self, seen: &Lock, owner: &Owner, at: Moment) -> Result<Grant, Error> {
        let Some(found) = self.locks.standing(&seen.target)? else {
            return Err(Error::usage(format!("{} is not locked", seen.target), "`interlock runs list` shows the runs"));
        };
        let lock = found.lock.clone();
        let (Some(run), true) = (lock.run.clone(), lock.epoch == seen.epoch && lock.run == seen.run) else {
            let run = seen.run.as_ref().map(ToString::to_string).unwrap_or_default();
            return Err(Error::Superseded { run, ours: seen.epoch.0, theirs: lock.epoch.0 });
        };
        // Whoever takes over from an owner that was gone must not do so once it has come back.
        let was_gone = seen.is_abandoned(&at);
        let may_claim = || {
            let Some(lock) = self.locks.again(&found).filter(|_| was_gone) else { return Ok(()) };
            if lock.is_abandoned(&self.now()) { Ok(()) } else { Err(alive(&lock)) }
        };
        let last = self.locks.last_segment(&run)?.unwrap_or_default();
        if last > lock.epoch {
            let claims = self.locks.claims(&lock.target);
            let highest = claims.highest().map_err(|e| failed(&claims.folder, &e))?.unwrap_or_default();
            if highest > lock.epoch {
                return Err(Error::Superseded { run: run.to_string(), ours: seen.epoch.0, theirs: highest.0 });
            }
        }
        // Later than what the journal has, also where the claim to that is lost.
        let epoch = last.max(lock.epoch).next();
        let (target, owner, ttl, at) = (lock.target, owner.clone(), lock.ttl, self.now().into());
        let claim = Claim { target, epoch, run, owner, ttl, at };
        self.claim(&claim, found.claimed, may_claim)?;
        let grant = grant_of(claim.clone());
        if let Err(e) = self.begin_segment(claim) {
            let path = self.locks.folder(&grant.run).join(Segment(Some(epoch)).name());
            // Nobody was told of it, so that whoever tries next need not wait until this one has been silent.
            if matches!(self.locks.exists(&path), Ok(false)) {
                self.locks.claims(&grant.target).withdraw(epoch);
            }
            return Err(e);
        }
        self.check(&grant)?;
        Ok(grant)
    }

    /// Begins the part of the journal that belongs to a claim, behind all that earlier owners have written until now.
    fn begin_segment(&self, claim: Claim) -> Result<(), Error> {
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

    pub(super) fn beat(&self, grant: &Grant, at: Beat) -> Result<(), Error> {
        self.check(grant)?;
        let claims = self.locks.claims(&grant.target);
        claims.beat(grant.epoch, at).map_err(|e| failed(&claims.folder, &e))
    }

    pub(super) fn release(&self, grant: &Grant) -> Result<(), Error> {
        self.check(grant)?;
        let (disk, folder) = (&*self.locks.disk, self.locks.folder(&grant.run));
        let path = self.locks.closed_path(&grant.run, grant.epoch);
        let close = || match disk.create(&path, b"") {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
            _ => disk.sync_folder(&folder),
        };
        self.with_room(&grant.run, close).map_err(|e| failed(&path, &e))?;
        let _ = disk.remove(&self.spare(&grant.run));
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).retain(|(run, _), _| *run != grant.run);
        let claims = self.locks.claims(&grant.target);
        match claims.highest().map_err(|e| failed(&claims.folder, &e))? {
            Some(highest) if highest > grant.epoch => Err(superseded(grant, highest)),
            _ => {
                self.locks.note_for_earlier_releases(&grant.target, grant.epoch, None);
                Ok(())
            }
        }
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

fn grant_of(claim: Claim) -> Grant {
    let Claim { run, target, epoch, ttl, .. } = claim;
    Grant { run, target, epoch, ttl }
}
