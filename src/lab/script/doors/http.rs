//! Calls to other services over HTTP.

use std::rc::Rc;

use http::Method;
use rhai::{Dynamic, FuncRegistration, Map, Module, NativeCallContext};
use serde_json::Value;

use super::{Given, attempts, placed, refused};
use crate::lab::{
    http::Answer,
    script::{
        declared::Policy,
        redaction::Redacted,
        reply::Reply,
        route::{Template, encoded},
        turn::{self, Turn},
        value,
    },
    telemetry::Call,
};

/// What can be said about a call beside the parts of its path.
const SAID: [&str; 4] = ["at", "body", "key", "query"];

/// The functions of the door, one for each method.
pub fn module() -> Module {
    let mut module = Module::new();
    for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let name = method.as_str().to_lowercase();
        let plain = method.clone();
        FuncRegistration::new(name.as_str()).set_into_module(
            &mut module,
            move |context: NativeCallContext<'_>, service: &str, path: &str| {
                placed(&context, call(&plain, service, path, Map::new()))
            },
        );
        FuncRegistration::new(name.as_str()).set_into_module(
            &mut module,
            move |context: NativeCallContext<'_>, service: &str, path: &str, said: Map| {
                placed(&context, call(&method, service, path, said))
            },
        );
    }
    module
}

/// A call as it was wanted.
struct Wanted {
    method: Method,
    template: Template,
    path: String,
    /// The path as spans show it.
    shown: String,
    body: Option<Value>,
    key: Option<String>,
    /// The replica that it is for, where it is for one.
    at: Option<String>,
}

impl Wanted {
    /// Whether doing it twice is as good as once.
    fn may_repeat(&self) -> bool {
        self.key.is_some() || [Method::GET, Method::PUT, Method::DELETE].contains(&self.method)
    }
}

fn call(method: &Method, service: &str, path: &str, said: Map) -> Given<Reply> {
    let turn = turn::current().map_err(refused)?;
    let wanted = wanted(method, path, &said, &turn.program.declared.redacted).map_err(refused)?;
    attempts::call(&turn, service, wanted.may_repeat(), |policy, attempt| {
        once(&turn, service, &wanted, policy, attempt)
    })
}

fn wanted(method: &Method, path: &str, said: &Map, redacted: &Redacted) -> Result<Wanted, String> {
    let template = Template::parse(path)?;
    let parts: Vec<_> = template.parts().collect();
    if let Some(unknown) = said.keys().find(|key| !parts.contains(&key.as_str()) && !SAID.contains(&key.as_str())) {
        return Err(format!("`{unknown}` is no part of {path} -> beside those a call has {}", SAID.join(", ")));
    }
    let part = |part: &str| said.get(part).and_then(|value| value::text(value).ok());
    let query = query(said.get("query"))?;
    let path = [template.fill(part)?, written(&query, |_, value| value.to_owned())].concat();
    let shown = template.fill(|name| Some(redacted.in_url(name, part(name)?)))?;
    let shown = [shown, written(&query, |name, value| redacted.in_url(name, value.to_owned()))].concat();
    let body = said.get("body").map(value::json).transpose()?;
    let [key, at] = ["key", "at"].map(|name| said.get(name).map(value::text).transpose());
    Ok(Wanted { method: method.clone(), template, path, shown, body, key: key?, at: at? })
}

fn query(said: Option<&Dynamic>) -> Result<Vec<(String, String)>, String> {
    let Some(said) = said else { return Ok(Vec::new()) };
    let map = said.read_lock::<Map>().ok_or("a query is a map such as #{ page: 2 }")?;
    map.iter().map(|(name, value)| Ok((name.to_string(), value::text(value)?))).collect()
}

fn written(query: &[(String, String)], shown: impl Fn(&str, &str) -> String) -> String {
    let pairs = query.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(&shown(name, value))));
    let pairs = pairs.collect::<Vec<_>>().join("&");
    if pairs.is_empty() { pairs } else { format!("?{pairs}") }
}

/// Makes the call once, at the service's next replica.
fn once(turn: &Rc<Turn>, service: &str, wanted: &Wanted, policy: &Policy, attempt: u32) -> Result<Reply, String> {
    let known = match &wanted.at {
        Some(replica) => turn.host.directory.replica(service, replica).ok_or_else(|| format!("it has no {replica}"))?,
        None => turn.host.directory.next(service).ok_or_else(|| format!("no service has the name {service}"))?,
    };
    let headers = attempts::headers(&turn.asker, wanted.key.as_deref());
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let call = Call {
        method: wanted.method.clone(),
        template: wanted.template.text(),
        path: &wanted.path,
        shown: &wanted.shown,
        headers: &headers,
        body: wanted.body.clone(),
        resent: attempt,
    };
    let within = policy.timeout.min(turn.left());
    turn.host.runtime.block_on(known.peer.call(&turn.work(), call, within)).map(reply)
}

fn reply(answer: Answer) -> Reply {
    let headers = answer.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let text = || Value::String(String::from_utf8_lossy(&answer.body).into_owned());
    let body = if answer.body.is_empty() { Value::Null } else { answer.json().unwrap_or_else(|_| text()) };
    Reply { headers, ..Reply::json(answer.status, body) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pairs: &[(&str, &str)]) -> Map {
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    }

    fn made(method: &Method, path: &str, said: &Map) -> Result<Wanted, String> {
        let mut redacted = Redacted::default();
        redacted.add("card");
        wanted(method, path, said, &redacted)
    }

    #[test]
    fn spans_show_no_redacted_part_of_a_path_or_a_query() {
        let mut call = said(&[("card", "4111"), ("id", "7")]);
        call.insert("query".into(), said(&[("Card", "4111"), ("page", "2")]).into());
        let call = made(&Method::GET, "/cards/{card}/charges/{id}", &call).unwrap();
        assert_eq!(call.path, "/cards/4111/charges/7?Card=4111&page=2");
        assert_eq!(call.shown, "/cards/REDACTED/charges/7?Card=REDACTED&page=2");
    }

    #[test]
    fn a_call_is_put_together_from_what_is_said() {
        let call = made(&Method::POST, "/orders/{id}/pay", &said(&[("id", "a/b"), ("key", "k-1")])).unwrap();
        assert_eq!((call.path.as_str(), call.may_repeat()), ("/orders/a%2Fb/pay", true));
        let mut with_query = Map::new();
        with_query.insert("query".into(), said(&[("q", "x y"), ("page", "2")]).into());
        assert_eq!(made(&Method::GET, "/orders", &with_query).unwrap().path, "/orders?page=2&q=x%20y");
        assert!(!made(&Method::POST, "/orders", &Map::new()).unwrap().may_repeat());
    }

    #[test]
    fn what_does_not_belong_to_a_call_is_told() {
        let told = [("/orders/{id}", &[][..]), ("/orders", &[("id", "7")]), ("orders", &[])]
            .map(|(path, pairs)| made(&Method::GET, path, &said(pairs)).err().unwrap());
        insta::assert_snapshot!(told.join("\n"), @r"
        the part `id` of /orders/{id} has no value
        `id` is no part of /orders -> beside those a call has at, body, key, query
        the path `orders` does not begin with a slash
        ");
    }
}
