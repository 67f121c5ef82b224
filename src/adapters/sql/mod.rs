//! Replicated databases: one cluster of nodes over an engine for each system, with or without a manager.

mod address;
mod cluster;
mod connect;
mod engine;
mod failover;
mod failure;
mod findings;
mod kept;
mod ledger;
mod limits;
mod mariadb;
mod open;
mod patroni;
mod postgres;
mod roles;
#[cfg(test)]
mod sample;
mod session;
mod standing;
mod tls;

pub use connect::{Admin, Connect, Secret, Tls};
pub use open::{mariadb_cluster, patroni_cluster, postgres_cluster, postgres_configs};

use address::{Server, servers};
use kept::{Kept, Opening};
use roles::{primary_for, streams};
use standing::{standing, with_standing};
use tls::{client_config, usable};
