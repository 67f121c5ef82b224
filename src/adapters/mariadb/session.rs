//! One connection of a drill: rows one by one, and questions in between.

use std::time::Duration;

use async_trait::async_trait;
use mysql_async::{Params, Statement};
use tokio::time::Instant;

use super::{failure::Failure, look, wire::Wire};
use crate::{
    adapters::sql::limits::LEDGER,
    ports::{PortError, Sample, Session, Written},
};

/// A connection to one node.
pub struct MariaDbSession {
    place: String,
    wire: Wire,
    insert: Option<Statement>,
}

impl MariaDbSession {
    /// Takes a connection to the node at `place`.
    pub const fn new(place: String, wire: Wire) -> Self {
        Self { place, wire, insert: None }
    }

    /// Whatever comes before a row is sent; the row is not there if this fails.
    async fn ready(&mut self, within: Duration) -> Result<Statement, Failure> {
        if self.wire.has_ended() {
            return Err(Failure::closed());
        }
        if let Some(statement) = &self.insert {
            return Ok(statement.clone());
        }
        let statement = self.wire.prepare(&format!("insert into {LEDGER} (id) values (?)"), within).await?;
        Ok(self.insert.insert(statement).clone())
    }

    /// What the server remarked on the last statement. That it cannot be asked changes nothing of how the row fared.
    async fn remarks(&mut self, within: Duration) -> Vec<String> {
        let rows = self.wire.rows("show warnings", within).await.unwrap_or_default();
        let part =
            |row: &std::collections::BTreeMap<String, String>, name: &str| row.get(name).cloned().unwrap_or_default();
        rows.iter()
            .map(|row| format!("{} {}: {}", part(row, "level"), part(row, "code"), part(row, "message")))
            .collect()
    }
}

#[async_trait]
impl Session for MariaDbSession {
    async fn insert(&mut self, id: u64, within: Duration, notices: &mut Vec<String>) -> Written {
        let Ok(id) = i64::try_from(id) else {
            return Written::Refused { class: "1264".to_owned() };
        };
        let begun = Instant::now();
        let statement = match self.ready(within).await {
            Ok(statement) => statement,
            Err(failure) => return failure.unsent(),
        };
        let left = || within.saturating_sub(begun.elapsed());
        match self.wire.execute(&statement, Params::from((id,)), left()).await {
            Ok(0) => Written::Acknowledged,
            Ok(_) => {
                notices.append(&mut self.remarks(left()).await);
                Written::Acknowledged
            }
            Err(failure) => failure.sent(),
        }
    }

    async fn sample(&mut self, within: Duration) -> Result<Sample, PortError> {
        let asked = self.wire.row(look::SAMPLE, within).await.and_then(|row| look::sample(&row));
        asked.map_err(|failure| failure.port(&self.place, "ask"))
    }
}
