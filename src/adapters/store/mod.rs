//! Where runs are kept: in a folder of this machine, or in a namespace of a cluster.

mod folder;
mod kube;
mod owner;

pub use self::kube::{Candidate, Guardian, KubeStore};
pub use folder::{Disk, FolderStore, Machine, Sight, Work};
