//! The real drill over the simulated cluster.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;
use interlock::{
    guard::{Plan, Strength},
    model::{Epoch, HumanDuration, Restore, Victim},
    operation::{
        self,
        drill::{Drill, Method, Ports, Require, Spec, Writer, ledger::Objectives},
    },
    ports::{
        Clock, Database, Fencing, Finding, Flow, HostState, Hosts, Means, NodeSeen, Order as Asked, Permit, PortError,
        Session, Topology, Unit,
    },
    process::{Group, Identity},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    calls::{Call, Order, Statement},
    cluster::{self, NODES},
    database::{Roles, Times},
    mutants::Mutant,
    node::Node,
    platform::Request,
    scenario::{Fault, Scenario},
    writing::NodeWriters,
};

/// Between two looks at what is awaited.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a server that was told may take until it takes writes.
const PROMOTE: Duration = Duration::from_secs(20);
/// How long a promotion that a server has begun with may need until it shows.
const SHOWS: Duration = Duration::from_secs(3);
const TIMES: Times = Times { pause: PAUSE, streams: Duration::from_secs(1), follows: Duration::from_secs(20) };

fn spec(scenario: &Scenario) -> Spec {
    let is_bad = |verdict: usize| scenario.verdicts[verdict] != 0;
    Spec {
        name: "small".to_owned(),
        database: "orders".to_owned(),
        method: scenario.fault.method(),
        victim: Victim::Host,
        on: NODES[0].to_owned(),
        primary: NODES[0].to_owned(),
        candidate: (scenario.fault != Fault::Pause).then(|| NODES[1].to_owned()),
        managed: false,
        length: if scenario.fault == Fault::Pause { cluster::LENGTH } else { HumanDuration::default() },
        frozen: HumanDuration::default(),
        writer: Writer { rate: 10, per_node: 0, workers: 1 },
        baseline: HumanDuration::secs(1),
        // Longer than anybody waits: the failover counts as failed, while its roles stand as they were left.
        settle: if is_bad(1) { HumanDuration::secs(60) } else { HumanDuration::secs(2) },
        limit: HumanDuration::secs(10),
        objectives: Objectives {
            rto: Some(if is_bad(2) { HumanDuration::default() } else { HumanDuration::secs(30) }),
            rpo_rows: None,
            rpo_time: None,
            rows_at_risk: 0,
        },
        restore: Restore::Original,
        repetitions: 1,
        cooldown: HumanDuration::default(),
        require: Require { synchronous: None, standbys: 1, lag: 1_000_000, free_bytes: 0 },
        users: None,
        adr: None,
        runbook: None,
        ledger: "/ledger.jsonl".into(),
    }
}

impl Fault {
    const fn method(self) -> Method {
        match self {
            Self::Promote => Method::Promote,
            Self::Switchover => Method::Switchover,
            Self::Pause => Method::Fault("pause"),
        }
    }

    /// How the drill leaves the primary's host.
    pub const fn state(self) -> HostState {
        match self {
            Self::Pause => HostState::Paused,
            _ => HostState::Down,
        }
    }
}

pub fn plan(scenario: &Scenario) -> Plan {
    operation::plan::<Drill>(&spec(scenario), Value::Null, Strength::Local, HumanDuration::secs(10)).unwrap()
}

pub fn drill(node: &Node) -> Drill {
    let port = Arc::new(Port(node.clone()));
    let ports = Ports {
        database: port.clone(),
        hosts: port,
        metrics: None,
        writers: Arc::new(NodeWriters(node.clone())),
        clock: Arc::new(node.clone()),
    };
    Drill::new(spec(&node.world.scenario), ports)
}

struct Port(Node);

fn server(node: &str) -> String {
    format!("sql/{node}")
}

fn place(node: &str) -> Result<usize, PortError> {
    let found = NODES.iter().position(|known| *known == node);
    found.ok_or_else(|| PortError::NotFound { what: format!("node {node}") })
}

/// What names a command of ours for good: nothing of it is on this machine.
fn named(id: &str) -> Group {
    let leader = Identity { pid: id.parse().unwrap(), start_ticks: 0, boot_id: String::new() };
    Group { host: "sim".to_owned(), pid_namespace: None, leader }
}

