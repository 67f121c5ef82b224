//! The doors of a script: all that its handlers can do beside computing.

mod attempts;
mod breaker;
mod cache;
mod config;
mod database;
mod dropped;
mod grpc;
mod http;
mod limit;
mod log;
mod messages;
mod metric;
mod migrate;
mod once;
mod outbox;
mod plain;
#[cfg(feature = "sql")]
mod postgres;
#[cfg(feature = "sql")]
mod postgres_migrate;
mod registry;
mod sql;
mod states;
mod vectors;
mod webhook;

use rhai::{Dynamic, Engine, EvalAltResult, NativeCallContext, Position};

pub use breaker::Circuits;
pub use cache::Leave;
pub use database::{Database, Transaction};
pub use limit::Limits;
pub use log::print;
pub use once::{MessageKey, forget, handled_once};
pub use outbox::Outgoing;
#[cfg(feature = "sql")]
pub use postgres::Session;
#[cfg(feature = "sql")]
pub use postgres_migrate::migrate as migrate_postgres;

use super::{calls::Uses, declared::Migration};

/// What a door gives to a script.
type Given<T> = Result<T, Box<EvalAltResult>>;

/// The doors with a name, and what can be asked of each.
const NAMED: [(&str, &[&str]); 14] = [
    ("http", &["get", "post", "put", "patch", "delete"]),
    ("grpc", &["unary"]),
    ("sql", &["all", "one", "run", "transaction", "once"]),
    ("bus", &["publish"]),
    ("queue", &["add"]),
    ("cache", &["get", "set", "drop", "drop_all", "through"]),
    ("registry", &["register", "lookup"]),
    ("vectors", &["put", "near", "drop", EMBED]),
    ("states", &["advance"]),
    ("limit", &["take"]),
    ("log", &["info", "warn", "error"]),
    ("metric", &["add", "set", "observe"]),
    ("config", &["get"]),
    ("webhook", &["send", "verify", "once"]),
];

/// What helps whoever has named a door that there is not.
pub const HINT: &str = "the doors are http, grpc, sql, bus, queue, cache, registry, vectors, states, limit, log, metric, config and webhook";

/// The function of the vector search that only computes.
pub const EMBED: &str = "embed";

/// Makes all doors known to an engine.
pub fn register(engine: &mut Engine) {
    plain::register(engine);
    engine.register_static_module("http", http::module().into());
    engine.register_static_module("grpc", grpc::module().into());
    engine.register_static_module("sql", sql::module().into());
    engine.register_static_module("bus", messages::bus().into());
    engine.register_static_module("queue", messages::queue().into());
    engine.register_static_module("cache", cache::module().into());
    engine.register_static_module("registry", registry::module().into());
    engine.register_static_module("vectors", vectors::module().into());
    engine.register_static_module("states", states::module().into());
    engine.register_static_module("limit", limit::module().into());
    engine.register_static_module("log", log::module().into());
    engine.register_static_module("metric", metric::module().into());
    engine.register_static_module("config", config::module().into());
    engine.register_static_module("webhook", webhook::module().into());
}

/// The tables that doors themselves need in the service's database.
#[must_use]
pub fn own_migrations(uses: &Uses) -> Vec<Migration> {
    let messages = match uses.has_messages() {
        true => vec![once::migration(), outbox::migration()],
        false => Vec::new(),
    };
    let cache = if uses.caches() { vec![dropped::migration()] } else { Vec::new() };
    [messages, cache, super::webhook::migrations(uses)].concat()
}

/// Whether a door with that name can be asked that; none where there is no such door.
#[must_use]
pub fn offers(door: &str, function: &str) -> Option<bool> {
    NAMED.iter().find(|(name, _)| *name == door).map(|(_, functions)| functions.contains(&function))
}

/// What helps whoever has called a function that there is not, such as `http::gte (&str)`.
#[must_use]
pub fn nearest_hint(signature: &str) -> String {
    let name = signature.split([' ', '(']).next().unwrap_or_default();
    if let Some((door, _)) = name.split_once("::")
        && let Some((_, functions)) = NAMED.iter().find(|(known, _)| *known == door)
    {
        return match functions.iter().any(|function| name.ends_with(&format!("::{function}"))) {
            true => format!("`{name}` takes other values than these; docs/lab.md has them"),
            false => format!("`{door}` has {}", functions.join(", ")),
        };
    }
    if name.contains("::") {
        return HINT.to_owned();
    }
    let known = plain::NAMES.into_iter().map(|known| (strsim::damerau_levenshtein(known, name), known)).min();
    match known {
        Some((0, known)) => format!("`{known}` takes other values than these; docs/lab.md has them"),
        Some((1..=2, known)) => format!("did you mean `{known}`?"),
        _ => "is it spelt right, and are these the values that it takes?".to_owned(),
    }
}

/// The same, with the place of the call where it has none: the engine knows it of functions without a door only.
fn placed<T>(context: &NativeCallContext<'_>, given: Given<T>) -> Given<T> {
    given.map_err(|mut error| {
        if error.position().is_none() {
            error.set_position(context.call_position());
        }
        error
    })
}

/// What a message of a door ends a handler with, unless the script catches it.
fn refused(why: impl Into<Dynamic>) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(why.into(), Position::NONE).into()
}
