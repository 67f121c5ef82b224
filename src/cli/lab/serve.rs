//! `interlock lab serve`: one process of the platform, with the runtime that its role needs.

use std::{net::SocketAddr, path::PathBuf};

use clap::Subcommand;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::setup::{Setup, collector};
use crate::{
    error::{Error, Exit},
    lab::{
        Faults, FullLab, GatewayDefect, SERVICE, Service, alerts,
        backing::{self, Backing},
        database, gateway, identity, script,
        state::{Folder, broken},
        store, supervisor,
        telemetry::{Source, Telemetry, Traces, Tracing},
        tenant,
    },
    model::{HumanDuration, Slot},
    process::raise_file_limit,
};

/// The stack of a thread that runs a script, in bytes: enough for the deepest that a script may nest. It is used as it is needed.
const STACK: usize = 64 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Keep the other processes up
    Supervisor {
        /// The lab's folder
        #[arg(long)]
        folder: PathBuf,
        #[command(flatten)]
        setup: Setup,
    },
    /// Route requests to the slots
    Gateway {
        /// The lab's folder
        #[arg(long)]
        folder: PathBuf,
        /// How long to wait for a replica
        #[arg(long, default_value = "10s")]
        upstream_timeout: HumanDuration,
        /// What is wrong with it
        #[arg(long)]
        defect: Vec<GatewayDefect>,
        #[command(flatten)]
        traces: TracesArgs,
    },
    /// Be one replica of the service
    Tenant(Box<Tenant>),
    /// Keep the tenants
    Store(ServiceArgs),
    /// Log users in, and sign tokens
    Identity(IdentityArgs),
    /// Take logs, and raise alerts
    Alerts(ServiceArgs),
    /// Deliver events to the scripts that subscribe to them
    Bus(BackingArgs),
    /// Hold the jobs of scripts until they are done
    Queue(BackingArgs),
    /// Hold values of scripts that can be had again
    Cache(BackingArgs),
    /// List the replicas of scripts
    Registry(BackingArgs),
    /// Find vectors of scripts that are alike
    Vectors(BackingArgs),
    /// Be one replica of a service that is a script
    Script(Box<Script>),
    /// Be the agent of one of the database's hosts
    Host {
        /// The lab's folder
        #[arg(long)]
        folder: PathBuf,
        /// The host's name
        name: String,
    },
}

/// What a service of a full lab is started with.
#[derive(Debug, clap::Args)]
struct ServiceArgs {
    /// The lab's folder
    #[arg(long)]
    folder: PathBuf,
    #[command(flatten)]
    traces: TracesArgs,
}

/// What a process behind a door of scripts is started with. It makes no spans: those of a message are made by who sends and
/// who handles it, all others by who asks.
#[derive(Debug, clap::Args)]
struct BackingArgs {
    /// The lab's folder
    #[arg(long)]
    folder: PathBuf,
    /// Where to listen
    #[arg(long)]
    listen: SocketAddr,
}

impl From<BackingArgs> for backing::Options {
    fn from(BackingArgs { folder, listen }: BackingArgs) -> Self {
        Self { folder, listen }
    }
}

/// What the identity provider is started with.
#[derive(Debug, clap::Args)]
struct IdentityArgs {
    #[command(flatten)]
    service: ServiceArgs,
    /// The folder of the scripts, with the users
    #[arg(long)]
    services: Option<PathBuf>,
}

impl IdentityArgs {
    fn options(self, tracing: Tracing) -> identity::Options {
        let Self { service: ServiceArgs { folder, .. }, services } = self;
        identity::Options { folder, services, tracing }
    }
}

/// What a process does about traces.
#[derive(Debug, clap::Args)]
struct TracesArgs {
    /// Send spans to this collector
    #[arg(long, value_name = "URL", value_parser = collector)]
    otlp: Option<String>,
    /// Pass the headers of traces on to nobody
    #[arg(long, conflicts_with = "otlp")]
    silent: bool,
}

impl TracesArgs {
    fn traces(&self) -> Traces {
        match &self.otlp {
            Some(endpoint) => Traces::Otlp(endpoint.clone()),
            None if self.silent => Traces::Silent,
            None => Traces::Pass,
        }
    }
}

