//! What a person can do about a cluster that does not keep our runs.

use crate::{adapters::kube::Cluster, error::Error, ports::PortError};

/// A port's error with what to do next.
pub fn trouble(cluster: &Cluster, error: PortError) -> Error {
    let namespace = &cluster.namespace;
    let hint = match &error {
        PortError::Forbidden { .. } => format!(
            "whoever runs interlock needs a role of manifests/rbac (for `runs prune` it is manifests/rbac/prune): \
             kubectl apply -k manifests/rbac -n {namespace}, and bind it; `kubectl auth can-i --list -n {namespace}` shows \
             what is allowed"
        ),
        PortError::NotFound { .. } => format!("does the namespace exist? kubectl get namespace {namespace}"),
        PortError::Conflict { .. } => {
            format!(
                "something else writes there as well: kubectl get lease,cm -n {namespace} --show-managed-fields -o yaml"
            )
        }
        _ => "does `kubectl cluster-info` work? What interlock was at goes on once the API server answers".to_owned(),
    };
    Error::port(error, hint)
}
