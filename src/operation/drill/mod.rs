//! SQL failover drills: takes the primary away, writes all the while, and holds every node against what was acknowledged.

mod evidence;
mod gates;
mod keys;
pub mod ledger;
mod method;
mod nodes;
mod observe;
mod operation;
mod orders;
mod plan;
pub mod record;
mod report;
mod role;
mod spec;
mod users;
mod verdict;

pub use evidence::{Cycle, Evidence};
pub use method::Method;
pub use operation::{Drill, Ports};
pub use plan::{Watch, target};
pub use report::metrics;
pub use spec::{Require, Spec, Users, Writer};
