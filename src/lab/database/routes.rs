//! What an agent is asked, and which orders it takes. All but readiness asks for the lab's token.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::agent::{Agent, Refusal};
use crate::{
    lab::http::guarded,
    model::Epoch,
    ports::{Flow, HostState},
};

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetState {
    pub state: HostState,
    /// The writer's term.
    pub epoch: Epoch,
}

/// An order for the flow of changes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetFlow {
    pub flow: Flow,
    /// The writer's term.
    pub epoch: Epoch,
}

/// An order to raise the epoch.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FenceHost {
    /// The new owner's term.
    pub epoch: Epoch,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Follow {
    pub primary: String,
    /// The writer's term.
    pub epoch: Epoch,
}

/// An order to end the database as an administrator would.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopCleanly {
    /// The writer's term.
    pub epoch: Epoch,
}

type Shared = Arc<Agent>;

pub fn router(agent: Shared, token: String) -> Router {
    let asked = Router::new()
        .route("/host", get(stand))
        .route("/host/fence", put(fence))
        .route("/host/state", put(set_state))
        .route("/host/flow", put(set_flow))
        .route("/host/stop", post(stop))
        .route("/host/follow", post(follow));
    Router::new().route("/readyz", get(ready)).merge(guarded(asked, token)).with_state(agent)
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        tracing::warn!("refused: {self:?}");
        match self {
            Self::Superseded(highest) => (StatusCode::CONFLICT, Json(json!({ "superseded": highest }))),
            Self::Cannot(why) => (StatusCode::UNPROCESSABLE_ENTITY, Json(json!({ "why": why }))),
            Self::Failed(why) => (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "why": why }))),
        }
        .into_response()
    }
}

async fn ready(State(agent): State<Shared>) -> StatusCode {
    if agent.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn stand(State(agent): State<Shared>) -> Response {
    agent.stand().map(Json).into_response()
}

/// Carries an order out to its end, also when whoever gave it does not wait for that.
async fn to_the_end<T: IntoResponse + Send + 'static>(
    order: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Response {
    match tokio::spawn(order).await {
        Ok(done) => done.into_response(),
        Err(e) => Refusal::Failed(e.to_string()).into_response(),
    }
}

async fn fence(State(agent): State<Shared>, Json(FenceHost { epoch }): Json<FenceHost>) -> Response {
    to_the_end(async move { agent.fence(epoch).await.map(|()| StatusCode::NO_CONTENT) }).await
}

async fn set_state(State(agent): State<Shared>, Json(SetState { state, epoch }): Json<SetState>) -> Response {
    to_the_end(async move { agent.set_state(state, epoch).await.map(|()| StatusCode::NO_CONTENT) }).await
}

async fn set_flow(State(agent): State<Shared>, Json(SetFlow { flow, epoch }): Json<SetFlow>) -> Response {
    to_the_end(async move { agent.set_flow(flow, epoch).await.map(|()| StatusCode::NO_CONTENT) }).await
}

async fn stop(State(agent): State<Shared>, Json(StopCleanly { epoch }): Json<StopCleanly>) -> Response {
    to_the_end(async move { agent.stop(epoch).await.map(|()| StatusCode::NO_CONTENT) }).await
}

async fn follow(State(agent): State<Shared>, Json(Follow { primary, epoch }): Json<Follow>) -> Response {
    to_the_end(async move { agent.follow(&primary, epoch).await.map(|how| Json(json!({ "how": how }))) }).await
}
