//! A host's agent: its power switch, its network, and whoever starts its programs. It is no part of the host itself.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{
    cluster::{Cluster, HostPlan},
    desired::{Desired, DesiredState},
    engine::{Engine, Power as _},
    etcd::Etcd,
    gate::{Gate, Gates},
    kind::Runs,
    machine::Machine,
    mariadb::MariaDb,
    patroni::Patroni,
    postgres::Postgres,
    proxy::{self, Forward},
    routes,
    site::Site,
};
use crate::{
    error::Error,
    lab::{
        http::listen,
        state::{self, Folder, broken},
    },
    model::Epoch,
    ports::{Act, Flow, HostState},
    process::{adopt_orphans, reap},
};

/// A call to follow that comes so soon after another one says that the other has failed.
const AGAIN_WITHIN: Duration = Duration::from_secs(60);
/// How often it looks for orphans that have ended, should no signal tell it to.
const REAP: Duration = Duration::from_secs(1);

/// How a host stands, as its agent tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostStand {
    pub state: HostState,
    /// Whether it sends its changes on.
    pub flow: Flow,
    /// How many bytes are free on its disk.
    pub free: u64,
    /// The highest epoch that has given it orders.
    pub epoch: Epoch,
}

/// Why an order was not carried out.
#[derive(Debug)]
pub enum Refusal {
    /// A later owner has given orders; its epoch.
    Superseded(Epoch),
    /// This host cannot be brought there.
    Cannot(String),
    Failed(String),
}

impl From<io::Error> for Refusal {
    fn from(e: io::Error) -> Self {
        Self::Failed(e.to_string())
    }
}

impl From<Error> for Refusal {
    fn from(e: Error) -> Self {
        Self::Failed(e.to_string())
    }
}

/// Takes orders for one host.
pub struct Agent {
    machine: Machine,
    plan: HostPlan,
    stallable: bool,
    desired: Mutex<DesiredState>,
    ready: AtomicBool,
    /// Held by whoever carries out an order.
    orders: tokio::sync::Mutex<Option<Instant>>,
}

impl Agent {
    fn desired(&self) -> MutexGuard<'_, DesiredState> {
        self.desired.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn order(&self, change: impl FnOnce(&mut Desired)) -> Result<(), Error> {
        self.desired().change(change)
    }

    /// Whether its database was made.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    pub fn stand(&self) -> Result<HostStand, Refusal> {
        Ok(HostStand {
            state: self.machine.state()?,
            flow: self.machine.flow(),
            free: self.machine.free()?,
            epoch: self.desired().now().epoch,
        })
    }

    fn admit(&self, epoch: Epoch) -> Result<(), Refusal> {
        match self.desired().now().epoch {
            highest if epoch < highest => Err(Refusal::Superseded(highest)),
            _ => Ok(()),
        }
    }

    /// Raises the epoch, once what was ordered before is done: nothing of an earlier one is taken from here on.
    pub async fn fence(&self, epoch: Epoch) -> Result<(), Refusal> {
        let _turn = self.orders.lock().await;
        self.admit(epoch)?;
        self.order(|desired| desired.epoch = epoch)?;
        tracing::info!(%epoch, "fenced");
        Ok(())
    }

    /// Brings the host into a state.
    pub async fn set_state(&self, to: HostState, epoch: Epoch) -> Result<(), Refusal> {
        let _turn = self.orders.lock().await;
        self.admit(epoch)?;
        if !self.plan.runs.can(to, self.stallable) {
            return Err(Refusal::Cannot(format!("{} cannot be {to}", self.plan.name)));
        }
        // First what is meant: whoever comes after a crash must not start what was to be ended.
        self.order(|desired| (desired.state, desired.epoch) = (to, epoch))?;
        tracing::info!(%to, %epoch, "state ordered");
        Ok(self.machine.set_state(to).await?)
    }

    /// Stops or releases what sends its changes on.
    pub async fn set_flow(&self, to: Flow, epoch: Epoch) -> Result<(), Refusal> {
        let _turn = self.orders.lock().await;
        self.admit(epoch)?;
        if to == Flow::Frozen && !self.plan.runs.can_freeze() {
            return Err(Refusal::Cannot(format!("{} sends no changes on", self.plan.name)));
        }
        self.order(|desired| (desired.flow, desired.epoch) = (to, epoch))?;
        tracing::info!(?to, %epoch, "flow ordered");
        Ok(self.machine.set_flow(to)?)
    }

    /// Ends its database as an administrator would.
    pub async fn stop(&self, epoch: Epoch) -> Result<(), Refusal> {
        let _turn = self.orders.lock().await;
        self.admit(epoch)?;
        self.order(|desired| desired.epoch = epoch)?;
        self.machine.stop_cleanly().await?;
        self.order(|desired| desired.state = HostState::Down)?;
        tracing::info!(%epoch, "stopped cleanly");
        Ok(())
    }

    /// Starts its database as a follower of `primary`; says how.
    pub async fn follow(&self, primary: &str, epoch: Epoch) -> Result<String, Refusal> {
        let mut turn = self.orders.lock().await;
        self.admit(epoch)?;
        self.order(|desired| desired.epoch = epoch)?;
        let again = turn.is_some_and(|before| before.elapsed() < AGAIN_WITHIN);
        *turn = Some(Instant::now());
        let how = self.machine.follow(primary, again).await?;
        // Not before: a primary of old that was not made to follow must not be started as what it was.
        self.order(|desired| desired.state = HostState::Running)?;
        tracing::info!(primary, how, %epoch, "follows");
        Ok(how)
    }

    /// Makes the host what it is meant to be, at the agent's own start.
    async fn settle(&self) -> Result<(), Error> {
        let _turn = self.orders.lock().await;
        let desired = self.desired().now();
        let failed = |e: io::Error| broken(&format!("the host {}", self.plan.name), e);
        if !desired.made {
            self.machine.make().await.map_err(failed)?;
            self.order(|desired| desired.made = true)?;
            return Ok(());
        }
        self.machine.set_flow(desired.flow).map_err(failed)?;
        let now = self.machine.state().map_err(failed)?;
        tracing::info!(%now, meant = %desired.state, "found");
        // A host that was put out of order stays out of order.
        if matches!(desired.state, HostState::Running | HostState::Partitioned)
            && let Err(e) = self.machine.set_state(desired.state).await
        {
            // Whoever gives the next order hears of it.
            tracing::error!("{e}");
        }
        Ok(())
    }
}

