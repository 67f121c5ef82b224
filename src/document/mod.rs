//! The YAML documents that people write: reading them, and what a platform file says.

mod checks;
mod cluster;
mod cluster_checks;
mod database;
mod drill;
mod load;
mod overrides;
mod parts;
mod platform;
mod read;
mod scenario;
mod slos;
#[cfg(test)]
mod tests;
pub mod traffic;
mod tree;

pub use cluster::{KubernetesTarget, Pods};
pub use database::{Cluster, Database, Host, LabDatabase, Login, PatroniCluster, PatroniNode, Tls};
pub use drill::{Drill, FaultSpec, ObjectivesSpec, RequireSpec, RpoSpec, UsersSpec, WriterSpec, drill_schema};
pub use load::{Loaded, find, load, locate};
pub use overrides::{Override, overrides};
pub use parts::{Percent, Window};
pub use platform::{
    Alertmanager, Credential, Defaults, Identity, LabMetrics, LabSource, LabTarget, Metadata, Metrics, Notifications,
    Platform, PodMetrics, PrometheusSource, ScrapeSource, Selectors, Service, SlotSpec, Slots, Smoke, Target, Webhook,
    schema,
};
pub use read::{Document, documents, nearest, only, options, parse};
pub use scenario::{DiagramAt, MessageSpec, PartySpec, RepeatSpec, Scenario, StatesSpec, scenario_schema};
pub use slos::{Entry, SloSet};
pub use traffic::Traffic;
