//! What is done once: under a key, in one transaction with what it changes. So are messages, however often they are delivered.

use std::time::Duration;

use http::StatusCode;
use rhai::{Dynamic, FnPtr, NativeCallContext, Position};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Given, database::Database, refused, sql};
use crate::lab::script::{
    declared::Migration,
    reply::Reply,
    turn::{self, Turn},
    value,
};

/// How long what was done is remembered; every message is delivered for the last time long before.
const REMEMBERED: &str = "-1 day";
/// How long forgetting may wait for a connection.
const WITHIN: Duration = Duration::from_secs(1);

/// The table of what was done.
#[must_use]
pub fn migration() -> Migration {
    let sql = "create table interlock_done(
        scope text not null, key text not null, result text not null, at text not null default current_timestamp,
        primary key (scope, key)
    ) strict, without rowid";
    Migration { name: "interlock-done".to_owned(), after: Vec::new(), sql: sql.to_owned(), at: Position::NONE }
}

/// Does `inside` in a transaction, unless that was done under this key; gives what came of it then or now.
pub fn once(context: &NativeCallContext<'_>, key: &str, inside: &FnPtr) -> Given<Dynamic> {
    let turn = turn::current().map_err(refused)?;
    let scope = match &turn.message {
        Some(message) => format!("once {}", message.subscription),
        None => "once".to_owned(),
    };
    sql::in_transaction(&turn, || {
        if let Some(result) = sql::on_connection("statement", |connection| find(connection, &scope, key))? {
            return serde_json::from_str(&result).map(value::dynamic).map_err(|e| refused(e.to_string()));
        }
        let given = inside.call_within_context::<Dynamic>(context, ())?;
        let result =
            value::json(&given).map_err(|why| refused(format!("{why} -> what is done once gives what JSON has")))?;
        sql::on_connection("statement", |connection| keep(connection, &scope, key, &result.to_string()))?;
        Ok(given)
    })
}

/// The message that a handler is called for.
#[derive(Debug, Clone)]
pub struct MessageKey {
    /// The subscription that it is handled for.
    pub subscription: String,
    pub id: String,
}

impl MessageKey {
    fn scope(&self) -> String {
        format!("handled {}", self.subscription)
    }
}

/// Has a message handled unless it was before, and remembers it once its handler has ended well.
pub fn handled_once(turn: &Turn, message: &MessageKey, handle: impl FnOnce() -> Reply) -> Reply {
    match alone(turn, |connection| find(connection, &message.scope(), &message.id)) {
        Ok(Some(_)) => return Reply::problem(StatusCode::ALREADY_REPORTED, "it was handled before"),
        Ok(None) => {}
        Err(reply) => return reply,
    }
    let reply = handle();
    if reply.status.as_u16() >= 400 {
        return reply;
    }
    match alone(turn, |connection| keep(connection, &message.scope(), &message.id, "null")) {
        Ok(()) => reply,
        Err(failed) => failed,
    }
}

fn alone<T>(turn: &Turn, work: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>) -> Result<T, Reply> {
    let done = turn.host.database.lease(turn.left()).and_then(|mut lease| {
        let connection = lease.connection().map_err(|e| e.to_string())?;
        work(connection).map_err(|e| e.to_string())
    });
    done.map_err(|why| {
        tracing::warn!("what was handled cannot be remembered: {why}");
        Reply::later(StatusCode::SERVICE_UNAVAILABLE, 1, "the database is out of order")
    })
}

fn find(connection: &Connection, scope: &str, key: &str) -> Result<Option<String>, rusqlite::Error> {
    let mut query = connection.prepare_cached("select result from interlock_done where scope = ?1 and key = ?2")?;
    query.query_row([scope, key], |row| row.get(0)).optional()
}

fn keep(connection: &Connection, scope: &str, key: &str, result: &str) -> Result<(), rusqlite::Error> {
    let insert = "insert or ignore into interlock_done(scope, key, result) values (?1, ?2, ?3)";
    connection.prepare_cached(insert)?.execute(params![scope, key, result])?;
    Ok(())
}

/// Forgets what was done long ago; where that fails, the next start does.
pub fn forget(database: &Database) {
    let forgotten = database.lease(WITHIN).and_then(|mut lease| {
        let delete = "delete from interlock_done where at < datetime('now', ?1)";
        lease.connection().and_then(|connection| connection.execute(delete, [REMEMBERED])).map_err(|e| e.to_string())
    });
    match forgotten {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "forgotten what was done more than a day ago"),
        Err(why) => tracing::warn!("what was done long ago is still remembered: {why}"),
    }
}
