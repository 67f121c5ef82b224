//! A replicated database as a failover drill sees it: nodes that are asked one by one, and never through the manager alone.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Fencing, Hosts, Means, Permit, PortError};

/// What one node says of itself when it is asked directly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeSeen {
    /// The node.
    pub name: String,
    /// Why it could not be asked; all that follows is empty then.
    pub trouble: Option<String>,
    /// Whether it takes writes.
    pub writable: bool,
    /// The history that it is on: a timeline of `PostgreSQL`, a GTID's domain and server of `MariaDB`.
    pub timeline: Option<String>,
    /// How far it is, in the database's own [`Unit`].
    pub position: Option<u64>,
    /// What it replicates, if it is a standby that does.
    pub follows: Option<Follows>,
    /// Whether the primary waits for it before it acknowledges.
    pub synchronous: bool,
}

/// A standby's replication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Follows {
    /// Whether changes arrive now.
    pub streaming: bool,
    /// The history that they come from.
    pub timeline: Option<String>,
    /// What keeps them from arriving, in the database's words.
    pub trouble: Option<String>,
}

/// All nodes at one time, each asked directly, and what the manager says, if there is one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Topology {
    /// The nodes, in the order of [`Database::nodes`].
    pub nodes: Vec<NodeSeen>,
    /// The leader that the manager names; `None` where there is no manager, or it names nobody.
    pub leader: Option<String>,
}

impl Topology {
    /// The nodes that take writes; exactly one in a cluster that is whole.
    pub fn writable(&self) -> impl Iterator<Item = &NodeSeen> {
        self.nodes.iter().filter(|node| node.writable)
    }

    /// The only node that takes writes.
    ///
    /// # Errors
    /// Says that there is none, or several.
    pub fn primary(&self) -> Result<&NodeSeen, String> {
        let mut writable = self.writable();
        match (writable.next(), writable.next()) {
            (Some(one), None) => Ok(one),
            (None, _) => Err("no node takes writes".to_owned()),
            (Some(a), Some(b)) => Err(format!("{} and {} both take writes", a.name, b.name)),
        }
    }

    /// One node.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&NodeSeen> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// Whether there is one primary and every other node streams from its history, at most `lag` behind.
    ///
    /// # Errors
    /// Names the first thing that is missing.
    pub fn is_whole(&self, lag: u64) -> Result<(), String> {
        let primary = self.primary()?;
        for node in self.nodes.iter().filter(|node| node.name != primary.name) {
            let name = &node.name;
            if let Some(trouble) = &node.trouble {
                return Err(format!("{name}: {trouble}"));
            }
            let Some(follows) = node.follows.as_ref().filter(|follows| follows.streaming) else {
                let why = node.follows.as_ref().and_then(|follows| follows.trouble.clone());
                return Err(format!(
                    "{name} does not replicate{}",
                    why.map_or_else(String::new, |why| format!(": {why}"))
                ));
            };
            if follows.timeline != primary.timeline {
                let told = |timeline: &Option<String>| timeline.clone().unwrap_or_else(|| "unknown".to_owned());
                let (theirs, ours) = (told(&follows.timeline), told(&primary.timeline));
                return Err(format!("{name} follows timeline {theirs}, {} is on {ours}", primary.name));
            }
            let behind = primary.position.unwrap_or(0).saturating_sub(node.position.unwrap_or(0));
            if behind > lag {
                return Err(format!("{name} is {behind} behind"));
            }
        }
        Ok(())
    }
}

/// What positions count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Bytes of the write-ahead log.
    Bytes,
    /// Transactions.
    Transactions,
}

/// How one write ended for its client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Written {
    /// Acknowledged, and the server was ready for the next statement.
    Acknowledged,
    /// Certainly not done: never sent, or refused; with the error's class, such as `25006`.
    Refused {
        /// The error's class: an SQLSTATE or error number where the server gave one.
        class: String,
    },
    /// Sent, and nobody can say: only a look at the table can. The session is of no further use.
    Unknown {
        /// The error's class: an SQLSTATE or error number where the server gave one, else such as `timeout`.
        class: String,
    },
}

/// What a node said when it was polled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sample {
    /// Whether it takes writes.
    pub writable: bool,
    /// The history that it is on.
    pub timeline: Option<String>,
    /// How far it is.
    pub position: Option<u64>,
}

