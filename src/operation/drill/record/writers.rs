//! What a drill needs of its writers, and those that ship: they know no time but that of this machine.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{Progress, Recorder, WriterSpec, read_back};
use crate::{
    error::Error,
    operation::drill::ledger::{Mark, Records},
    ports::Database,
};

/// Writes to a database that is drilled. A port of its own beside the clock: what is measured is the time of one machine.
#[async_trait]
pub trait Writers: Send + Sync {
    /// Begins to write, with ids from 1 on; what is seen is kept in a file as well, which is made anew.
    ///
    /// # Errors
    /// Where the spec makes no sense, or the file or a thread cannot be made.
    async fn begin(
        &self,
        database: Arc<dyn Database>,
        spec: WriterSpec,
        ledger: &Path,
    ) -> Result<Box<dyn Recording>, Error>;
    /// Reads every node's table when all is over, again and again until all have the same rows or `within` is over.
    async fn read_back(&self, database: &dyn Database, records: &mut Records, within: Duration);
}

/// Writing that goes on until it is stopped, or dropped.
#[async_trait]
pub trait Recording: Send + Sync {
    /// Marks a turn, now.
    fn mark(&self, mark: Mark);
    /// How far the writers have come.
    fn progress(&self) -> Progress;
    /// Stops writing, and returns what was seen.
    async fn stop(self: Box<Self>) -> Records;
}

/// Writers on threads of their own, which are urgent.
#[derive(Debug, Clone, Copy)]
pub struct UrgentWriters;

#[async_trait]
impl Writers for UrgentWriters {
    async fn begin(
        &self,
        database: Arc<dyn Database>,
        spec: WriterSpec,
        ledger: &Path,
    ) -> Result<Box<dyn Recording>, Error> {
        let made = ledger.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.map_err(|e| Error::Store {
            place: ledger.display().to_string(),
            why: format!("its folder cannot be made: {e}"),
            hint: "name a ledger where this user may write".to_owned(),
        })?;
        Ok(Box::new(Recorder::start(database, spec, ledger, 1).await?))
    }

    async fn read_back(&self, database: &dyn Database, records: &mut Records, within: Duration) {
        read_back(database, records, within).await;
    }
}

#[async_trait]
impl Recording for Recorder {
    fn mark(&self, mark: Mark) {
        Self::mark(self, mark);
    }

    fn progress(&self) -> Progress {
        Self::progress(self)
    }

    async fn stop(self: Box<Self>) -> Records {
        Self::stop(*self).await
    }
}
