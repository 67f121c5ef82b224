//! Configurations: which instances run on one, how they tell, and what they should run on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Database, Platform, Target,
    checks::{check_path, check_url},
    nearest,
    platform::two_seconds,
};
use crate::{model::HumanDuration, slo::Problem};

/// A configuration that instances run on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// The instances, and how they tell what they run on.
    pub instances: Instances,
    /// What they should run on; left out for a lab, which knows it. Without it they have to agree with one another.
    #[serde(default)]
    pub desired: Option<DesiredSpec>,
}

/// Instances, by how they tell what they run on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Instances {
    /// All replicas of the lab's services that are scripts.
    Lab(LabInstances),
    /// They answer with a document of JSON.
    Json(JsonInstances),
    /// They have a metric for it.
    Metric(MetricInstances),
    /// They are Prometheus servers: they tell when they have read their configuration last.
    Prometheus(PrometheusInstances),
    /// They serve a certificate by TLS.
    Tls(TlsInstances),
    /// The nodes of a database of the platform, by its name: `PostgreSQL`, and under Patroni.
    Database(String),
    /// All pods of the namespace that take a ConfigMap, by its name.
    ConfigMap(ObjectInstances),
    /// All pods of the namespace that take a Secret, by its name.
    Secret(ObjectInstances),
}

/// Instances that serve a certificate by TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsInstances {
    /// Where each of them listens, such as `10.0.0.1:443`.
    pub addresses: Vec<String>,
    /// The name that they are asked for; their host's where it is left out.
    #[serde(default)]
    pub server_name: Option<String>,
    /// For how long a certificate has to be valid yet, such as `14d`.
    #[serde(default)]
    pub valid_for: HumanDuration,
    /// How long one may take to show it.
    #[serde(default = "two_seconds")]
    pub timeout: HumanDuration,
}

/// All pods of the namespace that take an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectInstances {
    /// The object's name.
    pub name: String,
}

/// All replicas of the lab's services that are scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabInstances {}

/// Instances that answer with a document of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JsonInstances {
    /// Where each of them answers.
    pub urls: Vec<String>,
    /// Where in the answer the generation or the hash stands, as a JSON pointer such as `/config/hash`.
    pub generation: String,
    /// Where since when stands: RFC 3339, or seconds since 1970.
    #[serde(default)]
    pub since: Option<String>,
    /// Where it says why a later configuration was refused; nothing, null, false or an empty text where none was.
    #[serde(default)]
    pub rejected: Option<String>,
    /// How long one answer may take.
    #[serde(default = "two_seconds")]
    pub timeout: HumanDuration,
}

/// Instances that have a metric for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricInstances {
    /// Their pages of metrics.
    pub urls: Vec<String>,
    /// The metric, such as `app_config_info`.
    pub name: String,
    /// The label that holds the generation or the hash; the metric's value where it is left out.
    #[serde(default)]
    pub label: Option<String>,
    /// How long one answer may take.
    #[serde(default = "two_seconds")]
    pub timeout: HumanDuration,
}

/// Prometheus servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrometheusInstances {
    /// Their addresses, without a path but for a prefix.
    pub urls: Vec<String>,
    /// How long one answer may take.
    #[serde(default = "two_seconds")]
    pub timeout: HumanDuration,
}

/// What instances should run on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum DesiredSpec {
    /// A file, relative to the platform file: its SHA-256 is the generation, and when it was written counts for who tells times.
    File(String),
    /// The generation itself.
    Generation(String),
}

impl Instances {
    fn urls(&self) -> &[String] {
        match self {
            Self::Lab(_) | Self::Tls(_) | Self::Database(_) | Self::ConfigMap(_) | Self::Secret(_) => &[],
            Self::Json(JsonInstances { urls, .. })
            | Self::Metric(MetricInstances { urls, .. })
            | Self::Prometheus(PrometheusInstances { urls, .. }) => urls,
        }
    }

    const fn word(&self) -> &'static str {
        match self {
            Self::Lab(_) => "lab",
            Self::Json(_) => "json",
            Self::Metric(_) => "metric",
            Self::Prometheus(_) => "prometheus",
            Self::Tls(_) => "tls",
            Self::Database(_) => "database",
            Self::ConfigMap(_) => "configMap",
            Self::Secret(_) => "secret",
        }
    }
}

