//! One connection to a `MariaDB` node, every answer bounded in time.

use std::{collections::BTreeMap, future::Future, time::Duration};

use mysql_async::{Conn, DriverError, Params, Row, Statement, Value, prelude::Queryable};

use super::failure::Failure;

/// One connection. After a timeout it is of no further use: its answer may still come.
pub struct Wire {
    conn: Conn,
}

impl Wire {
    /// A connection that has just been made.
    pub const fn new(conn: Conn) -> Self {
        Self { conn }
    }

    /// The server's version, major and minor.
    pub fn version(&self) -> (u16, u16) {
        let (major, minor, _) = self.conn.server_version();
        (major, minor)
    }

    /// Whether the connection has ended, or was given up before its answer came.
    pub fn has_ended(&self) -> bool {
        self.conn.is_disconnected()
    }

    /// Runs a statement that returns nothing.
    ///
    /// # Errors
    /// What the server said, or that it did not answer in time.
    pub async fn run(&mut self, sql: &str, within: Duration) -> Result<(), Failure> {
        bounded(within, self.conn.query_drop(sql)).await
    }

    /// Asks for rows of text, each as its columns by name; NULL is empty.
    ///
    /// # Errors
    /// What the server said, or that it did not answer in time.
    pub async fn rows(&mut self, sql: &str, within: Duration) -> Result<Vec<BTreeMap<String, String>>, Failure> {
        let rows: Vec<Row> = bounded(within, self.conn.query(sql)).await?;
        Ok(rows.into_iter().map(by_name).collect())
    }

    /// Asks for one row of text.
    ///
    /// # Errors
    /// What the server said, that there is no row, or that it did not answer in time.
    pub async fn row(&mut self, sql: &str, within: Duration) -> Result<BTreeMap<String, String>, Failure> {
        self.rows(sql, within).await?.into_iter().next().ok_or_else(|| Failure::odd("there is no row in the answer"))
    }

    /// Asks for pairs of numbers and hands over one after the other, so that not all have to be held.
    ///
    /// # Errors
    /// What the server said, or that it did not answer in time.
    pub async fn each_pair(
        &mut self,
        sql: &str,
        within: Duration,
        mut each: impl FnMut(i64, i64) + Send,
    ) -> Result<(), Failure> {
        bounded(within, async {
            let mut answer = self.conn.query_iter(sql).await?;
            while let Some(row) = answer.next().await? {
                let pair = mysql_async::from_row_opt(row);
                let (one, two) = pair.map_err(|error| DriverError::FromRow { row: error.0 })?;
                each(one, two);
            }
            Ok(())
        })
        .await
    }

    /// Has the server parse a statement that is used often.
    ///
    /// # Errors
    /// What the server said, or that it did not answer in time.
    pub async fn prepare(&mut self, sql: &str, within: Duration) -> Result<Statement, Failure> {
        bounded(within, self.conn.prep(sql)).await
    }

    /// Runs a prepared statement; says how many warnings there were.
    ///
    /// # Errors
    /// What the server said, or that it did not answer in time.
    pub async fn execute(&mut self, statement: &Statement, params: Params, within: Duration) -> Result<u16, Failure> {
        bounded(within, self.conn.exec_drop(statement, params)).await?;
        Ok(self.conn.get_warnings())
    }
}

async fn bounded<T>(within: Duration, asked: impl Future<Output = mysql_async::Result<T>>) -> Result<T, Failure> {
    match tokio::time::timeout(within, asked).await {
        Ok(answer) => answer.map_err(Failure::from),
        Err(_) => Err(Failure::timeout(within)),
    }
}

fn by_name(row: Row) -> BTreeMap<String, String> {
    let names: Vec<_> = row.columns_ref().iter().map(|column| column.name_str().to_lowercase()).collect();
    names.into_iter().zip(row.unwrap().into_iter().map(text)).collect()
}

/// The text protocol sends everything as bytes.
fn text(value: Value) -> String {
    match value {
        Value::NULL => String::new(),
        Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other => other.as_sql(true),
    }
}
