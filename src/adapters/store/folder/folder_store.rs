//! The run store in a folder of this machine.
//!
//! ```text
//! locks/tenant.claims/
//!   0000000002.json          who holds the target `tenant` in its second term; the highest one counts
//!   0000000002.beat          the owner's last sign of life
//! locks/tenant.json          the lock of earlier releases, read where there is no claim
//! 20261121-093000-1f2e/
//!   run.json                 the claim that the run began with
//!   journal.jsonl            the records, each synced to the disk before the next effect
//!   journal-0000000002.jsonl those of the owner of the second term, which says where the part before it ends
//!   head.json                position and hash of the last record, so that a cut-off end shows; one for each part
//!   closed-0000000002        the target was given free in this term
//!   left-0000000001          the owner of this term has found that it has lost the run, and acts no more
//!   snapshot-0000000001-0.json where the series stand, as the last look says that names it; each owner has two in turn
//!   pruned.jsonl             one record in place of the journal of a run that is over; what else is left is run.json and closed-*
//!   reserve                  room that is given up when the disk is full, to record the way back
//! ```
//!
//! Each call does its work on a thread of its own, so that an owner goes on giving signs of life while the disk is slow.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::{
    Disk, Machine,
    disk::{SystemDisk, failed},
    files::Files,
    locks::Locks,
    machine::ThisMachine,
    read::{read_ends, read_journal},
};
use crate::{
    error::Error,
    journal::{Digest, Draft, Grant, Lock, Owner, ReadMilestone, Record},
    model::{Epoch, RunId, Target},
    ports::{Clock, Ends, IsEnough, Opening, Store},
};

/// How long an owner that has lost its run may take to acknowledge that.
const ACKNOWLEDGES: Duration = Duration::from_secs(2);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(50);

pub struct FolderStore {
    files: Arc<Files>,
    clock: Arc<dyn Clock>,
}

impl FolderStore {
    /// A store in `root`, which is made when the first run is opened. `read` finds in journals of earlier releases what
    /// these do not say beside their records.
    pub fn new(root: impl Into<PathBuf>, clock: Arc<dyn Clock>, read: ReadMilestone) -> Self {
        Self::on(Arc::new(SystemDisk), root, clock, read)
    }

    /// A store in a folder of another disk.
    pub fn on(disk: Arc<dyn Disk>, root: impl Into<PathBuf>, clock: Arc<dyn Clock>, read: ReadMilestone) -> Self {
        Self::of(Arc::new(ThisMachine), disk, root, clock, read)
    }

    /// A store in a folder of another machine's disk.
    pub fn of(
        machine: Arc<dyn Machine>,
        disk: Arc<dyn Disk>,
        root: impl Into<PathBuf>,
        clock: Arc<dyn Clock>,
        read: ReadMilestone,
    ) -> Self {
        Self { files: Arc::new(Files::new(Locks::new(root.into(), clock.clone(), disk, machine, read))), clock }
    }

    #[must_use]
    pub fn folder(&self, run: &RunId) -> PathBuf {
        self.files.locks.folder(run)
    }

    /// Does blocking work on a thread of its own. It goes on where nobody waits for it any more, but keeps nobody from
    /// ending: neither the runtime nor the process.
    async fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (send, receive) = oneshot::channel();
        let files = self.files.clone();
        let begun = self.files.locks.machine.spawn(Box::new(move || {
            let _ = send.send(work(&files));
        }));
        begun.map_err(|e| failed(self.root(), &e))?;
        receive.await.unwrap_or_else(|e| Err(failed(self.root(), &io::Error::other(e))))
    }

    fn root(&self) -> &Path {
        &self.files.locks.root
    }
}

#[async_trait]
impl Store for FolderStore {
    fn owner(&self) -> Result<Owner, Error> {
        self.files.locks.machine.owner()
    }

    async fn open(&self, opening: &Opening) -> Result<Grant, Error> {
        let opening = opening.clone();
        self.on_thread(move |files| files.open(&opening)).await
    }

    async fn take_over(&self, seen: &Lock, owner: &Owner) -> Result<Grant, Error> {
        let (seen, owner, now) = (seen.clone(), owner.clone(), self.clock.now());
        self.on_thread(move |files| files.take_over(&seen, &owner, now)).await
    }

    async fn beat(&self, grant: &Grant) -> Result<(), Error> {
        // Its age counts from here, however long it takes.
        let (grant, at) = (grant.clone(), self.clock.now().into());
        self.on_thread(move |files| files.beat(&grant, at)).await
    }

