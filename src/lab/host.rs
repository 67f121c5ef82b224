//! What the lab's small services have in common: a listener, readiness, and an end that breaks no request.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, routing::get};
use hyper_util::service::TowerToHyperService;
use tokio_util::sync::CancellationToken;

use super::{
    Service,
    connections::{Connections, Speaks},
    http::listen,
};
use crate::error::Error;

/// How long a client may be silent between two requests; longer than clients keep idle connections themselves.
const SILENCE: Duration = Duration::from_secs(600);
/// How long requests may take to finish once the service was told to end.
const DRAIN: Duration = Duration::from_secs(2);

/// Serves `router` until `stop`, with its readiness beside it.
///
/// # Errors
/// Where it cannot listen.
pub async fn serve(
    service: Service,
    address: SocketAddr,
    router: Router,
    stop: CancellationToken,
) -> Result<(), Error> {
    let router = router.route("/readyz", get(|| async { "ready" }));
    serve_as(service.name(), (address, Speaks::Http1), router, stop).await
}

/// Serves `app` by a name until `stop`.
///
/// # Errors
/// Where it cannot listen.
pub async fn serve_as(
    name: &str,
    (address, speaks): (SocketAddr, Speaks),
    app: Router,
    stop: CancellationToken,
) -> Result<(), Error> {
    let listener = listen(address).await?;
    tracing::info!(%address, "{name} serves");
    let connections = Connections::new(SILENCE, speaks);
    tokio::select! {
        () = stop.cancelled() => {}
        never = connections.accept(listener, |_| TowerToHyperService::new(app.clone())) => match never {},
    }
    if !connections.finish(DRAIN).await {
        tracing::warn!("requests were still in flight after {DRAIN:?}");
    }
    tracing::info!("{name} ended");
    Ok(())
}
