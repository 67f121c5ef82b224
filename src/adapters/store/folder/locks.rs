//! The folder store's locks: who holds a target, by its claims, or by the runs' journals where those were lost.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    Disk, Machine,
    claims::Claims,
    disk::{failed, replace},
    earlier,
    prune::PRUNED,
    read::{newest, read_journal, read_pruned},
};
use crate::{
    error::Error,
    journal::{Beat, Claim, FIRST, Lock, Owner, ReadMilestone, Segment},
    model::{Epoch, RunId, Target, Timestamp},
    ports::Clock,
};

/// How often a claim is looked for that was removed while it was read, since there is a later one.
const TRIES: u32 = 100;

/// What changes when an owner gives a sign of life, and when this process first saw it.
type FirstSeen = ((Epoch, Timestamp), Duration);

/// A lock and where it is told.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) lock: Lock,
    pub(super) claim: Option<Claim>,
    /// The highest term that was claimed when it was found, 0 where none was: a journal may name one whose claim is still to come.
    pub(super) claimed: Epoch,
}

pub(super) struct Locks {
    pub(super) root: PathBuf,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) machine: Arc<dyn Machine>,
    read: ReadMilestone,
    seen: Mutex<HashMap<Target, FirstSeen>>,
}

impl Locks {
    pub(super) fn new(
        root: PathBuf,
        clock: Arc<dyn Clock>,
        disk: Arc<dyn Disk>,
        machine: Arc<dyn Machine>,
        read: ReadMilestone,
    ) -> Self {
        Self { root, clock, disk, machine, read, seen: Mutex::default() }
    }

    pub(super) fn folder(&self, run: &RunId) -> PathBuf {
        self.root.join(run.as_str())
    }

