//! Patroni, which manages a cluster of `PostgreSQL`: it is asked, and told to switch over, by its REST API.

mod findings;
mod manager;
mod rest;
mod shapes;
mod switchover;

pub use manager::Patroni;
