//! The gateway's process: listens, serves, and on SIGTERM finishes what it has begun.

use std::{convert::Infallible, path::PathBuf, sync::Arc, time::Duration};

use hyper::service::service_fn;
use tokio_util::sync::CancellationToken;

use super::{
    admin,
    backends::Backends,
    bearer::Bearer,
    metrics::Metrics,
    proxy::{self, Shared},
    routing::{Routing, Stand},
};
use crate::{
    error::Error,
    lab::{
        connections::{Connections, Speaks},
        features::GatewayDefect,
        flight::Flights,
        http::listen,
        identity::{TENANTS, Verifier},
        state::Folder,
        telemetry::Tracing,
    },
};

/// How long requests may take to finish once the gateway is asked to end.
const DRAIN: Duration = Duration::from_secs(5);
/// How long a client may take to send the head of a request; also how long it may stay silent in between.
const HEAD_WITHIN: Duration = Duration::from_secs(60);

/// What the gateway is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The lab's folder; `lab.json` there says where to listen.
    pub folder: PathBuf,
    /// How long a replica may take to begin its answer.
    pub upstream_timeout: Duration,
    pub defects: Vec<GatewayDefect>,
    /// Makes its spans.
    pub tracing: Tracing,
}

/// Serves until `stop`.
///
/// # Errors
/// Where it cannot listen or its files make no sense.
pub async fn serve(options: Options, stop: CancellationToken) -> Result<(), Error> {
    let folder = Folder::new(&options.folder);
    let lab = folder.read_lab()?;
    let Options { upstream_timeout, defects, tracing, .. } = options;
    let bearer = lab.full.map(|full| Bearer::new(Verifier::new(full.identity, TENANTS, tracing.clone()), defects));
    let shared = Arc::new(Shared {
        service: lab.service().to_owned(),
        upstream_timeout,
        routing: Routing::open(folder.weights())?,
        backends: Backends::default(),
        flights: Flights::default(),
        metrics: Metrics::default(),
        bearer,
        tracing,
    });
    // Known replicas take requests from the first one on, also after a restart.
    shared.backends.round(&folder.backends()).await;
    let live = listen(lab.gateway).await?;
    let admin = listen(lab.admin).await?;
    let followed = shared.clone();
    let follow_stop = stop.clone();
    tokio::spawn(async move { followed.backends.follow(&folder.backends(), follow_stop).await });
    let admitting = shared.clone();
    let admit_stop = stop.clone();
    tokio::spawn(async move {
        if let Some(bearer) = &admitting.bearer {
            bearer.follow(admit_stop).await;
        }
    });
    let router = admin::router(shared.clone(), lab.token);
    let admin_stop = stop.clone();
    tokio::spawn(async move {
        let served = axum::serve(admin, router).with_graceful_shutdown(admin_stop.cancelled_owned()).await;
        if let Err(e) = served {
            tracing::error!("admin interface: {e}");
        }
    });
    let Stand { weights, epoch, .. } = shared.routing.stand();
    tracing::info!(address = %lab.gateway, %weights, %epoch, "gateway serves");
    let connections = Connections::new(HEAD_WITHIN, Speaks::Http1);
    let accepting = connections.accept(live, |peer| {
        let shared = shared.clone();
        service_fn(move |request| {
            let shared = shared.clone();
            async move { Ok::<_, Infallible>(proxy::answer(shared, peer, request).await) }
        })
    });
    tokio::select! {
        () = stop.cancelled() => {}
        never = accepting => match never {},
    }
    if !connections.finish(DRAIN).await {
        tracing::warn!("requests were still in flight after {DRAIN:?}");
    }
    tracing::info!("gateway ended");
    Ok(())
}
