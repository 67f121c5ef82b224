//! What the folder store does, each as one blocking call. Nothing that another process needs is held through a sync.

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use super::{
    disk::{create_folders, create_synced, failed, is_full, parent},
    locks::{Found, Locks},
    segments::Slot,
};
use crate::{
    error::Error,
    journal::{Beat, Claim, FIRST, Grant, Lock, Owner, Segment, alive, held, superseded},
    model::{Epoch, Moment, RunId},
    ports::Opening,
};

/// Room kept for the records of the way back, in bytes: some hundred records of a few hundred bytes.
const SPARE: usize = 256 * 1024;
/// How often a free target is tried against others who want it as well.
const TRIES: u32 = 10;

pub(super) struct Files {
    pub(super) locks: Locks,
    pub(super) slots: Mutex<HashMap<(RunId, Epoch), Slot>>,
}

impl Files {
    pub(super) fn new(locks: Locks) -> Self {
        Self { locks, slots: Mutex::default() }
    }

    pub(super) fn now(&self) -> Moment {
        self.locks.clock.now()
    }

    pub(super) fn spare(&self, run: &RunId) -> PathBuf {
        self.locks.folder(run).join("reserve")
    }

    pub(super) fn is_exhausted(&self, run: &RunId) -> bool {
        self.locks.disk.size(&self.spare(run)).is_err() && self.locks.exists(&self.locks.folder(run)).unwrap_or(true)
    }

    /// Does something, and once more with the room that is kept for it where the disk is full, and only there.
    pub(super) fn with_room<T>(&self, run: &RunId, act: impl Fn() -> io::Result<T>) -> io::Result<T> {
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

    pub(super) fn open(&self, opening: &Opening) -> Result<Grant, Error> {
        let claims = self.locks.claims(&opening.target);
        create_folders(&*self.locks.disk, &claims.folder).map_err(|e| failed(&claims.folder, &e))?;
        // Another process may have created them and not come to this yet.
        for folder in [&self.locks.root.join("locks"), &self.locks.root] {
            self.locks.disk.sync_folder(folder).map_err(|e| failed(folder, &e))?;
        }
        let _ = self.locks.disk.sync_folder(parent(&self.locks.root));
        for _ in 0..TRIES {
            let before = self.locks.standing(&opening.target)?;
            if let Some(Found { lock, .. }) = &before
                && let Some(holder) = &lock.run
            {
                return Err(held(lock, holder));
            }
            let (claimed, epoch) =
                before.map_or((Epoch(0), Epoch(1)), |found| (found.claimed, found.lock.epoch.next()));
            let Opening { run, target, owner, ttl, least } = opening.clone();
            let claim = Claim { target, epoch: epoch.max(least.next()), run, owner, ttl, at: self.now().into() };
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
            // Whoever got a later term has removed what this one had begun.
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let highest = claims.highest().ok().flatten().filter(|highest| *highest > claim.epoch);
                return Err(highest.map_or_else(|| failed(&claims.path(claim.epoch), &e), lost));
            }
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
        let run = as_seen(seen, &lock)?;
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

    pub(super) fn beat(&self, grant: &Grant, at: Beat) -> Result<(), Error> {
        self.check(grant)?;
        let claims = self.locks.claims(&grant.target);
        claims.beat(grant.epoch, at).map_err(|e| failed(&claims.folder, &e))
    }

    pub(super) fn release(&self, grant: &Grant) -> Result<(), Error> {
        self.check(grant)?;
        self.close(&grant.run, grant.epoch, "")?;
        let _ = self.locks.disk.remove(&self.spare(&grant.run));
        self.drop_snapshots(&grant.run);
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

    /// Gives a target free by a term that is claimed and closed at once, whatever the journal is, and whether it is there.
    pub(super) fn free(&self, seen: &Lock, owner: &Owner, why: &str) -> Result<(), Error> {
        let Some(found) = self.locks.standing(&seen.target)? else { return Ok(()) };
        let run = as_seen(seen, &found.lock)?;
        let folder = self.locks.folder(&run);
        create_folders(&*self.locks.disk, &folder).map_err(|e| failed(&folder, &e))?;
        let epoch = self.locks.last_segment(&run)?.unwrap_or_default().max(found.lock.epoch).next();
        let (target, owner, at) = (seen.target.clone(), owner.clone(), self.now().into());
        let claim = Claim { target, epoch, run: run.clone(), owner, ttl: found.lock.ttl, at };
        self.claim(&claim, found.claimed, || Ok(()))?;
        self.close(&run, epoch, why)?;
        self.locks.note_for_earlier_releases(&seen.target, epoch, None);
        Ok(())
    }

    /// Notes durably that the target was given free in this term.
    fn close(&self, run: &RunId, epoch: Epoch, why: &str) -> Result<(), Error> {
        let path = self.locks.closed_path(run, epoch);
        let close = || match self.locks.disk.create(&path, why.as_bytes()) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
            _ => self.locks.disk.sync_folder(&self.locks.folder(run)),
        };
        self.with_room(run, close).map_err(|e| failed(&path, &e))
    }
}

/// The run that holds a target, where its lock is still as it was seen.
fn as_seen(seen: &Lock, found: &Lock) -> Result<RunId, Error> {
    let unchanged = found.epoch == seen.epoch && found.run == seen.run;
    found.run.clone().filter(|_| unchanged).ok_or_else(|| Error::Superseded {
        run: seen.run.as_ref().map(ToString::to_string).unwrap_or_default(),
        ours: seen.epoch.0,
        theirs: found.epoch.0,
    })
}

fn grant_of(claim: Claim) -> Grant {
    let Claim { run, target, epoch, ttl, .. } = claim;
    Grant { run, target, epoch, ttl }
}
