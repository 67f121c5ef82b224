//! The addresses that a Service reaches, as its `EndpointSlice`s say: a changed selector takes effect once they follow.

use std::{collections::BTreeSet, time::Duration};

use kube::{
    Api,
    api::{DynamicObject, ListParams},
};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::{Cluster, served::ServedKind, watched::Watched};
use crate::ports::PortError;

/// The label by which slices name their Service.
const SERVICE: &str = "kubernetes.io/service-name";

/// The addresses of one Service.
pub struct Endpoints {
    cluster: Cluster,
    service: String,
    slices: OnceCell<Watched<DynamicObject>>,
}

impl Endpoints {
    /// Those of a Service; nothing is asked yet.
    pub fn new(cluster: &Cluster, service: &str) -> Self {
        Self { cluster: cluster.clone(), service: service.to_owned(), slices: OnceCell::new() }
    }

    /// The addresses that take traffic now.
    ///
    /// # Errors
    /// Where the server serves no slices, or cannot be asked.
    pub async fn ready(&self) -> Result<BTreeSet<String>, PortError> {
        let resource = self.cluster.served(ServedKind::EndpointSlice).await?;
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.cluster.client.clone(), &self.cluster.namespace, &resource);
        let slices = api.list(&ListParams::default().labels(&format!("{SERVICE}={}", self.service))).await;
        let slices = slices.map_err(|e| self.cluster.failure("list endpointslices", &e))?;
        Ok(slices.iter().flat_map(|slice| ready(&slice.data)).map(str::to_owned).collect())
    }

    /// Begins to watch, so that a later wait needs no first list.
    ///
    /// # Errors
    /// Where the server serves no slices, or cannot be asked.
    pub async fn watch(&self) -> Result<&Watched<DynamicObject>, PortError> {
        self.slices
            .get_or_try_init(|| async {
                let resource = self.cluster.served(ServedKind::EndpointSlice).await?;
                let api = Api::namespaced_with(self.cluster.client.clone(), &self.cluster.namespace, &resource);
                Ok(Watched::start(&self.cluster, api, &format!("{SERVICE}={}", self.service), "endpointslices"))
            })
            .await
    }

    /// Waits until the Service reaches something, and none of `gone`; says whether it came to that.
    ///
    /// # Errors
    /// As [`Self::watch`].
    pub async fn without(&self, gone: &BTreeSet<String>, within: Duration) -> Result<bool, PortError> {
        let watched = self.watch().await?;
        let left = watched.until(within, |slices| {
            let ready: BTreeSet<_> = slices.values().flat_map(|slice| ready(&slice.data)).collect();
            !ready.is_empty() && ready.is_disjoint(&gone.iter().map(String::as_str).collect())
        });
        Ok(left.await)
    }
}

/// The addresses of a slice that take traffic; one that does not say is taken to.
fn ready(slice: &Value) -> impl Iterator<Item = &str> {
    let endpoints = slice.pointer("/endpoints").and_then(Value::as_array).into_iter().flatten();
    let taking = endpoints.filter(|endpoint| endpoint.pointer("/conditions/ready") != Some(&Value::Bool(false)));
    taking.filter_map(|endpoint| endpoint.get("addresses")?.as_array()).flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_ready_takes_traffic() {
        let slice = json!({ "endpoints": [
            { "addresses": ["10.244.0.5"], "conditions": { "ready": true } },
            { "addresses": ["10.244.0.6"], "conditions": { "ready": false } },
            { "addresses": ["10.244.0.7"] },
        ]});
        assert_eq!(ready(&slice).collect::<Vec<_>>(), ["10.244.0.5", "10.244.0.7"]);
    }
}
