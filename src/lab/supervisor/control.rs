//! The supervisor's interface: how everything stands, and orders for the slots. All of it asks for the token.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, put},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::keeper::{Keeper, MOST_REPLICAS, ScaleRefusal};
use crate::{
    lab::{http::guarded, status::Release},
    model::{Epoch, Slot},
};

/// An order to run a release in a slot.
pub type SetRelease = Release;

/// An order for a number of replicas.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetScale {
    pub replicas: u32,
    /// How many the writer takes to be wanted now.
    pub from: u32,
    /// The writer's term.
    pub epoch: Epoch,
    /// The version that was read with `from`.
    pub version: u64,
}

/// An order to raise the epoch at a slot's scale and to keep it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FenceScale {
    /// The new owner's term.
    pub epoch: Epoch,
}

type Shared = Arc<Mutex<Keeper>>;

/// The routes of the control interface.
pub fn router(keeper: Shared, token: String) -> Router {
    let asked = Router::new()
        .route("/status", get(status))
        .route("/slots/{slot}/release", put(set_release))
        .route("/services/{service}/release", put(set_service_release))
        .route("/slots/{slot}/scale", put(set_scale))
        .route("/slots/{slot}/scale/fence", put(fence_scale));
    guarded(asked, token).with_state(keeper)
}

fn refuse(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "why": why }))).into_response()
}

async fn status(State(keeper): State<Shared>) -> Response {
    Json(keeper.lock().unwrap_or_else(PoisonError::into_inner).status()).into_response()
}

async fn set_release(
    State(keeper): State<Shared>,
    Path(slot): Path<Slot>,
    Json(release): Json<SetRelease>,
) -> Response {
    if !is_version(&release.version) {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, NO_VERSION);
    }
    let mut keeper = keeper.lock().unwrap_or_else(PoisonError::into_inner);
    accepted(keeper.set_release(slot, release))
}

async fn set_service_release(
    State(keeper): State<Shared>,
    Path(service): Path<String>,
    Json(release): Json<Release>,
) -> Response {
    if !is_version(&release.version) {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, NO_VERSION);
    }
    let mut keeper = keeper.lock().unwrap_or_else(PoisonError::into_inner);
    accepted(keeper.set_service_release(&service, release))
}

fn accepted(order: Result<(), String>) -> Response {
    match order {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(why) => refuse(StatusCode::UNPROCESSABLE_ENTITY, &why),
    }
}

const NO_VERSION: &str = "a version has 1 to 64 visible ASCII characters";

fn is_version(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

async fn set_scale(State(keeper): State<Shared>, Path(slot): Path<Slot>, Json(order): Json<SetScale>) -> Response {
    if order.replicas > MOST_REPLICAS {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, &format!("a slot has {MOST_REPLICAS} replicas at most"));
    }
    match keeper.lock().unwrap_or_else(PoisonError::into_inner).set_scale(slot, order) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refused(&refusal),
    }
}

async fn fence_scale(
    State(keeper): State<Shared>,
    Path(slot): Path<Slot>,
    Json(FenceScale { epoch }): Json<FenceScale>,
) -> Response {
    match keeper.lock().unwrap_or_else(PoisonError::into_inner).fence_scale(slot, epoch) {
        Ok(replicas) => Json(json!({ "replicas": replicas })).into_response(),
        Err(refusal) => refused(&refusal),
    }
}

fn refused(refusal: &ScaleRefusal) -> Response {
    let (status, body) = match refusal {
        ScaleRefusal::Superseded(highest) => (StatusCode::CONFLICT, json!({ "superseded": highest })),
        ScaleRefusal::Found(found) => (StatusCode::PRECONDITION_FAILED, json!({ "found": found })),
    };
    tracing::warn!(?refusal, "scale refused");
    (status, Json(body)).into_response()
}
