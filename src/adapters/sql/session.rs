//! One connection of a drill: rows one by one, and questions in between.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::engine::Wire;
use crate::ports::{PortError, Sample, Session, Written};

/// A connection to the node at `place`.
pub struct SqlSession<W> {
    pub place: String,
    pub wire: W,
}

#[async_trait]
impl<W: Wire> Session for SqlSession<W> {
    async fn insert(&mut self, id: u64, within: Duration, notices: &mut Vec<String>) -> Written {
        let Ok(id) = i64::try_from(id) else {
            return Written::Refused { class: W::OUT_OF_RANGE.to_owned() };
        };
        let begun = Instant::now();
        if let Err(failure) = self.wire.prepare_insert(within).await {
            return failure.unsent();
        }
        match self.wire.insert(id, within.saturating_sub(begun.elapsed()), notices).await {
            Ok(()) => Written::Acknowledged,
            Err(failure) => failure.sent(),
        }
    }

    async fn sample(&mut self, within: Duration) -> Result<Sample, PortError> {
        self.wire.sample(within).await.map_err(|failure| failure.port(&self.place, "ask"))
    }
}
