//! The supervisor's process: outlives the terminal, and leaves nothing behind but logs.

use std::{
    fs::File,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{control, keeper::Keeper, ports::Ports, prometheus, scripted::Scripted};
use crate::{
    error::Error,
    lab::{
        database::{self, Cluster, DatabaseKind, Setting, Settings},
        features::Features,
        http::listen,
        known::{LabFile, PROTOCOL},
        script::{Publisher, make_secrets},
        services::{FullLab, Service},
        state::{self, Folder, broken, fault},
        status::Release,
    },
    process::Identity,
};

/// How often it looks, should no signal tell it to.
const TURN: Duration = Duration::from_millis(50);
/// How long everything together may take to end.
const END_WITHIN: Duration = Duration::from_secs(10);

/// What the supervisor is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The lab's folder.
    pub folder: PathBuf,
    /// The binary that its processes are started from.
    pub interlock: PathBuf,
    /// What blue runs at first.
    pub blue: Release,
    /// What green runs at first.
    pub green: Release,
    /// How many replicas each slot has at first.
    pub replicas: u32,
    /// How long the gateway waits for a replica.
    pub upstream_timeout: Duration,
    /// Whether Prometheus is started where its binary is found.
    pub prometheus: bool,
    pub features: Features,
    /// The folder of the scripted services, where there are some.
    pub services: Option<PathBuf>,
    pub database: Option<WithDatabase>,
}

/// The database that a lab is started with.
#[derive(Debug, Clone)]
pub struct WithDatabase {
    pub kind: DatabaseKind,
    pub set: Vec<Setting>,
    /// Whether nothing else is started.
    pub only: bool,
}

impl WithDatabase {
    /// All that can be set about it.
    ///
    /// # Errors
    /// Where something was set that there is not.
    pub fn settings(&self) -> Result<Settings, Error> {
        let list = "`interlock lab up --help` tells what can be set";
        let settings = Settings::read(self.kind, &self.set).map_err(|e| Error::usage(e, list))?;
        match database::disk_impossible().filter(|_| settings.stallable) {
            Some(why) => Err(Error::usage(format!("no disk can be stalled: {why}"), "leave `stallable` out")),
            None => Ok(settings),
        }
    }
}

/// Keeps the lab up until `stop`. Run it on a current-thread runtime on the main thread: its children are killed when
/// the thread that started them ends.
///
/// # Errors
/// Where another lab is up in the folder, or the folder cannot be written.
pub async fn serve(options: Options, stop: CancellationToken) -> Result<(), Error> {
    let folder = Folder::create(&options.folder)?;
    let _lock = lock(&folder)?;
    sweep(&folder)?;
    let mut ports = Ports::default();
    let database_only = options.database.as_ref().is_some_and(|database| database.only);
    let wants_prometheus = options.prometheus && !database_only && prometheus::find().is_some();
    let cluster = match &options.database {
        Some(database) => Some(Cluster::plan(database.kind, database.settings()?, |name| ports.address(name))?),
        None => None,
    };
    let full = match options.features.full {
        true => Some(FullLab::plan(|service| ports.address(service.name()))?),
        false => None,
    };
    let scripted = Scripted::read(options.services.as_deref())?;
    let wants_identity = full.is_none() && scripted.requires_tokens();
    let lab = LabFile {
        protocol: PROTOCOL,
        supervisor: Identity::current().map_err(|e| broken("/proc", e))?,
        gateway: ports.address(Service::Gateway.name())?,
        admin: ports.address("admin")?,
        control: ports.address("control")?,
        prometheus: if wants_prometheus { Some(ports.address("prometheus")?) } else { None },
        token: state::new_token(),
        service: scripted.in_slots().map(|service| service.name.clone()),
        full,
        identity: if wants_identity { Some(ports.address(Service::Identity.name())?) } else { None },
        database: cluster.as_ref().map(Cluster::known),
        database_only,
    };
    let listener = listen(lab.control).await?;
    // Before anything is made that somebody would have to find again.
    state::write(&folder.lab(), &lab)?;
    if let Some(cluster) = &cluster {
        state::write(&folder.cluster(), cluster)?;
        cluster.make_folder().map_err(|e| fault(&cluster.folder, &e))?;
    }
    if let Some(services) = &options.services {
        make_secrets(&folder.webhook_secrets(), scripted.names())?;
        let publisher = Publisher::begin(services, folder.configuration())?;
        tokio::spawn(publisher.follow(stop.clone()));
    }
    let keeper = Arc::new(Mutex::new(Keeper::new(options, scripted, folder.clone(), ports, &lab)?));
    let router = control::router(keeper.clone(), lab.token.clone());
    let stopped = stop.clone();
    tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stopped.cancelled_owned()).await;
        if let Err(e) = served {
            tracing::error!("control interface: {e}");
        }
    });
    tracing::info!(gateway = %lab.gateway, "lab is up");
    keep(&keeper, &stop).await?;
    end(&keeper).await;
    sweep(&folder)?;
    folder.clear()?;
    tracing::info!("lab is down");
    Ok(())
}

/// Ends and removes the database of the lab that is or was in the folder.
fn sweep(folder: &Folder) -> Result<(), Error> {
    let Ok(LabFile { database: Some(database), .. }) = folder.read_lab() else { return Ok(()) };
    database::sweep(&database.folder).map_err(|e| fault(&database.folder, &e))
}

fn lock(folder: &Folder) -> Result<File, Error> {
    let path = folder.lock();
    let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(|e| fault(&path, &e))?;
    file.try_lock().map_err(|_| {
        let what = format!("a lab is up in {} already", folder.path().display());
        Error::usage(what, "`interlock lab status` shows it, `interlock lab down` ends it")
    })?;
    Ok(file)
}

fn locked(keeper: &Mutex<Keeper>) -> MutexGuard<'_, Keeper> {
    keeper.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn keep(keeper: &Mutex<Keeper>, stop: &CancellationToken) -> Result<(), Error> {
    let mut child = signal(SignalKind::child()).map_err(|e| broken("signals", e))?;
    loop {
        if let Err(e) = locked(keeper).reconcile() {
            tracing::error!("{e}");
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = child.recv() => {}
            () = tokio::time::sleep(TURN) => {}
        }
    }
}

async fn end(keeper: &Mutex<Keeper>) {
    locked(keeper).end();
    let deadline = Instant::now() + END_WITHIN;
    while !locked(keeper).is_empty() {
        if Instant::now() >= deadline {
            tracing::error!("something does not end; it is killed with this process");
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
