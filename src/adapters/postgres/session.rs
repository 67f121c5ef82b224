//! One connection of a drill: rows one by one, and questions in between.

use std::time::Duration;

use async_trait::async_trait;
use tokio_postgres::{Statement, types::Type};

use super::{failure::Failure, look, wire::Wire};
use crate::{
    adapters::sql::limits::LEDGER,
    ports::{PortError, Sample, Session, Written},
};

/// A connection to one node.
pub struct PostgresSession {
    place: String,
    wire: Wire,
    insert: Option<Statement>,
    sample: Option<Statement>,
}

impl PostgresSession {
    /// Takes a connection to the node at `place`.
    pub const fn new(place: String, wire: Wire) -> Self {
        Self { place, wire, insert: None, sample: None }
    }

    async fn try_sample(&mut self, within: Duration) -> Result<Sample, Failure> {
        let statement = match &self.sample {
            Some(statement) => statement.clone(),
            None => self.sample.insert(self.wire.prepare(look::SAMPLE, &[], within).await?).clone(),
        };
        let row = self.wire.row_of(&statement, within).await?;
        look::sample(&row).map_err(|error| Failure::from(&error))
    }

    /// Whatever comes before a row is sent; the row is not there if this fails.
    async fn ready(&mut self, within: Duration) -> Result<Statement, Failure> {
        self.wire.check().await?;
        if let Some(statement) = &self.insert {
            return Ok(statement.clone());
        }
        let sql = format!("insert into {LEDGER} (id) values ($1)");
        Ok(self.insert.insert(self.wire.prepare(&sql, &[Type::INT8], within).await?).clone())
    }
}

#[async_trait]
impl Session for PostgresSession {
    async fn insert(&mut self, id: u64, within: Duration, notices: &mut Vec<String>) -> Written {
        let Ok(id) = i64::try_from(id) else {
            return Written::Refused { class: "22003".to_owned() };
        };
        let begun = tokio::time::Instant::now();
        let statement = match self.ready(within).await {
            Ok(statement) => statement,
            Err(failure) => return failure.unsent(),
        };
        let done = self.wire.execute(&statement, &[&id], within.saturating_sub(begun.elapsed())).await;
        notices.append(&mut self.wire.take_notices());
        match done {
            Ok(_) => Written::Acknowledged,
            Err(failure) => failure.sent(),
        }
    }

    async fn sample(&mut self, within: Duration) -> Result<Sample, PortError> {
        self.try_sample(within).await.map_err(|failure| failure.port(&self.place, "ask"))
    }
}
