//! Statements on the service's database.

use http::StatusCode;
use rhai::{Array, Dynamic, FnPtr, FuncRegistration, Map, Module, NativeCallContext, Variant};
use rusqlite::{
    Connection, ErrorCode, Rows, params_from_iter,
    types::{Value, ValueRef},
};

use super::{Given, once::once, placed, refused};
use crate::lab::script::{
    reply::Reply,
    turn::{self, Turn},
    value::text,
};

/// The most rows that a statement may give.
pub const ROWS: usize = 1000;
/// The most bytes of text in them.
const BYTES: usize = 1 << 20;

/// The functions of the door.
pub fn module() -> Module {
    let mut module = Module::new();
    add(&mut module, "all", all);
    add(&mut module, "one", one);
    add(&mut module, "run", run);
    FuncRegistration::new("transaction")
        .set_into_module(&mut module, |context: NativeCallContext<'_>, inside: FnPtr| {
            placed(&context, transaction(&context, &inside))
        });
    FuncRegistration::new("once")
        .set_into_module(&mut module, |context: NativeCallContext<'_>, key: &str, inside: FnPtr| {
            placed(&context, once(&context, key, &inside))
        });
    module
}

/// A function that takes a statement, and values for it or none.
fn add<T: Variant + Clone>(module: &mut Module, name: &str, run: fn(&str, &Array) -> Given<T>) {
    FuncRegistration::new(name).set_into_module(module, move |context: NativeCallContext<'_>, sql: &str| {
        placed(&context, run(sql, &Array::new()))
    });
    FuncRegistration::new(name)
        .set_into_module(module, move |context: NativeCallContext<'_>, sql: &str, values: Array| {
            placed(&context, run(sql, &values))
        });
}

/// All rows, each a map.
fn all(sql: &str, values: &Array) -> Given<Array> {
    #[cfg(feature = "sql")]
    if let Some(done) = in_postgres(|turn, primary| super::postgres::all(turn, primary, sql, values))? {
        return Ok(done);
    }
    let values = bound(values)?;
    on_connection("query", |connection| {
        let mut statement = connection.prepare_cached(sql)?;
        rows(statement.query(params_from_iter(values))?)
    })?
    .map_err(refused)
}

/// The first row, or nothing.
fn one(sql: &str, values: &Array) -> Given<Dynamic> {
    Ok(all(sql, values)?.into_iter().next().unwrap_or(Dynamic::UNIT))
}

/// How many rows a statement has changed.
fn run(sql: &str, values: &Array) -> Given<i64> {
    #[cfg(feature = "sql")]
    if let Some(done) = in_postgres(|turn, primary| super::postgres::run(turn, primary, sql, values))? {
        return Ok(done);
    }
    let values = bound(values)?;
    let changed =
        on_connection("statement", |connection| connection.prepare_cached(sql)?.execute(params_from_iter(values)))?;
    Ok(i64::try_from(changed).unwrap_or(i64::MAX))
}

fn transaction(context: &NativeCallContext<'_>, inside: &FnPtr) -> Given<Dynamic> {
    let turn = turn::current().map_err(refused)?;
    #[cfg(feature = "sql")]
    if let Some(done) = in_postgres(|turn, primary| super::postgres::transaction(turn, primary, context, inside))? {
        return Ok(done);
    }
    in_transaction(&turn, || inside.call_within_context::<Dynamic>(context, ()))
}

/// Does something on one connection, and commits it where it succeeds; then messages are sent that were kept with it.
pub fn in_transaction(turn: &Turn, inside: impl FnOnce() -> Given<Dynamic>) -> Given<Dynamic> {
    if turn.is_in_transaction() {
        return Err(refused("a transaction within a transaction -> do all of it in the outer one"));
    }
    let lease = turn.host.database.lease(turn.left()).map_err(out)?;
    turn.transaction.replace(Some(lease.begin().map_err(|e| failed(&e))?));
    let done = turn.within("transaction", inside);
    let transaction = turn.transaction.take();
    let value = done?;
    let transaction = transaction.ok_or_else(|| refused("the transaction has ended before its time"))?;
    let posted = transaction.posted;
    transaction.commit().map_err(|e| failed(&e))?;
    if posted {
        turn.host.outbox.posted.notify_one();
    }
    Ok(value)
}

/// Does something in the lab's PostgreSQL, where the service keeps its rows there.
#[cfg(feature = "sql")]
fn in_postgres<T>(act: impl FnOnce(&Turn, &crate::lab::primary::Primary) -> Given<T>) -> Given<Option<T>> {
    let turn = turn::current().map_err(refused)?;
    turn.host.primary.as_ref().map(|primary| act(&turn, primary)).transpose()
}