impl Role {
    /// The traces of the process, and who makes them; supervisor and hosts make none.
    fn telemetry(&self) -> Result<Telemetry, Error> {
        let own = |service: &str| Source {
            service: service.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: service.to_owned(),
            slot: None,
        };
        let of = |service: Service| own(service.name());
        let (traces, source) = match self {
            Self::Supervisor { .. } => (Traces::Pass, own("supervisor")),
            Self::Host { .. } => (Traces::Pass, own("host")),
            Self::Bus(_) => (Traces::Pass, own(Backing::Bus.name())),
            Self::Queue(_) => (Traces::Pass, own(Backing::Queue.name())),
            Self::Cache(_) => (Traces::Pass, own(Backing::Cache.name())),
            Self::Registry(_) => (Traces::Pass, own(Backing::Registry.name())),
            Self::Vectors(_) => (Traces::Pass, own(Backing::Vectors.name())),
            Self::Gateway { traces, .. } => (traces.traces(), of(Service::Gateway)),
            Self::Store(args) => (args.traces.traces(), of(Service::Store)),
            Self::Identity(args) => (args.service.traces.traces(), of(Service::Identity)),
            Self::Alerts(args) => (args.traces.traces(), of(Service::Alerts)),
            Self::Script(args) => {
                let Script { service, release, replica, slot, .. } = &**args;
                let (service, version, instance) = (service.clone(), release.clone(), replica.clone());
                (args.traces.traces(), Source { service, version, instance, slot: *slot })
            }
            Self::Tenant(args) => {
                let Tenant { release, replica, slot, .. } = &**args;
                let (version, instance) = (release.clone(), replica.clone());
                (args.traces.traces(), Source { service: SERVICE.to_owned(), version, instance, slot: Some(*slot) })
            }
        };
        Telemetry::start(&traces, source)
    }
}

/// What a replica of a scripted service is started with.
#[derive(Debug, clap::Args)]
struct Script {
    /// The lab's folder
    #[arg(long)]
    folder: PathBuf,
    /// The script
    #[arg(long)]
    file: PathBuf,
    /// The service's name
    #[arg(long)]
    service: String,
    /// The replica's name
    #[arg(long)]
    replica: String,
    /// The replica's slot, where it stands in one
    #[arg(long)]
    slot: Option<Slot>,
    /// Where to listen
    #[arg(long)]
    listen: SocketAddr,
    /// The version that it runs
    #[arg(long)]
    release: String,
    /// Where the identity provider is
    #[arg(long)]
    identity_at: Option<SocketAddr>,
    /// What is wrong with it
    #[arg(long)]
    fault: Vec<String>,
    #[command(flatten)]
    traces: TracesArgs,
}

impl Script {
    fn options(self, tracing: Tracing) -> script::Options {
        let Self { folder, file, service, replica, slot, listen, release: version, identity_at, fault: faults, .. } =
            self;
        let identity = identity_at;
        script::Options { folder, file, service, replica, slot, listen, version, identity, faults, tracing }
    }
}

/// What a replica is started with; what differs between pods of one image may come from the environment.
#[derive(Debug, clap::Args)]
struct Tenant {
    /// Where to listen
    #[arg(long)]
    listen: SocketAddr,
    /// Where to serve metrics, health and draining; with --listen unless given
    #[arg(long)]
    admin: Option<SocketAddr>,
    /// How long to go on once told to end
    #[arg(long, default_value = "3s", value_name = "TIME", allow_hyphen_values = true)]
    drain: HumanDuration,
    /// The replica's name
    #[arg(long, env = "POD_NAME")]
    replica: String,
    /// The replica's slot
    #[arg(long, env = "TENANT_SLOT")]
    slot: Slot,
    /// The version that it runs
    #[arg(long, env = "TENANT_RELEASE")]
    release: String,
    /// What is wrong with it, as often as needed or with commas between
    #[arg(long, env = "TENANT_FAULTS")]
    fault: Vec<Faults>,
    /// Where the store is
    #[arg(long, requires_all = ["identity_at", "alerts_at"])]
    store_at: Option<SocketAddr>,
    /// Where the identity provider is
    #[arg(long, requires = "store_at")]
    identity_at: Option<SocketAddr>,
    /// Where the sink of logs is
    #[arg(long, requires = "store_at")]
    alerts_at: Option<SocketAddr>,
    /// Keep the tenants in the database of the lab in this folder
    #[cfg(feature = "sql")]
    #[arg(long, value_name = "DIR", conflicts_with = "store_at")]
    database_of: Option<PathBuf>,
    #[command(flatten)]
    traces: TracesArgs,
}

