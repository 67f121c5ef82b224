//! What `lab.json` says of a lab's database, for whoever uses it.

use std::{net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::kind::{DatabaseKind, Runs};

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabDatabase {
    pub kind: DatabaseKind,
    /// Its nodes; the first one is the primary at first.
    pub nodes: Vec<LabNode>,
    /// The hosts of what coordinates them.
    pub others: Vec<LabHost>,
    /// The database that the user owns.
    pub database: String,
    /// The user: may do nothing beyond that database.
    pub user: String,
    /// The user's password.
    pub password: String,
    /// An account that sees everything, promotes, and lets nodes follow.
    pub admin_user: String,
    /// That account's password.
    pub admin_password: String,
    /// Where all hosts keep their data.
    pub folder: PathBuf,
    /// Whether the nodes' disks can be stalled.
    pub stallable: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabNode {
    pub name: String,
    /// Where clients reach it.
    pub sql: SocketAddr,
    /// Where its Patroni answers.
    pub rest: Option<SocketAddr>,
    /// Where replicas fetch its changes, if not where clients reach it.
    pub replication: Option<SocketAddr>,
    /// Where its host's agent takes orders.
    pub agent: SocketAddr,
}

/// The host of something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LabHost {
    pub name: String,
    /// Where its clients reach it.
    pub service: SocketAddr,
    /// Where its agent takes orders.
    pub agent: SocketAddr,
}

impl LabDatabase {
    /// Name, agent and role of every host: first the nodes, then the others.
    pub fn hosts(&self) -> impl Iterator<Item = (&str, SocketAddr, Runs)> {
        let runs = match self.kind {
            DatabaseKind::Postgres => Runs::Postgres,
            DatabaseKind::Patroni => Runs::Patroni,
            DatabaseKind::MariaDb => Runs::MariaDb,
        };
        let nodes = self.nodes.iter().map(move |node| (&*node.name, node.agent, runs));
        nodes.chain(self.others.iter().map(|other| (&*other.name, other.agent, Runs::Etcd)))
    }
}

/// Passwords are for the file only.
impl std::fmt::Debug for LabDatabase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, nodes, others, .. } = self;
        f.debug_struct("LabDatabase").field("kind", kind).field("nodes", nodes).field("others", others).finish()
    }
}
