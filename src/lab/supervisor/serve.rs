//! The supervisor's process: outlives the terminal, and leaves nothing behind but logs.

use std::{
    fs::File,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{control, keeper::Keeper, ports::Ports, prometheus};
use crate::{
    error::Error,
    lab::{
        extent::Extent,
        http::listen,
        state::{self, Folder, FullLab, LabFile, broken, fault},
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
    /// What there is beyond that.
    pub extent: Extent,
}

/// Keeps the lab up until `stop`. Run it on a current-thread runtime on the main thread: its children are killed when
/// the thread that started them ends.
///
/// # Errors
/// Where another lab is up in the folder, or the folder cannot be written.
pub async fn serve(options: Options, stop: CancellationToken) -> Result<(), Error> {
    let folder = Folder::create(&options.folder)?;
    let _lock = lock(&folder)?;
    let mut ports = Ports::default();
    let wants_prometheus = options.prometheus && prometheus::find().is_some();
    let full = match options.extent.full {
        true => Some(FullLab {
            store: ports.address("store")?,
            identity: ports.address("identity")?,
            alerts: ports.address("alerts")?,
        }),
        false => None,
    };
    let lab = LabFile {
        supervisor: Identity::current().map_err(|e| broken("/proc", e))?,
        gateway: ports.address("gateway")?,
        admin: ports.address("admin")?,
        control: ports.address("control")?,
        prometheus: if wants_prometheus { Some(ports.address("prometheus")?) } else { None },
        token: state::new_token(),
        full,
    };
    let listener = listen(lab.control).await?;
    state::write(&folder.lab(), &lab)?;
    let keeper = Arc::new(Mutex::new(Keeper::new(options, folder.clone(), ports, &lab)?));
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
    folder.clear()?;
    tracing::info!("lab is down");
    Ok(())
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
        if let Err(e) = locked(keeper).turn() {
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
