//! What the supervisor says about the lab.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{
    model::{Epoch, Slot},
    process::Identity,
};

/// What a slot or a scripted service runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    pub version: String,
    /// As they are written: the defects of a script have names of their own.
    #[serde(default)]
    pub faults: Vec<String>,
}

/// A scripted service, and what it is meant to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceStatus {
    pub name: String,
    pub release: Release,
    pub replicas: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotStatus {
    pub slot: Slot,
    /// What it is meant to run.
    pub release: Release,
    /// How many replicas it is meant to have.
    pub replicas: u32,
    /// The highest epoch that has set or fenced that number.
    pub epoch: Epoch,
    /// Counts how often that number was set or fenced.
    pub version: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    Up,
    /// It has ended by itself, and is started again after a while.
    Waiting,
    /// It gets no more requests, and is about to be ended.
    Ending,
}

/// One process of the lab.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartStatus {
    /// `gateway`, `prometheus`, the service's or the replica's name.
    pub name: String,
    /// Who it is, while it runs.
    pub identity: Option<Identity>,
    pub address: SocketAddr,
    pub standing: Standing,
    /// Whether it says that it can take requests.
    pub ready: bool,
    /// How often it has ended by itself.
    pub exits: u64,
    pub slot: Option<Slot>,
    /// The scripted service that it is a replica of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The release that a replica runs.
    pub version: Option<String>,
}

/// All of the lab.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// Gateway, replicas, Prometheus, the services of a full lab, and what stands behind doors of scripts.
    pub parts: Vec<PartStatus>,
    /// What both slots are meant to be.
    pub slots: Vec<SlotStatus>,
    /// What the scripted services are meant to be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceStatus>,
}

impl Status {
    pub fn replicas(&self, slot: Slot) -> impl Iterator<Item = &PartStatus> {
        self.parts.iter().filter(move |part| part.slot == Some(slot))
    }

    /// Whether everything that is meant to run does, and is ready.
    #[must_use]
    pub fn settled(&self) -> bool {
        let all_up = self.parts.iter().all(|part| part.standing == Standing::Up && part.ready);
        all_up
            && self.slots.iter().all(|slot| are(self.replicas(slot.slot), slot.replicas, &slot.release.version))
            && self
                .services
                .iter()
                .all(|service| are(self.replicas_of(&service.name), service.replicas, &service.release.version))
    }

    /// The replicas of a scripted service.
    pub fn replicas_of(&self, service: &str) -> impl Iterator<Item = &PartStatus> {
        self.parts.iter().filter(move |part| part.service.as_deref() == Some(service))
    }
}

/// Whether these are so many replicas, all of that version.
fn are<'a>(replicas: impl Iterator<Item = &'a PartStatus>, wanted: u32, version: &str) -> bool {
    let versions: Vec<_> = replicas.map(|part| part.version.as_deref()).collect();
    u32::try_from(versions.len()) == Ok(wanted) && versions.iter().all(|one| *one == Some(version))
}
