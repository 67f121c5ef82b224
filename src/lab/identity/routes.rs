//! What the identity provider answers: keys and logins for everybody, any token for those who show the lab's own.

use std::{path::PathBuf, sync::Arc};

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
    claims::{Claims, Order, Token, issuer},
    codes::Codes,
    keys::Signer,
    oidc::{AUTHORIZE, DISCOVERY, EXCHANGE, authorize, discovery, exchange},
    users,
    verifier::now,
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

/// What the provider is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The lab's folder.
    pub folder: PathBuf,
    /// The folder of the scripts, where there are some: the users are beside them.
    pub services: Option<PathBuf>,
    pub tracing: Tracing,
}

/// What all requests share.
pub struct Provider {
    pub signer: Signer,
    pub issuer: String,
    pub codes: Codes,
    /// The document that names the users, where there can be one.
    pub users: Option<PathBuf>,
}

type Shared = Arc<Provider>;

/// Serves until `stop`.
///
/// # Errors
/// Where the lab in the folder has no identity provider, its key cannot be kept, or it cannot listen.
pub async fn serve(options: Options, stop: CancellationToken) -> Result<(), Error> {
    let Options { folder, services, tracing } = options;
    let folder = Folder::new(folder);
    let lab = folder.read_lab()?;
    let address = lab.identity()?;
    let provider = Provider {
        signer: Signer::open(&folder.signing_key())?,
        issuer: issuer(address),
        codes: Codes::default(),
        users: services.map(|services| services.join(users::FILE)),
    };
    let tokens = Router::new().route("/token", traced(post(token), &tracing, Some("/token")));
    let router = Router::new()
        .route(JWKS, traced(get(keys), &tracing, Some(JWKS)))
        .route(DISCOVERY, traced(get(discovery), &tracing, Some(DISCOVERY)))
        .route(AUTHORIZE, traced(get(authorize), &tracing, Some(AUTHORIZE)))
        .route(EXCHANGE, traced(post(exchange), &tracing, Some(EXCHANGE)))
        .merge(guarded(tokens, lab.token))
        .fallback_service(traced(any(nothing), &tracing, None).with_state::<()>(()))
        .with_state(Arc::new(provider));
    host::serve(Service::Identity, address, router, stop).await
}

async fn nothing() -> Response {
    problem(StatusCode::NOT_FOUND, "there are logins, tokens and keys here only").into_response()
}

async fn keys(State(provider): State<Shared>) -> Json<Value> {
    Json(provider.signer.set())
}

async fn token(State(provider): State<Shared>, Json(order): Json<Order>) -> Response {
    let Order { subject, audience, role, scope, site, lifetime } = order;
    let plain = |text: &str| (1..=200).contains(&text.len()) && text.bytes().all(|b| (b' '..=b'~').contains(&b));
    let texts = [&*subject, &audience, &role, &scope].into_iter().chain(site.as_deref());
    if !texts.into_iter().all(plain) || !(1..=LONGEST).contains(&lifetime) {
        let why = "subject, audience, role, scope and site are visible ASCII, and a lifetime is from 1 s to 30 days";
        return problem(StatusCode::UNPROCESSABLE_ENTITY, why).into_response();
    }
    let iat = now();
    tracing::info!(subject, audience, role, scope, site, lifetime, "token issued");
    let iss = provider.issuer.clone();
    let claims = Claims { iss, sub: subject, aud: audience, iat, exp: iat + lifetime, role, scope, site };
    match provider.signer.sign(&claims) {
        Ok(access_token) => {
            let token_type = "Bearer".to_owned();
            let token = Token { access_token, token_type, expires_in: lifetime, scope: None, id_token: None };
            ([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(token)).into_response()
        }
        Err(e) => {
            tracing::error!("signing: {e}");
            problem(StatusCode::INTERNAL_SERVER_ERROR, "the token cannot be signed").into_response()
        }
    }
}
