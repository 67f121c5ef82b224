//! Failover drills of SQL databases: how long nobody can write, and what that was acknowledged is gone.

pub mod ledger;
pub mod record;
