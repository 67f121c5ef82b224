//! Builds the adapters that the platform file names, and everything that an operation runs with.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{
    adapters::{Alertmanager, PrometheusMetrics, ScrapeMetrics, SystemClock, Webhook},
    document::{Loaded, Metrics as MetricsDocument, Platform, Service, Target},
    error::Error,
    guard::{Operation, Plan, Rebuild},
    journal::{FolderStore, Store},
    ops::switchover::{Ports, Switch},
    ports::{Clock, Metrics, Notify},
};

/// The platform as a journal keeps it: the document with its overrides, and where its relative paths start from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// The document; secrets by the names of their variables only.
    pub platform: Platform,
    /// The folder, absolute.
    pub folder: PathBuf,
}

impl Snapshot {
    /// Takes a snapshot of what was loaded.
    ///
    /// # Errors
    /// Where the folder of the platform file is gone.
    pub fn of(loaded: &Loaded) -> Result<Self, Error> {
        let folder = loaded.folder.canonicalize().map_err(|e| {
            Error::usage(format!("{}: {e}", loaded.folder.display()), "does the folder of the platform file exist?")
        })?;
        Ok(Self { platform: loaded.platform.clone(), folder })
    }

    fn of_plan(plan: &Plan) -> Result<Self, Error> {
        Self::deserialize(&plan.platform).map_err(|e| Error::Tampered {
            what: format!("the plan's platform is not one that this release of interlock can read: {e}"),
            mend: "use the release that wrote it, or a later one".to_owned(),
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

    /// The ports of one service.
    ///
    /// # Errors
    /// Where the platform is not up, or is of a kind that this release does not drive.
    pub fn ports(&self) -> Result<Ports, Error> {
        match &self.platform.target {
            Target::Lab(lab) => self.lab_ports(&self.folder.join(lab.folder())),
            Target::Kubernetes(_) => Err(Error::usage(
                "this release does not drive Kubernetes yet",
                "use `target: {lab: {}}`, the embedded platform",
            )),
        }
    }

    #[cfg(feature = "lab")]
    fn lab_ports(&self, folder: &Path) -> Result<Ports, Error> {
        let lab = Arc::new(crate::lab::LabPlatform::open(folder)?);
        let metrics = self.metrics()?;
        Ok(Ports { traffic: lab.clone(), workload: lab.clone(), requests: lab, metrics, clock: Arc::new(SystemClock) })
    }

    #[cfg(not(feature = "lab"))]
    fn lab_ports(&self, _: &Path) -> Result<Ports, Error> {
        Err(Error::usage("this binary was built without the lab", "build it with the feature `lab`"))
    }

    /// The source of counters.
    ///
    /// # Errors
    /// Where it is not configured in a way that can work.
    pub fn metrics(&self) -> Result<Arc<dyn Metrics>, Error> {
        match &self.platform.metrics {
            Some(MetricsDocument::Prometheus(source)) => {
                let token = source.bearer_token_env.as_deref();
                Ok(Arc::new(PrometheusMetrics::new(&source.url, token, source.timeout.0)?))
            }
            Some(MetricsDocument::Scrape(source)) => {
                Ok(Arc::new(ScrapeMetrics::new(&source.urls, source.timeout.0)?))
            }
            Some(MetricsDocument::Lab(lab)) => self.lab_metrics(lab.source),
            None => self.lab_metrics(crate::document::LabSource::Auto),
        }
    }

    #[cfg(feature = "lab")]
    fn lab_metrics(&self, source: crate::document::LabSource) -> Result<Arc<dyn Metrics>, Error> {
        use crate::document::LabSource;
        let Target::Lab(lab) = &self.platform.target else {
            return Err(Error::usage("no metrics source", "name one under `metrics` of the platform file"));
        };
        let lab = crate::lab::LabPlatform::open(&self.folder.join(lab.folder()))?;
        let file = lab.lab().file();
        let within = std::time::Duration::from_secs(2);
        match (source, file.prometheus) {
            (LabSource::Auto | LabSource::Prometheus, Some(at)) => {
                Ok(Arc::new(PrometheusMetrics::new(&format!("http://{at}"), None, within)?))
            }
            (LabSource::Prometheus, None) => Err(Error::usage(
                "the lab runs without a Prometheus",
                "install the package `prometheus` and start the lab again, or use `source: scrape`",
            )),
            _ => Ok(Arc::new(ScrapeMetrics::new(&[format!("http://{}/metrics", file.admin)], within)?)),
        }
    }

    #[cfg(not(feature = "lab"))]
    fn lab_metrics(&self, _: crate::document::LabSource) -> Result<Arc<dyn Metrics>, Error> {
        Err(Error::usage("no metrics source", "name one under `metrics` of the platform file"))
    }

    /// The receivers of notices.
    ///
    /// # Errors
    /// Where a receiver's address is missing or makes no sense.
    pub fn notify(&self) -> Result<Vec<Arc<dyn Notify>>, Error> {
        let mut receivers: Vec<Arc<dyn Notify>> = Vec::new();
        if let Some(webhook) = &self.platform.notify.webhook {
            receivers.push(Arc::new(Webhook::new(webhook.url.as_deref(), webhook.url_env.as_deref())?));
        }
        if let Some(alertmanager) = &self.platform.notify.alertmanager {
            receivers.push(Arc::new(Alertmanager::new(&alertmanager.url)?));
        }
        Ok(receivers)
    }
}

/// The clock of this machine.
#[must_use]
pub fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// The run store in a folder of this machine.
#[must_use]
pub fn store(folder: &Path) -> Arc<dyn Store> {
    Arc::new(FolderStore::new(folder, clock()))
}

/// Builds operations from what journals say.
#[derive(Debug, Clone, Copy)]
pub struct Rebuilder;

#[async_trait]
impl Rebuild for Rebuilder {
    async fn operation(&self, plan: &Plan) -> Result<Arc<dyn Operation>, Error> {
        match plan.operation.as_str() {
            "switchover" => Ok(Arc::new(Switch::of_plan(plan, Snapshot::of_plan(plan)?.ports()?)?)),
            other => Err(Error::Tampered {
                what: format!("the plan is for `{other}`, which this release of interlock does not know"),
                mend: "use the release that wrote it, or a later one".to_owned(),
            }),
        }
    }

    fn notify(&self, plan: &Plan) -> Vec<Arc<dyn Notify>> {
        Snapshot::of_plan(plan).and_then(|snapshot| snapshot.notify()).unwrap_or_default()
    }
}
