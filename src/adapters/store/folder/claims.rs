//! Claims to a target: a file for each term, which one process alone can create, and its owner's signs of life beside it.
//!
//! ```text
//! locks/tenant.claims/0000000002.json   who holds the target in this term; never changed
//! locks/tenant.claims/0000000002.beat   the owner's last sign of life; replaced, and never synced
//! ```
//!
//! Nobody waits for anybody here. Whoever was stopped while it claimed a term finds, once it goes on, that there is a
//! later one.

use std::{
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use super::disk::{Disk, create_synced, replace};
use crate::{
    journal::{Beat, Claim, numbered},
    model::Epoch,
};

/// How often a temporary name is tried that another process may have used.
const NAMES: u64 = 1000;

pub(super) struct Claims<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) folder: PathBuf,
}

impl Claims<'_> {
    /// All terms that are still there, ascending; the last is the present one.
    pub(super) fn epochs(&self) -> io::Result<Vec<Epoch>> {
        let names = match self.disk.list(&self.folder) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        let mut epochs: Vec<_> = names.iter().filter_map(|name| numbered(name, "", ".json")).collect();
        epochs.sort_unstable();
        Ok(epochs)
    }

    /// The highest term that was claimed.
    pub(super) fn highest(&self) -> io::Result<Option<Epoch>> {
        self.epochs().map(|epochs| epochs.last().copied())
    }

    pub(super) fn path(&self, epoch: Epoch) -> PathBuf {
        self.folder.join(format!("{:010}.json", epoch.0))
    }

    /// Reads a claim; `None` where it is not what one process writes in one go.
    pub(super) fn read(&self, epoch: Epoch) -> io::Result<Option<Claim>> {
        let bytes = self.disk.read(&self.path(epoch))?;
        Ok(serde_json::from_slice::<Claim>(&bytes).ok().filter(|claim| claim.epoch == epoch))
    }

    /// Claims a term, for all processes to see; it is for the caller to make the folder durable before it tells anybody.
    /// The claim has its whole content, durably, before it has its name.
    ///
    /// Fails with `AlreadyExists` where another process has claimed it.
    pub(super) fn claim(&self, claim: &Claim) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(claim).map_err(io::Error::other)?;
        let temporary = self.create_temporary(claim.epoch, |path| create_synced(self.disk, path, &text))?;
        let linked = self.disk.link(&temporary, &self.path(claim.epoch));
        let _ = self.disk.remove(&temporary);
        linked
    }

    /// Takes back a claim that nobody was told of.
    pub(super) fn withdraw(&self, epoch: Epoch) {
        let _ = self.disk.remove(&self.path(epoch));
    }

    /// The last sign of life in a term. One that is missing, or empty after a power cut, is no error.
    pub(super) fn last_beat(&self, claim: &Claim) -> Beat {
        let bytes = self.disk.read(&self.beat_path(claim.epoch)).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or(claim.at)
    }

    pub(super) fn beat(&self, epoch: Epoch, beat: Beat) -> io::Result<()> {
        let text = serde_json::to_vec(&beat).map_err(io::Error::other)?;
        let path = self.beat_path(epoch);
        // Only the owner of the term gives signs of life in it, so that its own count keeps the names apart.
        self.create_temporary(epoch, |temporary| replace(self.disk, &path, temporary, &text)).map(drop)
    }

    /// Removes what earlier terms have left. A process that claims one of them afterwards finds this one to be higher.
    pub(super) fn prune(&self, before: Epoch) {
        for name in self.disk.list(&self.folder).unwrap_or_default() {
            let digits = name.trim_start_matches('.').get(..10).unwrap_or_default();
            if digits.parse().is_ok_and(|epoch: u64| epoch < before.0) {
                let _ = self.disk.remove(&self.folder.join(name));
            }
        }
    }

    fn beat_path(&self, epoch: Epoch) -> PathBuf {
        self.folder.join(format!("{:010}.beat", epoch.0))
    }

    /// Does something with a name that no other process uses, also where pids of several namespaces are the same.
    fn create_temporary(&self, epoch: Epoch, create: impl Fn(&Path) -> io::Result<()>) -> io::Result<PathBuf> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        for _ in 0..NAMES {
            let count = LAST.fetch_add(1, Ordering::Relaxed);
            let path = self.folder.join(format!(".{:010}.{}.{count}", epoch.0, std::process::id()));
            match create(&path) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                other => return other.map(|()| path),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}
