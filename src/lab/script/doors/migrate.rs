//! Migrations: each applied once, in a transaction of its own, before any handler runs.

use std::time::Duration;

use rusqlite::{OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use super::database::Database;
use crate::lab::script::declared::Migration;

/// How long the other replicas may take with theirs.
const WITHIN: Duration = Duration::from_secs(10);
/// How often it is tried again while they are at it.
const TRIES: u32 = 20;

const TABLE: &str = "create table if not exists schema_migration(
    name text primary key, digest text not null, applied_at text not null default current_timestamp
) strict, without rowid";

impl Database {
    /// Applies the migrations that were not applied yet.
    ///
    /// # Errors
    /// Which one fails, and why; those before it stay applied.
    pub fn migrate(&self, migrations: &[Migration]) -> Result<(), (Migration, String)> {
        migrations.iter().try_for_each(|one| self.apply(one).map_err(|why| (one.clone(), why)))
    }

    fn apply(&self, migration: &Migration) -> Result<(), String> {
        let mut tries = 0;
        loop {
            match self.apply_once(migration) {
                Err(rusqlite::Error::SqliteFailure(e, _)) if is_busy(e) && tries < TRIES => tries += 1,
                applied => return applied.map_err(|e| e.to_string())?,
            }
        }
    }

    fn apply_once(&self, Migration { name, sql, .. }: &Migration) -> Result<Result<(), String>, rusqlite::Error> {
        let mut transaction = match self.lease(WITHIN) {
            Ok(lease) => lease.begin()?,
            Err(why) => return Ok(Err(why)),
        };
        let connection = transaction.lease().connection()?;
        connection.execute_batch(TABLE)?;
        let digest = digest(sql);
        let known = connection
            .query_row("select digest from schema_migration where name = ?1", [name], |row| row.get::<_, String>(0));
        match known.optional()? {
            Some(known) if known == digest => return Ok(Ok(())),
            Some(_) => {
                return Ok(Err("it was applied with another text -> leave it as it was, and add one".to_owned()));
            }
            None => {}
        }
        connection.execute_batch(sql)?;
        if connection.is_autocommit() {
            return Ok(Err("it ends its own transaction -> leave `commit` and `rollback` out".to_owned()));
        }
        connection.execute("insert into schema_migration(name, digest) values (?1, ?2)", params![name, digest])?;
        transaction.commit()?;
        tracing::info!(migration = name, "migration applied");
        Ok(Ok(()))
    }
}

/// By what a migration is known again.
pub fn digest(sql: &str) -> String {
    Sha256::digest(sql.trim()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_busy(error: rusqlite::ffi::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    matches!(error.code, DatabaseBusy | DatabaseLocked)
}

#[cfg(test)]
mod tests {
    use rhai::Position;

    use super::*;

    fn migration(name: &str, sql: &str) -> Migration {
        Migration { name: name.to_owned(), after: Vec::new(), sql: sql.to_owned(), at: Position::NONE }
    }

    #[test]
    fn each_is_applied_once_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::new(folder.path().join("orders.sqlite"));
        let orders = migration("orders", "create table orders(id text)");
        assert!(database.migrate(std::slice::from_ref(&orders)).is_ok());
        assert!(database.migrate(std::slice::from_ref(&orders)).is_ok(), "not a second time");
        let half = migration("half", "create table half(id text); insert into nowhere values (1)");
        let (at, why) = database.migrate(&[orders.clone(), half]).unwrap_err();
        assert_eq!(at.name, "half");
        assert!(why.contains("no such table: nowhere"), "{why}");
        let whole = migration("half", "create table half(id text)");
        assert!(database.migrate(&[orders, whole]).is_ok(), "nothing of its first try is left");
    }

    #[test]
    fn a_text_that_has_changed_or_leads_out_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::new(folder.path().join("orders.sqlite"));
        assert!(database.migrate(&[migration("orders", "create table orders(id text)")]).is_ok());
        let elsewhere = folder.path().join("elsewhere");
        let attach = format!("attach '{}' as elsewhere", elsewhere.display());
        let vacuum = format!("vacuum into '{}'", elsewhere.display());
        for (name, sql, told) in [
            ("orders", "create table orders(id integer)", "applied with another text"),
            ("commit", "create table a(id text); commit", "ends its own transaction"),
            ("attach", &attach, "not authorized"),
            ("vacuum", &vacuum, "cannot VACUUM"),
            ("pragma", "pragma writable_schema = on", "not authorized"),
        ] {
            let (_, why) = database.migrate(&[migration(name, sql)]).unwrap_err();
            assert!(why.contains(told), "{name}: {why}");
        }
        assert!(!elsewhere.exists());
    }
}
