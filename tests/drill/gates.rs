//! The gates of a drill on a database in memory: all of them are in the answer, also where a node is down.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use interlock::{
    adapters::SystemClock,
    error::Exit,
    guard::{Answer, Gate, ObserveContext, Operation, Override, Verdict, refusal},
    model::{Epoch, HumanDuration, Restore, Victim},
    operation::{
        Kind as _,
        drill::{Drill, Method, Ports, Require, Spec, Writer, ledger::Objectives, record::UrgentWriters},
        preconditions::Facts,
    },
    ports::{Database as _, Fencing, Flow, HostState, Hosts, Order, Permit, PortError},
};

use crate::fake::{Fake, Host};

/// The names of the gates of every drill, as `--override` takes them. A database has checks of its own beside these.
const GATES: [&str; 15] = [
    "lock",
    "freeze",
    "credentials",
    "guardian",
    "cooldown",
    "nodes",
    "primary",
    "whole",
    "candidate",
    "waits",
    "hosts",
    "disk",
    "ledger",
    "slo",
    "budget",
];

/// Hosts that all stand alike, and on which there is room.
pub struct Standing {
    pub state: HostState,
    /// What cannot be asked of, or told to, one of them.
    pub cannot: Option<(String, Order)>,
}

#[async_trait]
impl Hosts for Standing {
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
    fn can(&self, host: &str, order: Order) -> bool {
        self.cannot != Some((host.to_owned(), order))
    }
    fn fencing(&self, _: &str) -> Fencing {
        Fencing::Child
    }

    async fn state(&self, _: &str) -> Result<HostState, PortError> {
        Ok(self.state)
    }
    async fn fence(&self, _: &str, _: Epoch) -> Result<(), PortError> {
        Ok(())
    }

    async fn set_state(&self, _: &str, _: HostState, _: &dyn Permit) -> Result<(), PortError> {
        Err(PortError::unexpected("hosts", "gates change nothing"))
    }
    async fn flow(&self, _: &str) -> Result<Flow, PortError> {
        Ok(Flow::Flowing)
    }
    async fn set_flow(&self, _: &str, _: Flow, _: &dyn Permit) -> Result<(), PortError> {
        Err(PortError::unexpected("hosts", "gates change nothing"))
    }
    async fn free(&self, _: &str) -> Result<Option<u64>, PortError> {
        Ok(None)
    }
    async fn stop_cleanly(&self, _: &str, _: &dyn Permit) -> Result<(), PortError> {
        Err(PortError::unexpected("hosts", "gates change nothing"))
    }
    async fn start_following(&self, _: &str, _: &str, _: &dyn Permit) -> Result<String, PortError> {
        Err(PortError::unexpected("hosts", "gates change nothing"))
    }
}

/// The host of `a`, the primary, is killed, and we promote `b`.
pub fn spec() -> Spec {
    Spec {
        name: "small".to_owned(),
        database: "orders".to_owned(),
        method: Method::Promote,
        victim: Victim::Host,
        on: "a".to_owned(),
        primary: "a".to_owned(),
        candidate: Some("b".to_owned()),
        managed: false,
        length: HumanDuration::default(),
        frozen: HumanDuration::default(),
        writer: Writer { rate: 10, per_node: 0, workers: 1 },
        baseline: HumanDuration::secs(1),
        settle: HumanDuration::secs(1),
        limit: HumanDuration::secs(10),
        objectives: Objectives { rto: Some(HumanDuration::secs(10)), rpo_rows: None, rpo_time: None, rows_at_risk: 0 },
        restore: Restore::Original,
        repetitions: 1,
        cooldown: HumanDuration::default(),
        require: Require { synchronous: None, standbys: 1, lag: 1_000_000, free_bytes: 0 },
        users: None,
        adr: None,
        runbook: None,
        ledger: "ledger.jsonl".into(),
    }
}

pub fn bound(spec: Spec, fake: &Fake, hosts: Standing) -> Drill {
    let ports = Ports {
        database: Arc::new(fake.clone()),
        hosts: Arc::new(hosts),
        metrics: None,
        writers: Arc::new(UrgentWriters),
        clock: Arc::new(SystemClock),
    };
    Drill::new(spec, ports)
}

fn drill(fake: &Fake) -> Drill {
    bound(spec(), fake, Standing { state: HostState::Running, cannot: None })
}

#[tokio::test]
async fn evidence_that_cannot_be_read_is_not_taken_for_none() {
    let what = serde_json::json!({"hold": {"length": "1s"}});
    let found = serde_json::json!({"cycles": [], "of a later release": 1});
    let look = ObserveContext { what: &what, evidence: Some(&found), spent: Duration::ZERO, first: false, held: false };
    let looked = Operation::observe(&drill(&Fake::new(1)), look).await;
    assert!(matches!(&looked.verdict, Verdict::NoData { why } if why.contains("of a later release")), "{looked:?}");
    assert_eq!(looked.evidence, found, "what could not be read is kept");
}

async fn ask(fake: &Fake) -> Vec<Gate> {
    drill(fake).gates(&Facts::default()).await
}

fn names<'a>(gates: impl Iterator<Item = &'a Gate>) -> Vec<&'a str> {
    gates.map(|gate| gate.name.as_str()).collect()
}

#[tokio::test]
async fn with_a_node_down_every_gate_is_in_the_answer_and_none_is_passed_unasked() {
    let fake = Fake::new(3);
    let whole = ask(&fake).await;
    assert!(GATES.into_iter().chain(fake.checks()).all(|name| whole.iter().any(|gate| gate.name == name)));
    // The database in memory keeps a ledger's table, and tells of no replication.
    let past = |gate: &str| Override { gate: gate.to_owned(), reason: "incident 42".to_owned() };
    assert!(refusal(&whole, &[past("whole"), past("ledger")]).is_ok(), "{whole:?}");

    fake.set_host("c", Host::Gone);
    let broken = ask(&fake).await;
    assert_eq!(names(broken.iter()), names(whole.iter()));
    let not_asked = names(broken.iter().filter(|gate| matches!(gate.answer, Answer::NotAsked { .. })));
    assert_eq!(not_asked, ["primary", "whole", "candidate", "waits", "ledger", "slots", "settings"]);
    let refused = refusal(&broken, &[past("nodes")]).unwrap_err();
    assert_eq!(refused.exit(), Exit::Refused, "{refused}");
    let all: Vec<_> = names(broken.iter()).into_iter().map(past).collect();
    assert_eq!(refusal(&broken, &all).unwrap_err().exit(), Exit::Refused);
    // A gate that exists and was not asked is told apart from one that does not exist.
    let refused = refusal(&broken, &[past("slots")]).unwrap_err();
    assert!(refused.to_string().contains("`slots` was not asked"), "{refused}");
    assert_eq!(refusal(&broken, &[past("slot")]).unwrap_err().exit(), Exit::Invalid);
}
