//! What the lab writes down for others to find it: who supervises it, where its parts listen, and the token that they ask for.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{FullLab, SERVICE, database::LabDatabase};
use crate::{error::Error, model::Slot, process::Identity};

/// What a lab and who asks it understand of each other; raised with whatever another release would misunderstand. Labs of before
/// there was such a number have 0.
pub const PROTOCOL: u32 = 1;

/// What `lab.json` says; it holds a secret and has mode 0600.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabFile {
    /// What it understands.
    #[serde(default)]
    pub protocol: u32,
    /// The process that keeps everything up.
    pub supervisor: Identity,
    /// Where users' requests go.
    pub gateway: SocketAddr,
    /// Where weights are read and set, and the gateway's metrics are.
    pub admin: SocketAddr,
    /// Where the supervisor takes orders.
    pub control: SocketAddr,
    /// Where Prometheus listens, if its binary was found.
    pub prometheus: Option<SocketAddr>,
    /// What admin and control ask for.
    pub token: String,
    /// The scripted service that stands behind the gateway, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Where the services of a full lab listen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full: Option<FullLab>,
    /// Where the identity provider listens that scripted services want, where the lab is not full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<SocketAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<LabDatabase>,
    /// Whether there is nothing else.
    #[serde(default)]
    pub database_only: bool,
}

impl LabFile {
    /// The service that stands behind the gateway, in two slots.
    #[must_use]
    pub fn service(&self) -> &str {
        self.service.as_deref().unwrap_or(SERVICE)
    }

    /// The services of a full lab.
    ///
    /// # Errors
    /// Where this lab has none.
    pub fn full(&self) -> Result<FullLab, Error> {
        self.full.ok_or_else(|| {
            Error::usage(
                "this lab has no store, no identity provider and no alerts",
                "end it, and start one that has them: `interlock lab up --full`",
            )
        })
    }

    /// The identity provider of the lab.
    ///
    /// # Errors
    /// Where this lab has none.
    pub fn identity(&self) -> Result<SocketAddr, Error> {
        self.full.map(|full| full.identity).or(self.identity).ok_or_else(|| {
            Error::usage(
                "this lab has no identity provider",
                "end it, and start one that has: `interlock lab up --full`, or with a script that requires tokens",
            )
        })
    }

    /// The database of the lab.
    ///
    /// # Errors
    /// Where this lab has none.
    pub fn database(&self) -> Result<&LabDatabase, Error> {
        self.database.as_ref().ok_or_else(|| {
            Error::usage(
                "this lab has no database",
                "end it, and start one that has: `interlock lab up --database postgres`",
            )
        })
    }
}

/// One place that serves requests of a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    /// The replica's name.
    pub name: String,
    /// The replica's slot.
    pub slot: Slot,
    pub address: SocketAddr,
}

/// A process of the lab, by the name of its role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// `gateway`, `prometheus`, a service's or a replica's name.
    pub name: String,
    pub identity: Identity,
}
