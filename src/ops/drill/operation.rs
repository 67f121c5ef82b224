//! A drill bound to its database and hosts: how each key is read, written, and made ready to go back.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::sync::Mutex;

use super::{
    Evidence, Spec, Watch,
    keys::{self, Key},
    ledger::{Mark, Records},
    look,
    record::Recorder,
};
use crate::{
    error::Error,
    guard::{Look, Looked, Operation, Plan},
    model::Epoch,
    ops::checkpoint,
    ports::{Clock, Database, Flow, HostState, Hosts, Means, Metrics, Permit, PortError, Topology},
};

/// How often the cluster is looked at while something is awaited of it.
pub(super) const LOOK: Duration = Duration::from_millis(200);

/// How long a node may take to answer whose host runs, before it counts as silent.
pub(super) const ANSWERS: Duration = Duration::from_secs(10);

/// How long a node whose host runs may take to be seen taking part: one slow answer says nothing.
const TAKES_PART: Duration = Duration::from_secs(3);

/// What a drill needs of its platform.
#[derive(Clone)]
pub struct Ports {
    /// The database.
    pub database: Arc<dyn Database>,
    /// The machines of its nodes.
    pub hosts: Arc<dyn Hosts>,
    /// The users' counters, where they are watched.
    pub metrics: Option<Arc<dyn Metrics>>,
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
    pub recorder: Option<Recorder>,
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

    /// Binds the drill of a journalled plan to its platform.
    ///
    /// # Errors
    /// [`Error::Tampered`] where this release cannot read the plan.
    pub fn of_plan(plan: &Plan, ports: Ports) -> Result<Self, Error> {
        Ok(Self::new(Spec::of_plan(plan)?, ports))
    }

    /// What is to be done.
    #[must_use]
    pub const fn spec(&self) -> &Spec {
        &self.spec
    }

    pub(super) async fn mark(&self, mark: Mark) {
        if let Some(recorder) = &self.present.lock().await.recorder {
            recorder.mark(mark);
        }
    }

    fn is_node(&self, host: &str) -> bool {
        self.ports.database.nodes().iter().any(|node| node == host)
    }

    /// A host counts as running once its node takes part again; until then it stands as the fault has left it.
    async fn host_state(&self, host: &str) -> Result<HostState, PortError> {
        let state = self.ports.hosts.state(host).await?;
        let left_by_us = self.spec.fault().filter(|_| host == self.spec.on);
        // A manager ends its database for a moment whenever it starts it anew, which is nobody's doing.
        let (HostState::Running | HostState::Crashed, Some(left_by_us)) = (state, left_by_us) else { return Ok(state) };
        if !self.is_node(host) || self.present.lock().await.unharmed {
            return Ok(state);
        }
        let clock = &self.ports.clock;
        let begun = clock.now();
        while self.takes_part(&self.ports.database.topology().await, host).await.is_err() {
            if clock.now().since(&begun) > TAKES_PART {
                return Ok(left_by_us);
            }
            clock.sleep(LOOK).await;
        }
        Ok(HostState::Running)
    }

    /// The cluster once every node has answered whose host runs: from a node that is only slow nothing may be concluded.
    ///
    /// # Errors
    /// Names the first one that has not, after [`ANSWERS`].
    pub(super) async fn all_seen(&self) -> Result<Topology, PortError> {
        let Ports { database, hosts, clock, .. } = &self.ports;
        let begun = clock.now();
        loop {
            let topology = database.topology().await;
            let mut silent = None;
            for node in &topology.nodes {
                if let Some(trouble) = &node.trouble
                    && !hosts.state(&node.name).await.is_ok_and(|state| state != HostState::Running)
                {
                    silent = Some(PortError::unreachable(&node.name, trouble));
                }
            }
            match silent {
                None => return Ok(topology),
                Some(silent) if clock.now().since(&begun) > ANSWERS => return Err(silent),
                Some(_) => clock.sleep(LOOK).await,
            }
        }
    }

