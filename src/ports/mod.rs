//! What the domain needs of a platform, and nothing of how one platform does it.

mod clock;
mod database;
mod fence;
mod hosts;
mod metrics;
mod notify;
mod permit;
mod preflight;
mod requests;
mod store;
mod traces;
mod traffic;
mod workload;

pub use clock::Clock;
pub use database::{Database, Finding, Follows, NodeSeen, Objection, Sample, Session, Topology, Unit, Written};
pub use fence::Fence;
pub use hosts::{Act, Flow, HostState, Hosts};
pub use metrics::{Labels, MatchOp, Matcher, Metrics, Point, Selector, Series};
pub use notify::{Notice, Notify};
pub use permit::{ByHand, Means, Permit};
pub use preflight::{Footprint, Manager, Missing, Preflight};
pub use requests::{Reply, Requests, Route};
pub use store::Store;
pub use traces::{Collected, Traces, Wanted};
pub use traffic::{InFlight, Traffic};
pub use workload::{Replica, Workload};

pub use crate::error::PortError;
