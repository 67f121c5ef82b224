//! The lab's PostgreSQL behind the door `sql`: statements at whichever node takes writes.

use std::time::Duration;

use http::StatusCode;
use rhai::{Array, Dynamic, FnPtr, NativeCallContext};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};
use tokio_postgres::{
    Error,
    types::{Format, IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};

use super::{Given, refused, sql};
use crate::lab::{
    primary::{Line, Primary, said},
    script::{
        reply::Reply,
        turn::{Turn, on},
        value::{dynamic, text},
    },
};

/// How long a primary may be looked for.
const FIND: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(50);

/// A connection in use, and the place that it takes.
pub struct Session {
    line: Line,
    /// Whether a statement has failed; of a transaction with such a one nothing is kept, and `commit` does not say so.
    failed: bool,
    _place: OwnedSemaphorePermit,
}

/// Why a statement came to nothing.
enum Trouble {
    /// Nothing was answered in time.
    Silent,
    Said(Error),
    /// No node takes writes, or no connection became free; why.
    Away(String),
}

/// All rows, each a map.
pub fn all(turn: &Turn, primary: &Primary, statement: &str, values: &Array) -> Given<Array> {
    // Its own JSON keeps what each type is; one row more than there may be tells of too many.
    let asked = format!(
        "with given as ({}) select row_to_json(given)::text from given limit {}",
        ended(statement),
        sql::ROWS + 1
    );
    let values = bound(values)?;
    let rows = with_session(turn, primary, "query", async |session| {
        let statement = session.line.prepared(&asked).await?;
        session.line.client.query(&statement, &referenced(&values)).await
    })?;
    let (mut all, mut bytes) = (Array::new(), 0);
    for row in rows {
        let row: &str = row.try_get(0).map_err(|e| failed(primary, &Trouble::Said(e)))?;
        bytes += row.len();
        let row = serde_json::from_str(row).map_err(|e| refused(format!("a row that is no JSON: {e}")))?;
        all.push(dynamic(row));
    }
    sql::bounded(all, bytes)
}

/// How many rows a statement has changed.
pub fn run(turn: &Turn, primary: &Primary, statement: &str, values: &Array) -> Given<i64> {
    let values = bound(values)?;
    let statement = ended(statement);
    let changed = with_session(turn, primary, "statement", async |session| {
        let statement = session.line.prepared(&statement).await?;
        session.line.client.execute(&statement, &referenced(&values)).await
    })?;
    Ok(i64::try_from(changed).unwrap_or(i64::MAX))
}

/// Does all of `inside` or nothing of it. What is not committed ends with its connection.
pub fn transaction(turn: &Turn, primary: &Primary, context: &NativeCallContext<'_>, inside: &FnPtr) -> Given<Dynamic> {
    if turn.is_in_transaction() {
        return Err(refused("a transaction within a transaction -> do all of it in the outer one"));
    }
    let begun = waited(turn, async {
        let session = session(primary).await?;
        answered(session.line.client.batch_execute("begin")).await?;
        Ok(session)
    });
    turn.session.replace(Some(begun.map_err(|trouble| failed(primary, &trouble))?));
    let done = turn.within("transaction", || inside.call_within_context::<Dynamic>(context, ()));
    let session = turn.session.take();
    let value = done?;
    let session = session.ok_or_else(|| refused("the transaction has ended before its time"))?;
    if session.failed {
        return Err(refused(
            "a statement of the transaction failed, and PostgreSQL keeps nothing of it -> let the failure end the transaction",
        ));
    }
    let committed = waited(turn, answered(session.line.client.batch_execute("commit")));
    committed.map_err(|trouble| failed(primary, &trouble))?;
    primary.put(session.line);
    Ok(value)
}

/// Runs something on the connection of the transaction that the handler is in, or on any other.
fn with_session<T>(
    turn: &Turn,
    primary: &Primary,
    name: &str,
    run: impl AsyncFnOnce(&mut Session) -> Result<T, Error>,
) -> Given<T> {
    let done = turn.within(name, || {
        if let Some(session) = turn.session.borrow_mut().as_mut() {
            let done = waited(turn, answered(run(session)));
            session.failed |= done.is_err();
            return done;
        }
        waited(turn, async {
            let mut session = session(primary).await?;
            let done = answered(run(&mut session)).await;
            if done.as_ref().err().is_none_or(leaves_as_it_was) {
                primary.put(session.line);
            }
            done
        })
    });
    done.map_err(|trouble| failed(primary, &trouble))
}

/// Whether a connection can be used again: what the database refuses changes nothing, but for statements that it has read before
/// a migration and that mean something else by now.
fn leaves_as_it_was(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Said(e) if e.code().is_some_and(|state| !["0A000", "26000"].contains(&state.code())))
}

