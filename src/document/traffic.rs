//! What a platform file says of how traffic reaches the slots of a service in a cluster.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Slot;

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
    /// What the checks of a platform file have to know of it.
    pub(super) const fn parts(&self) -> Parts<'_> {
        match self {
            Self::Selector(selector) => Parts {
                at: "traffic.selector",
                services: ("preview", &selector.preview),
                address: selector.address.as_ref(),
            },
            Self::HttpRoute(route) => Parts {
                at: "traffic.httpRoute",
                services: ("backends", &route.backends),
                address: Some(&route.address),
            },
        }
    }
}

/// What every way of routing says, and where.
pub(super) struct Parts<'a> {
    /// Where it stands in the service.
    pub at: &'static str,
    /// The Services that reach one slot each, and their key.
    pub services: (&'static str, &'a Backends),
    /// Where the live path starts, if that is said.
    pub address: Option<&'a String>,
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

fn slot_label() -> String {
    "slot".to_owned()
}
