//! `MariaDB` with GTID replication: what nodes say, promotion, and pointing a node at the primary.

mod admin;
mod engine;
mod failure;
mod findings;
mod grants;
mod gtid;
mod look;
mod settings;
mod wire;

pub use engine::MariaDb;
