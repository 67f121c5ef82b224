//! The services of the lab: one table for the supervisor, their command lines, their ports, and their traces.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// A service whose processes can make spans. The supervisor and the hosts' agents make none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Routes requests to the slots.
    Gateway,
    /// The service that is switched.
    Tenant,
    /// Keeps the tenants.
    Store,
    /// Signs tokens.
    Identity,
    /// Takes logs, and raises alerts.
    Alerts,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Gateway, Self::Tenant, Self::Store, Self::Identity, Self::Alerts];

    /// Its name: in `lab serve`, for its port and its log, in traces and counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Tenant => "tenant",
            Self::Store => "store",
            Self::Identity => "identity",
            Self::Alerts => "alerts",
        }
    }
}

/// Where the services behind gateway and tenants listen, which only a full lab has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FullLab {
    pub store: SocketAddr,
    pub identity: SocketAddr,
    /// The sink of logs and alerts.
    pub alerts: SocketAddr,
}

impl FullLab {
    /// Gives each an address.
    ///
    /// # Errors
    /// What `address` says.
    pub fn plan<E>(mut address: impl FnMut(Service) -> Result<SocketAddr, E>) -> Result<Self, E> {
        Ok(Self {
            store: address(Service::Store)?,
            identity: address(Service::Identity)?,
            alerts: address(Service::Alerts)?,
        })
    }

    /// Each with its address, in the order in which they are started.
    #[must_use]
    pub const fn services(self) -> [(Service, SocketAddr); 3] {
        let Self { store, identity, alerts } = self;
        [(Service::Store, store), (Service::Identity, identity), (Service::Alerts, alerts)]
    }
}
