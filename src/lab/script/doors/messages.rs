//! Events for the bus and jobs for the queue. Within a transaction they are sent with its end, or not at all.

use http::StatusCode;
use rhai::{Dynamic, FuncRegistration, Map, Module, NativeCallContext};

use super::{Given, placed, refused, sql};
use crate::lab::{
    backing::{
        Backing,
        messages::{About, Message, now, topic},
    },
    script::{
        arguments::duration,
        backings::{Unsent, send},
        reply::Reply,
        turn::{self, Turn},
        value,
    },
    telemetry::{Parcel, Work},
};

/// The functions of the bus.
pub fn bus() -> Module {
    let mut module = Module::new();
    FuncRegistration::new("publish").set_into_module(
        &mut module,
        |context: NativeCallContext<'_>, topic: &str, value: Dynamic| {
            placed(&context, post(Backing::Bus, topic, &value, &Map::new()))
        },
    );
    module
}

/// The functions of the queue.
pub fn queue() -> Module {
    let mut module = Module::new();
    FuncRegistration::new("add").set_into_module(&mut module, |context: NativeCallContext<'_>, job: &str| {
        placed(&context, post(Backing::Queue, job, &Dynamic::UNIT, &Map::new()))
    });
    FuncRegistration::new("add").set_into_module(
        &mut module,
        |context: NativeCallContext<'_>, job: &str, value: Dynamic| {
            placed(&context, post(Backing::Queue, job, &value, &Map::new()))
        },
    );
    FuncRegistration::new("add").set_into_module(
        &mut module,
        |context: NativeCallContext<'_>, job: &str, value: Dynamic, how: Map| {
            placed(&context, post(Backing::Queue, job, &value, &how))
        },
    );
    module
}

/// Sends a message, or keeps it until the transaction is committed; gives its id.
fn post(backing: Backing, destination: &str, value: &Dynamic, how: &Map) -> Given<String> {
    let turn = turn::current().map_err(refused)?;
    let mut message = message(&turn, destination, value, how).map_err(refused)?;
    let is_kept = turn.transaction.borrow().is_some();
    let Message { id, topic, about, .. } = &message;
    let parcel = Parcel { system: backing.name(), destination: topic, id, correlation_id: &about.correlation_id };
    let work = turn.work().producer(&parcel, !is_kept);
    trace(&mut message.about, &work);
    let id = message.id.clone();
    if let Some(transaction) = turn.transaction.borrow_mut().as_mut() {
        transaction.post(backing, &message).map_err(|e| sql::failed(&e))?;
        return Ok(id);
    }
    match turn.host.runtime.block_on(send(&turn.host, backing, &message, turn.left())) {
        Ok(()) => Ok(id),
        Err(Unsent::Refused(why)) => Err(refused(format!("{why} -> declare it, or add another"))),
        Err(Unsent::Away(why)) => {
            work.fail("not sent", "it was not accepted");
            tracing::warn!("the {} does not accept a message: {why}", backing.name());
            let why = format!("the {} accepts nothing at the moment", backing.name());
            Err(Reply::later(StatusCode::SERVICE_UNAVAILABLE, 1, why).into())
        }
    }
}

fn message(turn: &Turn, destination: &str, value: &Dynamic, how: &Map) -> Result<Message, String> {
    topic(destination)?;
    let asker = turn.asker.clone();
    let about = About {
        correlation_id: asker.correlation_id,
        actor: asker.actor,
        role: asker.role,
        site: asker.site,
        traceparent: None,
        tracestate: None,
    };
    let id = format!("{:032x}", rand::random::<u128>());
    let (topic, value) = (destination.to_owned(), value::json(value)?);
    let mut message = Message { id, topic, value, key: None, at: now(), after: 0, about };
    for (key, given) in how {
        match key.as_str() {
            "after" => {
                let text = given.clone().into_string().map_err(|_| "`after` is a time such as \"5s\"")?;
                message.after = i64::try_from(duration(&text)?.as_millis()).unwrap_or(i64::MAX);
            }
            "key" => message.key = Some(value::text(given)?),
            other => return Err(format!("`{other}` is nothing that a job has -> there are after and key")),
        }
    }
    Ok(message)
}

/// The handler's work belongs to the trace of whoever sends the message.
fn trace(about: &mut About, work: &Work) {
    let mut headers = http::HeaderMap::new();
    work.inject(&mut headers);
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    (about.traceparent, about.tracestate) = (text("traceparent"), text("tracestate"));
}
