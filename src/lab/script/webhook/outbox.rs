//! Webhooks that wait in the sender's database, and those that the receiver has handled in its own.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::lab::backing::messages::now;

/// The most webhooks that wait.
const MOST: i64 = 10_000;
/// How long a webhook is remembered that was handled, in milliseconds: longer than any is sent.
const REMEMBERED: i64 = 86_400_000;

/// What waits; a row whose sender dies is due again once its lease is over.
pub const OUTBOX: &str = "create table webhook_outbox(
    id text primary key, service text not null, path text not null, body text not null, headers text not null,
    attempts integer not null default 0, due integer not null, failed text
) strict; create index webhook_due on webhook_outbox(due) where failed is null";
/// What was handled, so that it is not handled again.
pub const HANDLED: &str =
    "create table webhook_handled(id text primary key, at integer not null) strict, without rowid;
    create index webhook_handled_at on webhook_handled(at)";

type Outcome<T> = Result<T, rusqlite::Error>;

/// A webhook on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub id: String,
    /// The receiver.
    pub service: String,
    pub path: String,
    /// JSON.
    pub body: String,
    /// What the request carries beside the signature: whose it is, and its trace.
    pub headers: String,
    /// How often it was sent, this time included.
    pub attempts: u32,
}

/// Puts a webhook into the outbox, unless one of that id waits there; says whether there is room.
///
/// # Errors
/// What the database says.
pub fn add(connection: &Connection, sent: &Sent) -> Outcome<bool> {
    let waiting: i64 = connection.query_row("select count(*) from webhook_outbox", [], |row| row.get(0))?;
    if waiting >= MOST {
        return Ok(false);
    }
    let Sent { id, service, path, body, headers, .. } = sent;
    connection
        .prepare_cached(
            "insert into webhook_outbox(id, service, path, body, headers, due) values (?1, ?2, ?3, ?4, ?5, ?6)
         on conflict(id) do nothing",
        )?
        .execute(params![id, service, path, body, headers, now()])?;
    Ok(true)
}

/// Takes the webhook that is due first, which nobody else takes until `lease` milliseconds are over.
///
/// # Errors
/// What the database says.
pub fn take(connection: &Connection, lease: i64) -> Outcome<Option<Sent>> {
    let now = now();
    // A look that finds nothing holds up no writer.
    let due = "select 1 from webhook_outbox where failed is null and due <= ?1 limit 1";
    if !connection.prepare_cached(due)?.exists([now])? {
        return Ok(None);
    }
    connection
        .prepare_cached(
            "update webhook_outbox set attempts = attempts + 1, due = ?2 where id =
                 (select id from webhook_outbox where failed is null and due <= ?1 order by due limit 1)
             returning id, service, path, body, headers, attempts",
        )?
        .query_row(params![now, now + lease], sent)
        .optional()
}

fn sent(row: &Row<'_>) -> Outcome<Sent> {
    Ok(Sent {
        id: row.get(0)?,
        service: row.get(1)?,
        path: row.get(2)?,
        body: row.get(3)?,
        headers: row.get(4)?,
        attempts: row.get(5)?,
    })
}

/// Notes that a webhook was taken by its receiver.
///
/// # Errors
/// What the database says; then it is sent once more.
pub fn delivered(connection: &Connection, id: &str) -> Outcome<()> {
    connection.prepare_cached("delete from webhook_outbox where id = ?1")?.execute([id]).map(drop)
}

/// Notes that it is sent again in `wait` milliseconds.
///
/// # Errors
/// What the database says; then it is sent again once its lease is over.
pub fn postpone(connection: &Connection, id: &str, wait: i64) -> Outcome<()> {
    let mut statement = connection.prepare_cached("update webhook_outbox set due = ?2 where id = ?1")?;
    statement.execute(params![id, now() + wait]).map(drop)
}

/// Notes that it is not sent any more, and why; it stays for people to look at.
///
/// # Errors
/// What the database says.
pub fn give_up(connection: &Connection, id: &str, why: &str) -> Outcome<()> {
    let mut statement = connection.prepare_cached("update webhook_outbox set failed = ?2 where id = ?1")?;
    statement.execute(params![id, why]).map(drop)
}

/// Notes that a webhook is handled; says whether it was not before.
///
/// # Errors
/// What the database says.
pub fn note_handled(connection: &Connection, id: &str) -> Outcome<bool> {
    let now = now();
    connection.prepare_cached("delete from webhook_handled where at < ?1")?.execute([now - REMEMBERED])?;
    let mut insert =
        connection.prepare_cached("insert into webhook_handled(id, at) values (?1, ?2) on conflict(id) do nothing")?;
    Ok(insert.execute(params![id, now])? == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(OUTBOX).unwrap();
        connection.execute_batch(HANDLED).unwrap();
        connection
    }

    fn webhook(id: &str) -> Sent {
        let text = |text: &str| text.to_owned();
        Sent {
            id: text(id),
            service: text("shop"),
            path: text("/w"),
            body: text("{}"),
            headers: text("{}"),
            attempts: 1,
        }
    }

    #[test]
    fn one_is_taken_by_one_until_its_lease_is_over() {
        let outbox = outbox();
        assert!(add(&outbox, &webhook("a")).unwrap() && add(&outbox, &webhook("a")).unwrap(), "the same is one");
        assert_eq!(take(&outbox, 60_000).unwrap(), Some(webhook("a")));
        assert_eq!(take(&outbox, 60_000).unwrap(), None);
        postpone(&outbox, "a", -1).unwrap();
        assert_eq!(take(&outbox, -1).unwrap(), Some(Sent { attempts: 2, ..webhook("a") }));
        assert_eq!(take(&outbox, -1).unwrap().unwrap().attempts, 3, "its sender has died");
        delivered(&outbox, "a").unwrap();
        assert_eq!(take(&outbox, 0).unwrap(), None);
    }

    #[test]
    fn what_is_given_up_stays_and_is_not_sent() {
        let outbox = outbox();
        add(&outbox, &webhook("a")).unwrap();
        give_up(&outbox, "a", "nobody answers").unwrap();
        assert_eq!(take(&outbox, 0).unwrap(), None);
        let why: String = outbox.query_row("select failed from webhook_outbox", [], |row| row.get(0)).unwrap();
        assert_eq!(why, "nobody answers");
    }

    #[test]
    fn a_webhook_is_handled_once_and_forgotten_after_a_day() {
        let handled = outbox();
        assert!(note_handled(&handled, "a").unwrap() && !note_handled(&handled, "a").unwrap());
        handled.execute("update webhook_handled set at = at - 2 * ?1", [REMEMBERED]).unwrap();
        note_handled(&handled, "b").unwrap();
        let left: i64 = handled.query_row("select count(*) from webhook_handled", [], |row| row.get(0)).unwrap();
        assert_eq!(left, 1);
    }
}
