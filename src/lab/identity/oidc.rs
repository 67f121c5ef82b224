//! Logging in as OpenID Connect has it: the code flow with PKCE, for public clients on this machine.
//!
//! <https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth>; no user is asked for a password.

use std::{sync::Arc, time::Instant};

use axum::{
    Json,
    extract::{Query, State},
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use reqwest::Url;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    JWKS,
    claims::{Claims, IdClaims, SERVICES, Token},
    codes::{Grant, Shown, is_challenge},
    routes::Provider,
    users::{self, User},
    verifier::now,
};
use crate::lab::http::problem;

/// Where a client finds the rest.
pub const DISCOVERY: &str = "/.well-known/openid-configuration";
/// Where a user logs in.
pub const AUTHORIZE: &str = "/oauth2/authorize";
/// Where a client exchanges a code.
pub const EXCHANGE: &str = "/oauth2/token";
/// How long tokens hold that a login ends with, in seconds.
const HOLDS: u64 = 3600;
/// The scope that makes a login one of OpenID Connect.
const OPENID: &str = "openid";

/// What a client asks for.
#[derive(Debug, Deserialize)]
pub struct Login {
    client_id: Option<String>,
    redirect_uri: Option<String>,
    response_type: Option<String>,
    #[serde(default)]
    scope: String,
    state: Option<String>,
    nonce: Option<String>,
    code_challenge: Option<String>,
    code_challenge_method: Option<String>,
    /// Who logs in; in a lab a name suffices.
    login_hint: Option<String>,
}

/// What a client shows for a code.
#[derive(Deserialize)]
pub struct Exchange {
    grant_type: Option<String>,
    #[serde(default)]
    code: String,
    #[serde(default)]
    redirect_uri: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    code_verifier: String,
}

/// An error as OAuth 2 names it, and why.
type Refused = (&'static str, &'static str);

/// What clients have to know of the provider.
pub async fn discovery(State(provider): State<Arc<Provider>>) -> Json<Value> {
    let issuer = &provider.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}{AUTHORIZE}"),
        "token_endpoint": format!("{issuer}{EXCHANGE}"),
        "jwks_uri": format!("{issuer}{JWKS}"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "scopes_supported": [OPENID],
        "claims_supported": ["iss", "sub", "aud", "iat", "exp", "nonce", "role", "scope", "site"],
    }))
}

/// Logs a user in, and sends the client a code.
pub async fn authorize(State(provider): State<Arc<Provider>>, Query(login): Query<Login>) -> Response {
    // Whoever cannot be told apart from somebody else's client is sent nowhere.
    let Some((client_id, mut back)) = login.client_id.clone().zip(login.redirect_uri.as_deref().and_then(own)) else {
        let why = "a client has an id, and a redirect_uri on this machine such as http://127.0.0.1:8000/callback";
        return problem(StatusCode::BAD_REQUEST, why).into_response();
    };
    let code = granted(&provider, &login, client_id).and_then(|grant| {
        let subject = grant.subject.clone();
        let code = provider.codes.issue(grant, Instant::now()).ok_or(("temporarily_unavailable", "too many log in"))?;
        tracing::info!(subject, client_id = login.client_id, "logged in");
        Ok(code)
    });
    match &code {
        Ok(code) => add(&mut back, "code", code),
        Err((error, why)) => {
            add(&mut back, "error", error);
            add(&mut back, "error_description", why);
        }
    }
    if let Some(state) = &login.state {
        add(&mut back, "state", state);
    }
    (StatusCode::FOUND, [(header::LOCATION, back.to_string()), (header::CACHE_CONTROL, NO_STORE.to_owned())])
        .into_response()
}

fn add(back: &mut Url, name: &str, value: &str) {
    back.query_pairs_mut().append_pair(name, value);
}

/// Exchanges a code for tokens.
pub async fn exchange(State(provider): State<Arc<Provider>>, form: String) -> Response {
    let granted = read(&form).and_then(|Exchange { grant_type, code, redirect_uri, client_id, code_verifier }| {
        if grant_type.as_deref() != Some("authorization_code") {
            return Err(("unsupported_grant_type", "codes are exchanged here, and nothing else"));
        }
        let shown = Shown { client_id: &client_id, redirect_uri: &redirect_uri, verifier: &code_verifier };
        provider.codes.exchange(&code, shown, Instant::now()).map_err(|why| ("invalid_grant", why))
    });
    let answer = match granted.and_then(|grant| tokens(&provider, grant)) {
        Ok(token) => Json(token).into_response(),
        Err((error, why)) => {
            (StatusCode::BAD_REQUEST, Json(json!({ "error": error, "error_description": why }))).into_response()
        }
    };
    ([(header::CACHE_CONTROL, HeaderValue::from_static(NO_STORE))], answer).into_response()
}

