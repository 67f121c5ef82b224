//! Operations as their journals tell them.

use std::sync::Arc;

use async_trait::async_trait;

use super::Snapshot;
use crate::{
    adapters::Unbuilt,
    error::Error,
    guard::{Operation, Plan, Rebuild},
    operation::{Build, kind_of},
    ports::Notify,
};

/// Builds operations from what journals say.
#[derive(Debug, Clone, Copy)]
pub struct Rebuilder;

impl Rebuilder {
    /// Binds the plan's operation to its platform; the counters at once only where it is going to be watched again.
    ///
    /// # Errors
    /// Where this release does not know the operation or its platform.
    pub async fn build(self, plan: &Plan, metrics: Build) -> Result<Arc<dyn Operation>, Error> {
        kind_of(plan)?.rebuild(plan, &Snapshot::of_plan(plan)?, metrics).await
    }
}

#[async_trait]
impl Rebuild for Rebuilder {
    async fn operation(&self, plan: &Plan) -> Result<Arc<dyn Operation>, Error> {
        self.build(plan, Build::WhenNeeded).await
    }

    fn notify(&self, plan: &Plan) -> Vec<Arc<dyn Notify>> {
        match Snapshot::of_plan(plan) {
            Ok(snapshot) => snapshot.receivers(),
            Err(e) => vec![Arc::new(Unbuilt::new("notices", e.to_string()))],
        }
    }
}
