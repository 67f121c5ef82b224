//! What the sink answers: logs come in from services, and alerts are listed for those who operate the lab.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Extension, Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::board::{Alert, Board, Log};
use crate::{
    error::Error,
    lab::{
        Service, host,
        http::{guarded, problem},
        state::Folder,
        telemetry::{Tracing, Work, traced},
    },
};

/// What the sink tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// How many logs came in.
    pub logs: u64,
    /// How many of them were errors.
    pub errors: u64,
    /// How many alerts were raised.
    pub raised: u64,
    /// The latest alerts, the oldest first.
    pub alerts: Vec<Alert>,
    /// The latest logs, the oldest first.
    pub latest: Vec<Log>,
}

type Shared = Arc<Mutex<Board>>;

/// Serves until `stop`.
///
/// # Errors
/// Where no full lab is in the folder, or it cannot listen.
pub async fn serve(folder: &Path, tracing: Tracing, stop: CancellationToken) -> Result<(), Error> {
    let lab = Folder::new(folder).read_lab()?;
    let address = lab.full()?.alerts;
    let router = Router::new()
        .route("/logs", traced(post(take), &tracing, Some("/logs")))
        .merge(guarded(Router::new().route("/alerts", get(tell)), lab.token))
        .fallback_service(traced(any(nothing), &tracing, None).with_state::<()>(()))
        .with_state(Shared::default());
    host::serve(Service::Alerts, address, router, stop).await
}

async fn nothing() -> Response {
    problem(StatusCode::NOT_FOUND, "the sink takes logs only").into_response()
}

async fn take(State(board): State<Shared>, Extension(work): Extension<Arc<Work>>, Json(log): Json<Log>) -> StatusCode {
    let raised = board.lock().unwrap_or_else(PoisonError::into_inner).take(log);
    if let Some(alert) = raised {
        let trigger = work.internal("trigger alert");
        trigger.set("alert.number", i64::try_from(alert.number).unwrap_or(i64::MAX));
        trigger.set("correlation_id", alert.correlation_id.clone());
        let Alert { number, service, correlation_id, message } = alert;
        tracing::warn!(number, service, correlation_id, message, "alert");
    }
    StatusCode::ACCEPTED
}

async fn tell(State(board): State<Shared>) -> Json<Told> {
    let board = board.lock().unwrap_or_else(PoisonError::into_inner);
    Json(Told {
        logs: board.logs,
        errors: board.errors,
        raised: board.raised(),
        alerts: board.alerts(),
        latest: board.latest(),
    })
}
