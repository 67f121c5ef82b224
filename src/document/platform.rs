//! The platform file: what runs where, what is measured, who is told, and the defaults of operations.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Config, Database, KubernetesTarget, Percent, PrometheusSource, PrometheusSources, Service, Window};
use crate::model::HumanDuration;

/// The platform that interlock works on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Platform {
    /// The version of this format: `interlock/v1alpha1`.
    #[schemars(extend("const" = "interlock/v1alpha1"))]
    pub api_version: String,
    /// The kind of document: `Platform`.
    #[schemars(extend("const" = "Platform"))]
    pub kind: String,
    /// Names the platform.
    pub metadata: Metadata,
    /// Where the platform runs; left out for databases that are reached by their addresses alone.
    #[serde(default)]
    pub target: Target,
    /// The services that have a blue and a green slot, by name.
    #[serde(default)]
    pub services: BTreeMap<String, Service>,
    /// The replicated databases, by name.
    #[serde(default)]
    pub databases: BTreeMap<String, Database>,
    /// The configurations that instances run on, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub configs: BTreeMap<String, Config>,
    /// Where counters are read. Left out for a lab: its Prometheus if that runs, else its own `/metrics`.
    #[serde(default)]
    pub metrics: Option<Metrics>,
    /// `OpenSLO` files, relative to this one.
    #[serde(default)]
    pub slos: Vec<String>,
    /// Who is told when a run is held, stuck or rolled back.
    #[serde(default)]
    pub notify: Notifications,
    /// Times in which nothing is changed on any service.
    #[serde(default)]
    pub freeze: Vec<Window>,
    /// Credentials that have to exist and to outlive an operation.
    #[serde(default)]
    pub credentials: Vec<Credential>,
    /// What operations use unless they are told otherwise.
    #[serde(default)]
    pub defaults: Defaults,
}

impl Platform {
    /// The variables with secrets that are read for an operation: those of its database, of the source of counters where that is
    /// asked, and of who is told.
    #[must_use]
    pub fn secrets(&self, database: Option<&str>, counters: bool) -> BTreeSet<&str> {
        let servers = match &self.metrics {
            Some(Metrics::Prometheus(sources)) if counters => sources.servers(),
            _ => &[],
        };
        let passwords = database.and_then(|name| self.databases.get(name)).into_iter().flat_map(Database::passwords);
        let access = servers.iter().flat_map(PrometheusSource::secrets);
        let webhook = self.notify.webhook.as_ref().and_then(|webhook| webhook.url_env.as_deref());
        passwords.chain(access).chain(webhook).collect()
    }
}

/// Names a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// The name: letters, digits, `-`, `_` and `.`.
    pub name: String,
}

/// Where a platform runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Target {
    /// The embedded platform on this machine.
    Lab(LabTarget),
    /// A namespace of a Kubernetes cluster.
    Kubernetes(KubernetesTarget),
    /// Hosts that are reached by their addresses and by commands: databases, and no services. The runs are kept on this machine.
    Hosts(HostsTarget),
}

impl Default for Target {
    fn default() -> Self {
        Self::Hosts(HostsTarget {})
    }
}

/// Hosts that are reached by their addresses and by commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostsTarget {}

/// The embedded platform on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabTarget {
    /// The lab's folder, relative to this file; `.interlock/lab` when left out.
    #[serde(default)]
    pub folder: Option<String>,
    /// The folder of services that are scripts, relative to this file; none when left out.
    #[serde(default)]
    pub services: Option<String>,
}

impl LabTarget {
    /// The lab's folder as it was named, or the usual one.
    #[must_use]
    pub fn folder(&self) -> &str {
        self.folder.as_deref().unwrap_or(".interlock/lab")
    }
}

/// Where counters are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Metrics {
    /// A Prometheus server, or several.
    Prometheus(PrometheusSources),
    /// The `/metrics` of the platform itself, without a Prometheus.
    Scrape(ScrapeSource),
    /// Whatever the lab offers.
    Lab(LabMetrics),
    /// The pages of the pods themselves, as `services.NAME.pods` describes them, without a Prometheus.
    Pods(PodMetrics),
}

