//! What the store answers: tenants, its outage, and what it has counted.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Json, Router,
    extract::{self, Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use hyper::Method;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::table::{Table, Tenant};
use crate::{
    error::Error,
    lab::{
        Service, host,
        http::{guarded, problem},
        page::{Kind, Page},
        state::Folder,
        telemetry::{Tracing, traced},
    },
};

/// Whether the store is out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// Whether every request for tenants is refused.
    pub out: bool,
}

struct Store {
    table: Table,
    out: AtomicBool,
    /// Requests for tenants by method and status.
    counted: Mutex<BTreeMap<(&'static str, u16), u64>>,
}

type Shared = Arc<Store>;

/// Serves until `stop`.
///
/// # Errors
/// Where no full lab is in the folder, it cannot listen, or its file cannot be opened.
pub async fn serve(folder: &Path, tracing: Tracing, stop: CancellationToken) -> Result<(), Error> {
    let folder = Folder::new(folder);
    let lab = folder.read_lab()?;
    let address = lab.full()?.store;
    let store = Arc::new(Store {
        table: Table::open(&folder.store())?,
        out: AtomicBool::new(false),
        counted: Mutex::default(),
    });
    host::serve(Service::Store, address, router(store, &tracing, lab.token), stop).await
}

fn router(store: Shared, tracing: &Tracing, token: String) -> Router {
    let tenant = get(read).put(write).layer(middleware::from_fn_with_state(store.clone(), counted));
    let asked = Router::new().route("/outage", get(outage).put(set_outage));
    Router::new()
        .route("/tenants/{id}", traced(tenant, tracing, Some("/tenants/{id}")))
        .route("/metrics", get(exposed))
        .merge(guarded(asked, token))
        .fallback_service(traced(any(nothing), tracing, None).with_state::<()>(()))
        .with_state(store)
}

async fn nothing() -> Response {
    problem(StatusCode::NOT_FOUND, "the store keeps tenants only").into_response()
}

async fn counted(State(store): State<Shared>, request: Request, next: Next) -> Response {
    let method = if *request.method() == Method::PUT { "PUT" } else { "GET" };
    let response = if store.out.load(Ordering::SeqCst) {
        problem(StatusCode::SERVICE_UNAVAILABLE, "the store is out of order").into_response()
    } else {
        next.run(request).await
    };
    let status = response.status().as_u16();
    *store.counted.lock().unwrap_or_else(PoisonError::into_inner).entry((method, status)).or_default() += 1;
    response
}

async fn read(State(store): State<Shared>, extract::Path(id): extract::Path<String>) -> Response {
    match store.table.get(id).await {
        Ok(Some(tenant)) => Json(tenant).into_response(),
        Ok(None) => problem(StatusCode::NOT_FOUND, "there is no such tenant").into_response(),
        Err(e) => broken(&e),
    }
}

async fn write(
    State(store): State<Shared>,
    extract::Path(id): extract::Path<String>,
    Json(tenant): Json<Tenant>,
) -> Response {
    if tenant.id != id {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "path and body name different tenants").into_response();
    }
    match store.table.put(tenant).await {
        Ok(true) => StatusCode::CREATED.into_response(),
        Ok(false) => StatusCode::NO_CONTENT.into_response(),
        Err(e) => broken(&e),
    }
}

/// Why stays in the log.
fn broken(why: &str) -> Response {
    tracing::error!("the table: {why}");
    problem(StatusCode::INTERNAL_SERVER_ERROR, "the table cannot be used").into_response()
}

async fn outage(State(store): State<Shared>) -> Json<Outage> {
    Json(Outage { out: store.out.load(Ordering::SeqCst) })
}

async fn set_outage(State(store): State<Shared>, Json(order): Json<Outage>) -> Json<Outage> {
    tracing::info!(out = order.out, "outage switched");
    store.out.store(order.out, Ordering::SeqCst);
    Json(order)
}

async fn exposed(State(store): State<Shared>) -> Page {
    let mut page = Page::new(&[("service", Service::Store.name())]);
    page.family("store_requests_total", Kind::Counter, "Requests for tenants, by method and status.");
    for ((method, code), n) in store.counted.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        page.sample("store_requests_total", &[("method", method), ("code", &code.to_string())], n);
    }
    page.family("store_outage", Kind::Gauge, "Whether the store is out of order.");
    page.sample("store_outage", &[], u8::from(store.out.load(Ordering::SeqCst)));
    page
}
