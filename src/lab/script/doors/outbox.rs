//! Messages that were sent within a transaction: kept with it, and sent once it is committed.

use rhai::Position;
use rusqlite::{Connection, params};

use super::database::{Database, Transaction};
use crate::lab::{
    backing::{Backing, messages::Message},
    script::declared::Migration,
};

/// How long a replica may take over messages before another sends them, in milliseconds.
const CLAIM: i64 = 5_000;
/// The most that are claimed at a time.
const MOST: u32 = 100;

/// The table of what is to be sent.
#[must_use]
pub fn migration() -> Migration {
    let sql = "create table interlock_outbox(
        number integer primary key autoincrement, backing text not null, message text not null,
        claimed_until integer not null default 0
    ) strict";
    Migration { name: "interlock-outbox".to_owned(), after: Vec::new(), sql: sql.to_owned(), at: Position::NONE }
}

/// A message on its way out.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub number: i64,
    pub backing: Backing,
    pub message: Message,
}

type Outcome<T> = Result<T, rusqlite::Error>;

impl Transaction {
    /// Keeps a message with what else the transaction changes.
    ///
    /// # Errors
    /// What the database says.
    pub fn post(&mut self, backing: Backing, message: &Message) -> Outcome<()> {
        let text = serde_json::to_string(message).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
        let insert = "insert into interlock_outbox(backing, message) values (?1, ?2)";
        self.lease().connection()?.prepare_cached(insert)?.execute([backing.name(), &text])?;
        self.posted = true;
        Ok(())
    }
}

impl Database {
    /// Claims messages to be sent, so that no other replica sends them meanwhile; and counts those that there are.
    ///
    /// # Errors
    /// What the database says.
    pub fn claim(&self, now: i64) -> Result<(Vec<Outgoing>, i64), String> {
        self.on_outbox(|connection| {
            let count = "select count(*) from interlock_outbox";
            let count: i64 = connection.prepare_cached(count)?.query_row([], |row| row.get(0))?;
            if count == 0 {
                return Ok((Vec::new(), 0));
            }
            let mut claim = connection.prepare_cached(
                "update interlock_outbox set claimed_until = ?1 + ?2 where number in
                     (select number from interlock_outbox where claimed_until <= ?1 order by number limit ?3)
                 returning number, backing, message",
            )?;
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?));
            let claimed = claim.query_map(params![now, CLAIM, MOST], read)?.collect::<Outcome<Vec<_>>>()?;
            let mut outgoing: Vec<_> = claimed.into_iter().filter_map(outgoing).collect();
            outgoing.sort_by_key(|one| one.number);
            Ok((outgoing, count))
        })
    }

    /// Forgets a message that was accepted.
    ///
    /// # Errors
    /// What the database says.
    pub fn sent(&self, number: i64) -> Result<(), String> {
        self.on_outbox(|connection| {
            connection.prepare_cached("delete from interlock_outbox where number = ?1")?.execute([number]).map(drop)
        })
    }

    /// Gives a message up for others, or for another try, from a point in time on.
    ///
    /// # Errors
    /// What the database says.
    pub fn unsent(&self, number: i64, from: i64) -> Result<(), String> {
        self.on_outbox(|connection| {
            let update = "update interlock_outbox set claimed_until = ?2 where number = ?1";
            connection.prepare_cached(update)?.execute([number, from]).map(drop)
        })
    }

    fn on_outbox<T>(&self, work: impl FnOnce(&mut Connection) -> Outcome<T>) -> Result<T, String> {
        let mut lease = self.lease(std::time::Duration::from_secs(1))?;
        lease.connection().and_then(work).map_err(|e| e.to_string())
    }
}

/// A row as it was written; a script could have written another.
fn outgoing((number, backing, message): (i64, String, String)) -> Option<Outgoing> {
    let read = Backing::behind(&backing).zip(serde_json::from_str(&message).ok());
    if read.is_none() {
        tracing::warn!(number, backing, "the outbox has a row that is no message");
    }
    read.map(|(backing, message)| Outgoing { number, backing, message })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::lab::backing::messages::About;

    fn message(id: &str) -> Message {
        let (topic, value) = ("order.created".to_owned(), serde_json::Value::Null);
        Message { id: id.to_owned(), topic, value, key: None, at: 0, after: 0, about: About::default() }
    }

    fn begin(database: &Database, id: &str) -> Transaction {
        let mut transaction = database.lease(Duration::from_secs(1)).unwrap().begin().unwrap();
        transaction.post(Backing::Bus, &message(id)).unwrap();
        transaction
    }

    fn claim(database: &Database, now: i64) -> (Vec<String>, i64) {
        let (outgoing, count) = database.claim(now).unwrap();
        (outgoing.into_iter().map(|one| one.message.id).collect(), count)
    }

    #[test]
    fn a_message_leaves_with_its_transaction_and_one_replica_sends_it() {
        let folder = tempfile::tempdir().unwrap();
        let replicas = [(); 2].map(|()| Database::new(folder.path().join("orders.sqlite")));
        let [one, other] = &replicas;
        assert!(one.migrate(&[migration()]).is_ok());
        drop(begin(one, "rolled back"));
        assert_eq!(claim(one, 0), (Vec::new(), 0));
        begin(one, "a").commit().unwrap();
        assert_eq!(claim(one, 0), (vec!["a".to_owned()], 1));
        assert_eq!(claim(other, 0), (Vec::new(), 1), "the first one sends it");
        // It has died meanwhile.
        let again = other.claim(CLAIM).unwrap().0.remove(0);
        other.unsent(again.number, CLAIM + 10).unwrap();
        assert_eq!(claim(one, CLAIM + 9), (Vec::new(), 1));
        assert_eq!(claim(one, CLAIM + 10), (vec!["a".to_owned()], 1));
        one.sent(again.number).unwrap();
        assert_eq!(claim(other, 3 * CLAIM), (Vec::new(), 0));
    }
}
