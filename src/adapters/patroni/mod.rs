//! `PostgreSQL` under Patroni: the nodes are asked by SQL, the manager by its REST API.

mod database;
mod findings;
mod rest;
mod shapes;
mod switchover;

pub use database::Patroni;
