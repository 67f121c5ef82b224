//! The run store in a cluster: Leases are its locks, ConfigMaps its journals.

mod chunk;
mod guardian;
mod journals;
mod kube_store;
mod lease;
mod locks;
mod names;
mod silence;
mod status;
mod trouble;

pub use guardian::{Candidate, Guardian};
pub use kube_store::KubeStore;
