//! What the domain needs of a platform, and nothing of how one platform does it.

mod clock;
mod config;
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
pub use config::{Configs, Desired, Instance, Look, RunsOn};
pub use database::{Database, Finding, Follows, NodeSeen, Objection, Sample, Session, Topology, Unit, Written};
pub use fence::{Fence, Fencing};
pub use hosts::{Act, Flow, HostState, Hosts, Order};
pub use metrics::{Labels, MatchOp, Matcher, Metrics, Native, Point, Selector, Series};
pub use notify::{Notice, Notify};
pub use permit::{ByHand, Means, Permit};
pub use preflight::{Footprint, Manager, Missing, Preflight};
pub use requests::{Field, Reply, Requests, Route};
pub use store::{Ends, Glance, IsEnough, LAST, Opening, Store};
pub use traces::{Collected, Traces, Wanted};
pub use traffic::{InFlight, Routed, Traffic};
pub use workload::{Replica, Workload};

pub use crate::error::PortError;
