//! Kinds beside the core ones that a server has to serve as `v1`.

use kube::{
    api::{ApiResource, GroupVersionKind},
    discovery::oneshot,
};

use super::Cluster;
use crate::ports::PortError;

/// The version of each kind, which every supported server serves.
const VERSION: &str = "v1";

/// A kind that an aggregated API or an old server may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServedKind {
    /// `discovery.k8s.io`: which addresses a Service reaches.
    EndpointSlice,
    /// `policy`: how many pods of a kind may be away at once.
    PodDisruptionBudget,
    /// `batch`: Jobs by schedule.
    CronJob,
}

impl ServedKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::EndpointSlice, Self::PodDisruptionBudget, Self::CronJob];

    /// Its group and kind.
    pub const fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::EndpointSlice => ("discovery.k8s.io", "EndpointSlice"),
            Self::PodDisruptionBudget => ("policy", "PodDisruptionBudget"),
            Self::CronJob => ("batch", "CronJob"),
        }
    }
}

impl Cluster {
    /// A kind as the server serves it.
    ///
    /// # Errors
    /// [`PortError::NotFound`] where it does not.
    pub async fn served(&self, kind: ServedKind) -> Result<ApiResource, PortError> {
        let (group, name) = kind.name();
        let missing = || PortError::NotFound { what: format!("{name} of {group}/{VERSION}") };
        match oneshot::pinned_kind(&self.client, &GroupVersionKind::gvk(group, VERSION, name)).await {
            Ok((resource, _)) => Ok(resource),
            Err(kube::Error::Discovery(_)) => Err(missing()),
            Err(kube::Error::Api(status)) if status.is_not_found() => Err(missing()),
            Err(e) => Err(self.failure(&format!("get /apis/{group}/{VERSION}"), &e)),
        }
    }
}