/// One connection to one node.
#[async_trait]
pub trait Session: Send {
    /// Writes one row into the ledger's table, in a statement of its own that commits by itself.
    ///
    /// What the server remarked on it (a warning that it was not replicated, say) is added to `notices`.
    async fn insert(&mut self, id: u64, within: Duration, notices: &mut Vec<String>) -> Written;
    /// Asks for role and history. A session that failed once is of no further use.
    ///
    /// # Errors
    /// Where the node does not answer in time.
    async fn sample(&mut self, within: Duration) -> Result<Sample, PortError>;
}

/// One thing that was looked at before a drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Finding {
    /// What was looked at, such as `slots`.
    pub name: String,
    /// What was found.
    pub found: String,
    /// Why no drill may begin, and how to fix it; `None` where all is well.
    pub objection: Option<Objection>,
}

/// Why no drill may begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Objection {
    /// How to fix it.
    #[serde(rename = "mend")]
    pub hint: String,
}

/// A replicated database. Every call is bounded in time by the adapter; nodes are asked with deadlines of their own, since a
/// stopped host still accepts connections.
#[async_trait]
pub trait Database: Send + Sync {
    /// The nodes' names.
    fn nodes(&self) -> Vec<String>;
    /// Whether something promotes a standby by itself when the primary is gone.
    fn is_managed(&self) -> bool;
    /// What keeps a change of roles, that is still under way, from being carried out. Other statements are sessions.
    fn fencing(&self) -> Fencing;
    /// What positions count.
    fn unit(&self) -> Unit;
    /// Asks every node.
    async fn topology(&self) -> Topology;
    /// Looks at what has to hold before a drill that disturbs `victim`, beside what [`Topology::is_whole`] says: credentials,
    /// slots, what is needed to rejoin, the manager's settings and its pause, room on disk.
    async fn findings(&self, victim: &str) -> Vec<Finding>;
    /// The names of all that [`Database::findings`] looks at, also of what an objection keeps from being looked at.
    fn checks(&self) -> Vec<&'static str>;
    /// Connects to one node.
    ///
    /// # Errors
    /// Where it does not let us in, in time.
    async fn connect(&self, node: &str, within: Duration) -> Result<Box<dyn Session>, PortError>;
    /// Whether the ledger's table is there.
    ///
    /// # Errors
    /// Where the node cannot be asked.
    async fn has_ledger(&self, node: &str) -> Result<bool, PortError>;
    /// Makes the ledger's table at the primary, or drops it; repeating the call changes nothing more. An index on it is not
    /// unique, so that duplicates stay visible.
    ///
    /// # Errors
    /// Where the primary refuses or cannot be asked.
    async fn set_ledger(&self, primary: &str, there: bool, permit: &dyn Permit) -> Result<(), PortError>;
    /// Reads the ledger's table at one node: how often each row is there.
    ///
    /// # Errors
    /// Where the node cannot be asked.
    async fn rows(&self, node: &str) -> Result<BTreeMap<u64, u32>, PortError>;
    /// The position at which the present history left the one before, where the database tells.
    ///
    /// # Errors
    /// Where the node cannot be asked.
    async fn switched_at(&self, primary: &str) -> Result<Option<u64>, PortError>;
    /// Makes a standby the primary without asking the old one, which may be gone. Not for managed clusters.
    ///
    /// # Errors
    /// Where it refuses, or does not take writes in time.
    async fn promote(&self, candidate: &str, permit: &dyn Permit) -> Result<(), PortError>;
    /// Hands the primary's role over as planned, with nothing lost; returns once `to` takes writes and `from` follows it.
    ///
    /// # Errors
    /// Where it is refused or not done in time; says how things stand.
    async fn switch_over(&self, from: &str, to: &str, hosts: &dyn Hosts, permit: &dyn Permit) -> Result<(), PortError>;
    /// Where a handover was cut short before anybody was promoted, nobody takes writes: lets whoever gave the role away take
    /// them again, started by its host if that is how it gave it away. Never `except`, nor where somebody takes writes.
    ///
    /// # Errors
    /// Where it cannot be done.
    async fn take_role_back(&self, except: &str, hosts: &dyn Hosts, permit: &dyn Permit) -> Result<(), PortError>;
    /// Makes a node that its host has started follow the primary again; returns once it streams.
    ///
    /// # Errors
    /// Where it does not, in time; with what the database says.
    async fn rejoin(&self, node: &str, hosts: &dyn Hosts, permit: &dyn Permit) -> Result<(), PortError>;
    /// Ends what was intended in an earlier term, or waits for its end and for what it has set in motion, at most `within`.
    ///
    /// # Errors
    /// [`PortError::MayAct`] where it still may do something; where the node cannot be asked.
    async fn settle(&self, means: &Means, within: Duration) -> Result<(), PortError> {
        let _ = within;
        Err(means.never_used())
    }
}
