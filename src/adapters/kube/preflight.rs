//! What has to be known of a cluster before a switchover changes it.

use async_trait::async_trait;
use futures::future::try_join_all;

use super::{
    managers::{autoscalers, of_field},
    names::lock_name,
    permissions::{Need, missing, store_reads, store_writes},
    platform::KubePlatform,
    requests::first_port,
};
use crate::{
    model::{Slot, Target},
    ports::{Footprint, Manager, Missing, PortError, Preflight},
};

impl KubePlatform {
    /// What is read of the service, by anyone who only looks.
    async fn reads(&self) -> Result<Vec<Need>, PortError> {
        let mut needs: Vec<_> = ["list", "watch"].map(|verb| Need::any(verb, "", "pods")).into();
        for slot in Slot::ALL {
            let workload = &self.behind(slot).name;
            match workload.name() {
                Some(name) => needs.push(Need::one("get", "apps", &workload.plural(), name)),
                // Found by a list, and read by its name from then on.
                None => needs.extend(["list", "get"].map(|verb| Need::any(verb, "apps", &workload.plural()))),
            }
        }
        if self.service.telling.is_some() {
            needs.push(Need::any("get", "", "pods/proxy"));
        }
        // One that is asked through the API server is read as well, for its port.
        let proxied = self.router.proxied();
        let proxied = proxied.iter().map(String::as_str);
        let gets: Vec<_> = proxied.clone().map(|service| Need::one("get", "", "services", service)).collect();
        needs.extend(Some(self.router.reads()).filter(|read| !gets.contains(read)));
        needs.extend(gets);
        needs.extend(try_join_all(proxied.map(|service| self.proxy(service))).await?.into_iter().flatten());
        Ok(needs)
    }

    /// Asking a Service through the API server, which takes the port for a part of the name. Where the Service may not be
    /// read, that is what is missing first.
    async fn proxy(&self, service: &str) -> Result<Option<Need>, PortError> {
        match first_port(&self.cluster, service).await {
            Ok(port) => Ok(Some(Need::one("get", "", "services/proxy", &format!("{service}:{port}")))),
            Err(PortError::Forbidden { .. } | PortError::NotFound { .. } | PortError::UnexpectedResponse { .. }) => {
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    /// The Lease that locks the service.
    fn lock(&self) -> Result<String, PortError> {
        let target = Target::parse(&self.service.name);
        target.map(|target| lock_name(&target)).map_err(|why| PortError::unexpected(&self.service.name, why))
    }

    /// What is written, by a switchover and by whoever puts it back.
    fn writes(&self) -> Vec<Need> {
        let mut needs = self.router.writes();
        // Also without a scale-down: a slot that somebody has scaled to nothing is scaled up before it gets traffic back.
        for slot in Slot::ALL {
            let workload = &self.behind(slot).name;
            needs.push(match workload.name() {
                Some(name) => Need::one("patch", "apps", &workload.plural(), name),
                None => Need::any("patch", "apps", &workload.plural()),
            });
        }
        if self.service.telling.as_ref().is_some_and(|telling| telling.draining.is_some()) {
            needs.push(Need::any("update", "", "pods/proxy"));
        }
        needs
    }
}

#[async_trait]
impl Preflight for KubePlatform {
    async fn managers(&self, footprint: &Footprint) -> Result<Vec<Manager>, PortError> {
        let mut found = Vec::new();
        if !footprint.is_empty() && self.cluster.is_leaving().await {
            let hint = "wait until it is gone, create it anew and deploy both slots".to_owned();
            found.push(Manager { what: self.leaving(), hint });
        }
        if footprint.weights {
            found.extend(of_field(&self.router.object, &self.router.read().await?, &self.router.field()));
        }
        for slot in &footprint.scales {
            let behind = self.behind(*slot);
            let theirs = behind.object().await?;
            let object = theirs.read().await?;
            found.extend(of_field(theirs, &object, &["spec", "replicas"].map(str::to_owned)));
            let name = object.metadata.name.unwrap_or_default();
            found.extend(autoscalers(&self.cluster, behind.name.kind(), &name).await?);
        }
        Ok(found)
    }

    async fn missing(&self, footprint: &Footprint) -> Result<Vec<Missing>, PortError> {
        let lock = self.lock()?;
        let mut needs = [self.reads().await?, store_reads(&lock)].concat();
        if footprint.is_empty() {
            needs.push(Need::any("list", "", "configmaps"));
        } else {
            needs.extend([self.writes(), store_writes(&lock)].concat());
        }
        if !footprint.scales.is_empty() {
            needs.push(Need::any("list", "autoscaling", "horizontalpodautoscalers"));
        }
        let mut lacking = missing(&self.cluster, &needs).await?;
        if lacking.is_empty() && footprint.weights {
            match self.router.rehearse().await {
                Ok(()) => {}
                // Such as an admission webhook, or a namespace that is being deleted.
                Err(PortError::Forbidden { what, why }) => lacking.push(Missing { what, why }),
                Err(e) => return Err(e),
            }
        }
        Ok(lacking)
    }

    fn grant(&self, footprint: &Footprint) -> String {
        format!(
            "`kubectl apply -k manifests/rbac/{} -n {}`, with your names in it, and bind the role to whom you are there",
            if footprint.is_empty() { "read-only" } else { footprint.operation },
            self.cluster.namespace
        )
    }

    fn look(&self) -> String {
        format!(
            "`interlock doctor` tells what is reachable and permitted; `kubectl -n {} get svc,deploy,pods` shows the rest",
            self.cluster.namespace
        )
    }
}
