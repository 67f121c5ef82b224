//! What the guard needs of a place that keeps runs: locks with epochs, and one journal for each run.

use std::time::Duration;

use async_trait::async_trait;

use crate::{
    error::Error,
    journal::{Digest, Draft, Grant, Lock, Owner, Record},
    model::{Epoch, RunId, Target, Timestamp},
};

/// How many of a run's last records are read to learn how it ended.
pub const LAST: usize = 4;

/// Whether the records before this one need not be read.
pub type IsEnough = fn(&Record) -> bool;

/// How a run begins and ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Ends {
    /// Its first record, if it has one.
    pub first: Option<Record>,
    /// Its last ones, [`LAST`] at most, oldest first.
    pub last: Vec<Record>,
}

impl Ends {
    /// Those of a whole journal.
    #[must_use]
    pub fn of(mut records: Vec<Record>, is_enough: IsEnough) -> Self {
        let enough = records.iter().rev().take(LAST).position(is_enough).map_or(LAST, |before| before + 1);
        let first = records.first().cloned();
        Self { first, last: records.split_off(records.len().saturating_sub(enough)) }
    }
}

/// A run that is over, as a store tells people of it beside its journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// The run.
    pub run: RunId,
    /// The plan's title.
    pub title: String,
    /// What it has changed.
    pub target: Target,
    /// When it began.
    pub began: Timestamp,
    /// How it ended, in one word.
    pub word: String,
    /// Why; cut off where it is long.
    pub why: String,
    /// When it wrote its last record.
    pub ended: Timestamp,
    /// Its journal was pruned.
    pub pruned: bool,
}

/// What a new run asks a store for.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The run's name.
    pub run: RunId,
    /// The target that it locks.
    pub target: Target,
    /// Who drives it.
    pub owner: Owner,
    /// How long its owner may be silent.
    pub ttl: Duration,
    /// Objects of the target bear this epoch already; the run's is above it.
    pub least: Epoch,
}

impl Opening {
    /// The same without objects that bear any.
    #[must_use]
    pub fn new(run: &RunId, target: &Target, owner: &Owner, ttl: Duration) -> Self {
        Self { run: run.clone(), target: target.clone(), owner: owner.clone(), ttl, least: Epoch(0) }
    }
}

