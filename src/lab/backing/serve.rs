//! The skeleton of all backing processes: the lab's token, readiness, metrics, and how one is cut off.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio_util::sync::CancellationToken;

use super::{Backing, bus, cache, queue, registry, vectors};
use crate::{
    error::Error,
    lab::{
        connections::Speaks,
        host,
        http::{guarded, problem},
        state::{Folder, fault},
        store::Outage,
    },
};

/// What a backing process is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The lab's folder.
    pub folder: PathBuf,
    pub listen: SocketAddr,
}

/// What one kind of backing process answers.
pub struct Routes {
    /// What services ask; they show the lab's token, and are refused while it is cut off.
    pub service: Router,
    /// What those who operate the lab ask, cut off or not; with the token as well.
    pub operator: Router,
    /// What anybody may read.
    pub open: Router,
}

/// Serves until `stop`.
///
/// # Errors
/// Where no lab is in the folder, its state cannot be opened, or it cannot listen.
pub async fn serve(backing: Backing, options: Options, stop: CancellationToken) -> Result<(), Error> {
    let folder = Folder::new(&options.folder);
    let token = folder.read_lab()?.token;
    let file = folder.database_of(backing.name());
    if let Some(databases) = file.parent() {
        std::fs::create_dir_all(databases).map_err(|e| fault(databases, &e))?;
    }
    let routes = match backing {
        Backing::Bus => bus::routes(&file)?,
        Backing::Queue => queue::routes(&file)?,
        Backing::Cache => cache::routes(),
        Backing::Registry => registry::routes(&file)?,
        Backing::Vectors => vectors::routes(&file)?,
    };
    host::serve_as(backing.name(), (options.listen, Speaks::Http1), router(routes, token), stop).await
}

fn router(routes: Routes, token: String) -> Router {
    let Routes { service, operator, open } = routes;
    let out = Arc::new(AtomicBool::new(false));
    let service = service.layer(middleware::from_fn_with_state(out.clone(), refuse_while_out));
    let outage = Router::new().route("/outage", get(outage).put(set_outage)).with_state(out);
    let guarded = guarded(service.merge(operator).merge(outage), token);
    Router::new().route("/readyz", get(|| async { "ready" })).merge(guarded).merge(open)
}

async fn refuse_while_out(State(out): State<Arc<AtomicBool>>, request: Request, next: Next) -> Response {
    match out.load(Ordering::SeqCst) {
        true => problem(StatusCode::SERVICE_UNAVAILABLE, "it is out of order").into_response(),
        false => next.run(request).await,
    }
}

async fn outage(State(out): State<Arc<AtomicBool>>) -> Json<Outage> {
    Json(Outage { out: out.load(Ordering::SeqCst) })
}

async fn set_outage(State(out): State<Arc<AtomicBool>>, Json(order): Json<Outage>) -> Json<Outage> {
    tracing::info!(out = order.out, "outage switched");
    out.store(order.out, Ordering::SeqCst);
    Json(order)
}
