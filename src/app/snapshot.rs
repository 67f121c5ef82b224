//! The platform as a run keeps it, and the ports that it gives to operations.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Location, clock, reach};
use crate::{
    adapters::{Access, Prometheus, PrometheusServers, Scrape},
    document::{
        BasicAuth, LabSource, Loaded, Metrics as MetricsDocument, Platform as Document, PrometheusSource, Service,
        Target,
    },
    error::Error,
    guard::Plan,
    model::HumanDuration,
    operation::{Build, Platform, drill, switchover::Ports},
    ports::{Clock, Metrics, PortError},
};

/// How long an owner may be silent whose runs are kept on its own machine; one that has ended is noticed at once.
const LOCAL_TTL: HumanDuration = HumanDuration::secs(10);
/// How long a question to the lab's own sources may take.
pub(super) const LAB_WITHIN: Duration = Duration::from_secs(2);

/// The platform as a journal keeps it: the document with its overrides, and where its relative paths start from.
///
/// It holds no secret. A webhook's URL often is one, so it is left out, and read again from the platform file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// The document; secrets by the names of their variables only.
    pub platform: Document,
    pub folder: PathBuf,
    /// The platform file, absolute.
    pub file: PathBuf,
    #[serde(skip)]
    pub(super) webhook: Option<String>,
}

impl Snapshot {
    /// Takes a snapshot of what was loaded.
    ///
    /// # Errors
    /// Where the folder of the platform file is gone.
    pub fn of(loaded: &Loaded) -> Result<Self, Error> {
        let absolute = |path: &Path| {
            path.canonicalize()
                .map_err(|e| Error::usage(format!("{}: {e}", path.display()), "does the platform file still exist?"))
        };
        let mut platform = loaded.platform.clone();
        let webhook = platform.notify.webhook.as_mut().and_then(|webhook| webhook.url.take());
        Ok(Self { platform, folder: absolute(&loaded.folder)?, file: absolute(&loaded.file)?, webhook })
    }

    pub(super) fn of_plan(plan: &Plan) -> Result<Self, Error> {
        Self::deserialize(&plan.platform).map_err(|e| Error::Tampered {
            what: format!("the plan's platform is not one that this release of interlock can read: {e}"),
            hint: "use the release that wrote it, or a later one".to_owned(),
        })
    }

    /// The service by its name.
    ///
    /// # Errors
    /// Names the services that there are.
    pub fn service(&self, name: &str) -> Result<&Service, Error> {
        self.platform.services.get(name).ok_or_else(|| {
            let known: Vec<_> = self.platform.services.keys().map(String::as_str).collect();
            Error::usage(
                format!("the platform has no service `{name}`"),
                format!("it has {}; services are declared under `services`", known.join(", ")),
            )
        })
    }

    /// Where the runs of this platform are kept, unless told otherwise.
    #[must_use]
    pub fn store_folder(&self) -> PathBuf {
        self.folder.join(".interlock").join("runs")
    }

    /// Where the runs of this platform are kept: a cluster's in the cluster, all others in a folder.
    #[must_use]
    pub fn place(&self) -> Location {
        match &self.platform.target {
            Target::Lab(_) | Target::Hosts(_) => Location::Folder(self.store_folder()),
            Target::Kubernetes(target) => Location::Cluster(reach(target)),
        }
    }

    /// How long an owner may be silent before its guardian acts: in a cluster half as long again as an outage of the API
    /// server that is to be tolerated, in which no owner can give a sign of life.
    #[must_use]
    pub fn ttl(&self) -> HumanDuration {
        match &self.platform.target {
            Target::Lab(_) | Target::Hosts(_) => LOCAL_TTL,
            Target::Kubernetes(target) => HumanDuration(target.outage.0 * 3 / 2),
        }
    }

    #[cfg(feature = "lab")]
    async fn lab_ports(&self, folder: &Path, metrics: Build) -> Result<Ports, Error> {
        let lab = Arc::new(crate::lab::LabPlatform::open(folder)?);
        let metrics = self.metrics_source(metrics).await?;
        Ok(Ports {
            traffic: lab.clone(),
            workload: lab.clone(),
            requests: lab.clone(),
            preflight: lab,
            metrics,
            clock: clock(),
        })
    }

    #[cfg(not(feature = "lab"))]
    async fn lab_ports(&self, _: &Path, _: Build) -> Result<Ports, Error> {
        Err(Error::usage("this binary was built without the lab", "build it with the feature `lab`"))
    }

    /// The source of counters.
    ///
    /// # Errors
    /// Where it is not configured in a way that can work.
    pub async fn metrics(&self) -> Result<Arc<dyn Metrics>, Error> {
        if let (Some(MetricsDocument::Pods(_)), Target::Kubernetes(target)) =
            (&self.platform.metrics, &self.platform.target)
        {
            return self.pod_metrics(target).await;
        }
        if let Some(prometheus) = self.prometheus()? {
            return Ok(Arc::new(prometheus));
        }
        let (urls, within) = match &self.platform.metrics {
            Some(MetricsDocument::Scrape(source)) => (source.urls.clone(), source.timeout.0),
            _ => (self.lab_pages()?, LAB_WITHIN),
        };
        Scrape::new(&urls, within).map(|scrape| Arc::new(scrape) as Arc<dyn Metrics>).map_err(misconfigured)
    }

