//! `MariaDB` with GTID replication: what nodes say, promotion, and pointing a node at the primary.

mod admin;
mod database;
mod failure;
mod findings;
mod grants;
mod gtid;
mod handover;
mod ledger;
mod login;
mod look;
mod nodes;
mod rejoin;
mod session;
mod settings;
mod wire;

pub use database::MariaDb;
