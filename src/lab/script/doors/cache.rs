//! Values that can be had again from where they come from. A cache that does not answer is done without, and fails nobody.

use std::time::{Duration, Instant};

use rhai::{Dynamic, FnPtr, FuncRegistration, Module, NativeCallContext};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Given, dropped, placed, refused, sql};
use crate::lab::{
    backing::{
        Backing,
        cache::{self, Fill, Found, Kept, Key},
        messages::now,
    },
    script::{
        arguments::duration,
        backings::call,
        declared::Policy,
        turn::{self, Turn},
        value,
    },
};

/// The longest key, in bytes.
const KEY: usize = 200;

/// How long the cache may take, and when it is left alone for a while: the source is never far.
const POLICY: Policy = Policy {
    timeout: Duration::from_millis(250),
    retries: 0,
    back_off: Duration::ZERO,
    failures: 3,
    cool_down: Duration::from_secs(1),
};

/// Leave to bring a value that was not there.
#[derive(Debug, Clone, Copy)]
pub struct Leave {
    fill: Fill,
    /// When it was asked for: the value is at least as young.
    at: i64,
}

enum Read {
    Hit(Value),
    /// Without leave where what is fetched now is not to be kept.
    Miss(Option<Leave>),
}

/// The functions of the door.
pub fn module() -> Module {
    let mut module = Module::new();
    FuncRegistration::new("get")
        .set_into_module(&mut module, |context: NativeCallContext<'_>, key: &str| placed(&context, get(key)));
    FuncRegistration::new("set").set_into_module(
        &mut module,
        |context: NativeCallContext<'_>, key: &str, value: Dynamic, time: &str| {
            placed(&context, set(key, &value, time))
        },
    );
    FuncRegistration::new("through").set_into_module(
        &mut module,
        |context: NativeCallContext<'_>, key: &str, time: &str, source: FnPtr| {
            placed(&context, through(&context, key, time, &source))
        },
    );
    for (name, prefix) in [("drop", false), ("drop_all", true)] {
        FuncRegistration::new(name).set_into_module(&mut module, move |context: NativeCallContext<'_>, key: &str| {
            placed(&context, drop_noted(key, prefix))
        });
    }
    module
}

/// The value of a key, or nothing.
fn get(key: &str) -> Given<Dynamic> {
    let turn = current(key)?;
    match read(&turn, key) {
        Read::Hit(found) => Ok(value::dynamic(found)),
        Read::Miss(leave) => {
            turn.leaves.borrow_mut().insert(key.to_owned(), leave);
            Ok(Dynamic::UNIT)
        }
    }
}

/// Keeps a value, unless its key was dropped since this handler has not found it.
fn set(key: &str, given: &Dynamic, time: &str) -> Given<()> {
    let turn = current(key)?;
    let (time, given) = (duration(time).map_err(refused)?, value::json(given).map_err(refused)?);
    let missed = turn.leaves.borrow_mut().remove(key);
    if let Some(leave) = missed.unwrap_or_else(|| leave(&turn, key)) {
        keep(&turn, key, leave, given, time);
    }
    Ok(())
}

/// The value of a key; where it is not there, what `source` gives, which is kept.
fn through(context: &NativeCallContext<'_>, key: &str, time: &str, source: &FnPtr) -> Given<Dynamic> {
    let turn = current(key)?;
    let time = duration(time).map_err(refused)?;
    let leave = match read(&turn, key) {
        Read::Hit(found) => return Ok(value::dynamic(found)),
        Read::Miss(leave) => leave,
    };
    let given = source.call_within_context::<Dynamic>(context, ())?;
    if let Some(leave) = leave {
        let fetched =
            value::json(&given).map_err(|why| refused(format!("{why} -> what is cached is what JSON has")))?;
        keep(&turn, key, leave, fetched, time);
    }
    Ok(given)
}

/// Notes that a key, or all that begin with it, are good no longer; within a transaction, with its end.
fn drop_noted(key: &str, prefix: bool) -> Given<()> {
    let turn = current(key)?;
    sql::on_connection("statement", |connection| dropped::note(connection, key, prefix))?;
    turn.dropped.set(true);
    Ok(())
}

fn current(key: &str) -> Given<std::rc::Rc<Turn>> {
    if key.len() > KEY {
        return Err(refused(format!("a key of the cache has {KEY} bytes at most")));
    }
    turn::current().map_err(refused)
}

/// Asks the cache, unless it has still to hear that the value is good no longer. This order is what the promise rests on:
/// whatever was dropped before this began is noted, or gone from the cache by now.
fn read(turn: &Turn, key: &str) -> Read {
    match sql::quietly(turn, |connection| dropped::is_noted(connection, key)) {
        Ok(false) => {}
        Ok(true) => return missed(turn, "dropped", None),
        Err(e) => {
            tracing::warn!("the cache is done without, since nobody knows what was dropped: {e}");
            return missed(turn, "away", None);
        }
    }
    let at = now();
    match ask(turn, "/reads", json!(of(turn, key))) {
        Some(Found::Value(found)) => {
            turn.host.observed.asked(Backing::Cache, "hit");
            Read::Hit(found)
        }
        Some(Found::Missing(fill)) => missed(turn, "miss", Some(Leave { fill, at })),
        None => missed(turn, "away", None),
    }
}

fn missed(turn: &Turn, outcome: &'static str, leave: Option<Leave>) -> Read {
    turn.host.observed.asked(Backing::Cache, outcome);
    // What a transaction sees may never have been.
    Read::Miss(leave.filter(|_| !turn.is_in_transaction()))
}

fn leave(turn: &Turn, key: &str) -> Option<Leave> {
    if turn.is_in_transaction() {
        return None;
    }
    let at = now();
    let fill = ask(turn, "/fills", json!(of(turn, key)))?;
    Some(Leave { fill, at })
}

fn keep(turn: &Turn, key: &str, Leave { fill, at }: Leave, value: Value, time: Duration) {
    // Nothing is what a key has that is not there.
    if value.is_null() {
        return;
    }
    let until = at.saturating_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
    let value = cache::Value { key: of(turn, key), fill, value, until };
    ask::<Kept>(turn, "/values", json!(value));
}

fn of(turn: &Turn, key: &str) -> Key {
    Key { service: turn.host.service.clone(), key: key.to_owned() }
}

/// Asks the cache, for a moment only; nothing where it does not answer.
fn ask<T: DeserializeOwned>(turn: &Turn, path: &str, body: Value) -> Option<T> {
    let (host, name) = (&turn.host, Backing::Cache.name());
    host.circuits.admit(name, &POLICY, Instant::now()).ok()?;
    let within = POLICY.timeout.min(turn.left());
    let asked = host.runtime.block_on(call(host, &turn.work(), Backing::Cache, (path, body), within));
    host.circuits.note(name, asked.is_ok(), &POLICY, Instant::now());
    if let Err(why) = &asked {
        let (trace_id, correlation_id) = (turn.work().trace_id(), &turn.asker.correlation_id);
        tracing::warn!(service = host.service, trace_id, correlation_id, "the cache is done without: {why:?}");
    }
    asked.ok()
}
