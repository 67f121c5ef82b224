//! A drill bound to its database and hosts: how each key is read, written, and made ready to go back.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::Mutex;

use super::{
    Evidence, Spec, Watch, gates,
    keys::{Key, Value},
    ledger::{Mark, Records},
    observe, orders, plan,
    record::{Recording, Writers},
    report,
};
use crate::{
    error::Error,
    guard::{Gate, NoData, ObserveContext, Stored, Verdict},
    journal::Record,
    model::{Epoch, Target},
    operation::{
        Build, Kind, Platform, Report, Steps, Table,
        preconditions::{Facts, Remembered},
    },
    ports::{Clock, Database, Fencing, Flow, HostState, Hosts, Means, Metrics, Order, Permit, PortError, Topology},
    slo::Matchers,
};

/// How often the cluster is looked at while something is awaited of it.
pub(super) const LOOK: Duration = Duration::from_millis(200);

/// What a drill needs of its platform.
#[derive(Clone)]
pub struct Ports {
    /// The database.
    pub database: Arc<dyn Database>,
    /// The machines of its nodes.
    pub hosts: Arc<dyn Hosts>,
    /// The users' counters, where they are watched.
    pub metrics: Option<Arc<dyn Metrics>>,
    /// Who writes to it meanwhile.
    pub writers: Arc<dyn Writers>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// A drill bound to its platform.
pub struct Drill {
    pub(super) spec: Spec,
    pub(super) ports: Ports,
    /// What only the process knows that began the writing; another one can put things back, and not measure on.
    pub(super) present: Mutex<Present>,
}

/// What is known of the repetition that is going on.
#[derive(Default)]
pub(super) struct Present {
    pub recorder: Option<Box<dyn Recording>>,
    pub records: Option<Records>,
    pub before: Option<Topology>,
    pub rejoin: Option<Duration>,
    /// Writing has begun, and no host was harmed yet.
    pub unharmed: bool,
}

impl Drill {
    /// Binds a drill to its platform.
    #[must_use]
    pub fn new(spec: Spec, ports: Ports) -> Self {
        Self { spec, ports, present: Mutex::default() }
    }

    /// Every order to a host that the drill, or what takes it back, may give.
    #[must_use]
    pub fn orders(&self) -> BTreeSet<(String, Order)> {
        orders::orders(&self.spec, &self.ports.database.nodes())
    }

    pub(super) async fn mark(&self, mark: Mark) {
        if let Some(recorder) = &self.present.lock().await.recorder {
            recorder.mark(mark);
        }
    }

    /// The hosts that a key's writes give orders to. Table and role know no epochs: each act there is intended, and settled. Of
    /// the hosts beneath them, the lab's do.
    fn hosts_beneath(&self, key: &Key) -> Vec<String> {
        match key {
            Key::Host(host) | Key::Replication(host) => vec![host.clone()],
            Key::Primary => self.ports.database.nodes(),
            Key::Ledger => Vec::new(),
        }
    }