    async fn set_host(&self, host: &str, to: HostState, permit: &dyn Permit) -> Result<(), PortError> {
        if to != HostState::Running {
            self.mark(Mark::Fault).await;
            self.present.lock().await.unharmed = false;
            return self.ports.hosts.set_state(host, to, permit).await;
        }
        let begun = Instant::now();
        self.mark(Mark::Released).await;
        self.bring_back(host, permit).await?;
        self.present.lock().await.rejoin = Some(begun.elapsed());
        Ok(())
    }

    /// Brings a host back, and its node into the cluster. An old primary that was replaced must not take writes again, not
    /// even for a moment: where nothing else sees to that it is started as a follower at once.
    async fn bring_back(&self, host: &str, permit: &dyn Permit) -> Result<(), PortError> {
        let Ports { database, hosts, .. } = &self.ports;
        if !self.is_node(host) {
            return hosts.set_state(host, HostState::Running, permit).await;
        }
        // A database that is to follow another one has to end first, and with senders that are stopped it cannot.
        if hosts.flow(host).await? == Flow::Frozen {
            hosts.set_flow(host, Flow::Flowing, permit).await?;
        }
        let replaced = self.all_seen().await?.writable().any(|node| node.name != host);
        if !(replaced && !database.is_managed() && hosts.state(host).await? == HostState::Down) {
            hosts.set_state(host, HostState::Running, permit).await?;
        }
        self.take_part(host, permit).await?;
        if replaced && !database.is_managed() {
            // Nobody else tells the other standbys whom to follow now.
            for node in database.nodes().iter().filter(|node| *node != host) {
                self.take_part(node, permit).await?;
            }
        }
        Ok(())
    }

    /// Waits until a node takes part: as the only one that takes writes, or following that one.
    async fn take_part(&self, node: &str, permit: &dyn Permit) -> Result<(), PortError> {
        let Ports { database, hosts, clock, .. } = &self.ports;
        let begun = clock.now();
        loop {
            let topology = database.topology().await;
            let why = match self.takes_part(&topology, node).await {
                Ok(()) => return Ok(()),
                Err(why) => why,
            };
            if topology.writable().any(|other| other.name != node) {
                return database.rejoin(node, &**hosts, permit).await;
            }
            if clock.now().since(&begun) > self.spec.limit.0 {
                return Err(PortError::odd(node, format!("after {} it does not take part: {why}", self.spec.limit)));
            }
            clock.sleep(LOOK).await;
        }
    }
}

impl Spec {
    /// Reads the drill of a journalled plan.
    ///
    /// # Errors
    /// [`Error::Tampered`] where this release cannot read the plan.
    pub fn of_plan(plan: &Plan) -> Result<Self, Error> {
        serde_json::from_value(plan.spec.clone()).map_err(|e| Error::Tampered {
            what: format!("the plan is not one that this release of interlock can read: {e}"),
            mend: "use the release that wrote it, or a later one".to_owned(),
        })
    }
}

#[async_trait]
impl Operation for Drill {
    async fn read(&self, key: &str) -> Result<Value, PortError> {
        let Ports { database, hosts, .. } = &self.ports;
        match known(key)? {
            Key::Ledger => json(&database.has_ledger(&self.at_primary().await?).await?),
            Key::Primary => json(&self.role().await?),
            Key::Host(host) => json(&self.host_state(host).await?),
            Key::Replication(node) => json(&hosts.flow(node).await?),
        }
    }

    async fn fence(&self, key: &str, epoch: Epoch) -> Result<Value, PortError> {
        // Table and role know no epochs: each act there is intended, and settled. Of the hosts beneath them, the lab's do.
        let hosts = match known(key)? {
            Key::Host(host) | Key::Replication(host) => vec![host.to_owned()],
            Key::Primary => self.ports.database.nodes(),
            Key::Ledger => Vec::new(),
        };
        for host in hosts {
            match self.ports.hosts.fence(&host, epoch).await {
                // Nothing is ever done to a host that has no commands.
                Ok(()) | Err(PortError::NotFound { .. }) => {}
                Err(e) => return Err(e),
            }
        }
        self.read(key).await
    }

