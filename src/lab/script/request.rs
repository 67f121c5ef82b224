//! A request as a handler sees it.

use std::collections::BTreeMap;

use axum::body::Bytes;
use http::{HeaderMap, StatusCode, header, request::Parts};
use rhai::{Dynamic, Map};
use serde_json::Value;

use super::{reply::Reply, route::decoded, turn::Asker, value};
use crate::lab::http::{CLAIMS, REQUEST_ID};

/// The header that names the site a request is about.
pub const SITE: &str = "x-site-id";
/// The longest id of a request that is taken over.
const ID: usize = 128;

/// Who asks: as the headers say, with an id of its own where the request has none.
#[must_use]
pub fn asker(headers: &HeaderMap) -> Asker {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let id = text(REQUEST_ID.as_str()).filter(|id| (1..=ID).contains(&id.len()));
    let [subject, role, scope] = &CLAIMS;
    Asker {
        correlation_id: id.unwrap_or_else(|| format!("{:016x}", rand::random::<u64>())),
        actor: text(subject.as_str()),
        role: text(role.as_str()),
        scope: text(scope.as_str()),
        site: text(SITE),
        bearer: text(header::AUTHORIZATION.as_str()),
    }
}

/// The map that a handler is given.
///
/// # Errors
/// The answer to a request whose body or query cannot be read.
pub fn map(parts: &Parts, params: BTreeMap<String, String>, body: &Bytes, asker: &Asker) -> Result<Map, Reply> {
    let mut map = Map::new();
    map.insert("method".into(), parts.method.as_str().into());
    map.insert("path".into(), parts.uri.path().into());
    map.insert("params".into(), texts(params).into());
    map.insert("query".into(), texts(query(parts.uri.query().unwrap_or_default())?).into());
    map.insert("body".into(), content(&parts.headers, body)?);
    add_asker(&mut map, &parts.headers, asker);
    Ok(map)
}

/// The map that the handler of a call is given.
#[must_use]
pub fn of_call(method: &str, headers: &HeaderMap, message: Value, asker: &Asker) -> Map {
    let mut map = Map::new();
    map.insert("method".into(), method.into());
    map.insert("body".into(), value::dynamic(message));
    add_asker(&mut map, headers, asker);
    map
}

fn add_asker(map: &mut Map, headers: &HeaderMap, asker: &Asker) {
    // A token goes on with calls to other services, and into no script.
    let is_shown = |name: &&http::HeaderName| **name != header::AUTHORIZATION;
    let header = |name: &http::HeaderName| Some((name.to_string(), headers.get(name)?.to_str().ok()?.to_owned()));
    map.insert("headers".into(), texts(headers.keys().filter(is_shown).filter_map(header)).into());
    map.insert("id".into(), asker.correlation_id.as_str().into());
    for (name, value) in
        [("actor", &asker.actor), ("role", &asker.role), ("scope", &asker.scope), ("site", &asker.site)]
    {
        map.insert(name.into(), value.as_deref().map_or(Dynamic::UNIT, Into::into));
    }
}

fn texts(pairs: impl IntoIterator<Item = (String, String)>) -> Map {
    pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn query(text: &str) -> Result<Vec<(String, String)>, Reply> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decoded(&name.replace('+', " "))?, decoded(&value.replace('+', " "))?))
    };
    let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(pair).collect::<Option<_>>();
    pairs.ok_or_else(|| Reply::problem(StatusCode::BAD_REQUEST, "the query is not encoded as it should be"))
}

/// JSON, whatever the client calls it; text only where it says so.
fn content(headers: &HeaderMap, body: &Bytes) -> Result<Dynamic, Reply> {
    if body.is_empty() {
        return Ok(Dynamic::UNIT);
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("text/") {
        return Ok(String::from_utf8_lossy(body).into_owned().into());
    }
    let read = serde_json::from_slice(body).map(value::dynamic);
    read.map_err(|e| Reply::problem(StatusCode::BAD_REQUEST, format!("the body is no JSON: {e}")))
}
