//! What the systems differ in: how one node is connected to and asked, and how its role is changed. [`super::cluster`] has
//! everything else, once for all of them.

use std::time::Duration;

use async_trait::async_trait;

use super::{Connect, Server, cluster::Cluster, failure::Failure, findings::Case, roles::unseen};
use crate::ports::{Finding, Follows, NodeSeen, Permit, PortError, Sample, Unit};

#[derive(Debug, Clone, PartialEq)]
pub struct Answer<D> {
    /// Role, history, position.
    pub sample: Sample,
    /// Its replication, if it is a standby.
    pub follows: Option<Follows>,
    /// What only its own system knows of.
    pub detail: D,
}

impl<D> Answer<D> {
    /// The node by its own answer alone.
    pub fn seen(self, name: &str) -> NodeSeen {
        let Sample { writable, timeline, position } = self.sample;
        let (name, follows) = (name.to_owned(), self.follows);
        NodeSeen { name, trouble: None, writable, timeline, position, follows, synchronous: false }
    }
}

pub type AnswerOf<E> = Answer<<<E as Engine>::Wire as Wire>::Detail>;

/// One connection to one node. After a timeout it is of no further use.
#[async_trait]
pub trait Wire: Send + 'static {
    /// What an answer holds that only this system knows of.
    type Detail: Clone + Send + Sync;
    /// The class of an id that no column of ours can hold.
    const OUT_OF_RANGE: &'static str;

    /// Asks how the node stands.
    async fn ask(&mut self, within: Duration) -> Result<Answer<Self::Detail>, Failure>;
    /// Names this session at its server for good: no later one there has the same name.
    async fn identify(&mut self, within: Duration) -> Result<String, Failure>;
    /// Asks for role and history only.
    async fn sample(&mut self, within: Duration) -> Result<Sample, Failure>;
    /// Runs statements that return nothing.
    async fn run(&mut self, sql: &str, within: Duration) -> Result<(), Failure>;
    /// Does whatever comes before a row is sent; the row is not there if this fails.
    async fn prepare_insert(&mut self, within: Duration) -> Result<(), Failure>;
    /// Sends a row, and adds what the server remarked on it.
    async fn insert(&mut self, id: i64, within: Duration, notices: &mut Vec<String>) -> Result<(), Failure>;
    /// Whether the ledger's table is there.
    async fn has_ledger(&mut self, within: Duration) -> Result<bool, Failure>;
    /// Asks for pairs of numbers and hands over one after the other, so that not all have to be held.
    async fn each_pair(
        &mut self,
        sql: &str,
        within: Duration,
        each: &mut (dyn FnMut(i64, i64) + Send),
    ) -> Result<(), Failure>;
}

/// A database system with replication.
#[async_trait]
pub trait Engine: Sized + Send + Sync + 'static {
    /// A connection to a node.
    type Wire: Wire;
    /// What is looked at in a node before a drill.
    type Settings: Send + Sync;

    /// What a node is called in errors, before its name.
    const NODE: &'static str;
    /// What positions count.
    const UNIT: Unit;
    /// How far a standby may be behind before a drill, or before a handover.
    const MOST_BEHIND: u64;
    /// Keeps a session from waiting for somebody's lock longer than we wait for the session.
    const SHORT_LOCKS: &'static str;
    /// Whether a server takes its other role while it runs; otherwise its host has to end it and start it again.
    const CHANGES_ROLE_RUNNING: bool;
    /// How a primary is left that has given its role away.
    const STEPPED_DOWN: &'static str;
    /// For so long a server that was started may need until it listens.
    const LISTENS: Duration;
    /// For so long a node that was started may need until it streams by itself.
    const STREAMS: Duration;

    /// What makes the ledger's table, if it is not there.
    fn make_ledger() -> String;
    /// Connects to a node; the caller bounds the time.
    async fn connect(&self, server: &Server, user: &Connect, within: Duration) -> Result<Self::Wire, Failure>;
    /// Whether this primary waits for this standby before it acknowledges.
    fn waits_for(primary: &AnswerOf<Self>, name: &str, standby: &AnswerOf<Self>) -> bool;
    /// Looks at a node before a drill.
    async fn settings(cluster: &Cluster<Self>, node: &str) -> Result<Self::Settings, PortError>;
    /// The names of all that is judged before a drill.
    const CHECKS: &'static [&'static str];
    /// Judges what has to hold before a drill; nothing is asked here.
    fn findings(case: &Case<'_, Self::Settings>) -> Vec<Finding>;
    /// The position at which the present history left the one before, where the database tells.
    async fn switched_at(cluster: &Cluster<Self>, primary: &str) -> Result<Option<u64>, PortError>;
    /// Makes a standby the primary, without waiting until it takes writes.
    async fn promote(
        cluster: &Cluster<Self>,
        node: &str,
        answer: &AnswerOf<Self>,
        permit: &dyn Permit,
    ) -> Result<(), PortError>;
    /// Whether we may promote a node at all, asked before anything is touched.
    async fn may_promote(cluster: &Cluster<Self>, node: &str) -> Result<(), PortError>;
    /// Has a primary take no more writes, where it can without its host; gives its last position, in its own words.
    async fn step_down(cluster: &Cluster<Self>, node: &str, permit: &dyn Permit) -> Result<String, PortError>;
    /// Waits until a standby has applied everything up to that position.
    async fn catch_up(cluster: &Cluster<Self>, node: &str, end: &str) -> Result<(), PortError>;
    /// Takes [`Self::step_down`] back; says how the node is left.
    async fn step_up(cluster: &Cluster<Self>, node: &str, permit: &dyn Permit) -> &'static str;
    /// Points a node that runs at the primary; nothing where its host has started it as a follower.
    async fn follow(cluster: &Cluster<Self>, node: &str, primary: &str, permit: &dyn Permit) -> Result<(), PortError>;
    /// Ends a session by its name, and waits for what it has set in motion, at most `within`; gives why it may still do
    /// something, if it may.
    async fn settle(wire: &mut Self::Wire, session: &str, within: Duration) -> Result<Option<String>, Failure>;
    /// What keeps a node from ever following the primary as it is, also where it seems to follow a moment after its start. The
    /// primary was asked after the node, so that the node has nothing of it that this answer lacks.
    fn diverged(answer: &AnswerOf<Self>, primary: Option<&AnswerOf<Self>>) -> Option<String>;
}

/// Makes a topology's nodes of what each answered, or of why it did not.
pub fn nodes<E: Engine>(answers: Vec<(String, Result<AnswerOf<E>, String>)>) -> Vec<NodeSeen> {
    // With two primaries, each waits for standbys of its own.
    let answered = answers.iter().filter_map(|(_, answer)| answer.as_ref().ok());
    let primaries: Vec<_> = answered.filter(|answer| answer.sample.writable).cloned().collect();
    let one = |(name, answer): (String, Result<AnswerOf<E>, String>)| match answer {
        Err(trouble) => unseen(&name, trouble),
        Ok(answer) => {
            let waited_for = |primary| E::waits_for(primary, &name, &answer);
            let synchronous = answer.follows.is_some() && primaries.iter().any(waited_for);
            NodeSeen { synchronous, ..answer.seen(&name) }
        }
    };
    answers.into_iter().map(one).collect()
}