    /// The Prometheus servers that the platform names, or that its lab runs; `None` where pages are scraped instead.
    ///
    /// # Errors
    /// Where it is not configured in a way that can work.
    pub fn prometheus(&self) -> Result<Option<PrometheusServers>, Error> {
        let lab = match &self.platform.metrics {
            Some(MetricsDocument::Prometheus(sources)) => {
                let servers = sources.servers().iter().map(|source| {
                    let access = access(&self.folder, source)?;
                    Prometheus::known_by(&source.url, &access, source.timeout.0).map_err(misconfigured)
                });
                return Ok(Some(PrometheusServers::new(servers.collect::<Result<_, Error>>()?)));
            }
            Some(MetricsDocument::Scrape(_) | MetricsDocument::Pods(_)) => return Ok(None),
            Some(MetricsDocument::Lab(lab)) => lab.source,
            None => LabSource::Auto,
        };
        // Hosts alone have no source of their own; `users` of a drill need one that is named.
        if matches!((lab, &self.platform.target), (LabSource::Auto, Target::Hosts(_))) {
            return Ok(None);
        }
        match (lab, self.lab_prometheus()?) {
            (LabSource::Scrape, _) | (LabSource::Auto, None) => Ok(None),
            (_, Some(url)) => {
                let server = Prometheus::new(&url, None, LAB_WITHIN).map_err(misconfigured)?;
                Ok(Some(PrometheusServers::new(vec![server])))
            }
            (LabSource::Prometheus, None) => Err(Error::usage(
                "the lab runs without a Prometheus",
                "install the package `prometheus` and start the lab again, or use `source: scrape`",
            )),
        }
    }

    #[cfg(feature = "lab")]
    pub(super) fn lab(&self) -> Result<crate::lab::Lab, Error> {
        let Target::Lab(lab) = &self.platform.target else {
            return Err(Error::usage("no metrics source", "name one under `metrics` of the platform file"));
        };
        crate::lab::Lab::open(&self.folder.join(lab.folder()))
    }

    #[cfg(feature = "lab")]
    fn lab_prometheus(&self) -> Result<Option<String>, Error> {
        Ok(self.lab()?.file.prometheus.map(|at| format!("http://{at}")))
    }

    #[cfg(feature = "lab")]
    fn lab_pages(&self) -> Result<Vec<String>, Error> {
        Ok(vec![format!("http://{}/metrics", self.lab()?.file.admin)])
    }

    #[cfg(not(feature = "lab"))]
    fn lab_prometheus(&self) -> Result<Option<String>, Error> {
        Ok(None)
    }

    #[cfg(not(feature = "lab"))]
    fn lab_pages(&self) -> Result<Vec<String>, Error> {
        Err(Error::usage("no metrics source", "name one under `metrics` of the platform file"))
    }
}

#[async_trait]
impl Platform for Snapshot {
    fn clock(&self) -> Arc<dyn Clock> {
        clock()
    }

    async fn service_ports(&self, name: &str, metrics: Build) -> Result<Ports, Error> {
        match &self.platform.target {
            Target::Hosts(_) => Err(Error::usage(
                format!("no target is named, so nothing says where `{name}` runs"),
                "add `target: {kubernetes: {namespace: NAME}}` or `target: {lab: {}}` to the platform file",
            )),
            Target::Lab(lab) => self.lab_ports(&self.folder.join(lab.folder()), metrics).await,
            Target::Kubernetes(target) => self.cluster_ports(target, name, metrics).await,
        }
    }

    #[cfg(feature = "sql")]
    async fn database_ports(&self, name: &str, users: Option<Build>) -> Result<drill::Ports, Error> {
        self.drill_ports(name, users).await
    }

    #[cfg(not(feature = "sql"))]
    async fn database_ports(&self, _: &str, _: Option<Build>) -> Result<drill::Ports, Error> {
        Err(Error::usage("this binary was built without databases", "build it with the feature `sql`"))
    }
}

/// All by which a Prometheus server knows us: secrets from the environment, and files.
fn access(folder: &Path, source: &PrometheusSource) -> Result<Access, Error> {
    let read = |file: &Option<String>| -> Result<Vec<u8>, Error> {
        let Some(file) = file else { return Ok(Vec::new()) };
        std::fs::read(folder.join(file)).map_err(|e| {
            Error::usage(
                format!("{file} cannot be read: {e}"),
                "`metrics.prometheus.tls` of the platform file names it",
            )
        })
    };
    let mut access =
        Access { bearer: source.bearer_token_env.as_deref().map(secret).transpose()?, ..Access::default() };
    if let Some(BasicAuth { username, password_env }) = &source.basic_auth {
        access.basic = Some((username.clone(), secret(password_env)?));
    }
    access.headers = source.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    for (name, variable) in &source.headers_env {
        access.headers.push((name.clone(), secret(variable)?));
    }
    if let Some(tls) = &source.tls {
        access.authorities = read(&tls.ca)?;
        access.identity = [read(&tls.certificate)?, b"\n".to_vec(), read(&tls.key)?].concat();
        if tls.certificate.is_none() {
            access.identity.clear();
        }
    }
    Ok(access)
}

/// Reads a secret from the variable that the platform file names.
pub(super) fn secret(name: &str) -> Result<String, Error> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    value
        .ok_or_else(|| Error::usage(format!("{name} is not set"), format!("export {name}; the platform file names it")))
}

pub(super) fn misconfigured(error: PortError) -> Error {
    Error::usage(error.to_string(), "check the address in the platform file")
}
