//! A namespace that is being deleted takes everything in it along, and lets nothing new in.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Error, api::PostParams};

use super::{Cluster, names};

/// The cause by which the server says so.
const LEAVING: &str = "NamespaceTerminating";

impl Cluster {
    /// Whether the namespace is being deleted; not, where that cannot be told.
    ///
    /// Tried without effect on what a run creates anyway, for namespaces themselves may be read by few.
    pub(super) async fn is_leaving(&self) -> bool {
        let mut tried = ConfigMap::default();
        tried.metadata.generate_name = Some(format!("{}-", names::MANAGER));
        let params = PostParams { dry_run: true, ..PostParams::default() };
        match self.api().create(&params, &tried).await {
            Err(Error::Api(status)) => {
                status.details.iter().flat_map(|details| &details.causes).any(|cause| cause.reason == LEAVING)
            }
            _ => false,
        }
    }
}
