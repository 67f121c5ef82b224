//! Kubernetes: the one place that knows how a cluster is spoken to.

mod client;
mod configs;
mod endpoints;
mod events;
mod failure;
mod managers;
mod metrics;
mod names;
mod namespace;
mod object;
mod pages;
mod patience;
mod permissions;
mod platform;
mod pods;
mod preflight;
mod requests;
mod routing;
mod served;
mod watched;
mod whoami;
mod workload;

pub use client::{Cluster, Reach, requests};
pub use configs::{KubeConfigs, Mounted};
pub use metrics::PodPages;
pub(super) use names::{EPOCH, GUARDIAN, GUARDIAN_LEASE, MANAGER, PART, RUN, lock_name, slug};
pub use pages::Telling;
pub use platform::{KubePlatform, ServiceInCluster};
pub use routing::Routing;
pub use served::ServedKind;
pub use workload::WorkloadName;
