//! What can be done to a host, one file for each fault; whoever has to know which there are asks this list.
//!
//! A fault is data over the primitive [`Act`](crate::ports::Act)s: how it is asked for, which acts inject it, the state in
//! which they leave a host, and how people call it. Every fault is healed by bringing its host back to
//! [`HostState::Running`](crate::ports::HostState::Running).

mod fault;
mod kill_database;
mod kill_manager;
mod partition;
mod pause;
mod power_off;
mod stall;

pub use fault::{Ends, Fault, asked_by, methods, said};
pub use power_off::POWER_OFF;

/// All of them, in the order in which people read them.
pub const FAULTS: &[&Fault] = &[
    &POWER_OFF,
    &kill_database::KILL_DATABASE,
    &kill_manager::KILL_MANAGER,
    &pause::PAUSE,
    &partition::PARTITION,
    &stall::STALL,
];
