//! How single systems do what the ports ask for.

mod clock;
mod commands;
mod exposition;
mod http;
mod kube;
mod notify;
#[cfg(feature = "otlp")]
pub mod otlp;
mod prometheus;
mod scrape;

pub use self::kube::{
    Budget, Candidate, Cluster, Evicted, Guardian, KubePlatform, KubeStore, Moved, PodName, PodPages, Reach, Routing,
    Schedule, ServiceInCluster, Telling, WorkloadName, requests,
};
pub use clock::SystemClock;
pub use commands::{CommandHosts, HostCommands};
pub use exposition::{Sample, parse as parse_exposition};
pub use http::{client, install_crypto, place};
pub use notify::{AlertmanagerApi, WebhookPost};
pub use prometheus::Prometheus;
pub use scrape::Scrape;
