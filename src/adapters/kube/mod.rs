//! Kubernetes: the one place that knows how a cluster is spoken to.

mod client;
mod failure;
mod names;
mod patience;

pub use client::{Cluster, Reach};