    async fn write(&self, key: &str, from: &Value, to: &Value, permit: &dyn Permit) -> Result<(), PortError> {
        let Ports { database, hosts, .. } = &self.ports;
        match known(key)? {
            Key::Ledger => database.set_ledger(&self.at_primary().await?, parsed(key, to)?, permit).await,
            Key::Primary => self.set_role(&parsed::<String>(key, to)?, permit).await,
            Key::Host(host) => {
                let (from, to): (HostState, HostState) = (parsed(key, from)?, parsed(key, to)?);
                if to != HostState::Running && from != HostState::Running {
                    return Err(PortError::Conflict { found: json(&from)?, expected: json(&HostState::Running)? });
                }
                self.set_host(host, to, permit).await
            }
            Key::Replication(node) => hosts.set_flow(node, parsed(key, to)?, permit).await,
        }
    }

    async fn settle(&self, means: &Means, within: Duration) -> Result<(), PortError> {
        match means {
            Means::Command { .. } => self.ports.hosts.settle(means, within).await,
            Means::Session { .. } | Means::Request { .. } => self.ports.database.settle(means, within).await,
        }
    }

    async fn can_return(&self, key: &str, prior: &Value) -> bool {
        // Nothing is measured on the way back, and writers would be in it.
        self.present.lock().await.recorder = None;
        match known(key) {
            Ok(Key::Primary) if prior.as_str() == Some(&self.spec.primary) => {
                self.takes_part(&self.ports.database.topology().await, &self.spec.primary).await.is_ok()
            }
            _ => true,
        }
    }

    async fn prepare_return(&self, key: &str, _: &Value, permit: &dyn Permit) -> Result<(), String> {
        let Ok(Key::Primary) = known(key) else { return Ok(()) };
        let Ports { database, hosts, .. } = &self.ports;
        database.take_role_back(&self.spec.primary, &**hosts, permit).await.map_err(|e| e.to_string())?;
        self.bring_back(&self.spec.primary, permit).await.map_err(|e| e.to_string())
    }

    async fn look(&self, look: Look<'_>) -> Looked {
        match checkpoint::read::<Watch, Evidence>(&look) {
            Ok((watch, mut evidence)) => {
                let seen = look::look(self, &watch, &look, &mut evidence).await;
                checkpoint::looked(&look, &evidence, seen)
            }
            Err(unreadable) => {
                self.ports.clock.sleep(LOOK).await;
                *unreadable
            }
        }
    }

    fn say(&self, key: &str, value: &Value) -> String {
        match known(key) {
            Ok(Key::Ledger) => if *value == Value::Bool(true) { "there" } else { "not there" }.to_owned(),
            Ok(Key::Host(_)) => {
                parsed::<HostState>(key, value).map_or_else(|_| value.to_string(), |s| keys::said(s).to_owned())
            }
            Ok(Key::Replication(_)) => {
                parsed::<Flow>(key, value).map_or_else(|_| value.to_string(), |f| keys::flows(f).to_owned())
            }
            _ => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        }
    }
}

fn known(key: &str) -> Result<Key<'_>, PortError> {
    Key::parse(key).ok_or_else(|| PortError::NotFound { what: format!("key `{key}` in a drill") })
}

fn parsed<T: DeserializeOwned>(key: &str, value: &Value) -> Result<T, PortError> {
    serde_json::from_value(value.clone()).map_err(|e| PortError::odd(key, e))
}

fn json(value: &impl Serialize) -> Result<Value, PortError> {
    serde_json::to_value(value).map_err(|e| PortError::odd("a value", e))
}
