//! Kinds that are `v1` today and were `v1beta1` on older servers: whichever is served.

use kube::{
    api::{ApiResource, GroupVersionKind},
    discovery::oneshot,
};

use super::Cluster;
use crate::ports::PortError;

/// A kind that moved from beta to `v1` within the life of servers that are still about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// `discovery.k8s.io`: which addresses a Service reaches.
    EndpointSlice,
    /// `policy`: how many pods of a kind may be away at once.
    PodDisruptionBudget,
    /// `batch`: Jobs by schedule.
    CronJob,
}

impl Moved {
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
    /// The name of the version of a kind that the server serves, such as `v1beta1`.
    ///
    /// # Errors
    /// As where the kind itself is asked for.
    pub async fn served_version(&self, moved: Moved) -> Result<String, PortError> {
        self.served(moved).await.map(|resource| resource.version)
    }

    /// The version of a kind that the server serves, the current one before the beta.
    ///
    /// # Errors
    /// [`PortError::NotFound`] where it serves neither.
    pub async fn served(&self, moved: Moved) -> Result<ApiResource, PortError> {
        let (group, kind) = moved.name();
        for version in ["v1", "v1beta1"] {
            match oneshot::pinned_kind(&self.client, &GroupVersionKind::gvk(group, version, kind)).await {
                Ok((resource, _)) => return Ok(resource),
                Err(kube::Error::Discovery(_)) => {}
                Err(kube::Error::Api(status)) if status.is_not_found() => {}
                Err(e) => return Err(self.failure(&format!("get /apis/{group}/{version}"), &e)),
            }
        }
        Err(PortError::NotFound { what: format!("{kind} of {group}, neither v1 nor v1beta1") })
    }
}