    pub(super) fn claims(&self, target: &Target) -> Claims<'_> {
        Claims { disk: &*self.disk, folder: self.root.join("locks").join(format!("{target}.claims")) }
    }

    /// The lock file of earlier releases.
    pub(super) fn earlier_path(&self, target: &Target) -> PathBuf {
        self.root.join("locks").join(format!("{target}.json"))
    }

    /// Says that a run has given its target free in this term.
    pub(super) fn closed_path(&self, run: &RunId, epoch: Epoch) -> PathBuf {
        self.folder(run).join(format!("closed-{:010}", epoch.0))
    }

    pub(super) fn is_closed(&self, run: &RunId, epoch: Epoch) -> Result<bool, Error> {
        self.exists(&self.closed_path(run, epoch))
    }

    /// Says that the owner of a term acts no more.
    fn left_path(&self, run: &RunId, epoch: Epoch) -> PathBuf {
        self.folder(run).join(format!("left-{:010}", epoch.0))
    }

    pub(super) fn acknowledge(&self, run: &RunId, epoch: Epoch) -> Result<(), Error> {
        let path = self.left_path(run, epoch);
        match self.disk.create(&path, b"") {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(failed(&path, &e)),
            _ => Ok(()),
        }
    }

    /// Whether the owner of a term runs where we see it, is not we, and is not known to act no more.
    pub(super) fn may_act(&self, run: &RunId, owner: &Owner, term: Epoch) -> bool {
        let sight = self.machine.look_for(owner);
        let is_other = self.machine.owner().is_ok_and(|ours| ours.process != owner.process);
        sight.here && sight.alive && is_other && self.disk.size(&self.left_path(run, term)).is_err()
    }

    pub(super) fn exists(&self, path: &Path) -> Result<bool, Error> {
        match self.disk.size(path) {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(failed(path, &e)),
        }
    }

    /// The lock as others are to see it: an owner who is gone without a record has touched nothing and left nothing to
    /// recover, and does not hold the target; nor does a run that is not there any more.
    pub(super) fn standing(&self, target: &Target) -> Result<Option<Found>, Error> {
        let Some(Found { lock, claim, claimed }) = self.find(target)? else { return Ok(None) };
        let is_free = match &lock.run {
            None => true,
            Some(run) => {
                self.is_closed(run, lock.epoch)? || (lock.is_abandoned(&self.clock.now()) && self.never_began(run)?)
            }
        };
        let lock = if is_free { Lock { run: None, owner: None, remote: false, ended: false, ..lock } } else { lock };
        Ok(Some(Found { lock, claim, claimed }))
    }

    fn never_began(&self, run: &RunId) -> Result<bool, Error> {
        let folder = self.folder(run);
        match self.disk.list(&folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(e) => Err(failed(&folder, &e)),
            Ok(_) => Ok(read_journal(&*self.disk, &folder).is_ok_and(|(records, _)| records.is_empty())),
        }
    }

    fn find(&self, target: &Target) -> Result<Option<Found>, Error> {
        let claims = self.claims(target);
        let told = |e: io::Error| failed(&claims.folder, &e);
        for _ in 0..TRIES {
            let Some(highest) = claims.highest().map_err(told)? else { break };
            match claims.read(highest) {
                // Somebody has just claimed a later one.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(failed(&claims.path(highest), &e)),
                Ok(Some(claim)) if claim.target == *target => {
                    let lock = self.as_of(&claim);
                    return Ok(Some(Found { lock, claim: Some(claim), claimed: highest }));
                }
                Ok(_) => return self.rebuild(target, highest).map(Some),
            }
        }
        let path = self.earlier_path(target);
        match self.disk.read(&path) {
            Ok(bytes) => match earlier::lock(&bytes, target) {
                Some(lock) => Ok(Some(Found { lock: self.placed(lock, true), claim: None, claimed: Epoch(0) })),
                None => self.rebuild(target, Epoch(0)).map(Some),
            },
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let found = self.rebuild(target, Epoch(0))?;
                Ok((found.lock.epoch > Epoch(0)).then_some(found))
            }
            Err(e) => Err(failed(&path, &e)),
        }
    }

    /// The lock that a claim tells of, with its owner's last sign of life.
    pub(super) fn as_of(&self, claim: &Claim) -> Lock {
        let beat = self.claims(&claim.target).last_beat(claim);
        self.placed(to_lock(claim, beat), true)
    }

    /// The same lock, as it tells of its owner by now; `None` where it was rebuilt from a journal.
    pub(super) fn again(&self, found: &Found) -> Option<Lock> {
        if let Some(claim) = &found.claim {
            return Some(self.as_of(claim));
        }
        let bytes = self.disk.read(&self.earlier_path(&found.lock.target)).ok()?;
        let lock = earlier::lock(&bytes, &found.lock.target).filter(|lock| lock.epoch == found.lock.epoch)?;
        Some(self.placed(lock, true))
    }

    /// The lock as it is to be read from here. Boot clocks are compared within one boot only, pids within one namespace.
    fn placed(&self, mut lock: Lock, has_beat: bool) -> Lock {
        let Some(owner) = &lock.owner else { return lock };
        let now = self.clock.now();
        let silent = Duration::try_from(now.wall.duration_since(lock.beat_at)).unwrap_or_default();
        // Of a boot before this one, unless another machine has the same name and gives signs of life.
        let sight = self.machine.look_for(owner);
        let is_gone = sight.same_host && !sight.same_boot && silent > lock.ttl;
        lock.remote = !sight.here && !is_gone;
        lock.ended = !lock.remote && !sight.alive;
        if !has_beat || !sight.same_boot {
            lock.beat = self.first_seen(&lock, now.boot);
        }
        lock
    }

    fn first_seen(&self, lock: &Lock, now: Duration) -> Duration {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let sign = (lock.epoch, lock.beat_at);
        match all.get(&lock.target) {
            Some((seen, since)) if *seen == sign => *since,
            _ => {
                all.insert(lock.target.clone(), (sign, now));
                now
            }
        }
    }

    /// The lock as the journals tell it. A term that is known to have been claimed, at `least`, is not given again.
    fn rebuild(&self, target: &Target, least: Epoch) -> Result<Found, Error> {
        let mut epoch = least;
        let mut holder: Option<(Lock, bool)> = None;
        for run in self.runs()? {
            let Some((lock, has_beat)) = self.told_by(&run, target)? else { continue };
            epoch = epoch.max(lock.epoch);
            let is_later = holder.as_ref().is_none_or(|(other, _)| other.epoch < lock.epoch);
            if is_later && !self.is_closed(&run, lock.epoch)? && !self.never_began(&run)? {
                holder = Some((lock, has_beat));
            }
        }
        let now = self.clock.now();
        let Some((lock, has_beat)) = holder else {
            let (run, owner) = (None, None);
            let (beat, beat_at, ttl, remote) = (now.boot, now.wall, Duration::ZERO, false);
            let lock = Lock { target: target.clone(), epoch, run, owner, beat, beat_at, ttl, remote, ended: false };
            return Ok(Found { lock, claim: None, claimed: least });
        };
        let is_last = lock.epoch == epoch;
        let mut lock = self.placed(Lock { epoch, ..lock }, has_beat && is_last);
        // Whoever claimed the last term is not known: its silence has to show that it is gone.
        lock.remote |= !is_last && lock.owner.is_some();
        lock.ended &= !lock.remote;
        Ok(Found { lock, claim: None, claimed: least })
    }

    /// What a run tells of its last claim to a target, and whether that has the owner's last sign of life.
    fn told_by(&self, run: &RunId, target: &Target) -> Result<Option<(Lock, bool)>, Error> {
        let folder = self.folder(run);
        let names = self.disk.list(&folder).map_err(|e| failed(&folder, &e))?;
        let claim = match newest(&*self.disk, &folder, &names) {
            Ok((_, Some(header))) => Some(header.claim),
            Ok((_, None)) => {
                let bytes = self.disk.read(&folder.join("run.json")).unwrap_or_default();
                let claim = serde_json::from_slice::<Claim>(&bytes).ok();
                // The later parts of a pruned journal are gone, but not which term was the last.
                let pruned = read_pruned(&*self.disk, &folder, &names).ok().flatten();
                claim.map(|claim| Claim { epoch: pruned.map_or(claim.epoch, |(last, _)| last.epoch), ..claim })
            }
            // Nothing of it can be trusted; `runs verify` says so.
            Err(_) => None,
        };
        if let Some(claim) = claim {
            let beat = self.claims(target).last_beat(&claim);
            return Ok((claim.target == *target).then(|| (to_lock(&claim, beat), true)));
        }
        let records = read_journal(&*self.disk, &folder).map(|(records, _)| records).unwrap_or_default();
        Ok(earlier::rebuilt(run, target, &records, self.read).map(|lock| (lock, false)))
    }

    /// An owner of an earlier release looks at its own lock file only.
    pub(super) fn note_for_earlier_releases(&self, target: &Target, epoch: Epoch, claim: Option<&Claim>) {
        let path = self.earlier_path(target);
        if self.disk.size(&path).is_err() {
            return;
        }
        let at = claim.map_or_else(|| self.clock.now().into(), |claim| claim.at);
        let lock = Lock {
            target: target.clone(),
            epoch,
            run: claim.map(|claim| claim.run.clone()),
            owner: claim.map(|claim| claim.owner.clone()),
            beat: at.boot,
            beat_at: at.wall,
            ttl: claim.map_or(Duration::ZERO, |claim| claim.ttl),
            remote: false,
            ended: false,
        };
        let temporary = path.with_extension(format!("{:010}", epoch.0));
        let written = serde_json::to_vec_pretty(&lock).map_err(io::Error::other);
        let written = written.and_then(|text| replace(&*self.disk, &path, &temporary, &text));
        if let Err(e) = written {
            tracing::debug!("{} was not replaced: {e}", path.display());
        }
    }

    /// The highest term that a run's journal names, beside the claims.
    pub(super) fn last_segment(&self, run: &RunId) -> Result<Option<Epoch>, Error> {
        let folder = self.folder(run);
        let names = self.disk.list(&folder).map_err(|e| failed(&folder, &e))?;
        Ok(names.iter().filter_map(|name| Segment::parse(name)?.0).max())
    }

    /// All runs, oldest first.
    pub(super) fn runs(&self) -> Result<Vec<RunId>, Error> {
        let names = match self.disk.list(&self.root) {
            Ok(names) => names,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(failed(&self.root, &e)),
        };
        let mut runs: Vec<_> = names.iter().filter_map(|name| RunId::parse(name).ok()).collect();
        let has = |folder: &Path, name: &str| self.disk.size(&folder.join(name)).is_ok();
        runs.retain(|run| {
            let folder = self.folder(run);
            has(&folder, FIRST) || has(&folder, PRUNED)
        });
        runs.sort();
        Ok(runs)
    }
}

fn to_lock(claim: &Claim, beat: Beat) -> Lock {
    let Claim { target, epoch, run, owner, ttl, .. } = claim.clone();
    let owner: Option<Owner> = Some(owner);
    Lock { target, epoch, run: Some(run), owner, beat: beat.boot, beat_at: beat.wall, ttl, remote: false, ended: false }
}
