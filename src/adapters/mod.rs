//! How single systems do what the ports ask for.

mod certificates;
mod clock;
mod commands;
mod configs;
mod exposition;
mod http;
mod kube;
mod notify;
#[cfg(feature = "otlp")]
pub mod otlp;
mod prometheus;
mod scrape;
#[cfg(feature = "sql")]
mod sql;
pub mod store;

pub use self::kube::{
    Cluster, KubeConfigs, KubePlatform, Mounted, PodPages, Reach, Routing, ServedKind, ServiceInCluster, Telling,
    WorkloadName, requests,
};
pub use certificates::{Certificates, certificate_hash};
pub use clock::SystemClock;
pub use commands::{CommandHosts, HostCommands};
pub use configs::{ConfigPages, Evidence};
pub use exposition::{Sample, parse as parse_exposition};
pub use http::{Access, client, install_crypto, place};
pub use notify::{AlertmanagerApi, Unbuilt, WebhookPost};
pub use prometheus::{Prometheus, PrometheusServers};
pub use scrape::Scrape;
#[cfg(feature = "sql")]
pub use sql::{Admin, Connect, Secret, Tls, mariadb_cluster, patroni_cluster, postgres_cluster, postgres_configs};
