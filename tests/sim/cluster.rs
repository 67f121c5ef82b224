//! A simulated database of two nodes, below the messages: servers, the hosts that they run on, and sessions. What it does by
//! itself (replication, promotions that were told, the writers' rows) is caught up on whenever somebody looks.

use std::{collections::BTreeSet, time::Duration};

use interlock::{
    model::HumanDuration,
    ports::{HostState, PortError},
};
use serde_json::{Value, json};

use crate::{
    calls::{Call, Order, Statement},
    database::{self, What},
    laws,
    platform::{Message, Seen},
    scenario::{Fault, Scenario},
    world::{State, World},
    writing::Writing,
};

/// The nodes; the first one is the primary before the drill.
pub const NODES: [&str; 2] = ["pg1", "pg2"];
/// The primary, and who may take over from it, as their places in [`NODES`].
const PRIMARY: usize = 0;
const STANDBY: usize = 1;
/// By then everything that was begun has come to its end.
const RESTS: u64 = 60_000;
/// How long a server needs once it has begun with a promotion.
const PROMOTES: u64 = 300;

/// A promotion that was told.
#[derive(Debug, Clone, Copy)]
struct Promotion {
    node: usize,
    life: u64,
    /// When the server begins with it.
    begins: u64,
}

/// The database.
pub struct Cluster {
    nodes: database::State,
    /// Its hosts have agents, which know epochs; those without are given orders by commands.
    pub agents: bool,
    fault: Fault,
    promotions: Vec<Promotion>,
    /// Sessions that are open, each with its server and that one's life.
    sessions: Vec<(u64, usize, u64)>,
    count: u64,
    /// Commands that have acted, or were ended.
    ended: BTreeSet<String>,
    /// Who writes to it.
    pub writing: Option<Writing>,
    /// Two nodes have taken writes at once.
    split: bool,
}

impl Cluster {
    pub fn new(scenario: &Scenario) -> Self {
        let mut nodes = database::State::new(&NODES);
        if scenario.agents {
            nodes.nodes.iter_mut().for_each(|node| node.epoch = scenario.left);
        }
        Self {
            nodes,
            agents: scenario.agents,
            fault: scenario.fault,
            promotions: Vec::new(),
            sessions: Vec::new(),
            count: 0,
            ended: BTreeSet::new(),
            writing: None,
            split: false,
        }
    }

    /// The only node that takes writes.
    fn primary(&self) -> Option<usize> {
        let mut writable = (0..NODES.len()).filter(|node| self.nodes.nodes[*node].is_writable());
        writable.next().filter(|_| writable.next().is_none())
    }

    /// Lets happen what happens by itself until a time.
    fn elapse(&mut self, now: u64) {
        while let Some(at) = self.next_promotion(now) {
            let Promotion { node, life, begins } = self.promotions.remove(at);
            self.pass(begins + PROMOTES);
            let promoted = &self.nodes.nodes[node];
            if promoted.life == life && promoted.runs() && promoted.standby {
                self.nodes.promote(node);
                self.sees();
            }
        }
        self.pass(now);
    }

    fn next_promotion(&self, now: u64) -> Option<usize> {
        let due = |at: &usize| self.promotions[*at].begins + PROMOTES;
        (0..self.promotions.len()).min_by_key(due).filter(|at| due(at) <= now)
    }

    /// Lets time pass in which nobody changes a role.
    fn pass(&mut self, now: u64) {
        while let Some(at) = self.writing.as_ref().and_then(|writing| writing.due(now)) {
            self.nodes.elapse(Duration::from_millis(at));
            let primary = self.primary().filter(|node| self.nodes.nodes[*node].has_ledger());
            if let Some(id) = self.writing.as_mut().and_then(|writing| writing.write(primary))
                && let Some(node) = primary
            {
                self.nodes.write(node, What::Row(id));
            }
        }
        self.nodes.elapse(Duration::from_millis(now));
    }

    fn sees(&mut self) {
        self.split |= self.nodes.nodes.iter().filter(|node| node.is_writable()).count() > 1;
    }