/// A connection, as soon as there is a primary.
async fn session(primary: &Primary) -> Result<Session, Trouble> {
    let mut why = "all connections to the database are in use".to_owned();
    let tries = async {
        let place = primary.place().await;
        loop {
            match (primary.line().await, &place) {
                (Ok(line), Some(_)) => return Some((line, place)),
                (Ok(_), None) => return None,
                (Err(e), _) => why = e,
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    match timeout(FIND, tries).await {
        Ok(Some((line, Some(_place)))) => Ok(Session { line, failed: false, _place }),
        _ => Err(Trouble::Away(why)),
    }
}

async fn answered<T>(asked: impl Future<Output = Result<T, Error>>) -> Result<T, Trouble> {
    asked.await.map_err(Trouble::Said)
}

/// Does something within the time that the handler has.
fn waited<T>(turn: &Turn, work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    on(turn, work).unwrap_or(Err(Trouble::Silent))
}

/// What the failure of a statement ends the handler with: a conflict and an outage are answers, a mistake is an error.
fn failed(primary: &Primary, trouble: &Trouble) -> Box<rhai::EvalAltResult> {
    let error = match trouble {
        Trouble::Away(why) => return sql::out(why.clone()),
        Trouble::Silent => {
            primary.forget();
            return sql::out("nothing was answered in time".to_owned());
        }
        Trouble::Said(error) => error,
    };
    let class = error.code().map(|state| (&state.code()[..2], state.code()));
    match class {
        Some(("23", _)) => Reply::problem(StatusCode::CONFLICT, "it conflicts with what is kept already").into(),
        // The connection or the node is not what it was: read-only, shut down, out of room, chosen as the victim of a deadlock.
        None | Some(("08" | "40" | "53" | "57" | "58", _) | (_, "25006")) => {
            primary.forget();
            sql::out(said(error))
        }
        Some(_) => refused(format!("the database says: {}", said(error))),
    }
}

/// A statement with the numbers of its values where SQLite has question marks, without a semicolon at its end.
fn ended(statement: &str) -> String {
    let (mut text, mut count, mut quote) = (String::new(), 0, None);
    for c in statement.trim().trim_end_matches(';').chars() {
        match (c, quote) {
            ('?', None) => {
                count += 1;
                text.push_str(&format!("${count}"));
                continue;
            }
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            _ => {}
        }
        text.push(c);
    }
    text
}

/// A value as text, which the database reads as what it is to be there.
#[derive(Debug)]
struct Bound(Option<String>);

impl ToSql for Bound {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match &self.0 {
            None => Ok(IsNull::Yes),
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

fn bound(values: &Array) -> Given<Vec<Bound>> {
    let one =
        |value: &Dynamic| if value.is_unit() { Ok(Bound(None)) } else { text(value).map(|text| Bound(Some(text))) };
    values.iter().map(|value| one(value).map_err(refused)).collect()
}

fn referenced(values: &[Bound]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn question_marks_become_numbers_outside_of_quotes() {
        assert_eq!(ended("select '?', \"a?\", ? where b = ?;\n"), "select '?', \"a?\", $1 where b = $2");
        assert_eq!(ended("insert into a values ('it''s ?', ?)"), "insert into a values ('it''s ?', $1)");
    }
}
