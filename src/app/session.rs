//! What a command begins from: the platform file, read once, and the store of its runs.

use std::{path::PathBuf, sync::Arc};

use super::{Location, Snapshot};
use crate::{document::Loaded, error::Error, ports::Store};

/// A platform that is at hand, and its runs.
pub struct Session {
    /// The platform file with all that it names.
    pub loaded: Loaded,
    /// The same as journals keep it.
    pub snapshot: Snapshot,
    /// Where the runs are kept.
    pub place: Location,
    pub store: Arc<dyn Store>,
}

impl Session {
    /// Opens the store of a platform.
    ///
    /// # Errors
    /// Where the folder of the platform file is gone, or the cluster cannot be found.
    pub async fn open(loaded: Loaded, place: Location) -> Result<Self, Error> {
        let (snapshot, store) = (Snapshot::of(&loaded)?, place.open().await?);
        Ok(Self { loaded, snapshot, place, store })
    }

    /// The folder of what belongs to this machine alone.
    pub(super) fn home(&self) -> PathBuf {
        self.loaded.folder.join(".interlock")
    }
}
