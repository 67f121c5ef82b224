//! The run store in a folder of this machine.
//!
//! ```text
//! locks/tenant.json          who holds the target `tenant`, and the highest epoch ever given
//! locks/tenant.guard         serialises all writers of the target, between processes
//! 20261121-093000-1f2e/
//!   journal.jsonl            the records, each synced to the disk before the next effect
//!   head.json                position and hash of the last record, so that a cut-off end shows
//!   reserve                  room that is given up when the disk is full, to record the way back
//! ```
//!
//! Its calls block for the length of a disk sync; the guard has nothing else to do meanwhile.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use nix::fcntl::Flock;

use super::{
    Digest, Grant, Lock, Owner, Record, Store,
    chain::Sealed,
    disk::{exclusive, failed, replace, sync_folder},
    lock::{held, superseded},
    verify::{Tail, read_journal, verify},
};
use crate::{
    error::Error,
    model::{Epoch, RunId, Target},
    ports::Clock,
};

/// Room kept for the records of the way back, in bytes: some hundred records of a few hundred bytes.
const RESERVE: usize = 256 * 1024;

/// A run store in a folder.
pub struct FolderStore {
    root: PathBuf,
    clock: Arc<dyn Clock>,
    tails: Mutex<HashMap<RunId, Tail>>,
}

impl FolderStore {
    /// A store in `root`, which is made when the first run is opened.
    pub fn new(root: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self { root: root.into(), clock, tails: Mutex::default() }
    }

    /// The folder of a run.
    #[must_use]
    pub fn folder(&self, run: &RunId) -> PathBuf {
        self.root.join(run.as_str())
    }

    fn lock_path(&self, target: &Target) -> PathBuf {
        self.root.join("locks").join(format!("{target}.json"))
    }

    /// Keeps every other writer of the target out, in this and in other processes.
    fn enter(&self, target: &Target) -> Result<Flock<File>, Error> {
        let path = self.root.join("locks").join(format!("{target}.guard"));
        exclusive(&path).map_err(|e| failed(&path, &e))
    }

    fn read_lock(&self, target: &Target) -> Result<Option<Lock>, Error> {
        let path = self.lock_path(target);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| Error::Tampered {
                what: format!("{} is no lock: {e}", path.display()),
                mend: "`interlock runs list` shows unfinished runs; recover them, then remove the file".to_owned(),
            }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(failed(&path, &e)),
        }
    }

    /// The lock as others are to see it: an owner who died before the first record has touched nothing and left nothing
    /// to recover, and does not hold the target.
    fn standing_lock(&self, target: &Target) -> Result<Option<Lock>, Error> {
        let Some(lock) = self.read_lock(target)? else { return Ok(None) };
        let never_began = |run: &RunId| read_journal(&self.folder(run)).is_ok_and(|(records, _)| records.is_empty());
        if lock.is_abandoned(&self.clock.now()) && lock.run.as_ref().is_some_and(never_began) {
            return Ok(Some(Lock { run: None, owner: None, ..lock }));
        }
        Ok(Some(lock))
    }

    fn write_lock(&self, lock: &Lock, durable: bool) -> Result<(), Error> {
        let path = self.lock_path(&lock.target);
        let text = serde_json::to_vec_pretty(lock).map_err(|e| failed(&path, &io::Error::other(e)))?;
        replace(&path, &text, durable).map_err(|e| failed(&path, &e))
    }

    /// The lock, if the grant is still ours; call it inside [`Self::enter`].
    fn ours(&self, grant: &Grant) -> Result<Lock, Error> {
        match self.read_lock(&grant.target)? {
            Some(lock) if lock.epoch == grant.epoch && lock.run.as_ref() == Some(&grant.run) => Ok(lock),
            other => Err(superseded(grant, other.map_or(Epoch(0), |lock| lock.epoch))),
        }
    }

    fn stamp(&self, lock: &mut Lock) {
        let now = self.clock.now();
        (lock.beat, lock.beat_at) = (now.boot, now.wall);
    }

    fn make_run_folder(&self, run: &RunId) -> Result<(), Error> {
        let folder = self.folder(run);
        let make = || -> io::Result<()> {
            fs::DirBuilder::new().mode(0o700).create(&folder)?;
            // Written out, not only sized: a sparse file would hold no room.
            replace(&folder.join("reserve"), &vec![b'.'; RESERVE], true)?;
            OpenOptions::new()
                .append(true)
                .create_new(true)
                .mode(0o600)
                .open(folder.join("journal.jsonl"))?
                .sync_all()?;
            sync_folder(&folder)?;
            sync_folder(&self.root)
        };
        make().map_err(|e| {
            let _ = fs::remove_dir_all(&folder);
            failed(&folder, &e)
        })
    }

    fn write_record(&self, grant: &Grant, entry: serde_json::Value) -> Result<Record, Error> {
        let folder = self.folder(&grant.run);
        let path = folder.join("journal.jsonl");
        let mut tails = self.tails.lock().unwrap_or_else(PoisonError::into_inner);
        let size = fs::metadata(&path).map_err(|e| failed(&path, &e))?.len();
        let tail = match tails.get(&grant.run) {
            Some(tail) if tail.bytes == size => tail.clone(),
            _ => read_journal(&folder)?.1,
        };
        let sealed = tail.chain.seal(self.clock.now().wall, grant.epoch, entry);
        let Sealed { record, line, chain } = sealed.map_err(|e| failed(&path, &io::Error::other(e)))?;
        append_line(&path, tail.bytes, line.as_bytes()).map_err(|e| failed(&path, &e))?;
        let text = serde_json::to_vec(&chain.head()).map_err(|e| failed(&folder, &io::Error::other(e)))?;
        // Not synced and allowed to fail: a head that lags behind is no contradiction.
        let _ = replace(&folder.join("head.json"), &text, false);
        tails.insert(grant.run.clone(), Tail { bytes: tail.bytes + line.len() as u64, chain });
        Ok(record)
    }
}

