//! The gateway's own interface: weights, what is in flight, metrics. All but health and metrics ask for the token.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, put},
};
use serde::Deserialize;
use serde_json::json;

use super::{FenceWeights, Refusal, SetWeights, proxy::Shared};
use crate::{
    lab::{
        http::{guarded, problem},
        state::broken,
    },
    model::Slot,
};

/// The routes of the admin interface.
pub fn router(shared: Arc<Shared>, token: String) -> Router {
    let asked = Router::new()
        .route("/weights", get(weights).put(set_weights))
        .route("/weights/fence", put(fence))
        .route("/in-flight", get(in_flight));
    Router::new()
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .merge(guarded(asked, token))
        .with_state(shared)
}

/// Without the identity provider's keys it could admit nobody.
async fn health(State(shared): State<Arc<Shared>>) -> Response {
    match &shared.bearer {
        Some(bearer) if !bearer.is_ready() => {
            problem(StatusCode::SERVICE_UNAVAILABLE, "there are no keys to check tokens with").into_response()
        }
        _ => "ok".into_response(),
    }
}

async fn weights(State(shared): State<Arc<Shared>>) -> Response {
    Json(shared.routing.stand()).into_response()
}

async fn fence(State(shared): State<Arc<Shared>>, Json(FenceWeights { epoch }): Json<FenceWeights>) -> Response {
    let fenced = tokio::task::spawn_blocking(move || shared.routing.fence(epoch)).await;
    match fenced.unwrap_or_else(|e| Err(Refusal::Store(broken("the weights", e)))) {
        Ok(stand) => {
            tracing::info!(weights = %stand.weights, %epoch, "weights fenced");
            Json(stand).into_response()
        }
        Err(refusal) => {
            tracing::warn!(%epoch, ?refusal, "fence refused");
            refused(refusal)
        }
    }
}

async fn set_weights(State(shared): State<Arc<Shared>>, Json(order): Json<SetWeights>) -> Response {
    // Making it durable may take a while, and requests are to flow meanwhile.
    let result = tokio::task::spawn_blocking(move || shared.routing.set(order)).await;
    let result = result.unwrap_or_else(|e| Err(Refusal::Store(broken("the weights", e))));
    let SetWeights { to, from, epoch, .. } = order;
    match result {
        Ok(()) => {
            tracing::info!(%to, %epoch, "weights set");
            Json(json!({ "weights": to, "epoch": epoch })).into_response()
        }
        Err(refusal) => {
            tracing::warn!(%to, %from, %epoch, ?refusal, "weights refused");
            refused(refusal)
        }
    }
}

fn refused(refusal: Refusal) -> Response {
    let (status, body) = match refusal {
        Refusal::Superseded(highest) => (StatusCode::CONFLICT, json!({ "superseded": highest })),
        Refusal::Found(found) => (StatusCode::PRECONDITION_FAILED, json!({ "found": found })),
        Refusal::NotWhole => (StatusCode::UNPROCESSABLE_ENTITY, json!({ "why": "weights add up to 100" })),
        Refusal::Store(e) => (StatusCode::INTERNAL_SERVER_ERROR, json!({ "why": e.to_string() })),
    };
    (status, Json(body)).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    slot: Slot,
    #[serde(default)]
    older_than_ms: u64,
}

async fn in_flight(State(shared): State<Arc<Shared>>, Query(asked): Query<Asked>) -> Response {
    Json(shared.flights.view(asked.slot, Duration::from_millis(asked.older_than_ms))).into_response()
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let in_flight = Slot::ALL.map(|slot| (slot, shared.flights.count(slot)));
    shared.metrics.expose(&shared.service, in_flight).into_response()
}