/// The one authoritative place of a run's lock and journal.
#[async_trait]
pub trait Store: Send + Sync {
    /// The process that acts through this store.
    ///
    /// # Errors
    /// Where it cannot be told from a later process.
    fn owner(&self) -> Result<Owner, Error>;
    /// Locks a target for a new run and opens its journal.
    ///
    /// # Errors
    /// [`Error::Refused`] names the holder where the target is locked; [`Error::Taken`] where another run has the id.
    async fn open(&self, opening: &Opening) -> Result<Grant, Error>;
    /// Makes `owner` the owner of a run that is `seen` in the lock, with a later epoch. An owner may take over from itself.
    ///
    /// # Errors
    /// [`Error::Superseded`] where the lock is no longer as `seen`; [`Error::Refused`] where its owner was gone, and has
    /// given a sign of life since.
    async fn take_over(&self, seen: &Lock, owner: &Owner) -> Result<Grant, Error>;
    /// Gives a sign of life.
    ///
    /// # Errors
    /// [`Error::Superseded`] where the grant is no longer ours.
    async fn beat(&self, grant: &Grant) -> Result<(), Error>;
    /// Reads again whether the grant is still ours.
    ///
    /// # Errors
    /// [`Error::Superseded`] where it is not.
    async fn check(&self, grant: &Grant) -> Result<(), Error>;
    /// Says that this process acts no more for a run that it has lost.
    ///
    /// # Errors
    /// Where that cannot be written.
    async fn acknowledge(&self, lost: &Grant) -> Result<(), Error> {
        let _ = lost;
        Ok(())
    }
    /// Ends the owner of an earlier term, if its process runs where it can be seen from here and does not acknowledge within 2 s
    /// that it has lost the run; an owner elsewhere is left alone. Says whether it has ended it.
    ///
    /// # Errors
    /// Where the system refuses that.
    async fn end(&self, run: &RunId, owner: &Owner, term: Epoch) -> Result<bool, Error> {
        let _ = (run, owner, term);
        Ok(false)
    }
    /// Gives the target free.
    ///
    /// # Errors
    /// [`Error::Superseded`] where the grant is no longer ours.
    async fn release(&self, grant: &Grant) -> Result<(), Error>;
    /// Gives a target free whose run's journal cannot be read, so that nobody could take the run over. Its owner can do nothing
    /// more. `why` is kept where the store has a place for it.
    ///
    /// # Errors
    /// [`Error::Superseded`] where the lock is no longer as `seen`.
    async fn free(&self, seen: &Lock, owner: &Owner, why: &str) -> Result<(), Error>;
    /// Appends a record; it is durable when this returns.
    ///
    /// # Errors
    /// [`Error::Superseded`] where the grant is no longer ours: either nothing was written, or it was written too late to be
    /// sure that the next owner has read it. After other errors, too, only [`Self::load`] tells whether it is there.
    async fn append(&self, grant: &Grant, draft: Draft) -> Result<Record, Error>;
    /// Keeps a text beside a run's journal, in place of what this owner has kept there under the same turn, 0 or 1; it is durable when
    /// this returns, and the target's release ends it.
    ///
    /// # Errors
    /// [`Error::Superseded`] where the grant is no longer ours; where it cannot be written.
    async fn save_snapshot(&self, grant: &Grant, turn: u8, text: &str) -> Result<(), Error>;
    /// Reads what an owner has kept in its term; `None` where there is nothing.
    ///
    /// # Errors
    /// Where the store cannot be read.
    async fn snapshot(&self, run: &RunId, term: Epoch, turn: u8) -> Result<Option<String>, Error>;
    /// Reads a run's journal. A torn last line, left by a crash in the middle of a write, is left out.
    ///
    /// # Errors
    /// [`Error::Tampered`] where the chain does not hold.
    async fn load(&self, run: &RunId) -> Result<Vec<Record>, Error>;
    /// The hash that ends a run's journal, also of one that was pruned; whoever notes it elsewhere can tell later whether all of it was rewritten.
    ///
    /// # Errors
    /// [`Error::Tampered`] where the chain does not hold.
    async fn head(&self, run: &RunId) -> Result<Digest, Error>;
    /// Reads of each of some runs the first record and the last ones, a few of them: how it began and, where it is over, how it
    /// ended. What is before the newest record that `is_enough` is not read. Whether what lies between is what was written, only
    /// [`Self::load`] tells.
    ///
    /// # Errors
    /// For each run: [`Error::Tampered`] where one of them is not what was written.
    async fn ends(&self, runs: &[RunId], is_enough: IsEnough) -> Vec<Result<Ends, Error>> {
        let mut all = Vec::new();
        for run in runs {
            all.push(self.load(run).await.map(|records| Ends::of(records, is_enough)));
        }
        all
    }
    /// What the store says of runs that are over without reading their journals; nothing where it would have to.
    ///
    /// # Errors
    /// Where the store cannot be read.
    async fn glance(&self) -> Result<Vec<Glance>, Error> {
        Ok(Vec::new())
    }
    /// Replaces all records of a run that is over by one that follows the last of them, so that what was noted of the journal's head
    /// still tells whether it was this one. Removes nothing that the store has not made for this run. Where that was cut short
    /// before, it is finished, and the record that is there stays.
    ///
    /// # Errors
    /// [`Error::Tampered`] where the chain does not hold: then all of it stays.
    async fn prune(&self, run: &RunId, checkpoint: Draft) -> Result<Record, Error>;
    /// Lists the runs whose pruning was cut short: the one record is there, and not all of what it stands for is gone.
    ///
    /// # Errors
    /// Where the store cannot be read.
    async fn half_pruned(&self) -> Result<Vec<RunId>, Error>;
    /// Lists all runs, oldest first.
    ///
    /// # Errors
    /// Where the store cannot be read.
    async fn runs(&self) -> Result<Vec<RunId>, Error>;
    /// Lists the runs that hold a target, and maybe others; oldest first. Only these can have anything to put back.
    ///
    /// # Errors
    /// Where the store cannot be read.
    async fn holding(&self) -> Result<Vec<RunId>, Error> {
        self.runs().await
    }
    /// Reads a target's lock, if it was ever locked.
    ///
    /// # Errors
    /// Where the store cannot be read.
    async fn lock(&self, target: &Target) -> Result<Option<Lock>, Error>;
    /// How many bytes of records a run's journal takes beside those of its way back, where the store bounds that.
    fn room(&self) -> Option<u64> {
        None
    }
    /// Whether the store has run so short of space that the run must come to its end.
    fn is_exhausted(&self, run: &RunId) -> bool;
}
