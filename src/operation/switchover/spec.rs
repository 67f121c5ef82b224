//! What one switchover is to do, with everything resolved: nothing of it is looked up again later.

use serde::{Deserialize, Serialize};

use crate::{
    model::{HumanDuration, Slot},
    slo::{Matchers, Objective, Rules, SlotNames},
};

/// One switchover, resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The service.
    pub service: String,
    /// The slot that should receive traffic.
    pub to: Slot,
    /// The shares of traffic that it gets one after the other, in percent; the last is 100.
    pub shares: Vec<u8>,
    /// How long each share is watched.
    pub bake: HumanDuration,
    /// How long each share is watched at most, where the evidence does not suffice sooner.
    pub max_bake: HumanDuration,
    /// How long the old slot is kept warm, and the new one watched, after the last bake.
    pub keep_old: HumanDuration,
    /// Whether the old slot is scaled down in the end.
    pub scale_down_old: bool,
    /// How long the old slot's requests in flight may take to end.
    pub drain: HumanDuration,
    /// How long the service is measured before anything is touched; zero where there are no objectives.
    pub baseline: HumanDuration,
    /// How often counts are read.
    pub look: HumanDuration,
    /// How old the newest counts may be before the source counts as silent.
    pub freshness: HumanDuration,
    /// How many requests warm the new slot up.
    pub warm_up: u32,
    /// Requests that have to pass on the new slot.
    pub smoke: Vec<Smoke>,
    /// The path whose answer says which slot serves.
    pub identity: String,
    /// How long a request of our own may take.
    #[serde(default = "one_second")]
    pub answer_within: HumanDuration,
    /// What acts at once.
    pub fuses: Fuses,
    /// What decides: the objectives, with the labels that pick each slot's series.
    pub objectives: Vec<Objective>,
    /// What picks the old slot's series.
    pub old_labels: Matchers,
    /// What picks the new slot's series.
    pub new_labels: Matchers,
    /// What series may be named after; only the gates want to know.
    #[serde(skip)]
    pub names: SlotNames,
    /// How evidence becomes a verdict.
    pub rules: Rules,
}

/// What journals of earlier releases do not say.
const fn one_second() -> HumanDuration {
    HumanDuration::secs(1)
}

/// A request that has to pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smoke {
    /// The path.
    pub path: String,
    /// The status that has to come back; any from 200 to 299 when left out.
    pub status: Option<u16>,
}

impl Smoke {
    /// Whether a status is the one that has to come back.
    #[must_use]
    pub fn passes(&self, status: u16) -> bool {
        self.status.map_or((200..300).contains(&status), |wanted| wanted == status)
    }
}

/// What puts a change back at once, without any statistics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fuses {
    /// The age at which a request in flight counts as hanging.
    pub in_flight_age: HumanDuration,
    /// How many hanging requests blow the fuse.
    pub hanging: u64,
    /// How many exits of the new slot's processes blow the fuse.
    pub exits: u64,
    /// More than this share of the new slot's replicas having exited, or not being ready, blows the fuse.
    pub replicas_lost: f64,
    /// Below this share of the expected traffic, at both slots together, the fuse blows.
    pub traffic_floor: f64,
}

impl Spec {
    /// The slot that serves now.
    #[must_use]
    pub const fn from(&self) -> Slot {
        self.to.other()
    }
}
