//! What a platform file says of a cluster, as the adapter takes it.

use std::sync::Arc;

use super::{Snapshot, misconfigured};
use crate::{
    adapters::{
        Cluster, KubePlatform, PodPages, Reach, Routing, Scrape, ServiceInCluster, SystemClock, Telling, WorkloadName,
    },
    document::{KubernetesTarget, Metrics as MetricsDocument, Pods, Service},
    error::Error,
    operation::{Build, switchover::Ports},
    ports::{Metrics, PortError},
};

impl Snapshot {
    /// The cluster that a platform file names.
    ///
    /// # Errors
    /// Where it cannot be found.
    pub async fn cluster(&self, target: &KubernetesTarget) -> Result<Cluster, Error> {
        Cluster::connect(&reach(target)).await
    }

    pub(super) async fn cluster_ports(
        &self,
        target: &KubernetesTarget,
        name: &str,
        metrics: Build,
    ) -> Result<Ports, Error> {
        let platform = Arc::new(bind(&self.cluster(target).await?, name, self.service(name)?)?);
        let metrics = match &self.platform.metrics {
            // The pods that are watched are asked for their counters as well.
            Some(MetricsDocument::Pods(_)) => Arc::new(Scrape::of(PodPages(vec![platform.clone()]))),
            _ => self.metrics_source(metrics).await?,
        };
        Ok(Ports {
            traffic: platform.clone(),
            workload: platform.clone(),
            requests: platform.clone(),
            preflight: platform,
            metrics,
            clock: Arc::new(SystemClock),
        })
    }

    /// The counters that the pods of all services tell.
    pub(super) async fn pod_metrics(&self, target: &KubernetesTarget) -> Result<Arc<dyn Metrics>, Error> {
        let cluster = self.cluster(target).await?;
        let telling = self.platform.services.iter().filter(|(_, service)| service.pods.is_some());
        let bound = telling.map(|(name, service)| Ok(Arc::new(bind(&cluster, name, service)?)));
        Ok(Arc::new(Scrape::of(PodPages(bound.collect::<Result<_, Error>>()?))))
    }
}

/// How a cluster is found that a platform names.
#[must_use]
pub fn reach(target: &KubernetesTarget) -> Reach {
    Reach {
        kubeconfig: None,
        context: target.context.clone(),
        namespace: target.namespace.clone(),
        outage: target.outage.0,
    }
}

fn bind(cluster: &Cluster, name: &str, service: &Service) -> Result<KubePlatform, Error> {
    let described = describe(name, service).map_err(misconfigured)?;
    KubePlatform::new(cluster, described).map_err(misconfigured)
}

fn describe(name: &str, service: &Service) -> Result<ServiceInCluster, PortError> {
    let missing = |what: &str| PortError::unexpected(format!("services.{name}"), format!("no `{what}` is given"));
    let slots = service.slots.as_ref().ok_or_else(|| missing("slots"))?;
    let traffic = service.traffic.as_ref().ok_or_else(|| missing("traffic"))?;
    Ok(ServiceInCluster {
        name: name.to_owned(),
        workloads: [WorkloadName::parse(&slots.blue.workload)?, WorkloadName::parse(&slots.green.workload)?],
        routing: Routing::of(traffic),
        identity: service.identity(),
        telling: service.pods.as_ref().map(telling),
    })
}

fn telling(pods: &Pods) -> Telling {
    Telling {
        port: pods.port,
        metrics: pods.metrics.clone(),
        in_flight: pods.in_flight.clone(),
        examples: pods.in_flight_examples.clone(),
        connections: pods.connections.clone(),
        draining: pods.draining.clone(),
    }
}
