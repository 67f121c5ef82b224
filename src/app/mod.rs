//! Builds what the platform file names, and leads a run from a plan to its end; no terminal is needed for that.

mod cluster;
mod configs;
#[cfg(feature = "sql")]
mod database;
#[cfg(feature = "sql")]
mod drill;
mod facts;
mod history;
mod location;
mod metrics;
mod notices;
mod prepare;
mod rebuild;
mod run;
mod session;
mod snapshot;
pub mod watchdog;

pub use crate::adapters::requests;
pub use cluster::reach;
#[cfg(all(feature = "lab", feature = "sql"))]
pub use database::lab_login;
#[cfg(feature = "sql")]
pub use drill::drill;
pub use history::check_edges;
pub use location::{Location, candidate, clock, cluster_store, store};
pub use prepare::{Choices, Prepared};
pub use rebuild::Rebuilder;
pub use run::{Begun, cut_short, follow, stop_signal};
pub use session::Session;
pub use snapshot::Snapshot;
pub use watchdog::Watchdog;

use snapshot::{misconfigured, secret};
