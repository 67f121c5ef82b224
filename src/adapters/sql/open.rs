//! The systems that there are, each a cluster of its engine.

use std::sync::Arc;

use super::{Connect, cluster::Cluster, mariadb::MariaDb, patroni::Patroni, postgres::Postgres, servers};
use crate::ports::{Configs, Database, PortError};

const POSTGRES_PORT: u16 = 5432;
const MARIADB_PORT: u16 = 3306;

/// `PostgreSQL` with streaming replication and no manager, by the nodes' names and their addresses (`host:port`).
///
/// # Errors
/// Where an address is none, a name is there twice, or the trusted authorities cannot be read.
pub fn postgres_cluster(nodes: &[(String, String)], connect: Connect) -> Result<Arc<dyn Database>, PortError> {
    let servers = servers("PostgreSQL", nodes, POSTGRES_PORT)?;
    Ok(Arc::new(Cluster::new(Postgres::new(&connect.tls)?, servers, None, connect)))
}

/// What each `PostgreSQL` says of its settings, by the nodes' names and their addresses (`host:port`).
///
/// # Errors
/// Where an address is none, a name is there twice, or the trusted authorities cannot be read.
pub fn postgres_configs(nodes: &[(String, String)], connect: Connect) -> Result<Arc<dyn Configs>, PortError> {
    let servers = servers("PostgreSQL", nodes, POSTGRES_PORT)?;
    Ok(Arc::new(Cluster::new(Postgres::new(&connect.tls)?, servers, None, connect)))
}

/// `PostgreSQL` under Patroni: by each node's name as Patroni has it, its address (`host:port`) and that of its REST API
/// (`http://host:8008`, with user and password in it where the API wants them).
///
/// # Errors
/// Where an address is none, a name is there twice, or the trusted authorities cannot be read.
pub fn patroni_cluster(nodes: &[(String, String, String)], connect: Connect) -> Result<Arc<dyn Database>, PortError> {
    let named = |(name, _, rest): &(String, String, String)| (name.clone(), rest.clone());
    let manager = Patroni::new(&nodes.iter().map(named).collect::<Vec<_>>(), &connect.tls)?;
    let addresses: Vec<_> = nodes.iter().map(|(name, address, _)| (name.clone(), address.clone())).collect();
    let servers = servers("PostgreSQL", &addresses, POSTGRES_PORT)?;
    Ok(Arc::new(Cluster::new(Postgres::new(&connect.tls)?, servers, Some(manager), connect)))
}

/// `MariaDB` with GTID replication and no manager, by the nodes' names and their addresses (`host:port`). `sources` are the
/// addresses at which replicas fetch changes, for nodes where these are others than the clients'. The administrator is also the
/// user that replication connects as.
///
/// # Errors
/// Where an address is none, a name is there twice, or the trusted authorities cannot be read.
pub fn mariadb_cluster(
    nodes: &[(String, String)],
    sources: &[(String, String)],
    connect: Connect,
) -> Result<Arc<dyn Database>, PortError> {
    let read = |nodes| servers("MariaDB", nodes, MARIADB_PORT);
    let sources = if sources.is_empty() { Vec::new() } else { read(sources)? };
    Ok(Arc::new(Cluster::new(MariaDb::new(sources, &connect.tls)?, read(nodes)?, None, connect)))
}
