//! A store that dies at its n-th append, as a process would.

use std::{
    fs::OpenOptions,
    io::Write as _,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use interlock::{
    adapters::store::FolderStore,
    error::Error,
    guard::milestone,
    journal::{Digest, Draft, Grant, Lock, Owner, Record},
    model::{Epoch, RunId, Target},
    ports::{Clock, Opening, Store},
};

/// Where a store is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The effect is there, its record is not.
    Before,
    /// The record is there, the process is not.
    After,
    /// Half of the record is there.
    Torn,
}

/// All of them.
pub const CUTS: [Cut; 3] = [Cut::Before, Cut::After, Cut::Torn];

/// A folder store that dies at its n-th append.
pub struct CutStore {
    inner: FolderStore,
    at: Option<(u64, Cut)>,
    appends: AtomicU64,
    /// Who takes over next is told that the owner, who was silent for too long, gave a sign of life meanwhile.
    comes_back: AtomicBool,
}

impl CutStore {
    pub fn new(root: PathBuf, clock: Arc<dyn Clock>, at: Option<(u64, Cut)>) -> Self {
        Self {
            inner: FolderStore::new(root, clock, milestone),
            at,
            appends: AtomicU64::new(0),
            comes_back: false.into(),
        }
    }

    /// A store whose owner is silent for too long, and is back while its run is taken over for the first time.
    pub fn coming_back(root: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self { comes_back: true.into(), ..Self::new(root, clock, None) }
    }

    pub fn appends(&self) -> u64 {
        self.appends.load(Ordering::SeqCst)
    }

    fn tear(&self, run: &RunId) {
        let path = self.inner.folder(run).join("journal.jsonl");
        let mut file = OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(b"{\"hash\":\"0123").unwrap();
    }
}

fn dead() -> Error {
    Error::Store { place: "cut".to_owned(), why: "the process is dead".to_owned(), hint: String::new() }
}

#[async_trait]
impl Store for CutStore {
    fn owner(&self) -> Result<Owner, Error> {
        self.inner.owner()
    }

    async fn open(&self, opening: &Opening) -> Result<Grant, Error> {
        self.inner.open(opening).await
    }

    async fn take_over(&self, seen: &Lock, owner: &Owner) -> Result<Grant, Error> {
        if self.comes_back.swap(false, Ordering::SeqCst) {
            return Err(Error::Refused {
                what: format!("the run belongs to {owner}, who is alive"),
                hint: String::new(),
            });
        }
        self.inner.take_over(seen, owner).await
    }

    async fn beat(&self, grant: &Grant) -> Result<(), Error> {
        self.inner.beat(grant).await
    }

    async fn check(&self, grant: &Grant) -> Result<(), Error> {
        self.inner.check(grant).await
    }

    async fn release(&self, grant: &Grant) -> Result<(), Error> {
        if self.at.is_some_and(|(at, _)| self.appends() >= at) { Err(dead()) } else { self.inner.release(grant).await }
    }

    async fn free(&self, seen: &Lock, owner: &Owner, why: &str) -> Result<(), Error> {
        self.inner.free(seen, owner, why).await
    }

    async fn append(&self, grant: &Grant, draft: Draft) -> Result<Record, Error> {
        let count = self.appends.fetch_add(1, Ordering::SeqCst) + 1;
        match self.at {
            Some((at, _)) if count > at => Err(dead()),
            Some((at, cut)) if count == at => {
                match cut {
                    Cut::Before => {}
                    Cut::After => drop(self.inner.append(grant, draft).await?),
                    Cut::Torn => self.tear(&grant.run),
                }
                Err(dead())
            }
            _ => self.inner.append(grant, draft).await,
        }
    }

    async fn save_snapshot(&self, grant: &Grant, turn: u8, text: &str) -> Result<(), Error> {
        self.inner.save_snapshot(grant, turn, text).await
    }

    async fn snapshot(&self, run: &RunId, term: Epoch, turn: u8) -> Result<Option<String>, Error> {
        self.inner.snapshot(run, term, turn).await
    }

    async fn prune(&self, run: &RunId, checkpoint: Draft) -> Result<Record, Error> {
        self.inner.prune(run, checkpoint).await
    }

    async fn half_pruned(&self) -> Result<Vec<RunId>, Error> {
        self.inner.half_pruned().await
    }

    async fn load(&self, run: &RunId) -> Result<Vec<Record>, Error> {
        self.inner.load(run).await
    }

    async fn head(&self, run: &RunId) -> Result<Digest, Error> {
        self.inner.head(run).await
    }

    async fn runs(&self) -> Result<Vec<RunId>, Error> {
        self.inner.runs().await
    }

    async fn lock(&self, target: &Target) -> Result<Option<Lock>, Error> {
        self.inner.lock(target).await
    }

    fn is_exhausted(&self, run: &RunId) -> bool {
        self.inner.is_exhausted(run)
    }
}
