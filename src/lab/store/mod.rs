//! The store of a full lab: tenants in SQLite behind HTTP, with an outage that can be switched on.

mod routes;
mod table;

pub use routes::{Outage, serve};
pub use table::Tenant;
