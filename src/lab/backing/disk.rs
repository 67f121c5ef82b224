//! State in a file of SQLite: opened so that what a killed process has committed stays, and used on threads that may block.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use rusqlite::Connection;
use serde::Serialize;

use crate::lab::{
    http::problem,
    page::{Kind, Page},
};

/// How long another process may hold the file; there should be none.
const BUSY: Duration = Duration::from_millis(500);
/// The most pages of the file, of 4 KiB each; what does not fit is refused.
const PAGES: u32 = 65_536;

/// Opens a file, and makes the tables of `schema` where they are missing.
///
/// # Errors
/// Where the file cannot be opened or written.
pub fn open(path: &Path, schema: &str) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.execute_batch(&format!(
        "pragma journal_mode = wal; pragma synchronous = normal; pragma max_page_count = {PAGES}; {schema}"
    ))?;
    Ok(connection)
}

/// What is kept in a file. SQLite blocks, and the process has one thread for its requests.
pub struct Disk<T>(Arc<Mutex<T>>);

impl<T: Send + 'static> Disk<T> {
    /// Takes over what is kept.
    #[must_use]
    pub fn new(table: T) -> Self {
        Self(Arc::new(Mutex::new(table)))
    }

    /// Does something with it, one after another.
    ///
    /// # Errors
    /// Where the file can be neither read nor written.
    pub async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut T) -> Result<R, rusqlite::Error> + Send + 'static,
    ) -> Result<R, String> {
        let table = self.0.clone();
        let done = tokio::task::spawn_blocking(move || work(&mut table.lock().unwrap_or_else(PoisonError::into_inner)));
        done.await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())
    }
}

/// What came of it, as JSON.
pub fn answer<R: Serialize>(done: Result<R, String>) -> Response {
    done.map_or_else(|why| out(&why), |value| Json(value).into_response())
}

/// How much there is of what is kept, as a page with one metric.
pub fn counted(
    service: &str,
    (metric, help): (&str, &str),
    label: &str,
    counts: Result<Vec<(String, i64)>, String>,
) -> Response {
    let counts = match counts {
        Ok(counts) => counts,
        Err(why) => return out(&why),
    };
    let mut page = Page::new(&[("service", service)]);
    page.family(metric, Kind::Gauge, help);
    for (name, count) in counts {
        page.sample(metric, &[(label, &name)], count);
    }
    page.into_response()
}

/// The answer where nothing can be kept; why stays in the log.
pub fn out(why: &str) -> Response {
    tracing::error!("the file of the state: {why}");
    problem(StatusCode::SERVICE_UNAVAILABLE, "nothing can be kept or read at the moment").into_response()
}
