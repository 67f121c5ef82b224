//! Calls to other services over gRPC.

use http::StatusCode;
use rhai::{Dynamic, FuncRegistration, Map, Module, NativeCallContext};
use serde_json::Value;
use tonic::Code;

use super::{Given, attempts, placed, refused};
use crate::lab::{
    grpc::Failed,
    script::{
        declared::Policy,
        reply::Reply,
        rpc,
        turn::{self, Turn},
        value,
    },
};

/// The functions of the door.
pub fn module() -> Module {
    let mut module = Module::new();
    FuncRegistration::new("unary").set_into_module(
        &mut module,
        |context: NativeCallContext<'_>, service: &str, method: &str, message: Dynamic| {
            placed(&context, call(service, method, &message, &Map::new()))
        },
    );
    FuncRegistration::new("unary").set_into_module(
        &mut module,
        |context: NativeCallContext<'_>, service: &str, method: &str, message: Dynamic, how: Map| {
            placed(&context, call(service, method, &message, &how))
        },
    );
    module
}

/// A call as it was wanted.
struct Wanted<'a> {
    method: &'a str,
    message: Value,
    key: Option<String>,
    /// Whether doing it twice is as good as once.
    is_idempotent: bool,
}

fn call(service: &str, method: &str, message: &Dynamic, how: &Map) -> Given<Dynamic> {
    let turn = turn::current().map_err(refused)?;
    let wanted = wanted(method, message, how).map_err(refused)?;
    let reply = attempts::call(&turn, service, wanted.is_idempotent, |policy, attempt| {
        once(&turn, service, &wanted, policy, attempt)
    })?;
    if reply.status == StatusCode::OK { Ok(reply.body()) } else { Err(reply.into()) }
}

fn wanted<'a>(method: &'a str, message: &Dynamic, how: &Map) -> Result<Wanted<'a>, String> {
    rpc::check_name(method)?;
    let mut wanted = Wanted { method, message: value::json(message)?, key: None, is_idempotent: false };
    for (name, given) in how {
        match name.as_str() {
            "key" => wanted.key = Some(value::text(given)?),
            "idempotent" => wanted.is_idempotent = given.as_bool().map_err(|_| "`idempotent` is true or false")?,
            other => return Err(format!("`{other}` is nothing that a call has -> there are key and idempotent")),
        }
    }
    wanted.is_idempotent |= wanted.key.is_some();
    Ok(wanted)
}

/// Makes the call once, at the service's next replica.
fn once(turn: &Turn, service: &str, wanted: &Wanted<'_>, policy: &Policy, attempt: u32) -> Result<Reply, String> {
    let known = turn.host.directory.next(service).ok_or_else(|| format!("no service has the name {service}"))?;
    let within = policy.timeout.min(turn.left());
    let work = turn.work().call((service, known.instance.address), wanted.method);
    if attempt > 0 {
        work.set("rpc.grpc.previous_attempts", i64::from(attempt));
    }
    let mut metadata = http::HeaderMap::new();
    work.inject(&mut metadata);
    for (name, text) in attempts::headers(&turn.asker, wanted.key.as_deref()) {
        metadata.insert(name, text.parse().map_err(|_| "what is told of the asker is no metadata".to_owned())?);
    }
    let call = known.channel.call(wanted.method, metadata, wanted.message.clone(), within);
    match turn.host.runtime.block_on(call) {
        Ok(message) => {
            work.ended(Code::Ok);
            Ok(Reply::json(StatusCode::OK, message))
        }
        Err(Failed::Answered(status)) => {
            work.ended(status.code());
            Ok(rpc::reply(&status))
        }
        Err(Failed::Late) => {
            work.ended(Code::DeadlineExceeded);
            Ok(Reply::problem(StatusCode::GATEWAY_TIMEOUT, format!("{service} did not answer within {within:?}")))
        }
        Err(Failed::Unanswered(why)) => {
            work.ended(Code::Unavailable);
            Err(why)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_repeated_where_that_is_said_or_it_has_a_key() {
        let repeated = |name: &str, value: Dynamic| {
            let how = Map::from([(name.into(), value)]);
            wanted("orders.Orders/Get", &Dynamic::UNIT, &how).map(|wanted| wanted.is_idempotent)
        };
        assert_eq!(repeated("key", "k-1".into()), Ok(true));
        assert_eq!(repeated("idempotent", true.into()), Ok(true));
        assert_eq!(repeated("idempotent", false.into()), Ok(false));
        assert!(repeated("timeout", "1s".into()).unwrap_err().contains("there are key and idempotent"));
    }
}
