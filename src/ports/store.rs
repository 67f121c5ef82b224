//! What the guard needs of a place that keeps runs: locks with epochs, and one journal for each run.

use std::time::Duration;

use async_trait::async_trait;

use crate::{
    error::Error,
    journal::{Digest, Draft, Grant, Lock, Owner, Record},
    model::{RunId, Target},
};

/// The one authoritative place of a run's lock and journal.
#[async_trait]
pub trait Store: Send + Sync {
    /// The process that acts through this store.
    ///
    /// # Errors
    /// Where it cannot be told from a later process.
    fn owner(&self) -> Result<Owner, Error>;
    /// Locks `target` for a new run and opens its journal.
    ///
    /// # Errors
    /// [`Error::Refused`] names the holder where the target is locked; [`Error::Taken`] where another run has the id.
    async fn open(&self, run: &RunId, target: &Target, owner: &Owner, ttl: Duration) -> Result<Grant, Error>;
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
    /// Gives the target free.
    ///
    /// # Errors
    /// [`Error::Superseded`] where the grant is no longer ours.
    async fn release(&self, grant: &Grant) -> Result<(), Error>;
    /// Appends a record; it is durable when this returns.
    ///
    /// # Errors
    /// [`Error::Superseded`] where the grant is no longer ours: either nothing was written, or it was written too late to be
    /// sure that the next owner has read it. After other errors, too, only [`Self::load`] tells whether it is there.
    async fn append(&self, grant: &Grant, draft: Draft) -> Result<Record, Error>;
    /// Reads a run's journal. A torn last line, left by a crash in the middle of a write, is left out.
    ///
    /// # Errors
    /// [`Error::Tampered`] where the chain does not hold.
    async fn load(&self, run: &RunId) -> Result<Vec<Record>, Error>;
    /// The hash that ends a run's journal; whoever notes it elsewhere can tell later whether all of it was rewritten.
    ///
    /// # Errors
    /// [`Error::Tampered`] where the chain does not hold.
    async fn head(&self, run: &RunId) -> Result<Digest, Error>;
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
    /// Whether the store has run so short of space that the run must come to its end.
    fn is_exhausted(&self, run: &RunId) -> bool;
}
