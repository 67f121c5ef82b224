//! What a run on the shelf needs, and how it is driven to its end.

use std::sync::Arc;

use interlock::{
    adapters::store::FolderStore,
    error::Error,
    guard::{Outcome, Start, begin, drive, load, milestone},
};

use crate::{
    shelf::{HandClock, Shelf, context, plan, run_id, start},
    told::told,
};

/// A shelf, a clock and a folder for the runs.
pub struct Bench {
    pub folder: tempfile::TempDir,
    pub clock: Arc<HandClock>,
    pub shelf: Arc<Shelf>,
}

impl Bench {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: Arc::default(), shelf: start() }
    }

    pub fn store(&self) -> Arc<FolderStore> {
        Arc::new(FolderStore::new(self.folder.path(), self.clock.clone(), milestone))
    }

    pub async fn run(&self) -> Result<Outcome, Error> {
        let store = self.store();
        let grant = begin(&*store, &run_id(), &plan(), &Start::default()).await?;
        drive(&context(store, self.shelf.clone(), self.clock.clone()), &grant).await
    }

    pub async fn history(&self) -> String {
        let stored = load(&*self.store(), &run_id()).await.unwrap();
        stored.entries.iter().map(told).collect::<Vec<_>>().join("\n")
    }
}
