//! A source of counters that is built when the first look needs it. Going back needs none, so a secret that is missing
//! there, or an address that makes no sense, is in nobody's way.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use super::Snapshot;
use crate::{
    error::Error,
    model::Timestamp,
    operation::Build,
    ports::{Metrics, PortError, Selector, Series},
};

impl Snapshot {
    pub(super) async fn metrics_source(&self, build: Build) -> Result<Arc<dyn Metrics>, Error> {
        match build {
            Build::Now => self.metrics().await,
            Build::WhenNeeded => Ok(Arc::new(WhenNeeded { snapshot: self.clone(), built: OnceCell::new() })),
        }
    }
}

struct WhenNeeded {
    snapshot: Snapshot,
    built: OnceCell<Arc<dyn Metrics>>,
}

#[async_trait]
impl Metrics for WhenNeeded {
    async fn samples(&self, selector: &Selector, since: Timestamp) -> Result<Vec<Series>, PortError> {
        let built = self.built.get_or_try_init(|| self.snapshot.metrics()).await;
        built.map_err(|e| PortError::unreachable("it", format!("{e}; {}", e.hint())))?.samples(selector, since).await
    }

    fn name(&self) -> String {
        self.built.get().map_or_else(|| "the source of counters".to_owned(), |built| built.name())
    }
}
