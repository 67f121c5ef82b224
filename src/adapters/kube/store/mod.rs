//! The run store in a cluster: Leases are its locks, ConfigMaps its journals.

mod chunk;
mod guardian;
mod journals;
mod keep;
mod lease;
mod locks;
mod names;
mod silence;
mod told;
mod trouble;

pub use guardian::{Candidate, Guardian};
pub use keep::KubeStore;
pub use names::{GUARDIAN_LEASE, lease as lock_name};