impl Port {
    async fn asks<T: DeserializeOwned>(&self, name: &'static str, key: &str, call: Call) -> Result<T, PortError> {
        let seen = self.0.ask(name, key, Request::Of(call)).await?;
        Ok(serde_json::from_value(seen.value).unwrap())
    }

    async fn node(&self, node: &str) -> Result<NodeSeen, PortError> {
        self.asks("node", &server(node), Call::Node).await
    }

    fn has_agents(&self) -> bool {
        self.0.world.scenario.agents
    }

    fn roles<'a>(&'a self, hosts: &'a dyn Hosts) -> Roles<'a> {
        Roles { database: self, hosts, clock: &self.0, times: TIMES }
    }

    /// Has something done in a session of its own, which is named before.
    async fn says(&self, node: &str, what: &str, says: Statement, permit: &dyn Permit) -> Result<(), PortError> {
        let session: u64 = self.asks("connect", &server(node), Call::Connect).await?;
        let (node, user, id) = (node.to_owned(), "admin".to_owned(), session.to_string());
        let at = server(&node);
        permit.intend(Means::Session { what: what.to_owned(), node, user, id }).await?;
        let call = Call::Statement { session, says, epoch: permit.epoch().0 };
        self.asks("statement", &at, call).await
    }

    /// Gives an order to a host: to its agent, or by a command that waits at its gate until it is intended.
    async fn orders(&self, host: &str, order: Order, permit: &dyn Permit) -> Result<(), PortError> {
        let id = self.0.name_of_command();
        if !self.has_agents() {
            permit.intend(Means::Command { what: format!("{order:?} at {host}"), group: named(&id) }).await?;
        }
        self.asks("order", host, Call::Order { id, order, epoch: permit.epoch().0 }).await
    }

    /// Ends a session, and awaits the promotion that may have been told in it.
    async fn settles_session(&self, node: &str, id: &str, what: &str, within: Duration) -> Result<(), PortError> {
        let session = id.parse().unwrap();
        match self.asks::<Value>("end session", &server(node), Call::EndSession { session }).await {
            Ok(_) => {}
            // A server that does not run has no sessions.
            Err(PortError::NotFound { .. }) => return Ok(()),
            Err(e) => return Err(e),
        }
        let begun = self.0.now();
        let mut told_last = begun;
        loop {
            let (told, writable): (bool, bool) = self.asks("told", &server(node), Call::Told).await?;
            let now = self.0.now();
            if writable || (!told && now.since(&told_last) >= SHOWS) {
                return Ok(());
            }
            if told {
                told_last = now;
                if now.since(&begun) >= within {
                    let why = "a promotion was told, and has not begun".to_owned();
                    return Err(PortError::MayAct { what: what.to_owned(), why });
                }
            }
            Clock::sleep(&self.0, PAUSE).await;
        }
    }
}

#[async_trait]
impl Database for Port {
    fn nodes(&self) -> Vec<String> {
        NODES.map(str::to_owned).to_vec()
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
        let asked = NODES.map(async |name| {
            self.node(name).await.unwrap_or_else(|e| NodeSeen {
                name: name.to_owned(),
                trouble: Some(e.to_string()),
                writable: false,
                timeline: None,
                position: None,
                follows: None,
                synchronous: false,
            })
        });
        Topology { nodes: join_all(asked).await, leader: None }
    }

    async fn findings(&self, _: &str) -> Vec<Finding> {
        Vec::new()
    }

