//! Kubernetes: the one place that knows how a cluster is spoken to.

mod client;
mod failure;
mod names;
mod patience;
mod store;

pub use client::{Cluster, Reach};
pub use store::{Candidate, Guardian, KubeStore};
