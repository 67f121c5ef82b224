//! `interlock lab serve`: one process of the platform, with the runtime that its role needs.

use std::{net::SocketAddr, path::PathBuf};

use clap::Subcommand;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::command::Setup;
use crate::{
    error::{Error, Exit},
    lab::{Faults, gateway, state::broken, supervisor, tenant},
    model::{Slot, Span},
    process::raise_file_limit,
};

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
        upstream_timeout: Span,
    },
    /// Be one replica of the service
    Tenant(Box<Tenant>),
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
    #[arg(long, default_value = "3s", value_name = "TIME")]
    drain: Span,
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
}

impl Tenant {
    fn options(self) -> tenant::Options {
        tenant::Options {
            listen: self.listen,
            admin: self.admin,
            drain: self.drain.0,
            replica: self.replica,
            slot: self.slot,
            version: self.release,
            faults: self.fault.into_iter().flat_map(|list| list.0).collect(),
        }
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
    // One thread for each role. The supervisor's children are bound to the life of the thread that starts them, and
    // the platform has more processes than most machines have cores: more threads would only pass work around.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.map_err(|e| broken("the runtime", e))?.block_on(async {
        let stop = CancellationToken::new();
        watch_signals(stop.clone())?;
        match args.role {
            Role::Supervisor { folder, setup } => supervisor::serve(setup.options(&folder)?, stop).await,
            Role::Gateway { folder, upstream_timeout } => {
                gateway::serve(gateway::Options { folder, upstream_timeout: upstream_timeout.0 }, stop).await
            }
            Role::Tenant(args) => tenant::serve(args.options(), stop).await,
        }
    });
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
