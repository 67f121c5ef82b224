//! What is good no longer in the cache: noted with what has changed, until the cache has heard it.

use std::time::Duration;

use rhai::Position;
use rusqlite::{Connection, Row, params};

use super::database::Database;
use crate::lab::{backing::cache::Drop, script::declared::Migration};

/// The most keys that are noted one by one; beyond that, all are dropped.
const MOST: i64 = 1000;
/// How long telling the cache may wait for a connection.
const WITHIN: Duration = Duration::from_secs(1);

/// The table of what the cache has still to hear.
#[must_use]
pub fn migration() -> Migration {
    let sql = "create table interlock_dropped(
        number integer primary key autoincrement, key text not null, prefix integer not null, unique (key, prefix)
    ) strict";
    Migration { name: "interlock-dropped".to_owned(), after: Vec::new(), sql: sql.to_owned(), at: Position::NONE }
}

type Outcome<T> = Result<T, rusqlite::Error>;

/// Notes a key, or all that begin with it. One that is noted again gets another number: it has changed once more.
pub fn note(connection: &Connection, key: &str, prefix: bool) -> Outcome<()> {
    let mut insert =
        connection.prepare_cached("insert or replace into interlock_dropped(key, prefix) values (?1, ?2)")?;
    insert.execute(params![key, prefix])?;
    let count = "select count(*) from interlock_dropped";
    let count: i64 = connection.prepare_cached(count)?.query_row([], |row| row.get(0))?;
    if count > MOST {
        insert.execute(params!["", true])?;
        let all = connection.last_insert_rowid();
        connection.execute("delete from interlock_dropped where number < ?1", [all])?;
    }
    Ok(())
}

/// Whether the cache has still to hear that the value of a key is good no longer.
pub fn is_noted(connection: &Connection, key: &str) -> Outcome<bool> {
    let mut query = connection.prepare_cached(
        "select exists (select 1 from interlock_dropped
                        where case prefix when 0 then key = ?1 else substr(?1, 1, length(key)) = key end)",
    )?;
    query.query_row([key], |row| row.get(0))
}

impl Database {
    /// What the cache has still to hear, each with its number.
    ///
    /// # Errors
    /// What the database says.
    pub fn dropped(&self) -> Result<Vec<(i64, Drop)>, String> {
        let read = |row: &Row<'_>| Ok((row.get(0)?, Drop { key: row.get(1)?, prefix: row.get(2)? }));
        self.on_dropped(|connection| {
            let mut query = connection.prepare_cached("select number, key, prefix from interlock_dropped")?;
            query.query_map([], read)?.collect()
        })
    }

    /// Forgets what the cache has heard.
    ///
    /// # Errors
    /// What the database says.
    pub fn heard(&self, numbers: &[i64]) -> Result<(), String> {
        self.on_dropped(|connection| {
            let all = connection.transaction()?;
            for number in numbers {
                all.prepare_cached("delete from interlock_dropped where number = ?1")?.execute([number])?;
            }
            all.commit()
        })
    }

    fn on_dropped<T>(&self, work: impl FnOnce(&mut Connection) -> Outcome<T>) -> Result<T, String> {
        let mut lease = self.lease(WITHIN)?;
        lease.connection().and_then(work).map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(folder: &tempfile::TempDir) -> Database {
        let database = Database::new(folder.path().join("catalogue.sqlite"));
        assert!(database.migrate(&[migration()]).is_ok());
        database
    }

    fn noted(database: &Database, key: &str) -> bool {
        database.on_dropped(|connection| is_noted(connection, key)).unwrap()
    }

    fn drop_one(database: &Database, key: &str, prefix: bool) {
        database.on_dropped(|connection| note(connection, key, prefix)).unwrap();
    }

    #[test]
    fn a_key_is_noted_until_the_cache_has_heard_of_its_last_change() {
        let folder = tempfile::tempdir().unwrap();
        let database = database(&folder);
        drop_one(&database, "product/mug", false);
        drop_one(&database, "offer/", true);
        assert!(noted(&database, "product/mug") && noted(&database, "offer/mug"));
        assert!(!noted(&database, "product/mug/2") && !noted(&database, "offer"));
        let heard: Vec<_> = database.dropped().unwrap().into_iter().map(|(number, _)| number).collect();
        // It changes once more while the cache hears of the first time.
        drop_one(&database, "product/mug", false);
        database.heard(&heard).unwrap();
        assert!(noted(&database, "product/mug") && !noted(&database, "offer/mug"));
    }

    #[test]
    fn what_is_rolled_back_is_not_noted() {
        let folder = tempfile::tempdir().unwrap();
        let database = database(&folder);
        let mut transaction = database.lease(WITHIN).unwrap().begin().unwrap();
        note(transaction.lease().connection().unwrap(), "mug", false).unwrap();
        assert!(!noted(&database, "mug"), "only whoever changes it knows so far");
        drop(transaction);
        assert!(!noted(&database, "mug"));
    }

    #[test]
    fn too_many_keys_are_all_keys() {
        let folder = tempfile::tempdir().unwrap();
        let database = database(&folder);
        (0..=MOST).for_each(|n| drop_one(&database, &n.to_string(), false));
        let dropped: Vec<_> = database.dropped().unwrap().into_iter().map(|(_, drop)| drop).collect();
        assert_eq!(dropped, [Drop { key: String::new(), prefix: true }]);
        assert!(noted(&database, "mug"));
    }
}