/// Checks one configuration.
///
/// # Errors
/// Where it names no instances, or none that can be asked.
pub fn check(config: &Config, platform: &Platform) -> Result<(), Problem> {
    let (at, target) = (format!("instances.{}", config.instances.word()), &platform.target);
    match &config.instances {
        Instances::Lab(_) => return check_lab(config, target),
        Instances::Tls(tls) => return check_tls(&at, tls),
        Instances::Database(name) => return check_database(&at, name, config, platform),
        Instances::ConfigMap(_) | Instances::Secret(_) => return check_object(&at, config, target),
        _ => {}
    }
    let urls = config.instances.urls();
    if urls.is_empty() {
        return Err(Problem::new(&format!("{at}.urls"), "there is no instance", "name one at least"));
    }
    for (i, url) in urls.iter().enumerate() {
        check_url(&format!("{at}.urls.{i}"), url)?;
        if urls[..i].contains(url) {
            return Err(Problem::new(&format!("{at}.urls.{i}"), "this instance is named twice", "leave one out"));
        }
    }
    if let Instances::Json(JsonInstances { generation, since, rejected, .. }) = &config.instances {
        let pointers = [("generation", Some(generation)), ("since", since.as_ref()), ("rejected", rejected.as_ref())];
        for (name, pointer) in pointers {
            pointer.map_or(Ok(()), |pointer| check_path(&format!("{at}.{name}"), pointer))?;
        }
    }
    match (&config.instances, &config.desired) {
        (Instances::Prometheus(_), None | Some(DesiredSpec::Generation(_))) => Err(Problem::new(
            "desired",
            "Prometheus tells when it has read its configuration, and not what that was",
            "name the file that it reads: `desired: {file: prometheus.yml}`",
        )),
        _ => Ok(()),
    }
}

fn check_tls(at: &str, tls: &TlsInstances) -> Result<(), Problem> {
    if tls.addresses.is_empty() {
        return Err(Problem::new(&format!("{at}.addresses"), "there is no instance", "name one at least"));
    }
    for (i, address) in tls.addresses.iter().enumerate() {
        let at = format!("{at}.addresses.{i}");
        let has_port =
            address.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !has_port || address.contains(['/', '@', ' ']) {
            return Err(Problem::new(&at, "this is no address with a port", "write one such as `10.0.0.1:443`"));
        }
        if tls.addresses[..i].contains(address) {
            return Err(Problem::new(&at, "this instance is named twice", "leave one out"));
        }
    }
    Ok(())
}

fn check_database(at: &str, name: &str, config: &Config, platform: &Platform) -> Result<(), Problem> {
    match platform.databases.get(name) {
        None => {
            let near = nearest(name, platform.databases.keys().map(String::as_str));
            let hint = near.map_or("declare it under `databases`".to_owned(), |near| format!("did you mean `{near}`?"));
            Err(Problem::new(at, format!("the platform has no database `{name}`"), hint))
        }
        Some(Database::Mariadb(_)) => {
            let what = "MariaDB does not tell whether it runs on what its files say";
            Err(Problem::new(at, what, "name a database of PostgreSQL, or leave this configuration out"))
        }
        Some(_) if config.desired.is_some() => {
            Err(Problem::new("desired", "what the files of each node say is desired", "leave `desired` out"))
        }
        Some(_) => Ok(()),
    }
}

fn check_object(at: &str, config: &Config, target: &Target) -> Result<(), Problem> {
    if !matches!(target, Target::Kubernetes(_)) {
        let hint = "name the namespace: `target: {kubernetes: {namespace: NAME}}`";
        return Err(Problem::new(at, "the target is no cluster", hint));
    }
    match config.desired {
        None => Ok(()),
        Some(_) => Err(Problem::new("desired", "what the object holds is desired", "leave `desired` out")),
    }
}

fn check_lab(config: &Config, target: &Target) -> Result<(), Problem> {
    match target {
        Target::Lab(lab) if lab.services.is_some() => {}
        _ => {
            let hint = "name the folder of the scripts: `target: {lab: {services: services}}`";
            return Err(Problem::new("instances.lab", "the target is no lab with services that are scripts", hint));
        }
    }
    match config.desired {
        None => Ok(()),
        Some(_) => {
            let what = "a lab desires what the `config.yaml` beside its scripts says";
            Err(Problem::new("desired", what, "leave `desired` out, and change that file"))
        }
    }
}
