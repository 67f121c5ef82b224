//! What a platform file says of a cluster: where it is, and what pods tell of themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::HumanDuration;

/// A namespace of a Kubernetes cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubernetesTarget {
    /// The context of the kubeconfig; the current one when left out. In a pod its own account is used.
    #[serde(default)]
    pub context: Option<String>,
    /// The namespace.
    pub namespace: String,
    /// The longest outage of the API server that a run outlives. A dead operator's guardian acts after half as long
    /// again, since it cannot tell the two apart sooner.
    #[serde(default = "twenty_seconds")]
    pub outage: HumanDuration,
}

impl KubernetesTarget {
    /// A namespace of the current context.
    #[must_use]
    pub fn of(namespace: impl Into<String>) -> Self {
        Self { context: None, namespace: namespace.into(), outage: twenty_seconds() }
    }
}

/// What the pods of a service tell of themselves; they are asked one by one, through the API server's proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pods {
    /// The port that tells, which need not be the one that serves.
    pub port: u16,
    /// The path of their page in the Prometheus text format.
    #[serde(default = "metrics_path")]
    pub metrics: String,
    /// A gauge histogram (`_bucket`, by `le`) of the ages of requests in flight; drain and the fuse for hanging requests
    /// need it.
    #[serde(default)]
    pub in_flight: Option<String>,
    /// A gauge of the ages of the oldest requests in flight, with the labels `request` and `client`, to name them.
    #[serde(default)]
    pub in_flight_examples: Option<String>,
    /// A gauge of open connections, with the label `client`; a selector moves new connections only.
    #[serde(default)]
    pub connections: Option<String>,
    /// A path that takes `PUT {"draining": true}` and then ends each kept-alive connection after its next answer;
    /// without it, clients that keep connections stay on the old slot until they close them.
    #[serde(default)]
    pub draining: Option<String>,
}

const fn twenty_seconds() -> HumanDuration {
    HumanDuration::secs(20)
}

fn metrics_path() -> String {
    "/metrics".to_owned()
}
