//! The database of a service: one file of SQLite that all of its replicas share, and a few connections to it.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{
    Connection,
    hooks::{AuthAction, AuthContext, Authorization},
};

use crate::lab::script::turn;

/// The most connections of one process.
const CONNECTIONS: usize = 8;
/// How long another process may hold the file.
const BUSY: Duration = Duration::from_millis(500);
/// The most pages of the file, of 4 KiB each.
const PAGES: u32 = 65_536;
/// So many steps of SQLite's machine lie between two looks at the clock.
const BETWEEN: i32 = 1000;

/// The database of a service.
pub struct Database {
    file: PathBuf,
    pool: Arc<Pool>,
}

#[derive(Default)]
struct Pool {
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    open: usize,
}

/// A connection that is in use.
pub struct Lease {
    connection: Option<Connection>,
    pool: Arc<Pool>,
}

/// A transaction that a handler is in.
pub struct Transaction {
    lease: Lease,
    /// Whether messages are to be sent once it is committed.
    pub posted: bool,
}

impl Database {
    /// The database in `file`, which need not exist.
    #[must_use]
    pub fn new(file: PathBuf) -> Self {
        Self { file, pool: Arc::default() }
    }

    /// A connection, waited for no longer than `within`.
    ///
    /// # Errors
    /// Where none becomes free in time, or the file cannot be opened.
    pub fn lease(&self, within: Duration) -> Result<Lease, String> {
        let full = |state: &mut State| state.idle.is_empty() && state.open >= CONNECTIONS;
        let waited = self.pool.freed.wait_timeout_while(self.pool.state(), within, full);
        let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            return Err("all connections to the database are in use".to_owned());
        }
        if let Some(connection) = state.idle.pop() {
            return Ok(Lease { connection: Some(connection), pool: self.pool.clone() });
        }
        state.open += 1;
        drop(state);
        // Counted before it is opened, and no longer where that fails.
        let mut lease = Lease { connection: None, pool: self.pool.clone() };
        lease.connection = Some(self.open().map_err(|e| e.to_string())?);
        Ok(lease)
    }

    /// Whether the file can be opened and read, on a connection of its own.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn probe(&self) -> Result<(), String> {
        let read = |connection: Connection| connection.query_row("select count(*) from sqlite_schema", [], |_| Ok(()));
        self.open().and_then(read).map_err(|e| e.to_string())
    }

    fn open(&self) -> Result<Connection, rusqlite::Error> {
        if let Some(folder) = self.file.parent() {
            fs::create_dir_all(folder).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
        }
        let mut connection = Connection::open(&self.file)?;
        connection.busy_timeout(BUSY)?;
        // With a write-ahead log readers and a writer do not hold each other up; what a killed process has committed stays.
        connection.execute_batch(&format!(
            "pragma journal_mode = wal; pragma synchronous = normal; pragma foreign_keys = on; \
             pragma max_page_count = {PAGES}"
        ))?;
        connection.progress_handler(BETWEEN, Some(turn::is_over))?;
        connection.authorizer(Some(allowed))?;
        Ok(connection)
    }
}

/// A statement reaches this file and no other.
fn allowed(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Attach { .. } | AuthAction::Detach { .. } | AuthAction::Pragma { .. } => Authorization::Deny,
        _ => Authorization::Allow,
    }
}

impl Pool {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// The connection.
    ///
    /// # Errors
    /// Never while the lease lasts.
    pub fn connection(&mut self) -> Result<&mut Connection, rusqlite::Error> {
        self.connection.as_mut().ok_or(rusqlite::Error::InvalidQuery)
    }

    /// Begins a transaction that no other process can come between.
    ///
    /// # Errors
    /// What the database says.
    pub fn begin(self) -> Result<Transaction, rusqlite::Error> {
        self.batch("begin immediate")?;
        Ok(Transaction { lease: self, posted: false })
    }

    fn batch(&self, sql: &str) -> Result<(), rusqlite::Error> {
        self.connection.as_ref().map_or(Ok(()), |connection| connection.execute_batch(sql))
    }
}

/// A connection goes back to the others, unless something is left open on it.
impl Drop for Lease {
    fn drop(&mut self) {
        let connection = self.connection.take().filter(|connection| connection.is_autocommit());
        let mut state = self.pool.state();
        match connection {
            Some(connection) => state.idle.push(connection),
            None => state.open -= 1,
        }
        self.pool.freed.notify_one();
    }
}

impl Transaction {
    /// The connection that it is on.
    pub const fn lease(&mut self) -> &mut Lease {
        &mut self.lease
    }

    /// Keeps what was done.
    ///
    /// # Errors
    /// What the database says; then nothing of it is kept.
    pub fn commit(self) -> Result<(), rusqlite::Error> {
        self.lease.batch("commit")
    }
}

/// What was not committed is undone, also where the handler has ended in the middle.
impl Drop for Transaction {
    fn drop(&mut self) {
        if let Some(connection) = self.lease.connection.as_ref().filter(|connection| !connection.is_autocommit())
            && let Err(e) = connection.execute_batch("rollback")
        {
            tracing::warn!("a transaction that cannot be rolled back ends with its connection: {e}");
        }
    }
}
