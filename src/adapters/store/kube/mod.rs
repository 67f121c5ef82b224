//! The run store in a cluster: Leases are its locks, ConfigMaps its journals.

mod chunk;
mod guardian;
mod journals;
mod kube_store;
mod lease;
mod locks;
mod names;
mod parts;
mod prune;
mod silence;
mod snapshots;
mod status;
mod trouble;

pub use guardian::{Candidate, Guardian};
pub use kube_store::KubeStore;
