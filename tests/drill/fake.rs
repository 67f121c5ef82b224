//! A replicated database in memory that counts for itself what it lost and for how long it took no writes.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use interlock::ports::{
    Database, Fencing, Finding, Hosts, NodeSeen, Permit, PortError, Sample, Session, Topology, Unit, Written,
};
use tokio::sync::Notify;

/// How a node's host is.
#[derive(Clone, Copy, PartialEq)]
pub enum Host {
    Up,
    /// Connections are refused.
    Gone,
    /// Nothing runs: connections are accepted, and nothing comes back until it runs again.
    Stopped,
}

struct Node {
    host: Host,
    /// Connections of an earlier life are cut.
    life: u64,
    writable: bool,
    timeline: u64,
    rows: BTreeMap<u64, u32>,
    position: u64,
    /// Rows that this node acknowledged, each once its client had the answer.
    answered: Vec<u64>,
}

/// What one row is to meet.
#[derive(Clone, Copy, PartialEq)]
pub enum Twist {
    /// It is written twice.
    Twice,
    /// It is refused, and written all the same.
    RefusedButThere,
    /// It is written, and the connection is cut before the answer.
    Swallowed,
    /// It is acknowledged with a warning.
    Warned,
}

struct State {
    nodes: Vec<Node>,
    /// Whether what the primary writes reaches the others.
    flowing: bool,
    switched_at: Option<u64>,
    twists: Vec<Twist>,
    twisted: Vec<(Twist, u64)>,
}

/// The database; clones share one.
#[derive(Clone)]
pub struct Fake {
    names: Arc<Vec<String>>,
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
    sessions: Arc<AtomicU64>,
}