impl Tenant {
    /// # Errors
    /// Where the lab of the database cannot be read.
    fn options(self, tracing: Tracing) -> Result<tenant::Options, Error> {
        #[cfg(feature = "sql")]
        let database = match &self.database_of {
            Some(folder) => Some(Folder::new(folder).read_lab()?.database()?.clone()),
            None => None,
        };
        let full = match (self.store_at, self.identity_at, self.alerts_at) {
            (Some(store), Some(identity), Some(alerts)) => Some(FullLab { store, identity, alerts }),
            _ => None,
        };
        Ok(tenant::Options {
            listen: self.listen,
            admin: self.admin,
            drain: self.drain.0,
            replica: self.replica,
            slot: self.slot,
            version: self.release,
            faults: self.fault.into_iter().flat_map(|list| list.0).collect(),
            full,
            #[cfg(feature = "sql")]
            database,
            tracing,
        })
    }
}

/// Runs a role until SIGTERM or SIGINT.
pub(super) fn run(args: Args) -> Result<Exit, Error> {
    let filter = EnvFilter::try_from_env("INTERLOCK_LOG").unwrap_or_else(|_| EnvFilter::new("interlock=info,warn"));
    // Standard output is the role's log file.
    tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).with_writer(std::io::stdout).init();
    if let Err(e) = raise_file_limit() {
        tracing::warn!("the limit on descriptors stays as it is: {e}");
    }
    let telemetry = args.role.telemetry()?;
    let tracing = telemetry.tracing.clone();
    // One thread for each role. The supervisor's children are bound to the life of the thread that starts them, and
    // the platform has more processes than most machines have cores: more threads would only pass work around.
    let runtime = tokio::runtime::Builder::new_current_thread().thread_stack_size(STACK).enable_all().build();
    let served = runtime.map_err(|e| broken("the runtime", e))?.block_on(async {
        let stop = CancellationToken::new();
        watch_signals(stop.clone())?;
        match args.role {
            Role::Supervisor { folder, setup } => supervisor::serve(setup.options(&folder)?.0, stop).await,
            Role::Gateway { folder, upstream_timeout, defect, .. } => {
                let upstream_timeout = upstream_timeout.0;
                gateway::serve(gateway::Options { folder, upstream_timeout, defects: defect, tracing }, stop).await
            }
            Role::Tenant(args) => tenant::serve(args.options(tracing)?, stop).await,
            Role::Store(args) => store::serve(&args.folder, tracing, stop).await,
            Role::Identity(args) => identity::serve(args.options(tracing), stop).await,
            Role::Alerts(args) => alerts::serve(&args.folder, tracing, stop).await,
            Role::Bus(args) => backing::serve(Backing::Bus, args.into(), stop).await,
            Role::Queue(args) => backing::serve(Backing::Queue, args.into(), stop).await,
            Role::Cache(args) => backing::serve(Backing::Cache, args.into(), stop).await,
            Role::Registry(args) => backing::serve(Backing::Registry, args.into(), stop).await,
            Role::Vectors(args) => backing::serve(Backing::Vectors, args.into(), stop).await,
            Role::Script(args) => script::serve(args.options(tracing), stop).await,
            Role::Host { folder, name } => database::serve(&Folder::new(folder), &name, stop).await,
        }
    });
    // The runtime has ended with that statement: what sends the last spans blocks.
    telemetry.end();
    if let Err(e) = &served {
        tracing::error!("{e}");
    }
    served.map(|()| Exit::Kept)
}

fn watch_signals(stop: CancellationToken) -> Result<(), Error> {
    let mut term = signal(SignalKind::terminate()).map_err(|e| broken("signals", e))?;
    let mut int = signal(SignalKind::interrupt()).map_err(|e| broken("signals", e))?;
    tokio::spawn(async move {
        tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
        stop.cancel();
    });
    Ok(())
}