const NO_STORE: &str = "no-store";

/// A form is written as a query is.
fn read(form: &str) -> Result<Exchange, Refused> {
    let refused = ("invalid_request", "a code is exchanged with a form");
    let uri: Uri = format!("/?{form}").parse().map_err(|_| refused)?;
    Query::try_from_uri(&uri).map(|Query(read)| read).map_err(|_| refused)
}

/// An address of a client on this machine (RFC 8252, section 7.3).
fn own(redirect_uri: &str) -> Option<Url> {
    let url = Url::parse(redirect_uri).ok()?;
    let is_here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    (url.scheme() == "http" && is_here && url.fragment().is_none()).then_some(url)
}

fn granted(provider: &Provider, login: &Login, client_id: String) -> Result<Grant, Refused> {
    if login.response_type.as_deref() != Some("code") {
        return Err(("unsupported_response_type", "the code flow is the only one"));
    }
    let challenge = login.code_challenge.as_deref().filter(|challenge| is_challenge(challenge));
    let challenge = challenge.filter(|_| login.code_challenge_method.as_deref() == Some("S256"));
    let challenge = challenge.ok_or(("invalid_request", "a code_challenge with the method S256 is asked for"))?;
    let name = login.login_hint.as_deref().ok_or(("login_required", "login_hint names who logs in"))?;
    let User { role, site, scopes } = user(provider, name)?;
    let may = |scope: &&str| *scope == OPENID || scopes.iter().any(|one| one == scope);
    Ok(Grant {
        subject: name.to_owned(),
        role,
        site,
        scope: login.scope.split_ascii_whitespace().filter(may).collect::<Vec<_>>().join(" "),
        nonce: login.nonce.clone(),
        client_id,
        redirect_uri: login.redirect_uri.clone().unwrap_or_default(),
        challenge: challenge.to_owned(),
    })
}

fn user(provider: &Provider, name: &str) -> Result<User, Refused> {
    let unknown = ("access_denied", "there is no such user");
    let file = provider.users.as_deref().ok_or(unknown)?;
    let found = users::find(file, name).map_err(|e| {
        tracing::error!(hint = e.hint(), "the users: {e}");
        ("server_error", "the users cannot be read")
    })?;
    found.ok_or(unknown)
}

fn tokens(provider: &Provider, grant: Grant) -> Result<Token, Refused> {
    let Grant { subject, role, site, scope, nonce, client_id, .. } = grant;
    let (iss, iat) = (provider.issuer.clone(), now());
    let exp = iat + HOLDS;
    let id = scope.split(' ').any(|one| one == OPENID).then(|| IdClaims {
        iss: iss.clone(),
        sub: subject.clone(),
        aud: client_id,
        iat,
        exp,
        nonce,
    });
    let claims = Claims { iss, sub: subject, aud: SERVICES.to_owned(), iat, exp, role, scope: scope.clone(), site };
    let signing = |e: String| {
        tracing::error!("signing: {e}");
        ("server_error", "the token cannot be signed")
    };
    Ok(Token {
        access_token: provider.signer.sign(&claims).map_err(signing)?,
        token_type: "Bearer".to_owned(),
        expires_in: HOLDS,
        scope: Some(scope),
        id_token: id.map(|id| provider.signer.sign(&id)).transpose().map_err(signing)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_on_this_machine() {
        for uri in ["http://127.0.0.1/", "http://localhost:8000/callback?a=1", "http://[::1]:8000/"] {
            assert!(own(uri).is_some(), "{uri}");
        }
        for uri in ["https://shop.example.org/", "http://10.0.0.1/", "http://127.0.0.1/#a", "shop:/callback", "//x", ""]
        {
            assert!(own(uri).is_none(), "{uri}");
        }
    }

    #[test]
    fn a_form_is_read_as_it_is_written() {
        let form = "grant_type=authorization_code&redirect_uri=http%3A%2F%2F127.0.0.1%2F&code=a%2Bb&client_id=s+1";
        let read = read(form).ok().unwrap();
        assert_eq!((&*read.redirect_uri, &*read.code, &*read.client_id), ("http://127.0.0.1/", "a+b", "s 1"));
    }
}
