//! What a replica answers, and on which listener.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Options, flow, metrics, service::Service};
use crate::lab::{
    SERVICE,
    http::{REQUEST_ID, SLOT, VERSION, problem},
    page::Page,
    store::Tenant,
    telemetry::begin,
};

/// What the business listener serves; with `whole` all the rest as well.
pub fn business(service: Arc<Service>, whole: bool) -> Router {
    let mut tenants = Router::new().route("/tenants/{id}", get(flow::read));
    if service.upstream.is_some() {
        tenants = tenants.route("/tenants", post(flow::create));
    }
    let tenants = tenants.layer(middleware::from_fn_with_state(service.clone(), faulty));
    let mut router = health().route("/version", get(version)).merge(tenants);
    if whole {
        router = router.merge(operated());
    }
    router
        .layer(middleware::from_fn_with_state(service.clone(), closing))
        .layer(middleware::from_fn_with_state(service.clone(), stamped))
        .with_state(service)
}

/// What the admin listener serves.
pub fn admin(service: Arc<Service>) -> Router {
    health().merge(operated()).layer(middleware::from_fn_with_state(service.clone(), stamped)).with_state(service)
}

fn health() -> Router<Arc<Service>> {
    Router::new().route("/healthz", get(|| async { "ok" })).route("/readyz", get(ready))
}

fn operated() -> Router<Arc<Service>> {
    Router::new().route("/metrics", get(exposed)).route("/draining", get(draining).put(drain))
}

/// Whether a text can be a tenant's id.
pub fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Answers with a tenant where there is no store: out of the database where there is one.
#[cfg_attr(
    not(feature = "sql"),
    expect(clippy::unused_async, unused_variables, reason = "there is no database to ask")
)]
pub async fn tenant(service: &Service, headers: &HeaderMap, id: &str) -> Response {
    if !is_id(id) {
        return (StatusCode::NOT_FOUND, Json(json!({ "title": "no such tenant" }))).into_response();
    }
    #[cfg(feature = "sql")]
    if let Some(database) = &service.database {
        return database.answer(id, headers).await;
    }
    Json(Tenant::plain(id)).into_response()
}

async fn version(State(service): State<Arc<Service>>) -> Response {
    let Options { slot, version, replica, .. } = &service.options;
    Json(json!({ "service": SERVICE, "slot": slot, "version": version, "replica": replica })).into_response()
}

/// Draining does not change this: a replica that drains serves as well as any.
async fn ready(State(service): State<Arc<Service>>) -> Response {
    if service.lifecycle.is_ending() {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "the replica was told to end").into_response();
    }
    "ready".into_response()
}

async fn exposed(State(service): State<Arc<Service>>) -> Page {
    metrics::page(&service)
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Draining {
    draining: bool,
}

async fn draining(State(service): State<Arc<Service>>) -> Json<Draining> {
    Json(Draining { draining: service.lifecycle.is_draining() })
}

/// Whatever its content type says, so that `curl -d` will do.
async fn drain(State(service): State<Arc<Service>>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(Draining { draining }) => {
            service.lifecycle.drain(draining);
            tracing::info!(draining, "asked to drain, or not to");
            self::draining(State(service)).await.into_response()
        }
        Err(e) => {
            problem(StatusCode::BAD_REQUEST, &format!(r#"send {{"draining": true}} or false: {e}"#)).into_response()
        }
    }
}

/// Says which slot and release answered, and logs each request.
async fn stamped(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let logged = tracing::enabled!(tracing::Level::DEBUG).then(|| {
        let id = request.headers().get(REQUEST_ID).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        (request.method().clone(), request.uri().path().to_owned(), id)
    });
    let mut response = next.run(request).await;
    response.headers_mut().insert(SLOT, service.slot.clone());
    response.headers_mut().insert(VERSION, service.version.clone());
    if let Some((method, path, correlation_id)) = logged {
        let status = response.status().as_u16();
        tracing::debug!(%method, path, correlation_id, status, replica = service.options.replica, "request");
    }
    response
}

/// Ends a connection with its answer while the replica drains.
///
/// The client learns it from the answer itself and cannot be sending meanwhile, so that nothing is lost.
async fn closing(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if service.lifecycle.is_draining() {
        // The header makes hyper close the connection, too.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Lets the release's faults act on business requests, and counts these.
async fn faulty(
    State(service): State<Arc<Service>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let route = if request.uri().path() == "/tenants" { "/tenants" } else { "/tenants/{id}" };
    let work = begin(&service.options.tracing, &mut request, Some(route));
    let path = request.uri().path();
    // Also over when the client leaves first, since this future is then dropped.
    let _flying = service.flights.begin(service.options.slot, request.method().clone(), path, peer);
    let response = if service.defects.act().await {
        (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "title": "the release is faulty" }))).into_response()
    } else {
        next.run(request).await
    };
    work.answered(response.status());
    let counter = if response.status().is_server_error() { &service.failed } else { &service.ok };
    counter.fetch_add(1, Ordering::Relaxed);
    response
}
