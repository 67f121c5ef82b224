//! The YAML documents that people write: reading them, and what a platform file says.

mod checks;
mod cluster;
mod cluster_checks;
mod config;
mod database;
#[cfg(test)]
mod database_tests;
mod drill;
mod foreign;
mod load;
mod overrides;
mod parts;
mod platform;
mod prometheus;
mod read;
mod scenario;
#[cfg(test)]
mod schema_tests;
mod service;
mod slos;
#[cfg(test)]
mod tests;
pub mod traffic;
mod tree;
mod words;

pub use cluster::{KubernetesTarget, Pods};
pub use config::{
    Config, DesiredSpec, Instances, JsonInstances, LabInstances, MetricInstances, ObjectInstances, PrometheusInstances,
    TlsInstances,
};
pub use database::{Cluster, Database, Host, LabDatabase, Login, PatroniCluster, PatroniNode, Tls};
pub use drill::{Drill, FaultSpec, ObjectivesSpec, RequireSpec, RpoSpec, UsersSpec, WriterSpec, drill_schema};
pub use foreign::import;
pub use load::{Loaded, find, load, locate, read as read_file};
pub use overrides::{Override, overrides};
pub use parts::{Percent, Window};
pub use platform::{
    Alertmanager, Credential, Defaults, HostsTarget, LabMetrics, LabSource, LabTarget, Metadata, Metrics,
    Notifications, Platform, PodMetrics, ScrapeSource, Target, Webhook, schema,
};
pub use prometheus::{BasicAuth, PrometheusSource, PrometheusSources, TlsFiles};
pub use read::{Document, documents, only, options, parse};
pub use scenario::{DiagramAt, MessageSpec, PartySpec, RepeatSpec, Scenario, StatesSpec, scenario_schema};
pub use service::{Identity, Selectors, Service, SlotSpec, Slots, Smoke};
pub use slos::{Entry, SloSet};
pub use traffic::Traffic;
pub use words::nearest;