    /// What stands at the drill's keys, as somebody sees it who can see everything.
    fn stands(&self) -> [(&'static str, Value); 3] {
        let [primary, standby] = [PRIMARY, STANDBY].map(|node| &self.nodes.nodes[node]);
        let is_whole = self.primary() == Some(PRIMARY) && self.nodes.streams(STANDBY);
        let is_vacant = !primary.runs() && standby.runs() && standby.standby;
        let role = if is_whole || is_vacant { NODES[PRIMARY] } else { "elsewhere" };
        let takes_part = self.primary() == Some(PRIMARY) || self.nodes.streams(PRIMARY);
        let host = match primary.host {
            HostState::Running if !takes_part => self.fault.state(),
            other => other,
        };
        let ledger = self.nodes.nodes[self.primary().unwrap_or(PRIMARY)].has_ledger();
        [("primary", json!(role)), ("host/pg1", json!(host)), ("ledger", json!(ledger))]
    }

    fn opens(&mut self, node: usize) -> u64 {
        self.count += 1;
        self.sessions.push((self.count, node, self.nodes.nodes[node].life));
        self.count
    }

    /// Whether a session is open; a session acts once.
    fn uses(&mut self, session: u64, node: usize) -> bool {
        let life = self.nodes.nodes[node].life;
        let open = self.sessions.iter().position(|open| *open == (session, node, life));
        open.map(|at| self.sessions.remove(at)).is_some()
    }

    fn says(&mut self, node: usize, says: Statement, begins: u64) -> Result<(), PortError> {
        match says {
            Statement::Ledger(_) if !self.nodes.nodes[node].is_writable() => {
                return Err(PortError::unexpected(NODES[node], "25006"));
            }
            Statement::Ledger(there) if self.nodes.nodes[node].has_ledger() != there => {
                self.nodes.write(node, What::Ledger(there));
            }
            Statement::Promote if self.nodes.nodes[node].standby => {
                let life = self.nodes.nodes[node].life;
                self.promotions.push(Promotion { node, life, begins });
            }
            _ => {}
        }
        Ok(())
    }

    fn does(&mut self, node: usize, order: Order) -> Result<(), PortError> {
        let host = self.nodes.nodes[node].host;
        match order {
            Order::Become(to) if to == host => {}
            Order::Become(HostState::Running) => self.nodes.start(node),
            Order::Become(HostState::Down) => self.nodes.end(node, false),
            Order::Become(to) => self.nodes.nodes[node].host = to,
            Order::Stop if host == HostState::Running => self.nodes.end(node, true),
            Order::Stop => {}
            Order::Follow(_) if host != HostState::Down => {
                return Err(PortError::unexpected(NODES[node], "it runs"));
            }
            Order::Follow(primary) if !self.nodes.nodes[primary].is_writable() => {
                return Err(PortError::unreachable(NODES[primary], "it takes no writes"));
            }
            Order::Follow(primary) => {
                self.nodes.start(node);
                self.nodes.follow(node, primary);
            }
        }
        self.sees();
        Ok(())
    }

    fn is_told(&self, node: usize, now: u64) -> bool {
        let life = self.nodes.nodes[node].life;
        self.promotions.iter().any(|told| told.node == node && told.life == life && told.begins > now)
    }
}

/// The place in [`NODES`] of whom a message is for.
fn place(key: &str) -> usize {
    let name = key.rsplit('/').next().unwrap_or(key);
    NODES.iter().position(|node| *node == name).unwrap()
}

/// Lets happen what happens by itself until now, and shows how everything stands.
pub fn elapse(state: &mut State) {
    let now = state.now;
    let Some(cluster) = &mut state.platform.cluster else { return };
    cluster.elapse(now);
    for (key, value) in cluster.stands() {
        state.platform.objects.get_mut(key).unwrap().value = value;
    }
    // Whatever somebody else does to a cluster may split it.
    let cluster = state.platform.cluster.as_mut().unwrap();
    if std::mem::replace(&mut cluster.split, false) && !state.platform.objects["primary"].theirs {
        state.violates(format!("split: {} and {} have taken writes at once", NODES[PRIMARY], NODES[STANDBY]));
    }
}

/// Lets come to its end what was begun.
pub fn rests(state: &mut State) {
    state.now += RESTS;
    elapse(state);
}

/// Somebody else does something to the cluster, which is in all of it from then on.
pub fn meddle(state: &mut State, key: &str, value: &Value) {
    for object in state.platform.objects.values_mut() {
        object.theirs = true;
    }
    let begins = state.now;
    let Some(cluster) = &mut state.platform.cluster else { return };
    match key {
        "ledger" => {
            if let Some(primary) = cluster.primary() {
                let _ = cluster.says(primary, Statement::Ledger(*value == json!(true)), begins);
            }
        }
        "primary" if *value != json!(NODES[PRIMARY]) => {
            let _ = cluster.says(STANDBY, Statement::Promote, begins);
        }
        "primary" => {}
        _ => {
            let host = serde_json::from_value(value.clone()).unwrap();
            let _ = cluster.does(PRIMARY, Order::Become(host));
        }
    }
}

/// A message arrives at a server or a host; `None` where nobody answers it.
pub fn take(world: &World, state: &mut State, message: &Message, call: &Call) -> Option<Result<Seen, PortError>> {
    elapse(state);
    let answer = if message.key.starts_with("sql/") {
        at_server(world, state, message, call)
    } else {
        Some(at_host(world, state, message, call))
    };
    elapse(state);
    let epoch = |cluster: &Cluster| cluster.nodes.nodes[place(&message.key)].epoch;
    let epoch = state.platform.cluster.as_ref().map_or(0, epoch);
    answer.map(|answer| answer.map(|value| Seen { value, epoch, version: 0, uid: 1 }))
}

fn at_server(world: &World, state: &mut State, message: &Message, call: &Call) -> Option<Result<Value, PortError>> {
    let (now, node) = (state.now, place(&message.key));
    let cluster = state.platform.cluster.as_mut().unwrap();
    match cluster.nodes.nodes[node].host {
        HostState::Running => {}
        HostState::Down => return Some(Err(refused(node))),
        _ => return None,
    }
    Some(Ok(match call {
        Call::Node => json!(database::seen(&cluster.nodes, node, false)),
        Call::HasLedger => json!(cluster.nodes.nodes[node].has_ledger()),
        Call::Rows => json!(cluster.nodes.nodes[node].rows()),
        Call::Connect => json!(cluster.opens(node)),
        Call::Told => json!([cluster.is_told(node, now), cluster.nodes.nodes[node].is_writable()]),
        Call::EndSession { session } => {
            cluster.uses(*session, node);
            json!(null)
        }
        Call::Statement { session, says, epoch } => {
            if !cluster.uses(*session, node) {
                return Some(Err(PortError::unreachable(NODES[node], "the session was ended")));
            }
            let begins = now + [200, 2_000, 8_000][if state.calm { 0 } else { state.choices.seldom(4, 3) as usize }];
            let cluster = state.platform.cluster.as_mut().unwrap();
            if let Err(e) = cluster.says(node, *says, begins) {
                return Some(Err(e));
            }
            accepts(world, state, message, *epoch);
            json!(null)
        }
        other => return Some(Err(PortError::unexpected(NODES[node], format!("{other:?} is for its host")))),
    }))
}

fn at_host(world: &World, state: &mut State, message: &Message, call: &Call) -> Result<Value, PortError> {
    let node = place(&message.key);
    let cluster = state.platform.cluster.as_mut().unwrap();
    match call {
        Call::Host => return Ok(json!(cluster.nodes.nodes[node].host)),
        Call::Raise { epoch } => {
            cluster.nodes.fence(node, *epoch)?;
            laws::accepts_token(world, state, message.process, &message.key, *epoch);
        }
        Call::Order { id, order, epoch } => {
            if cluster.agents {
                cluster.nodes.fence(node, *epoch)?;
            }
            // Neither a command nor a request is there twice.
            if !cluster.ended.insert(id.clone()) {
                return Err(PortError::unreachable(NODES[node], "the command was ended"));
            }
            cluster.does(node, *order)?;
            accepts(world, state, message, *epoch);
        }
        other => return Err(PortError::unexpected(NODES[node], format!("{other:?} is for its server"))),
    }
    Ok(json!(null))
}

/// Something was done that nothing could refuse, or that was not refused.
fn accepts(world: &World, state: &mut State, message: &Message, epoch: u64) {
    laws::accepts_token(world, state, message.process, &message.key, epoch);
    laws::accepts_write(world, state, message, &json!(null), None);
}

/// A command was ended; where it has not acted it never will.
pub fn end_command(state: &mut State, id: &str) {
    if let Some(cluster) = &mut state.platform.cluster {
        cluster.ended.insert(id.to_owned());
    }
}

fn refused(node: usize) -> PortError {
    PortError::NotFound { what: format!("server at {}: connection refused", NODES[node]) }
}

/// How long a fault lasts that ends by itself.
pub const LENGTH: HumanDuration = HumanDuration::secs(3);
