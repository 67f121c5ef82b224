//! `PostgreSQL` with streaming replication: a wire that nobody else drives, what nodes say, and promotion.

mod configs;
mod engine;
mod failure;
mod findings;
mod history;
mod look;
mod settings;
mod settle;
mod wire;

pub use engine::Postgres;
