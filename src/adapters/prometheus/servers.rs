//! Several Prometheus servers as one source: one for each zone or cluster, or replicas of one another.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use futures::future::try_join_all;

use super::Prometheus;
use crate::{
    model::Timestamp,
    ports::{Metrics, PortError, Selector, Series},
    slo::{self, Counting, Side, SourceAnswer},
};

/// One server, or several whose series are joined. Where one does not answer, nothing is known.
pub struct PrometheusServers {
    servers: Vec<Prometheus>,
}

impl PrometheusServers {
    /// Joins servers.
    #[must_use]
    pub const fn new(servers: Vec<Prometheus>) -> Self {
        Self { servers }
    }

    /// One by one.
    pub fn each(self) -> impl Iterator<Item = Prometheus> {
        self.servers.into_iter()
    }

    /// The share of bad events over a time, of all servers together; `None` where there were no events.
    ///
    /// # Errors
    /// Where one of them cannot be asked.
    pub async fn bad_share(&self, counting: &Counting, over: Duration) -> Result<Option<f64>, PortError> {
        if let [server] = self.servers.as_slice() {
            let share = number(server, &slo::bad_share(counting, over)).await?;
            return Ok(share.filter(|share| share.is_finite()));
        }
        let mut events = BTreeMap::new();
        for side in [Side::Good, Side::Bad, Side::Total] {
            let Some(query) = slo::event_rate(counting, side, over) else { continue };
            let rates = try_join_all(self.servers.iter().map(|server| number(server, &query))).await?;
            events.insert(side, rates.into_iter().flatten().sum::<f64>());
        }
        Ok(slo::share_of(&events))
    }
}

async fn number(server: &Prometheus, query: &str) -> Result<Option<f64>, PortError> {
    Ok(server.instant(query).await?.first().map(|(_, value)| *value))
}

#[async_trait]
impl Metrics for PrometheusServers {
    async fn samples(&self, selector: &Selector, since: Timestamp) -> Result<Vec<Series>, PortError> {
        if let [server] = self.servers.as_slice() {
            return server.samples(selector, since).await;
        }
        let answers = self.servers.iter().map(|server| async {
            // In this order, so that the samples hold what was reached.
            let reached = server.reached(selector).await?;
            let series = server.samples(selector, since).await?;
            Ok::<_, PortError>(SourceAnswer { source: server.place.clone(), reached, series })
        });
        slo::joined(try_join_all(answers).await?).map_err(|why| PortError::unexpected(self.name(), why))
    }

    fn name(&self) -> String {
        let places: Vec<&str> = self.servers.iter().map(|server| server.place.as_str()).collect();
        format!("prometheus {}", places.join(" and "))
    }
}
