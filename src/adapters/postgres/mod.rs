//! `PostgreSQL` with streaming replication: a wire that nobody else drives, what nodes say, promotion and the way back.

mod database;
mod failure;
mod findings;
mod handover;
mod history;
mod ledger;
mod login;
mod look;
mod nodes;
mod rejoin;
mod session;
mod settings;
mod wire;

pub use database::Postgres;

pub(super) use nodes::Nodes;
