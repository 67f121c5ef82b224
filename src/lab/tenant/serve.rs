//! A replica's process: listens, serves, and ends without breaking a request.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, extract::ConnectInfo};
use hyper::{
    Request,
    body::Incoming,
    service::{Service as _, service_fn},
};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{routes, service::Service};
use crate::{
    error::Error,
    lab::{fault::Fault, http::listen, services::FullLab, state::broken, telemetry::Tracing},
    model::{HumanDuration, Slot},
};

/// How long a replica goes on after the last client has come: its address has to be withdrawn everywhere first.
const LINGER: Duration = Duration::from_secs(2);
/// How long answers that are being written at the deadline may take.
const LAST: Duration = Duration::from_millis(250);

/// What a replica is started with.
#[derive(Debug, Clone)]
pub struct Options {
    pub listen: SocketAddr,
    /// Where to listen for those who operate it; on the same listener where there is none.
    pub admin: Option<SocketAddr>,
    /// How long it goes on once it was told to end.
    pub drain: Duration,
    pub replica: String,
    pub slot: Slot,
    /// The release that it runs.
    pub version: String,
    /// What is wrong with the release.
    pub faults: Vec<Fault>,
    /// The services behind it, where there are some.
    pub full: Option<FullLab>,
    /// The database that it keeps its tenants in, where there is one.
    #[cfg(feature = "sql")]
    pub database: Option<crate::lab::LabDatabase>,
    /// Makes its spans.
    pub tracing: Tracing,
}

/// Serves until `stop`, and as long after it as it takes to lose nothing.
///
/// # Errors
/// Where it cannot listen, or the version is no header value.
pub async fn serve(options: Options, stop: CancellationToken) -> Result<(), Error> {
    let Options { listen: business, admin, drain, .. } = options;
    let service = Service::new(options)?;
    let business = listen(business).await?;
    let address = business.local_addr().map_err(|e| broken("replica", e))?;
    let mut operated = None;
    if let Some(admin) = admin {
        operated = Some(operate(listen(admin).await?, service.clone())?);
    }
    let Options { replica, version, faults, .. } = &service.options;
    tracing::info!(%address, admin = operated.map(tracing::field::display), replica, version, ?faults, "replica serves");
    let app = routes::business(service.clone(), operated.is_none());
    let accepting = service.connections.accept(business, |peer| known(&app, peer));
    let told = async {
        stop.cancelled().await;
        service.lifecycle.end();
        // Where nobody operates it, as in the lab on one machine, it is off the gateway's list when it is told to end.
        if operated.is_some() {
            tracing::info!(drain = %HumanDuration(drain), "told to end; goes on while clients come or stay");
            let _ = tokio::time::timeout(drain, service.connections.quiet(LINGER)).await;
        }
    };
    tokio::select! {
        () = told => {}
        never = accepting => match never {},
    }
    let last = if operated.is_some() { LAST } else { drain };
    if !service.connections.finish(last).await {
        tracing::warn!("requests were still in flight after {}", HumanDuration(drain));
    }
    tracing::info!("replica ended");
    Ok(())
}

/// Serves the admin interface until the process ends, so that it can be looked at to the end; gives its address.
fn operate(listener: TcpListener, service: Arc<Service>) -> Result<SocketAddr, Error> {
    let address = listener.local_addr().map_err(|e| broken("replica", e))?;
    tokio::spawn(async move {
        if let Err(e) = axum::serve(listener, routes::admin(service)).await {
            tracing::error!("admin interface: {e}");
        }
    });
    Ok(address)
}

/// The service of one connection; its requests know who sends them.
fn known(
    app: &Router,
    peer: SocketAddr,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = axum::response::Response,
    Error = std::convert::Infallible,
    Future: Send,
> + Send
+ 'static {
    let app = TowerToHyperService::new(app.clone());
    service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        app.call(request)
    })
}
