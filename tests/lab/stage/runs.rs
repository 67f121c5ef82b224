//! What a stage knows of its runs: waited for, read, and held against what has to be true of each that is over.

use std::os::unix::fs::PermissionsExt as _;

use interlock::{
    adapters::store::FolderStore,
    guard::{Entry, Mode, Outcome, Stored, load, milestone},
    journal::Record,
    model::{RunId, Target},
    ports::Store as _,
};

use super::{Stage, until};
use crate::traces;

impl Stage {
    pub fn store(&self) -> FolderStore {
        FolderStore::new(self.runs_folder(), interlock::app::clock(), milestone)
    }

    pub fn runs(&self) -> Vec<RunId> {
        self.runtime.block_on(self.store().runs()).unwrap()
    }

    /// Waits until there is a run that was not there before.
    pub fn wait_for_run(&self, before: &[RunId]) -> RunId {
        let mut found = None;
        until("a new run", || {
            found = self.runs().into_iter().find(|run| !before.contains(run));
            found.is_some()
        });
        found.unwrap()
    }

    /// Waits until all traffic was shifted and the bake has had a look.
    pub fn wait_for_bake(&self, run: &RunId) {
        until("the bake", || {
            let Some(stored) = self.try_load(run) else { return false };
            let Some(bake) = stored.plan.steps.iter().rposition(|step| step.name == "bake at 100 %") else {
                return false;
            };
            stored.entries.iter().any(|entry| matches!(entry, Entry::Observed { step, .. } if *step == bake))
        });
    }

    pub fn try_load(&self, run: &RunId) -> Option<Stored> {
        self.runtime.block_on(load(&self.store(), run)).ok()
    }

    pub fn records(&self, run: &RunId) -> Vec<Record> {
        self.runtime.block_on(self.store().load(run)).unwrap()
    }

    /// How a run stands.
    pub fn mode(&self, run: &RunId) -> Mode {
        self.try_load(run).unwrap().mode()
    }

    /// Waits until a run has ended and says how.
    pub fn wait_for_end(&self, run: &RunId) -> Outcome {
        let mut found = None;
        until("the run's end", || {
            if let Some(Mode::Finished(outcome)) = self.try_load(run).map(|stored| stored.mode()) {
                found = Some(outcome);
            }
            found.is_some()
        });
        found.unwrap()
    }

    /// Whether no run holds the target.
    pub fn is_free(&self) -> bool {
        let target = Target::parse("tenant").unwrap();
        self.runtime.block_on(self.store().lock(&target)).unwrap().is_none_or(|lock| lock.run.is_none())
    }

    /// What `runs list` says of a run.
    pub fn state(&self, run: &RunId) -> String {
        let list = self.ask(&["runs", "list", "-o", "json"]);
        let all: Vec<serde_json::Value> = serde_json::from_str(&list.out).unwrap_or_else(|e| panic!("{e}: {list:?}"));
        let of_run = all.iter().find(|one| one["run"] == run.as_str());
        of_run.map_or_else(|| "missing".to_owned(), |one| one["state"].as_str().unwrap().to_owned())
    }

    /// What has to be true of every run that is over: its journal is whole, its target free, its guardian gone, and nothing of it
    /// is for others to read.
    pub fn is_clean(&self, run: &RunId) {
        for path in traces::files(&self.runs_folder()) {
            for place in path.ancestors().take_while(|place| place.starts_with(self.runs_folder())) {
                // One of a guardian that has just ended may be gone again.
                let Ok(meta) = place.metadata() else { continue };
                assert_eq!(meta.permissions().mode() & 0o077, 0, "{}", place.display());
            }
        }
        let verified = self.ask(&["runs", "verify", run.as_str()]);
        assert_eq!(verified.code, Some(0), "{verified:?}");
        assert!(self.is_free(), "{run} still holds its target: {:?}", self.mode(run));
        self.no_process_but_the_lab();
    }
}
