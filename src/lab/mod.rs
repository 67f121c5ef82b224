//! The embedded platform: real processes, a gateway with weights, load; all of it on this machine.

mod adapter;
pub mod alerts;
pub mod backing;
mod client;
mod connections;
pub mod database;
mod defects;
pub mod fault;
mod features;
mod flight;
pub mod gateway;
mod grpc;
mod host;
pub mod http;
pub mod identity;
pub mod known;
pub mod load;
pub mod operate;
pub mod own;
mod page;
#[cfg(feature = "sql")]
mod primary;
pub mod script;
mod services;
pub mod state;
mod status;
pub mod store;
pub mod supervisor;
pub mod telemetry;
pub mod tenant;

pub use adapter::LabPlatform;
pub use client::{Lab, end, raise, start};
pub use database::{DatabaseKind, LabDatabase, LabHosts, LabNode};
pub use fault::{Deviation, Fault, Faults};
pub use features::{Features, GatewayDefect, Untraced};
pub use known::LabFile;
pub use services::{FullLab, Service};
pub use state::{DEFAULT_FOLDER, Folder};
pub use status::{PartStatus, Release, ServiceStatus, SlotStatus, Standing, Status};

/// The service that the lab runs.
pub const SERVICE: &str = Service::Tenant.name();
