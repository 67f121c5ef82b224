//! Webhooks: sent by way of the service's database, so that none is lost; taken only with their signature, and handled once.

use http::{HeaderMap, StatusCode};
use rhai::{Dynamic, FnPtr, FuncRegistration, ImmutableString as Text, Map, Module, NativeCallContext};

use super::{
    Given,
    attempts::asker_headers,
    placed, refused,
    sql::{in_transaction, on_connection},
};
use crate::lab::{
    identity::now,
    script::{
        reply::Reply,
        route::Template,
        turn::{self, Turn},
        value,
        webhook::{ID, SIGNATURE, Sent, Shown, TIMESTAMP, add, note_handled},
    },
};

/// The functions of the door.
pub fn module() -> Module {
    let mut module = Module::new();
    FuncRegistration::new("send").set_into_module(
        &mut module,
        |context: NativeCallContext<'_>, service: &str, path: &str, body: Dynamic| {
            let id = format!("{:032x}", rand::random::<u128>());
            placed(&context, send(id, service, path, &body))
        },
    );
    FuncRegistration::new("send").set_into_module(
        &mut module,
        |context: NativeCallContext<'_>, service: &str, path: &str, body: Dynamic, key: &str| {
            placed(&context, send(key.to_owned(), service, path, &body))
        },
    );
    FuncRegistration::new("verify").set_into_module(&mut module, |context: NativeCallContext<'_>, request: Map| {
        placed(&context, verify(&request))
    });
    FuncRegistration::new("once").set_into_module(
        &mut module,
        |context: NativeCallContext<'_>, request: Map, inside: FnPtr| {
            placed(&context, once(&context, &request, &inside))
        },
    );
    module
}

/// Puts a webhook on its way: with the transaction that the handler is in, or at once.
fn send(id: String, service: &str, path: &str, body: &Dynamic) -> Given<()> {
    let turn = turn::current().map_err(refused)?;
    let path = Template::parse(path).and_then(|template| template.fill(|_| None)).map_err(refused)?;
    if turn.host.secrets.of(service).is_none() {
        return Err(refused(format!("there is no service `{service}` that webhooks could be sent to")));
    }
    let body = value::json(body).map_err(refused)?.to_string();
    let sent = Sent { id, service: service.to_owned(), path, body, headers: carried(&turn), attempts: 0 };
    if !on_connection("send webhook", |connection| add(connection, &sent))? {
        return Err(Reply::later(StatusCode::SERVICE_UNAVAILABLE, 1, "too many webhooks wait").into());
    }
    turn.sent.set(true);
    Ok(())
}

/// What goes along, as pairs in JSON: whose request it is, and the trace. A token does not: it may be over by then.
fn carried(turn: &Turn) -> String {
    let mut headers = HeaderMap::new();
    turn.work().inject(&mut headers);
    let traced = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let told = asker_headers(&turn.asker);
    let told = told.iter().map(|(name, value)| (name.as_str(), *value));
    let pairs: Vec<_> = traced.chain(told).collect();
    serde_json::json!(pairs).to_string()
}

/// Goes on only with a request that is a webhook for this service, signed a moment ago.
fn verify(request: &Map) -> Given<()> {
    let turn = turn::current().map_err(refused)?;
    let secret = turn.host.secrets.of(&turn.host.service);
    let secret = secret.ok_or_else(|| refused("this service has no secret for webhooks"))?;
    let [id, timestamp, signature] = [ID, TIMESTAMP, SIGNATURE].map(|name| header(request, name));
    let shown = Shown { id: id.as_deref(), timestamp: timestamp.as_deref(), signature: signature.as_deref() };
    match secret.check(shown, &turn.body, now()) {
        Ok(_) => Ok(()),
        Err(why) => Err(Reply::problem(StatusCode::UNAUTHORIZED, why).into()),
    }
}

/// Gives the body of a webhook to `inside`, within a transaction that also notes its id, unless it was handled before. What
/// comes of it is the same both times: nothing.
fn once(context: &NativeCallContext<'_>, request: &Map, inside: &FnPtr) -> Given<()> {
    let turn = turn::current().map_err(refused)?;
    let no_id = || Box::<rhai::EvalAltResult>::from(Reply::problem(StatusCode::BAD_REQUEST, "a webhook has an id"));
    let id = header(request, ID).ok_or_else(no_id)?;
    let body = request.get("body").cloned().unwrap_or(Dynamic::UNIT);
    let done = in_transaction(&turn, || match on_connection("note webhook", |on| note_handled(on, &id))? {
        true => inside.call_within_context::<Dynamic>(context, (body,)),
        false => Ok(Dynamic::UNIT),
    });
    done.map(drop)
}

fn header(request: &Map, name: &str) -> Option<Text> {
    request.get("headers")?.read_lock::<Map>()?.get(name)?.clone().try_cast::<Text>()
}