/// Pages in the Prometheus text format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScrapeSource {
    /// Their addresses.
    pub urls: Vec<String>,
    /// How long one page may take.
    #[serde(default = "two_seconds")]
    pub timeout: HumanDuration,
}

/// The pages of the pods of all services that have `pods`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodMetrics {}

/// Which of the lab's sources is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabMetrics {
    /// `auto` (its Prometheus if that runs, else its `/metrics`), `prometheus` or `scrape`.
    #[serde(default)]
    pub source: LabSource,
}

/// One of the lab's sources of counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LabSource {
    /// Its Prometheus if that runs, else its `/metrics`.
    #[default]
    Auto,
    /// Its Prometheus.
    Prometheus,
    /// Its `/metrics`.
    Scrape,
}

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Notifications {
    /// A URL that gets each notice as JSON.
    #[serde(default)]
    pub webhook: Option<Webhook>,
    /// An Alertmanager that gets each notice as an alert.
    #[serde(default)]
    pub alertmanager: Option<Alertmanager>,
}

/// A URL that gets each notice as JSON; exactly one of `url` and `urlEnv` is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Webhook {
    /// The URL. One that holds a secret belongs into an environment variable.
    #[serde(default)]
    pub url: Option<String>,
    /// The environment variable that holds the URL.
    #[serde(default)]
    pub url_env: Option<String>,
}

/// An Alertmanager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Alertmanager {
    /// Its address, such as `http://127.0.0.1:9093`.
    pub url: String,
}

/// A credential that has to exist and to outlive an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Credential {
    /// The environment variable that holds it.
    pub env: String,
    /// The environment variable that holds when it expires, such as 2026-12-24T00:00:00Z.
    #[serde(default)]
    pub expires_env: Option<String>,
}

/// What operations use unless they are told otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Defaults {
    /// How long a change is watched before it is kept.
    pub bake: HumanDuration,
    /// How long it is watched at most, where the evidence does not suffice sooner.
    pub max_bake: HumanDuration,
    /// How long the platform is measured before it is changed.
    pub baseline: HumanDuration,
    /// The highest probability of ever rolling back a healthy release; above 0 and below 0.5.
    pub alpha: f64,
    /// How often counts are read.
    pub look: HumanDuration,
    /// The time within which errors may come in bursts; evidence is weighed block by block. Shorter blocks find faults
    /// sooner, and take a burst that is longer than a block for more than it is.
    pub block: HumanDuration,
    /// The share of the error budget that has to be left for a change to begin.
    pub budget_floor: Percent,
    /// How old the newest sample may be before the source counts as silent.
    pub freshness: HumanDuration,
    /// How long a request of interlock's own may take: of the warm-up, of smoke tests, and of those that ask who serves.
    pub answer_within: HumanDuration,
    /// The age at which a request in flight counts as hanging.
    pub in_flight_age: HumanDuration,
    /// How many exits of the new slot's processes put a change back at once.
    pub exits: u32,
    /// Which share of the new slot's replicas, once lost, puts a change back at once.
    pub replicas_lost: Percent,
    /// Which share of the expected traffic has to arrive at both slots together.
    pub traffic_floor: Percent,
    /// How long requests in flight may take to end after traffic has moved.
    pub drain: HumanDuration,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            bake: HumanDuration::secs(300),
            max_bake: HumanDuration::secs(900),
            baseline: HumanDuration::secs(15),
            alpha: 0.01,
            look: HumanDuration::secs(1),
            block: HumanDuration::secs(5),
            budget_floor: Percent::whole(10),
            freshness: HumanDuration::secs(15),
            answer_within: HumanDuration::secs(1),
            in_flight_age: HumanDuration::secs(2),
            exits: 3,
            replicas_lost: Percent::whole(50),
            traffic_floor: Percent::whole(10),
            drain: HumanDuration::secs(30),
        }
    }
}

pub(super) const fn five_seconds() -> HumanDuration {
    HumanDuration::secs(5)
}

pub(super) const fn two_seconds() -> HumanDuration {
    HumanDuration::secs(2)
}

/// The JSON Schema of the platform file.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Platform).to_value()
}
