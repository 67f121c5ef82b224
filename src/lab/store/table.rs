//! The table of tenants, in one file of SQLite.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// How many tenants there are from the beginning, by the names `1`, `2` and so on.
const FIRST: u32 = 100;
/// How long another process may hold the file.
const BUSY: Duration = Duration::from_secs(2);

/// A tenant as it is kept and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    pub id: String,
    /// What people call it.
    pub name: String,
    pub plan: String,
    /// Whether it may use the platform.
    pub active: bool,
}

impl Tenant {
    /// One as it is made when nothing more is said.
    #[must_use]
    pub fn plain(id: &str) -> Self {
        Self { id: id.to_owned(), name: format!("Tenant {id}"), plan: "standard".to_owned(), active: true }
    }
}

/// All tenants.
#[derive(Clone)]
pub struct Table(Arc<Mutex<Connection>>);

impl Table {
    /// Opens the file, makes the table where it is missing, and fills in the first tenants.
    ///
    /// # Errors
    /// Where the file cannot be opened or written.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let open = || {
            let mut connection = Connection::open(path)?;
            connection.busy_timeout(BUSY)?;
            connection.execute_batch(
                "create table if not exists tenant(
                     id text primary key, name text not null, plan text not null, active integer not null
                 ) strict, without rowid",
            )?;
            let all = connection.transaction()?;
            for id in 1..=FIRST {
                put(&all, &Tenant::plain(&id.to_string()), "or ignore")?;
            }
            all.commit()?;
            Ok::<_, rusqlite::Error>(connection)
        };
        open().map(|connection| Self(Arc::new(Mutex::new(connection)))).map_err(|e| crate::lab::state::fault(path, &e))
    }

    /// The tenant with that id.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub async fn get(&self, id: String) -> Result<Option<Tenant>, String> {
        self.on_its_thread(move |connection| {
            let mut query = connection.prepare_cached("select id, name, plan, active from tenant where id = ?1")?;
            let read = |row: &rusqlite::Row<'_>| {
                Ok(Tenant { id: row.get(0)?, name: row.get(1)?, plan: row.get(2)?, active: row.get(3)? })
            };
            query.query_row([id], read).optional()
        })
        .await
    }

    /// Keeps a tenant; says whether it is new.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub async fn put(&self, tenant: Tenant) -> Result<bool, String> {
        self.on_its_thread(move |connection| {
            let new = put(connection, &tenant, "or ignore")? == 1;
            if !new {
                put(connection, &tenant, "or replace")?;
            }
            Ok(new)
        })
        .await
    }

    /// SQLite blocks, and the service has one thread for its requests.
    async fn on_its_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, String> {
        let connection = self.0.clone();
        let done =
            tokio::task::spawn_blocking(move || work(&connection.lock().unwrap_or_else(PoisonError::into_inner)));
        done.await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())
    }
}

fn put(connection: &Connection, tenant: &Tenant, mode: &str) -> rusqlite::Result<usize> {
    let mut insert = connection
        .prepare_cached(&format!("insert {mode} into tenant(id, name, plan, active) values (?1, ?2, ?3, ?4)"))?;
    insert.execute(params![tenant.id, tenant.name, tenant.plan, tenant.active])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_put_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("store.sqlite");
        let table = Table::open(&file).unwrap();
        let mine = Tenant { plan: "gold".into(), ..Tenant::plain("7") };
        assert_eq!(table.put(mine.clone()).await, Ok(false), "the first hundred are there already");
        assert_eq!(table.put(Tenant::plain("acme")).await, Ok(true));
        drop(table);
        let again = Table::open(&file).unwrap();
        assert_eq!(again.get("7".into()).await, Ok(Some(mine)));
        assert_eq!(again.get("acme".into()).await, Ok(Some(Tenant::plain("acme"))));
        assert_eq!(again.get("nobody".into()).await, Ok(None));
    }
}
