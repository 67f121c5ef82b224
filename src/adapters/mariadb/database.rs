//! `MariaDB` with GTID replication and no manager, as the port has it.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;

use super::{
    findings::{Case, Seen, findings},
    nodes::Nodes,
    session::MariaDbSession,
};
use crate::{
    adapters::sql::Connect,
    ports::{Database, Finding, Hosts, PortError, Session, Topology, Unit},
};

/// `MariaDB` with GTID replication; we promote and point, and its hosts make a diverged node anew.
#[derive(Clone)]
pub struct MariaDb {
    nodes: Nodes,
}

impl MariaDb {
    /// Takes the nodes' names and their addresses (`host:port`), by which the nodes reach each other too. The user is also
    /// the one that replication connects as.
    ///
    /// # Errors
    /// Where an address is none, a name is there twice, or the trusted authorities cannot be read.
    pub fn new(nodes: &[(String, String)], connect: Connect) -> Result<Self, PortError> {
        Ok(Self { nodes: Nodes::new(nodes, connect)? })
    }

    /// Names the addresses at which replicas fetch changes, for nodes where these are others than the clients'.
    ///
    /// # Errors
    /// Where an address is none.
    pub fn fetched_at(self, sources: &[(String, String)]) -> Result<Self, PortError> {
        Ok(Self { nodes: self.nodes.fetched_at(sources)? })
    }
}

#[async_trait]
impl Database for MariaDb {
    fn system(&self) -> &'static str {
        "MariaDB with GTID replication"
    }

    fn nodes(&self) -> Vec<String> {
        self.nodes.names()
    }

    fn is_managed(&self) -> bool {
        false
    }

    fn unit(&self) -> Unit {
        Unit::Transactions
    }

    async fn topology(&self) -> Topology {
        self.nodes.topology().await
    }

    async fn findings(&self, _victim: &str) -> Vec<Finding> {
        let topology = self.nodes.topology().await;
        let seen: Vec<Seen> = join_all(self.nodes.names().into_iter().map(async |name| {
            let looked = self.nodes.look_into(&name).await.map_err(|why| why.to_string());
            (name, looked)
        }))
        .await;
        let connect = self.nodes.connect();
        findings(&Case {
            seen: &seen,
            topology: &topology,
            user: &connect.user,
            admin: &self.nodes.administrator().user,
            database: &connect.database,
        })
    }

    async fn connect(&self, node: &str, within: Duration) -> Result<Box<dyn Session>, PortError> {
        let wire = self.nodes.open(node, within).await?;
        Ok(Box::new(MariaDbSession::new(self.nodes.place(node)?, wire)))
    }

    async fn has_ledger(&self, node: &str) -> Result<bool, PortError> {
        self.nodes.has_ledger(node).await
    }

    async fn set_ledger(&self, primary: &str, there: bool) -> Result<(), PortError> {
        self.nodes.set_ledger(primary, there).await
    }

    async fn rows(&self, node: &str) -> Result<BTreeMap<u64, u32>, PortError> {
        self.nodes.rows(node).await
    }

    async fn switched_at(&self, primary: &str) -> Result<Option<u64>, PortError> {
        self.nodes.switched_at(primary).await
    }

    async fn promote(&self, candidate: &str) -> Result<(), PortError> {
        self.nodes.promote(candidate).await
    }

    async fn switch_over(&self, from: &str, to: &str, hosts: &dyn Hosts) -> Result<(), PortError> {
        self.nodes.hand_over(from, to, hosts).await
    }

    async fn rejoin(&self, node: &str, hosts: &dyn Hosts) -> Result<(), PortError> {
        self.nodes.rejoin(node, hosts).await
    }
}
