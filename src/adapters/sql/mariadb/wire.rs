//! One connection to a `MariaDB` node, every answer bounded in time.

use std::{collections::BTreeMap, future::Future, time::Duration};

use async_trait::async_trait;
use mysql_async::{Conn, DriverError, Params, Row, Statement, Value, prelude::Queryable};
use tokio::time::Instant;

use super::look::{self, Detail};
use crate::{
    adapters::sql::{
        engine::{self, Answer},
        failure::Failure,
        limits::LEDGER,
    },
    ports::Sample,
};

/// A row of text: its columns by name.
pub type Columns = BTreeMap<String, String>;

/// One connection. After a timeout it is of no further use: its answer may still come.
pub struct Wire {
    conn: Conn,
    insert: Option<Statement>,
}

impl Wire {
    /// A connection that has just been made.
    pub const fn new(conn: Conn) -> Self {
        Self { conn, insert: None }
    }

    /// The server's version, major and minor.
    pub fn version(&self) -> (u16, u16) {
        let (major, minor, _) = self.conn.server_version();
        (major, minor)
    }

    /// Asks for rows of text, each as its columns by name; NULL is empty.
    pub async fn rows(&mut self, sql: &str, within: Duration) -> Result<Vec<Columns>, Failure> {
        let rows: Vec<Row> = bounded(within, self.conn.query(sql)).await?;
        Ok(rows.into_iter().map(by_name).collect())
    }

    /// Asks for one row of text.
    pub async fn row(&mut self, sql: &str, within: Duration) -> Result<Columns, Failure> {
        self.rows(sql, within)
            .await?
            .into_iter()
            .next()
            .ok_or_else(|| Failure::unexpected("there is no row in the answer"))
    }
}

#[async_trait]
impl engine::Wire for Wire {
    type Detail = Detail;
    const OUT_OF_RANGE: &'static str = "1264";

    async fn ask(&mut self, within: Duration) -> Result<Answer<Detail>, Failure> {
        let until = Instant::now() + within;
        let left = || until.saturating_duration_since(Instant::now());
        let row = self.row(look::SAMPLE, left()).await?;
        let lines = self.rows(look::LINES, left()).await?;
        let semisync = self.rows(look::SEMISYNC, left()).await?;
        look::answer(&row, &lines, &semisync)
    }

    /// A lock that no other session has, and that ends with this one.
    async fn identify(&mut self, within: Duration) -> Result<String, Failure> {
        let name = "select concat('interlock/', connection_id(), '/', unix_timestamp(now(6))) as name";
        let mut row = self.row(name, within).await?;
        let name = row.remove("name").unwrap_or_default();
        let taken = self.row(&format!("select get_lock('{name}', 0) as taken"), within).await?;
        match taken.get("taken").map(String::as_str) {
            Some("1") => Ok(name),
            _ => Err(Failure::unexpected(format!("the lock {name} is taken"))),
        }
    }

    async fn sample(&mut self, within: Duration) -> Result<Sample, Failure> {
        look::sample(&self.row(look::SAMPLE, within).await?)
    }

    async fn run(&mut self, sql: &str, within: Duration) -> Result<(), Failure> {
        bounded(within, self.conn.query_drop(sql)).await
    }

    async fn prepare_insert(&mut self, within: Duration) -> Result<(), Failure> {
        if self.conn.is_disconnected() {
            return Err(Failure::closed());
        }
        if self.insert.is_none() {
            let sql = format!("insert into {LEDGER} (id) values (?)");
            self.insert = Some(bounded(within, self.conn.prep(sql)).await?);
        }
        Ok(())
    }

    async fn insert(&mut self, id: i64, within: Duration, notices: &mut Vec<String>) -> Result<(), Failure> {
        let begun = Instant::now();
        let Some(statement) = &self.insert else {
            return Err(Failure::closed());
        };
        bounded(within, self.conn.exec_drop(statement, Params::from((id,)))).await?;
        if self.conn.get_warnings() > 0 {
            // That it cannot be asked what it remarked changes nothing of how the row fared.
            let rows = self.rows("show warnings", within.saturating_sub(begun.elapsed())).await.unwrap_or_default();
            let part = |row: &Columns, name: &str| row.get(name).cloned().unwrap_or_default();
            let remark = |row| format!("{} {}: {}", part(row, "level"), part(row, "code"), part(row, "message"));
            notices.extend(rows.iter().map(remark));
        }
        Ok(())
    }

    async fn has_ledger(&mut self, within: Duration) -> Result<bool, Failure> {
        let sql = format!(
            "select table_name from information_schema.tables where table_schema = database() and table_name = '{LEDGER}'"
        );
        Ok(!self.rows(&sql, within).await?.is_empty())
    }

    async fn each_pair(
        &mut self,
        sql: &str,
        within: Duration,
        each: &mut (dyn FnMut(i64, i64) + Send),
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
}

async fn bounded<T>(within: Duration, asked: impl Future<Output = mysql_async::Result<T>>) -> Result<T, Failure> {
    match tokio::time::timeout(within, asked).await {
        Ok(answer) => answer.map_err(Failure::from),
        Err(_) => Err(Failure::timeout(within)),
    }
}

fn by_name(row: Row) -> Columns {
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
