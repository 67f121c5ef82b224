//! `PostgreSQL` with streaming replication and no manager, as the port has it.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;

use super::{
    findings::{Case, Seen, findings},
    nodes::Nodes,
    session::PostgresSession,
    settings,
};
use crate::{
    adapters::sql::{Connect, limits::ACT},
    ports::{Database, Finding, Hosts, PortError, Session, Topology, Unit},
};

/// `PostgreSQL` with streaming replication; we promote, and its hosts rewind.
#[derive(Clone)]
pub struct Postgres {
    nodes: Nodes,
}

impl Postgres {
    /// Takes the nodes' names and their addresses (`host:port`).
    ///
    /// # Errors
    /// Where an address is none, a name is there twice, or the trusted authorities cannot be read.
    pub fn new(nodes: &[(String, String)], connect: Connect) -> Result<Self, PortError> {
        Ok(Self { nodes: Nodes::new(nodes, connect)? })
    }
}

impl Nodes {
    /// A connection of a drill.
    ///
    /// # Errors
    /// What the node said.
    pub async fn session(&self, node: &str, within: Duration) -> Result<Box<dyn Session>, PortError> {
        let wire = self.open_writer(node, within).await?;
        Ok(Box::new(PostgresSession::new(self.place(node)?, wire)))
    }

    /// What has to hold before a drill.
    pub async fn findings(&self, topology: &Topology, victim: &str, promotes: bool) -> Vec<Finding> {
        let seen: Vec<Seen> = join_all(self.names().into_iter().map(async |name| {
            let looked = self.look_into(&name).await.map_err(|why| why.to_string());
            (name, looked)
        }))
        .await;
        findings(&Case {
            seen: &seen,
            topology,
            victim,
            writer: self.writer(),
            admin: self.admin(),
            database: self.database(),
            promotes,
        })
    }

    async fn look_into(&self, name: &str) -> Result<settings::Looked, PortError> {
        let mut wire = self.open(name, ACT).await?;
        let mut looked = settings::look(&mut wire).await.map_err(self.failed(name, "ask")?)?;
        if self.writer() != self.admin() {
            let mut wire = self.open_writer(name, ACT).await?;
            let own = settings::rights(&mut wire).await.map_err(self.failed(name, "ask")?)?;
            looked.rights =
                settings::Rights { schema: own.schema, create: own.create, ledger: own.ledger, ..looked.rights };
        }
        Ok(looked)
    }
}

#[async_trait]
impl Database for Postgres {
    fn system(&self) -> &'static str {
        "PostgreSQL with streaming replication"
    }

    fn nodes(&self) -> Vec<String> {
        self.nodes.names()
    }

    fn is_managed(&self) -> bool {
        false
    }

    fn unit(&self) -> Unit {
        Unit::Bytes
    }

    async fn topology(&self) -> Topology {
        self.nodes.topology().await
    }

    async fn findings(&self, victim: &str) -> Vec<Finding> {
        let topology = self.nodes.topology().await;
        self.nodes.findings(&topology, victim, true).await
    }

    async fn connect(&self, node: &str, within: Duration) -> Result<Box<dyn Session>, PortError> {
        self.nodes.session(node, within).await
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