fn engine(site: &Arc<Site>) -> Box<dyn Engine> {
    match site.plan.runs {
        Runs::Postgres => Box::new(Postgres::new(site.clone())),
        Runs::Patroni => Box::new(Patroni::new(site.clone())),
        Runs::Etcd => Box::new(Etcd::new(site.clone())),
        Runs::MariaDb => Box::new(MariaDb::new(site.clone())),
    }
}

/// Which gates the connections of each forward pass.
fn forwards(plan: &HostPlan, network: &Gate, flow: &Gate) -> Vec<(Forward, Gates)> {
    let open = [Some(plan.service), plan.rest, plan.upstream];
    let open = open.into_iter().flatten().map(|forward| (forward, Gates(vec![network.clone()])));
    let changes = plan.replication.map(|forward| (forward, Gates(vec![network.clone(), flow.clone()])));
    open.chain(changes).collect()
}

/// Serves until `stop`, and then ends all of the host. Run it on a current-thread runtime on the main thread: its
/// children are killed when the thread that started them ends.
///
/// # Errors
/// Where the lab has no such host, an address is taken, or its database cannot be made.
pub async fn serve(folder: &Folder, name: &str, stop: CancellationToken) -> Result<(), Error> {
    let cluster: Option<Cluster> = state::read(&folder.cluster())?;
    let cluster = cluster.ok_or_else(|| Error::usage("this lab has no database", "start one that has: --database"))?;
    let failed = |e: io::Error| broken(&format!("the host {name}"), e);
    let site = Arc::new(Site::new(cluster, folder.clone(), name).map_err(failed)?);
    adopt_orphans().map_err(failed)?;
    if let Some(disk) = &site.disk {
        disk.recover();
    }
    let desired = DesiredState::open(folder.host(name))?;
    let network = Gate::new(desired.now().state.has(Act::Partition));
    let flow = Gate::new(false);
    proxy::start(forwards(&site.plan, &network, &flow)).await?;
    let agent = Arc::new(Agent {
        machine: Machine::new(site.clone(), engine(&site), network, flow),
        plan: site.plan.clone(),
        stallable: site.cluster.settings.stallable,
        desired: Mutex::new(desired),
        ready: AtomicBool::new(false),
        orders: tokio::sync::Mutex::default(),
    });
    let listener = listen(site.plan.agent).await?;
    let router = routes::router(agent.clone(), folder.read_lab()?.token);
    tokio::spawn(async move {
        if let Err(e) = axum::serve(listener, router).await {
            tracing::error!("the agent's interface: {e}");
        }
    });
    tokio::spawn(reap_orphans(site));
    let settled = tokio::select! {
        settled = agent.settle() => settled,
        () = stop.cancelled() => Ok(()),
    };
    if settled.is_ok() && !stop.is_cancelled() {
        agent.ready.store(true, Ordering::Relaxed);
        tracing::info!("ready");
        stop.cancelled().await;
    }
    agent.machine.end().await.map_err(failed)?;
    settled
}

async fn reap_orphans(site: Arc<Site>) {
    let Ok(mut ended) = signal(SignalKind::child()) else { return };
    loop {
        tokio::select! {
            _ = ended.recv() => {}
            () = tokio::time::sleep(REAP) => {}
        }
        reap(|pid| site.waited.has(pid));
    }
}
