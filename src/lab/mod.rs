//! The embedded platform: real processes, a gateway with weights, load; all of it on this machine.

mod adapter;
mod connections;
mod contact;
pub mod fault;
mod flight;
pub mod gateway;
pub mod http;
pub mod load;
mod memory;
mod page;
pub mod state;
mod status;
pub mod supervisor;
pub mod tenant;

pub use adapter::LabPlatform;
pub use contact::{Lab, end, start};
pub use fault::{Fault, Faults};
pub use memory::{MemoryClock, MemoryPlatform};
pub use state::{DEFAULT_FOLDER, Folder, LabFile};
pub use status::{PartStatus, Release, SlotStatus, Standing, Status};

/// The service that the lab runs.
pub const SERVICE: &str = "tenant";
