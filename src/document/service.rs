//! A service of the platform file: its two slots, how they are reached, and what tells them apart.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Pods, Target, Traffic, Window};
use crate::{
    model::Slot,
    ports::{Field, Labels},
    slo::{Matchers, SlotNames},
};

/// The header of an answer that says who gave it, unless a service names another one.
const SLOT_HEADER: &str = "x-slot";

/// One service with its two slots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Service {
    /// What runs in each slot. A lab knows by itself.
    #[serde(default)]
    pub slots: Option<Slots>,
    /// How traffic reaches the slots; a cluster needs it, a lab knows by itself.
    #[serde(default)]
    pub traffic: Option<Traffic>,
    /// What the pods tell of themselves, in a cluster.
    #[serde(default)]
    pub pods: Option<Pods>,
    /// Requests that have to pass through the preview path before the slot gets live traffic.
    #[serde(default)]
    pub smoke: Vec<Smoke>,
    /// The request that learns which slot serves.
    #[serde(default)]
    pub identity: Option<Identity>,
    /// What picks a slot's series: labels, or matchers as PromQL has them; `{service: NAME, slot: SLOT}` when left out.
    #[serde(default)]
    pub selectors: Option<Selectors>,
    /// Names of the SLOs that decide on this service.
    #[serde(default)]
    pub slos: Vec<String>,
    /// Times in which this service is not changed, beside the platform's own.
    #[serde(default)]
    pub freeze: Vec<Window>,
}

impl Service {
    /// The path whose answer says who serves, and the field of it that does.
    #[must_use]
    pub fn identity(&self) -> (String, Field) {
        let path = self.identity.as_ref().map_or("/version", |own| &own.path).to_owned();
        let field = match self.identity.as_ref().map(|own| (&own.header, &own.body)) {
            Some((_, Some(pointer))) => Field::Body(pointer.clone()),
            Some((Some(name), None)) => Field::Header(name.clone()),
            Some((None, None)) | None => Field::Header(SLOT_HEADER.to_owned()),
        };
        (path, field)
    }

    /// What the series of its slots may be named after.
    #[must_use]
    pub fn names(&self, name: &str, target: &Target) -> SlotNames {
        let workload =
            |slot: &SlotSpec| slot.workload.split_once('/').map_or(String::new(), |(_, name)| name.to_owned());
        let services = self.traffic.as_ref().map(|traffic| traffic.parts().services.1);
        let pairs = services.map(|services| [services.blue.clone(), services.green.clone()]).into_iter();
        let workloads = self.slots.as_ref().map(|slots| [workload(&slots.blue), workload(&slots.green)]);
        let namespace = match target {
            Target::Lab(_) | Target::Hosts(_) => None,
            Target::Kubernetes(target) => Some(target.namespace.clone()),
        };
        SlotNames { service: name.to_owned(), namespace, pairs: pairs.chain(workloads).collect() }
    }

    /// What picks a slot's series.
    #[must_use]
    pub fn matchers(&self, name: &str, slot: Slot) -> Matchers {
        match (&self.selectors, slot) {
            (Some(s), Slot::Blue) => s.blue.clone(),
            (Some(s), Slot::Green) => s.green.clone(),
            (None, _) => {
                Labels::from([("service", name), ("slot", slot.name())].map(|(k, v)| (k.to_owned(), v.to_owned())))
                    .into()
            }
        }
    }
}

/// What runs in the two slots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Slots {
    /// The blue slot.
    pub blue: SlotSpec,
    /// The green slot.
    pub green: SlotSpec,
}

/// What runs in one slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SlotSpec {
    /// The workload: `deployment/NAME`, `statefulset/NAME`, `replicaset/NAME`, or `replicaset/LABEL=VALUE,...` for the one
    /// of several that is scaled up.
    pub workload: String,
}

/// A request that has to pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Smoke {
    /// The path that is asked for, starting with `/`.
    pub path: String,
    /// The status that has to come back; any from 200 to 299 when left out.
    #[serde(default)]
    pub status: Option<u16>,
}

/// The request that learns which slot serves. Its answer says so by `blue` or `green`, or by any other text that all replicas of a
/// slot share, such as a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// The path that is asked for, starting with `/`.
    pub path: String,
    /// The header of the answer that says who gave it; `x-slot` when this and `body` are left out. A lab knows its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// Where the answer's body, which is JSON, says who gave it: a JSON pointer (RFC 6901) such as `/release`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// What picks the series of each slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Selectors {
    /// Matchers of the blue slot's series.
    pub blue: Matchers,
    /// Matchers of the green slot's series.
    pub green: Matchers,
}
