//! What a platform file says of a cluster: where it is, how traffic reaches the slots, and what pods tell of themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Slot, Span};

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
    pub outage: Span,
}

impl KubernetesTarget {
    /// A namespace of the current context.
    #[must_use]
    pub fn of(namespace: impl Into<String>) -> Self {
        Self { context: None, namespace: namespace.into(), outage: twenty_seconds() }
    }
}

/// How traffic reaches the slots of a service in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Traffic {
    /// The selector of a Service names one slot: all of the traffic, or none.
    Selector(SelectorTraffic),
    /// A Gateway API `HTTPRoute` shares the traffic by weights.
    HttpRoute(HttpRouteTraffic),
}

impl Traffic {
    /// Where the live path starts, if it was named.
    #[must_use]
    pub const fn address(&self) -> Option<&String> {
        match self {
            Self::Selector(selector) => selector.address.as_ref(),
            Self::HttpRoute(route) => Some(&route.address),
        }
    }

    /// The Services that reach one slot each.
    #[must_use]
    pub const fn backends(&self) -> &Backends {
        match self {
            Self::Selector(selector) => &selector.preview,
            Self::HttpRoute(route) => &route.backends,
        }
    }
}

/// Traffic by the selector of a Service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SelectorTraffic {
    /// The Service.
    pub service: String,
    /// The label in its selector whose value, `blue` or `green`, names the slot.
    #[serde(default = "slot_label")]
    pub label: String,
    /// The Services that reach one slot each, for smoke tests and probes.
    pub preview: Backends,
    /// The live path as users take it, such as `http://shop.example.org`; through the API server's proxy to the Service
    /// when left out.
    #[serde(default)]
    pub address: Option<String>,
}

/// Traffic by the weights of an `HTTPRoute`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpRouteTraffic {
    /// The `HTTPRoute`.
    pub route: String,
    /// The Services that its weighted rule names, one for each slot.
    pub backends: Backends,
    /// A header whose value, `blue` or `green`, sends a request to that slot, where the route has such rules; without it
    /// previews go to the backends through the API server's proxy.
    #[serde(default)]
    pub preview_header: Option<String>,
    /// The gateway's address, such as `http://shop.example.org`: only there can be asked who serves.
    pub address: String,
}

/// A Service for each slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Backends {
    /// Reaches the blue slot alone.
    pub blue: String,
    /// Reaches the green slot alone.
    pub green: String,
}

impl Backends {
    /// The Service of a slot.
    #[must_use]
    pub const fn of(&self, slot: Slot) -> &String {
        match slot {
            Slot::Blue => &self.blue,
            Slot::Green => &self.green,
        }
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

const fn twenty_seconds() -> Span {
    Span::secs(20)
}

fn slot_label() -> String {
    "slot".to_owned()
}

fn metrics_path() -> String {
    "/metrics".to_owned()
}
