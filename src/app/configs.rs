//! The configurations of a platform: whom to ask what they run on, and what they should run on.

use std::{fs, path::Path, sync::Arc, time::Duration};

use sha2::{Digest as _, Sha256};

use super::{Snapshot, snapshot::misconfigured};
use crate::{
    adapters::{Certificates, ConfigPages, Evidence, KubeConfigs, Mounted, certificate_hash},
    document::{
        Config, DesiredSpec, Instances, JsonInstances, MetricInstances, PrometheusInstances, Target, TlsInstances,
    },
    error::Error,
    operation::reload::{Verified, verify},
    ports::{Configs, Desired, PortError},
};

impl Snapshot {
    /// Asks all instances of a configuration what they run on, and holds it against what is desired.
    ///
    /// # Errors
    /// Where what is desired cannot be read, or nobody knows which instances there are.
    pub async fn verify_config(&self, name: &str, config: &Config) -> Result<Verified, Error> {
        let desired = self.desired(config)?;
        let look = self.configs(config).await?.look().await;
        let look = look.map_err(|e| Error::port(e, "`configs` of the platform file says whom to ask"))?;
        Ok(verify(name, desired.or(look.desired), look.instances))
    }

    fn desired(&self, config: &Config) -> Result<Option<Desired>, Error> {
        match &config.desired {
            None if matches!(config.instances, Instances::Lab(_)) => self.desired_by_lab(),
            None => Ok(None),
            Some(DesiredSpec::Generation(generation)) => {
                let (generation, told_by) = (Some(generation.clone()), "the platform file".to_owned());
                Ok(Some(Desired { generation, changed: None, told_by }))
            }
            Some(DesiredSpec::File(file)) => {
                let digest = if matches!(config.instances, Instances::Tls(_)) { certificate_hash } else { whole };
                desired_by_file(&self.folder.join(file), file, digest).map(Some)
            }
        }
    }

    async fn configs(&self, config: &Config) -> Result<Arc<dyn Configs>, Error> {
        let (urls, page, evidence, timeout) = match &config.instances {
            Instances::Lab(_) => return self.lab_configs().await,
            Instances::Tls(tls) => return Ok(certificates(tls)),
            Instances::Database(name) => return self.database_configs(name),
            Instances::ConfigMap(object) => return self.mounted(Mounted::ConfigMap(object.name.clone())).await,
            Instances::Secret(object) => return self.mounted(Mounted::Secret(object.name.clone())).await,
            Instances::Json(JsonInstances { urls, generation, since, rejected, timeout }) => {
                let (generation, since, rejected) = (generation.clone(), since.clone(), rejected.clone());
                (urls, "", Evidence::Json { generation, since, rejected }, timeout.0)
            }
            Instances::Metric(MetricInstances { urls, name, label, timeout }) => {
                (urls, "", Evidence::Metric { name: name.clone(), label: label.clone() }, timeout.0)
            }
            Instances::Prometheus(PrometheusInstances { urls, timeout }) => {
                (urls, "/metrics", Evidence::Prometheus, timeout.0)
            }
        };
        let address =
            |url: &String| if page.is_empty() { url.clone() } else { url.trim_end_matches('/').to_owned() + page };
        let named = urls.iter().map(|url| (short_name(url), address(url)));
        pages(named, evidence, timeout)
    }

    async fn mounted(&self, object: Mounted) -> Result<Arc<dyn Configs>, Error> {
        let Target::Kubernetes(target) = &self.platform.target else {
            return Err(Error::usage(
                "the target is no cluster",
                "name one: `target: {kubernetes: {namespace: NAME}}`",
            ));
        };
        Ok(Arc::new(KubeConfigs { cluster: self.cluster(target).await?, object }))
    }

    #[cfg(not(feature = "sql"))]
    fn database_configs(&self, _: &str) -> Result<Arc<dyn Configs>, Error> {
        Err(Error::usage("this binary was built without databases", "build it with the feature `sql`"))
    }

    #[cfg(feature = "lab")]
    fn desired_by_lab(&self) -> Result<Option<Desired>, Error> {
        use crate::lab::script;

        let Target::Lab(lab) = &self.platform.target else { return Ok(None) };
        let Some(services) = &lab.services else { return Ok(None) };
        let generation = script::desired_config(&self.folder.join(services))?;
        let told_by = format!("{services}/{}", script::CONFIG_FILE);
        Ok(generation.map(|generation| Desired { generation: Some(generation), changed: None, told_by }))
    }

    #[cfg(feature = "lab")]
    async fn lab_configs(&self) -> Result<Arc<dyn Configs>, Error> {
        let status = self.lab()?.status().await.map_err(|e| Error::port(e, "`interlock lab status` shows the lab"))?;
        let replicas = status.parts.into_iter().filter(|part| part.service.is_some());
        let named = replicas.map(|part| (part.name, format!("http://{}/config", part.address)));
        let pointer = |text: &str| Some(text.to_owned());
        let evidence = Evidence::Json {
            generation: "/generation".to_owned(),
            since: pointer("/since"),
            rejected: pointer("/rejected/what"),
        };
        pages(named, evidence, super::snapshot::LAB_WITHIN)
    }

    #[cfg(not(feature = "lab"))]
    fn desired_by_lab(&self) -> Result<Option<Desired>, Error> {
        Ok(None)
    }

    #[cfg(not(feature = "lab"))]
    async fn lab_configs(&self) -> Result<Arc<dyn Configs>, Error> {
        Err(Error::usage("this binary was built without the lab", "build it with the feature `lab`"))
    }
}

fn pages(
    named: impl Iterator<Item = (String, String)>,
    evidence: Evidence,
    timeout: Duration,
) -> Result<Arc<dyn Configs>, Error> {
    Ok(Arc::new(ConfigPages::new(named, evidence, timeout).map_err(misconfigured)?))
}

/// An address without its scheme, as people call an instance.
fn short_name(url: &str) -> String {
    url.split_once("://").map_or(url, |(_, rest)| rest).trim_end_matches('/').to_owned()
}

fn certificates(tls: &TlsInstances) -> Arc<dyn Configs> {
    let TlsInstances { addresses, server_name, valid_for, timeout } = tls.clone();
    Arc::new(Certificates { addresses, server_name, valid_for: valid_for.0, timeout: timeout.0 })
}

/// The SHA-256 of all that a file holds.
fn whole(content: &[u8]) -> Result<String, PortError> {
    Ok(Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect())
}

fn desired_by_file(path: &Path, name: &str, digest: fn(&[u8]) -> Result<String, PortError>) -> Result<Desired, Error> {
    let read = || {
        let changed = fs::metadata(path)?.modified()?;
        Ok::<_, std::io::Error>((fs::read(path)?, changed))
    };
    let hint = "`desired` of the configuration names it, relative to the platform file";
    let (content, changed) = read().map_err(|e| Error::usage(format!("{name} cannot be read: {e}"), hint))?;
    let generation = digest(&content).map_err(|e| Error::usage(format!("{name}: {e}"), hint))?;
    let changed = jiff::Timestamp::try_from(changed).map_err(|e| Error::usage(format!("{name}: {e}"), hint))?;
    Ok(Desired { generation: Some(generation), changed: Some(changed), told_by: name.to_owned() })
}
