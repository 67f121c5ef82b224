//! Where runs are kept, and the clock that they are kept by.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    adapters::{
        Cluster, Reach, SystemClock,
        store::{Candidate, FolderStore, KubeStore},
    },
    error::Error,
    ports::{Clock, Store},
};

#[must_use]
pub fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Where runs are kept: one place for each platform, and no copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    Folder(PathBuf),
    Cluster(Reach),
}

impl Location {
    /// Refuses a folder that somebody has named and that is not there: a misspelt one would look like one without runs.
    ///
    /// # Errors
    /// Where it is not there.
    pub fn ensure_named(&self, named: bool) -> Result<(), Error> {
        match self {
            Self::Folder(folder) if named && !folder.is_dir() => Err(Error::usage(
                format!("there is no folder {}", folder.display()),
                "name the folder of a run store with --store or INTERLOCK_STORE, such as .interlock/runs",
            )),
            _ => Ok(()),
        }
    }

    /// Opens the store.
    ///
    /// # Errors
    /// Where the cluster cannot be found; nothing is asked of it yet.
    pub async fn open(&self) -> Result<Arc<dyn Store>, Error> {
        match self {
            Self::Folder(folder) => Ok(store(folder)),
            Self::Cluster(reach) => Ok(Arc::new(cluster_store(reach).await?)),
        }
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Cluster(Reach { context: Some(context), namespace, .. }) => {
                write!(f, "namespace {namespace} of {context}")
            }
            Self::Cluster(Reach { namespace, .. }) => write!(f, "namespace {namespace}"),
        }
    }
}

/// The run store in a cluster, with what only a cluster has, such as its guardian.
///
/// # Errors
/// Where the cluster cannot be found.
pub async fn cluster_store(reach: &Reach) -> Result<KubeStore, Error> {
    Ok(KubeStore::new(Cluster::connect(reach).await?, clock()))
}

/// This process as one of a cluster's guardians.
///
/// # Errors
/// Where the cluster cannot be found, or the system does not say who we are.
pub async fn candidate(reach: &Reach) -> Result<Candidate, Error> {
    let host = crate::journal::Owner::current()?.host;
    Ok(Candidate::new(Cluster::connect(reach).await?, clock(), &host, rand::random()))
}

/// The run store in a folder of this machine.
#[must_use]
pub fn store(folder: &Path) -> Arc<dyn Store> {
    Arc::new(FolderStore::new(folder, clock(), crate::guard::milestone))
}
