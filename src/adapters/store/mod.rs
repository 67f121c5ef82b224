//! Where runs are kept: in a namespace of a cluster.

mod kube;

pub use self::kube::{Candidate, Guardian, KubeStore};
