//! Where an operation gets its ports from.

use std::sync::Arc;

use async_trait::async_trait;

use super::{drill, switchover};
use crate::{error::Error, ports::Clock};

/// When the source of counters is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// At once, with an error where it cannot be: nothing begins that could not be watched.
    Now,
    /// When the first look needs it; a look without it has no data, and says why.
    WhenNeeded,
}

/// The platform of a run, which gives each operation its ports.
#[async_trait]
pub trait Platform: Send + Sync {
    /// Time.
    fn clock(&self) -> Arc<dyn Clock>;
    /// The ports of a service.
    ///
    /// # Errors
    /// Where it is not there, or is not configured in a way that can work.
    async fn service_ports(&self, name: &str, metrics: Build) -> Result<switchover::Ports, Error>;
    /// The ports of a database, with its users' counters where they are watched.
    ///
    /// # Errors
    /// Where it is not there, or is not configured in a way that can work.
    async fn database_ports(&self, name: &str, users: Option<Build>) -> Result<drill::Ports, Error>;
}
