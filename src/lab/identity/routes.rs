//! What the identity provider answers: keys for everybody, tokens for those who show the lab's own.

use std::{path::Path, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    JWKS,
    claims::{Claims, ISSUER, Order, Token},
    keys::Signer,
};
use crate::{
    error::Error,
    lab::{
        Service, host,
        http::{guarded, problem},
        state::Folder,
        telemetry::{Tracing, traced},
    },
};

/// The longest life of a token, in seconds.
const LONGEST: u64 = 30 * 86_400;

type Shared = Arc<Signer>;

/// Serves until `stop`.
///
/// # Errors
/// Where no full lab is in the folder, or it cannot listen.
pub async fn serve(folder: &Path, tracing: Tracing, stop: CancellationToken) -> Result<(), Error> {
    let lab = Folder::new(folder).read_lab()?;
    let address = lab.full()?.identity;
    let tokens = Router::new().route("/token", traced(post(token), &tracing, Some("/token")));
    let router = Router::new()
        .route(JWKS, traced(get(keys), &tracing, Some(JWKS)))
        .merge(guarded(tokens, lab.token))
        .fallback_service(traced(any(nothing), &tracing, None).with_state::<()>(()))
        .with_state(Arc::new(Signer::new()?));
    host::serve(Service::Identity, address, router, stop).await
}

async fn nothing() -> Response {
    problem(StatusCode::NOT_FOUND, "there are tokens and keys here only").into_response()
}

async fn keys(State(signer): State<Shared>) -> Json<Value> {
    Json(signer.set())
}

async fn token(State(signer): State<Shared>, Json(order): Json<Order>) -> Response {
    let Order { subject, audience, role, scope, lifetime } = order;
    let plain = |text: &str| (1..=200).contains(&text.len()) && text.bytes().all(|b| (b' '..=b'~').contains(&b));
    if ![&*subject, &audience, &role, &scope].into_iter().all(plain) || !(1..=LONGEST).contains(&lifetime) {
        let why = "subject, audience, role and scope are visible ASCII, and a lifetime is from 1 s to 30 days";
        return problem(StatusCode::UNPROCESSABLE_ENTITY, why).into_response();
    }
    let iat = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default();
    tracing::info!(subject, audience, role, scope, lifetime, "token issued");
    let claims = Claims { iss: ISSUER.to_owned(), sub: subject, aud: audience, iat, exp: iat + lifetime, role, scope };
    match signer.sign(&claims) {
        Ok(access_token) => {
            let token = Token { access_token, token_type: "Bearer".to_owned(), expires_in: lifetime };
            ([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(token)).into_response()
        }
        Err(e) => {
            tracing::error!("signing: {e}");
            problem(StatusCode::INTERNAL_SERVER_ERROR, "the token cannot be signed").into_response()
        }
    }
}