    fn checks(&self) -> Vec<&'static str> {
        Vec::new()
    }

    async fn connect(&self, node: &str, _: Duration) -> Result<Box<dyn Session>, PortError> {
        Err(PortError::unexpected(node, "its writers are simulated with the cluster"))
    }

    async fn has_ledger(&self, node: &str) -> Result<bool, PortError> {
        self.asks("ledger", &server(node), Call::HasLedger).await
    }

    async fn set_ledger(&self, primary: &str, there: bool, permit: &dyn Permit) -> Result<(), PortError> {
        self.says(primary, "set the ledger", Statement::Ledger(there), permit).await
    }

    async fn rows(&self, node: &str) -> Result<BTreeMap<u64, u32>, PortError> {
        self.asks("rows", &server(node), Call::Rows).await
    }

    async fn switched_at(&self, _: &str) -> Result<Option<u64>, PortError> {
        Ok(None)
    }

    async fn promote(&self, candidate: &str, permit: &dyn Permit) -> Result<(), PortError> {
        if self.node(candidate).await?.writable {
            return Ok(());
        }
        self.says(candidate, "promote", Statement::Promote, permit).await?;
        let begun = self.0.now();
        while !self.node(candidate).await.is_ok_and(|seen| seen.writable) {
            if self.0.now().since(&begun) >= PROMOTE {
                return Err(PortError::unreachable(candidate, "it takes no writes"));
            }
            Clock::sleep(&self.0, PAUSE).await;
        }
        Ok(())
    }

    async fn switch_over(&self, from: &str, to: &str, hosts: &dyn Hosts, permit: &dyn Permit) -> Result<(), PortError> {
        self.roles(hosts).hand_over(from, to, permit).await
    }

    async fn take_role_back(&self, except: &str, hosts: &dyn Hosts, permit: &dyn Permit) -> Result<(), PortError> {
        self.roles(hosts).step_up_again(except, permit).await
    }

    async fn rejoin(&self, node: &str, hosts: &dyn Hosts, permit: &dyn Permit) -> Result<(), PortError> {
        self.roles(hosts).bring_back(node, permit).await
    }

    async fn settle(&self, means: &Means, within: Duration) -> Result<(), PortError> {
        match means {
            _ if self.0.world.mutant == Mutant::SettlesNothing => Ok(()),
            Means::Session { what, node, id, .. } => self.settles_session(node, id, what, within).await,
            other => Err(other.never_used()),
        }
    }
}

#[async_trait]
impl Hosts for Port {
    fn names(&self) -> Vec<String> {
        self.nodes()
    }

    fn can(&self, _: &str, _: Asked) -> bool {
        true
    }

    fn fencing(&self, _: &str) -> Fencing {
        if self.has_agents() { Fencing::Version } else { Fencing::Child }
    }

    async fn state(&self, host: &str) -> Result<HostState, PortError> {
        self.asks("state", host, Call::Host).await
    }

    async fn epoch(&self, host: &str) -> Result<Epoch, PortError> {
        if !self.has_agents() {
            return Ok(Epoch(0));
        }
        self.0.ask("state", host, Request::Of(Call::Host)).await.map(|seen| Epoch(seen.epoch))
    }

    async fn fence(&self, host: &str, epoch: Epoch) -> Result<(), PortError> {
        // A host without an agent knows no epochs.
        if !self.has_agents() {
            return Ok(());
        }
        if self.0.world.mutant == Mutant::FenceReads {
            return self.state(host).await.map(drop);
        }
        self.asks("raise", host, Call::Raise { epoch: epoch.0 }).await
    }

    async fn set_state(&self, host: &str, to: HostState, permit: &dyn Permit) -> Result<(), PortError> {
        // A command that would change nothing is not begun.
        if !self.has_agents() && self.state(host).await? == to {
            return Ok(());
        }
        self.orders(host, Order::Become(to), permit).await
    }

    async fn flow(&self, _: &str) -> Result<Flow, PortError> {
        Ok(Flow::Flowing)
    }

    async fn set_flow(&self, host: &str, _: Flow, _: &dyn Permit) -> Result<(), PortError> {
        Err(PortError::NotFound { what: format!("a way to stop replication of {host}") })
    }

    async fn free(&self, _: &str) -> Result<Option<u64>, PortError> {
        Ok(None)
    }

    async fn stop_cleanly(&self, host: &str, permit: &dyn Permit) -> Result<(), PortError> {
        self.orders(host, Order::Stop, permit).await
    }

    async fn start_following(&self, host: &str, primary: &str, permit: &dyn Permit) -> Result<String, PortError> {
        self.orders(host, Order::Follow(place(primary)?), permit).await?;
        Ok("started".to_owned())
    }

    async fn settle(&self, means: &Means, _: Duration) -> Result<(), PortError> {
        match means {
            _ if self.0.world.mutant == Mutant::SettlesNothing => Ok(()),
            Means::Command { group, .. } => {
                let id = group.leader.pid.to_string();
                self.0.ask("end command", NODES[0], Request::End { id }).await.map(drop)
            }
            other => Err(other.never_used()),
        }
    }
}