/// Writes a line at `offset`, cutting off what a crash left behind it. A line that did not go in whole is taken back.
fn append_line(path: &Path, offset: u64, line: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.set_len(offset)?;
    file.seek(io::SeekFrom::Start(offset))?;
    file.write_all(line).and_then(|()| file.sync_data()).inspect_err(|_| {
        let _ = file.set_len(offset);
    })
}

#[async_trait]
impl Store for FolderStore {
    async fn open(&self, run: &RunId, target: &Target, owner: &Owner, ttl: Duration) -> Result<Grant, Error> {
        let locks = self.root.join("locks");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&locks).map_err(|e| failed(&locks, &e))?;
        let _entered = self.enter(target)?;
        let before = self.standing_lock(target)?;
        if let Some(lock) = &before
            && let Some(holder) = &lock.run
        {
            return Err(held(lock, holder));
        }
        let epoch = before.map_or(Epoch(1), |lock| lock.epoch.next());
        self.make_run_folder(run)?;
        let now = self.clock.now();
        let (run, target) = (run.clone(), target.clone());
        self.write_lock(
            &Lock {
                target: target.clone(),
                epoch,
                run: Some(run.clone()),
                owner: Some(owner.clone()),
                beat: now.boot,
                beat_at: now.wall,
                ttl,
                remote: false,
            },
            true,
        )?;
        Ok(Grant { run, target, epoch, ttl })
    }

    async fn take_over(&self, seen: &Lock, owner: &Owner) -> Result<Grant, Error> {
        let _entered = self.enter(&seen.target)?;
        let Some(mut lock) = self.read_lock(&seen.target)? else {
            return Err(Error::usage(format!("{} is not locked", seen.target), "`interlock runs list` shows the runs"));
        };
        let (Some(run), true) = (lock.run.clone(), lock.epoch == seen.epoch && lock.run == seen.run) else {
            let run = seen.run.as_ref().map(ToString::to_string).unwrap_or_default();
            return Err(Error::Superseded { run, ours: seen.epoch.0, theirs: lock.epoch.0 });
        };
        lock.epoch = lock.epoch.next();
        lock.owner = Some(owner.clone());
        self.stamp(&mut lock);
        self.write_lock(&lock, true)?;
        Ok(Grant { run, target: lock.target, epoch: lock.epoch, ttl: lock.ttl })
    }

    async fn beat(&self, grant: &Grant) -> Result<(), Error> {
        let _entered = self.enter(&grant.target)?;
        let mut lock = self.ours(grant)?;
        self.stamp(&mut lock);
        self.write_lock(&lock, false)
    }

    async fn check(&self, grant: &Grant) -> Result<(), Error> {
        self.ours(grant).map(drop)
    }

    async fn release(&self, grant: &Grant) -> Result<(), Error> {
        let _entered = self.enter(&grant.target)?;
        let lock = Lock { run: None, owner: None, ..self.ours(grant)? };
        self.write_lock(&lock, true)?;
        let _ = fs::remove_file(self.folder(&grant.run).join("reserve"));
        Ok(())
    }

    async fn append(&self, grant: &Grant, entry: serde_json::Value) -> Result<Record, Error> {
        let _entered = self.enter(&grant.target)?;
        self.ours(grant)?;
        let reserve = self.folder(&grant.run).join("reserve");
        match self.write_record(grant, entry.clone()) {
            Err(_) if fs::remove_file(&reserve).is_ok() => self.write_record(grant, entry),
            other => other,
        }
    }

    async fn load(&self, run: &RunId) -> Result<Vec<Record>, Error> {
        let folder = self.folder(run);
        if !folder.is_dir() {
            return Err(Error::usage(
                format!("no run {run} in {}", self.root.display()),
                "`interlock runs list` names them",
            ));
        }
        read_journal(&folder).map(|(records, _)| records)
    }

    async fn head(&self, run: &RunId) -> Result<Digest, Error> {
        verify(&self.folder(run)).map(|verified| verified.head)
    }

    async fn runs(&self) -> Result<Vec<RunId>, Error> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(failed(&self.root, &e)),
        };
        let mut runs: Vec<_> = entries
            .filter_map(Result::ok)
            .filter(|entry| entry.path().join("journal.jsonl").is_file())
            .filter_map(|entry| RunId::parse(&entry.file_name().to_string_lossy()).ok())
            .collect();
        runs.sort();
        Ok(runs)
    }

    async fn lock(&self, target: &Target) -> Result<Option<Lock>, Error> {
        self.standing_lock(target)
    }

    fn is_exhausted(&self, run: &RunId) -> bool {
        !self.folder(run).join("reserve").exists()
    }
}