    /// Captures what has to change where the primary is for its role to go back there.
    async fn capture_primary(&self, permit: &dyn Permit) -> Result<(), PortError> {
        let (hosts, primary) = (&self.ports.hosts, &self.spec.primary);
        let (flow, state) = (hosts.flow(primary).await?, hosts.state(primary).await?);
        if flow != Flow::Flowing {
            permit.capture(&Key::Replication(primary.clone()).to_string(), &json!(flow), &json!(Flow::Flowing)).await?;
        }
        if state != HostState::Running {
            permit.capture(&Key::Host(primary.clone()).to_string(), &json!(state), &json!(HostState::Running)).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Kind for Drill {
    const NAME: &'static str = "drill";
    const NO_DATA: NoData = NoData::Remove;
    const RESTS: bool = true;

    type Spec = Spec;
    type Key = Key;
    type Watch = Watch;
    type Evidence = Evidence;

    fn target(spec: &Spec) -> Result<Target, Error> {
        plan::target(&spec.database)
    }

    fn title(spec: &Spec) -> String {
        let often = if spec.repetitions > 1 { format!(", {} times", spec.repetitions) } else { String::new() };
        format!("drill {}: {} {} of {}{often}", spec.name, spec.method, spec.on, spec.database)
    }

    fn plan(spec: &Spec, steps: &mut Steps<Self>) -> Result<(), Error> {
        plan::plan(spec, steps)
    }

    async fn connect(spec: Spec, platform: &dyn Platform, metrics: Build) -> Result<Self, Error> {
        let users = spec.users.is_some().then_some(metrics);
        let ports = platform.database_ports(&spec.database, users).await?;
        Ok(Self::new(spec, ports))
    }

    fn spec(&self) -> &Spec {
        &self.spec
    }

    fn remembered(&self) -> Option<Remembered<'_>> {
        let objectives = &self.spec.users.as_ref()?.objectives;
        Some(Remembered { objectives, matchers: Matchers::default(), cap: 1.0 })
    }

    fn database(&self) -> Option<&str> {
        Some(&self.spec.database)
    }

    async fn gates(&self, facts: &Facts) -> Vec<Gate> {
        gates::gates(self, facts).await
    }

    fn fencing(&self, key: &Key) -> Fencing {
        let Ports { database, hosts, .. } = &self.ports;
        match key {
            Key::Ledger => Fencing::Session,
            // Without a manager a role is handed over by orders to the hosts as well.
            Key::Primary => {
                let nodes = database.nodes();
                let others = nodes.iter().filter(|_| !database.is_managed()).map(|node| hosts.fencing(node));
                others.fold(database.fencing(), Ord::max)
            }
            Key::Host(host) | Key::Replication(host) => hosts.fencing(host),
        }
    }

    fn prepares(&self) -> Vec<Key> {
        let primary = &self.spec.primary;
        vec![Key::Replication(primary.clone()), Key::Host(primary.clone())]
    }

    async fn read(&self, key: &Key) -> Result<Value, PortError> {
        let Ports { database, hosts, .. } = &self.ports;
        Ok(match key {
            Key::Ledger => Value::Ledger(database.has_ledger(&self.at_primary().await?).await?),
            Key::Primary => Value::Primary(self.role().await?.to_owned()),
            Key::Host(host) => Value::Host(self.host_state(host).await?),
            Key::Replication(node) => Value::Replication(hosts.flow(node).await?),
        })
    }

    async fn epoch(&self, key: &Key) -> Result<Epoch, PortError> {
        let mut highest = Epoch(0);
        for host in self.hosts_beneath(key) {
            match self.ports.hosts.epoch(&host).await {
                Ok(epoch) => highest = highest.max(epoch),
                Err(PortError::NotFound { .. }) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(highest)
    }

    async fn fence(&self, key: &Key, epoch: Epoch) -> Result<Value, PortError> {
        for host in self.hosts_beneath(key) {
            match self.ports.hosts.fence(&host, epoch).await {
                // Nothing is ever done to a host that has no commands.
                Ok(()) | Err(PortError::NotFound { .. }) => {}
                Err(e) => return Err(e),
            }
        }
        Kind::read(self, key).await
    }

    async fn write(&self, key: &Key, from: Value, to: Value, permit: &dyn Permit) -> Result<(), PortError> {
        let Ports { database, hosts, .. } = &self.ports;
        match (key, from, to) {
            (Key::Ledger, _, Value::Ledger(to)) => database.set_ledger(&self.at_primary().await?, to, permit).await,
            (Key::Primary, _, Value::Primary(to)) => self.set_role(&to, permit).await,
            (Key::Host(host), Value::Host(from), Value::Host(to)) => {
                if to != HostState::Running && from != HostState::Running {
                    let said = |state: HostState| json!(state);
                    return Err(PortError::Conflict { found: said(from), expected: said(HostState::Running) });
                }
                self.set_host(host, to, permit).await
            }
            (Key::Replication(node), _, Value::Replication(to)) => hosts.set_flow(node, to, permit).await,
            (key, _, to) => Err(PortError::unexpected(key.to_string(), format!("{to} is no value of it"))),
        }
    }

    async fn settle(&self, means: &Means, within: Duration) -> Result<(), PortError> {
        match means {
            Means::Command { .. } => self.ports.hosts.settle(means, within).await,
            Means::Session { .. } | Means::Request { .. } => self.ports.database.settle(means, within).await,
        }
    }

    /// A promotion that may still come would make a second primary of whichever one is started. A manager sees to that.
    fn awaits(&self, key: &Key) -> Vec<Key> {
        let starts_a_primary = matches!(key, Key::Primary | Key::Host(_)) && !self.ports.database.is_managed();
        if starts_a_primary { vec![Key::Primary] } else { Vec::new() }
    }

    async fn can_return(&self, _: &Key, prior: &Value) -> bool {
        // Nothing is measured on the way back, and writers would be in it.
        self.present.lock().await.recorder = None;
        match prior {
            Value::Primary(prior) if *prior == self.spec.primary => {
                self.takes_part(&self.ports.database.topology().await, prior).await.is_ok()
            }
            _ => true,
        }
    }

    async fn prepare_return(&self, key: &Key, _: &Value, permit: &dyn Permit) -> Result<(), String> {
        if *key != Key::Primary {
            return Ok(());
        }
        let Ports { database, hosts, .. } = &self.ports;
        self.capture_primary(permit).await.map_err(|e| e.to_string())?;
        database.take_role_back(&self.spec.primary, &**hosts, permit).await.map_err(|e| e.to_string())?;
        self.bring_back(&self.spec.primary, permit).await.map_err(|e| e.to_string())
    }

    async fn observe(&self, watch: &Watch, look: &ObserveContext<'_>, evidence: &mut Evidence) -> (Verdict, String) {
        observe::observe(self, watch, look, evidence).await
    }

    async fn pause(&self) {
        self.ports.clock.sleep(LOOK).await;
    }

    fn figures(_: &Spec, evidence: &Evidence) -> Option<Table> {
        (!evidence.cycles.is_empty()).then(|| report::figures(&evidence.cycles))
    }

    fn serves(spec: &Spec, left: &BTreeMap<String, serde_json::Value>) -> String {
        report::serves(spec, left)
    }

    fn report(spec: &Spec, evidence: &Evidence, stored: &Stored, records: &[Record]) -> Option<Report> {
        Some(report::report(spec, evidence, stored, records))
    }
}