    async fn check(&self, grant: &Grant) -> Result<(), Error> {
        let grant = grant.clone();
        self.on_thread(move |files| files.check(&grant)).await
    }

    async fn acknowledge(&self, lost: &Grant) -> Result<(), Error> {
        let (run, epoch) = (lost.run.clone(), lost.epoch);
        self.on_thread(move |files| files.locks.acknowledge(&run, epoch)).await
    }

    async fn end(&self, run: &RunId, owner: &Owner, term: Epoch) -> Result<bool, Error> {
        let begun = self.clock.now();
        loop {
            let (run, owner) = (run.clone(), owner.clone());
            if !self.on_thread(move |files| Ok(files.locks.may_act(&run, &owner, term))).await? {
                return Ok(false);
            }
            if self.clock.now().since(&begun) >= ACKNOWLEDGES {
                break;
            }
            self.clock.sleep(LOOK).await;
        }
        self.files.locks.machine.end(owner).map_err(|e| failed(self.root(), &e))
    }

    async fn release(&self, grant: &Grant) -> Result<(), Error> {
        let grant = grant.clone();
        self.on_thread(move |files| files.release(&grant)).await
    }

    async fn free(&self, seen: &Lock, owner: &Owner, why: &str) -> Result<(), Error> {
        let (seen, owner, why) = (seen.clone(), owner.clone(), why.to_owned());
        self.on_thread(move |files| files.free(&seen, &owner, &why)).await
    }

    async fn append(&self, grant: &Grant, draft: Draft) -> Result<Record, Error> {
        let grant = grant.clone();
        self.on_thread(move |files| files.append(&grant, draft.entry)).await
    }

    async fn save_snapshot(&self, grant: &Grant, turn: u8, text: &str) -> Result<(), Error> {
        let (grant, text) = (grant.clone(), text.to_owned());
        self.on_thread(move |files| files.save_snapshot(&grant, turn, text.as_bytes())).await
    }

    async fn snapshot(&self, run: &RunId, term: Epoch, turn: u8) -> Result<Option<String>, Error> {
        let run = run.clone();
        self.on_thread(move |files| files.snapshot(&run, term, turn)).await
    }

    async fn load(&self, run: &RunId) -> Result<Vec<Record>, Error> {
        let (run, root) = (run.clone(), self.root().to_owned());
        self.on_thread(move |files| {
            let folder = files.locks.folder(&run);
            if !files.locks.exists(&folder)? {
                return Err(Error::usage(
                    format!("no run {run} in {}", root.display()),
                    "`interlock runs list` names them",
                ));
            }
            read_journal(&*files.locks.disk, &folder).map(|(records, _)| records)
        })
        .await
    }

    async fn ends(&self, runs: &[RunId], is_enough: IsEnough) -> Vec<Result<Ends, Error>> {
        let folders: Vec<PathBuf> = runs.iter().map(|run| self.folder(run)).collect();
        let read = move |files: &Files| {
            Ok(folders.iter().map(|folder| read_ends(&*files.locks.disk, folder, is_enough)).collect::<Vec<_>>())
        };
        match self.on_thread(read).await {
            Ok(all) => all,
            Err(e) => {
                let why = e.to_string();
                runs.iter().map(|_| Err(failed(self.root(), &io::Error::other(why.clone())))).collect()
            }
        }
    }

    async fn prune(&self, run: &RunId, checkpoint: Draft) -> Result<Record, Error> {
        let run = run.clone();
        self.on_thread(move |files| files.prune(&run, checkpoint.entry)).await
    }

    async fn half_pruned(&self) -> Result<Vec<RunId>, Error> {
        self.on_thread(Files::half_pruned).await
    }

    async fn head(&self, run: &RunId) -> Result<Digest, Error> {
        let folder = self.folder(run);
        self.on_thread(move |files| read_journal(&*files.locks.disk, &folder).map(|(_, tail)| tail.chain.hash)).await
    }

    async fn runs(&self) -> Result<Vec<RunId>, Error> {
        self.on_thread(|files| files.locks.runs()).await
    }

    async fn lock(&self, target: &Target) -> Result<Option<Lock>, Error> {
        let target = target.clone();
        self.on_thread(move |files| Ok(files.locks.standing(&target)?.map(|found| found.lock))).await
    }

    fn is_exhausted(&self, run: &RunId) -> bool {
        self.files.is_exhausted(run)
    }
}