impl Fake {
    /// Nodes `a`, `b` and so on; `a` is the primary.
    pub fn new(nodes: usize) -> Self {
        let node = |index| Node {
            host: Host::Up,
            life: 0,
            writable: index == 0,
            timeline: 1,
            rows: BTreeMap::new(),
            position: 1_000,
            answered: Vec::new(),
        };
        let names = ('a'..).take(nodes).map(String::from).collect();
        let (nodes, twists, twisted) = ((0..nodes).map(node).collect(), Vec::new(), Vec::new());
        let state = State { nodes, flowing: true, switched_at: None, twists, twisted };
        let (state, changed) = (Arc::new(Mutex::new(state)), Arc::new(Notify::new()));
        Self { names: Arc::new(names), state, changed, sessions: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn index(&self, node: &str) -> usize {
        self.names.iter().position(|name| name == node).unwrap()
    }

    /// Brings a host into a state; cuts its connections unless it is only stopped. The instant is within the change.
    pub fn set_host(&self, node: &str, host: Host) -> Instant {
        let mut state = self.lock();
        let node = &mut state.nodes[self.index(node)];
        if host == Host::Gone {
            node.life += 1;
        }
        node.host = host;
        let at = Instant::now();
        drop(state);
        self.changed.notify_waiters();
        at
    }

    /// Stops or releases what the primary sends.
    pub fn set_flowing(&self, flowing: bool) {
        self.lock().flowing = flowing;
    }

    /// Makes a node a primary, with what it has.
    pub fn promote(&self, node: &str) -> Instant {
        let mut state = self.lock();
        state.flowing = false;
        let index = self.index(node);
        state.switched_at = Some(state.nodes[index].position);
        let node = &mut state.nodes[index];
        (node.writable, node.timeline) = (true, node.timeline + 1);
        Instant::now()
    }

    /// Makes a node that is up a standby of another, with that one's rows; says which rows it had acknowledged that are gone.
    pub fn rejoin(&self, node: &str, primary: &str) -> Vec<u64> {
        let mut state = self.lock();
        let (from, to) = (self.index(primary), self.index(node));
        let (rows, timeline, position) = {
            let primary = &state.nodes[from];
            (primary.rows.clone(), primary.timeline, primary.position)
        };
        let node = &mut state.nodes[to];
        let gone = node.answered.iter().filter(|id| !rows.contains_key(id)).copied().collect();
        (node.host, node.writable, node.rows, node.timeline, node.position) =
            (Host::Up, false, rows, timeline, position);
        node.life += 1;
        state.flowing = true;
        drop(state);
        self.changed.notify_waiters();
        gone
    }

    /// Lets the next writes at a primary meet these, one each.
    pub fn twist(&self, twists: &[Twist]) {
        self.lock().twists.extend(twists);
    }

    /// Which rows met what.
    pub fn twisted(&self) -> Vec<(Twist, u64)> {
        self.lock().twisted.clone()
    }

    /// Puts a row everywhere that nobody wrote.
    pub fn plant(&self, id: u64) {
        self.lock().nodes.iter_mut().for_each(|node| assert_eq!(node.rows.insert(id, 1), None));
    }

    /// How many connections are open.
    pub fn sessions(&self) -> u64 {
        self.sessions.load(Ordering::Relaxed)
    }

    /// How many rows a node has acknowledged.
    pub fn answered(&self, node: &str) -> usize {
        self.lock().nodes[self.index(node)].answered.len()
    }

    /// Waits until a host that is stopped runs again.
    async fn awake(&self, node: usize) {
        loop {
            let changed = self.changed.notified();
            if self.lock().nodes[node].host != Host::Stopped {
                return;
            }
            changed.await;
        }
    }
}

impl State {
    /// Writes a row where the node is a primary, and where it flows to.
    fn commit(&mut self, node: usize, id: u64, times: u32) {
        let (timeline, flowing) = (self.nodes[node].timeline, self.flowing);
        for (index, other) in self.nodes.iter_mut().enumerate() {
            let follows = flowing && !other.writable && other.timeline == timeline && other.host != Host::Gone;
            if index == node || follows {
                *other.rows.entry(id).or_default() += times;
                other.position += 100;
            }
        }
    }

    fn insert(&mut self, node: usize, life: u64, id: u64, notices: &mut Vec<String>) -> Written {
        if self.nodes[node].life != life || self.nodes[node].host == Host::Gone {
            return Written::Unknown { class: "eof".to_owned() };
        }
        if !self.nodes[node].writable {
            return Written::Refused { class: "25006".to_owned() };
        }
        let twist = self.twists.pop();
        self.twisted.extend(twist.map(|twist| (twist, id)));
        self.commit(node, id, if twist == Some(Twist::Twice) { 2 } else { 1 });
        match twist {
            Some(Twist::RefusedButThere) => return Written::Refused { class: "40001".to_owned() },
            Some(Twist::Swallowed) => return Written::Unknown { class: "eof".to_owned() },
            Some(Twist::Warned) => notices.push("it was not replicated".to_owned()),
            Some(Twist::Twice) | None => {}
        }
        self.nodes[node].answered.push(id);
        Written::Acknowledged
    }
}

struct Connection {
    fake: Fake,
    node: usize,
    life: u64,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.fake.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Session for Connection {
    async fn insert(&mut self, id: u64, within: Duration, notices: &mut Vec<String>) -> Written {
        if tokio::time::timeout(within, self.fake.awake(self.node)).await.is_err() {
            return Written::Unknown { class: "timeout".to_owned() };
        }
        self.fake.lock().insert(self.node, self.life, id, notices)
    }

    async fn sample(&mut self, within: Duration) -> Result<Sample, PortError> {
        let late = |_| PortError::unreachable("node", "no answer");
        tokio::time::timeout(within, self.fake.awake(self.node)).await.map_err(late)?;
        let state = self.fake.lock();
        let node = &state.nodes[self.node];
        if node.life != self.life || node.host == Host::Gone {
            return Err(PortError::unreachable("node", "cut"));
        }
        let timeline = Some(node.timeline.to_string());
        Ok(Sample { writable: node.writable, timeline, position: Some(node.position) })
    }
}

#[async_trait]
impl Database for Fake {
    fn nodes(&self) -> Vec<String> {
        self.names.to_vec()
    }

    fn is_managed(&self) -> bool {
        false
    }

    fn fencing(&self) -> Fencing {
        Fencing::Session
    }

    fn unit(&self) -> Unit {
        Unit::Bytes
    }

    async fn topology(&self) -> Topology {
        let state = self.lock();
        let nodes = self.names.iter().zip(&state.nodes).map(|(name, node)| NodeSeen {
            name: name.clone(),
            trouble: (node.host != Host::Up).then(|| "no answer".to_owned()),
            writable: node.writable && node.host == Host::Up,
            timeline: Some(node.timeline.to_string()),
            position: Some(node.position),
            follows: None,
            synchronous: false,
        });
        Topology { nodes: nodes.collect(), leader: None }
    }

    async fn findings(&self, _: &str) -> Vec<Finding> {
        self.checks()
            .into_iter()
            .map(|name| Finding { name: name.to_owned(), found: "fine".to_owned(), objection: None })
            .collect()
    }

    fn checks(&self) -> Vec<&'static str> {
        vec!["slots", "settings"]
    }

    async fn connect(&self, node: &str, within: Duration) -> Result<Box<dyn Session>, PortError> {
        let index = self.index(node);
        let late = |_| PortError::unreachable(node, "no answer");
        tokio::time::timeout(within, self.awake(index)).await.map_err(late)?;
        let state = self.lock();
        if state.nodes[index].host == Host::Gone {
            return Err(PortError::unreachable(node, "connection refused"));
        }
        let life = state.nodes[index].life;
        self.sessions.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Connection { fake: self.clone(), node: index, life }))
    }

    async fn has_ledger(&self, _: &str) -> Result<bool, PortError> {
        Ok(true)
    }

    async fn set_ledger(&self, _: &str, _: bool, _: &dyn Permit) -> Result<(), PortError> {
        Ok(())
    }

    async fn rows(&self, node: &str) -> Result<BTreeMap<u64, u32>, PortError> {
        let state = self.lock();
        let found = &state.nodes[self.index(node)];
        if found.host != Host::Up {
            return Err(PortError::unreachable(node, "connection refused"));
        }
        Ok(found.rows.clone())
    }

    async fn switched_at(&self, _: &str) -> Result<Option<u64>, PortError> {
        Ok(self.lock().switched_at)
    }

    async fn promote(&self, candidate: &str, _: &dyn Permit) -> Result<(), PortError> {
        Fake::promote(self, candidate);
        Ok(())
    }

    async fn switch_over(&self, _: &str, _: &str, _: &dyn Hosts, _: &dyn Permit) -> Result<(), PortError> {
        Err(PortError::NotFound { what: "switchover in memory".to_owned() })
    }

    async fn take_role_back(&self, _: &str, _: &dyn Hosts, _: &dyn Permit) -> Result<(), PortError> {
        Err(PortError::NotFound { what: "handover in memory".to_owned() })
    }

    async fn rejoin(&self, _: &str, _: &dyn Hosts, _: &dyn Permit) -> Result<(), PortError> {
        Err(PortError::NotFound { what: "hosts in memory".to_owned() })
    }
}