/// Runs something on the connection of the transaction that the handler is in, or on any other.
pub fn on_connection<T>(name: &str, run: impl FnOnce(&mut Connection) -> Result<T, rusqlite::Error>) -> Given<T> {
    let turn = turn::current().map_err(refused)?;
    turn.within(name, || quietly(&turn, run)).map_err(|e| failed(&e))
}

/// The same as no piece of work of its own.
pub fn quietly<T>(
    turn: &Turn,
    run: impl FnOnce(&mut Connection) -> Result<T, rusqlite::Error>,
) -> Result<T, rusqlite::Error> {
    match turn.transaction.borrow_mut().as_mut() {
        Some(transaction) => run(transaction.lease().connection()?),
        None => alone(turn, run),
    }
}

fn alone<T>(
    turn: &Turn,
    run: impl FnOnce(&mut Connection) -> Result<T, rusqlite::Error>,
) -> Result<T, rusqlite::Error> {
    let lease = turn.host.database.lease(turn.left());
    let mut lease = lease.map_err(|why| rusqlite::Error::ToSqlConversionFailure(why.into()))?;
    let connection = lease.connection()?;
    let done = run(connection)?;
    match connection.is_autocommit() {
        true => Ok(done),
        // The connection is not given back like that, which undoes all of it.
        false => Err(rusqlite::Error::ToSqlConversionFailure("use sql::transaction instead of `begin`".into())),
    }
}

fn bound(values: &Array) -> Given<Vec<Value>> {
    values.iter().map(|value| to_sql(value).map_err(refused)).collect()
}

fn to_sql(value: &Dynamic) -> Result<Value, String> {
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(number) = value.as_int() {
        return Ok(Value::Integer(number));
    }
    if let Ok(number) = value.as_float() {
        return Ok(Value::Real(number));
    }
    if let Ok(truth) = value.as_bool() {
        return Ok(Value::Integer(truth.into()));
    }
    text(value).map(Value::Text)
}

fn rows(mut rows: Rows<'_>) -> Result<Result<Array, String>, rusqlite::Error> {
    let names = rows.as_ref().map(|statement| statement.column_names().map(str::to_owned).collect());
    let names: Vec<String> = names.unwrap_or_default();
    let (mut all, mut bytes) = (Array::new(), 0);
    while let Some(row) = rows.next()? {
        let mut map = Map::new();
        for (at, name) in names.iter().enumerate() {
            let value = row.get_ref(at)?;
            bytes += value.as_str().map_or(0, str::len);
            map.insert(name.into(), of_sql(value));
        }
        all.push(map.into());
        if all.len() > ROWS || bytes > BYTES {
            return Ok(Err(too_much()));
        }
    }
    Ok(Ok(all))
}

fn too_much() -> String {
    format!("the statement gives more than {ROWS} rows or {BYTES} bytes -> add a `limit`")
}

/// Rows, unless they are too many.
#[cfg(feature = "sql")]
pub fn bounded(all: Array, bytes: usize) -> Given<Array> {
    if all.len() > ROWS || bytes > BYTES { Err(refused(too_much())) } else { Ok(all) }
}

fn of_sql(value: ValueRef<'_>) -> Dynamic {
    match value {
        ValueRef::Null => Dynamic::UNIT,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) | ValueRef::Blob(text) => String::from_utf8_lossy(text).into_owned().into(),
    }
}

/// What the failure of a statement ends the handler with: a conflict and an outage are answers, a mistake is an error.
pub fn failed(error: &rusqlite::Error) -> Box<rhai::EvalAltResult> {
    tracing::debug!("a statement failed: {error}");
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => {
            Reply::problem(StatusCode::CONFLICT, "it conflicts with what is kept already").into()
        }
        Some(ErrorCode::OperationInterrupted) => {
            rhai::EvalAltResult::ErrorTerminated(Dynamic::UNIT, rhai::Position::NONE).into()
        }
        Some(ErrorCode::AuthorizationForStatementDenied) => {
            refused("a statement reaches the service's own database only -> no attach, no pragma")
        }
        Some(
            ErrorCode::DiskFull
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::DatabaseCorrupt,
        ) => out(error.to_string()),
        _ => refused(format!("the database says: {error}")),
    }
}

pub fn out(why: String) -> Box<rhai::EvalAltResult> {
    tracing::warn!("the database is out of order: {why}");
    Reply::later(StatusCode::SERVICE_UNAVAILABLE, 1, "the database is out of order").into()
}
