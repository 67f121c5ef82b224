//! What has to be known of a platform before it is changed: who else manages it, and what we may do there.

use async_trait::async_trait;

use super::PortError;
use crate::model::Slot;

/// What an operation is going to write; nothing, for those who only look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Footprint {
    /// The operation, after which the role is called that lets it.
    pub operation: &'static str,
    /// It sets the shares of live traffic.
    pub weights: bool,
    /// It sets how many replicas these slots have.
    pub scales: Vec<Slot>,
}

impl Footprint {
    /// Whether nothing is written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        !self.weights && self.scales.is_empty()
    }
}

/// Someone who manages what an operation is going to write, and would put it back within seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manager {
    /// Who it is and what it manages, such as `Argo CD (argocd-controller) owns spec.selector.slot of services/tenant`.
    pub what: String,
    /// How to keep it out of the way.
    pub hint: String,
}

/// Something that an operation needs and that we may not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The verb and the resource, such as `patch services/tenant`.
    pub what: String,
    /// What the platform said.
    pub why: String,
}

/// Answers what has to be known before a platform is changed; changes nothing.
#[async_trait]
pub trait Preflight: Send + Sync {
    /// Names others who manage what `footprint` writes.
    ///
    /// # Errors
    /// Where the platform cannot be asked.
    async fn managers(&self, footprint: &Footprint) -> Result<Vec<Manager>, PortError>;
    /// Names what the operation needs, putting back included, and may not do; every write is tried without effect where
    /// the platform can do that.
    ///
    /// # Errors
    /// Where the platform cannot be asked.
    async fn missing(&self, footprint: &Footprint) -> Result<Vec<Missing>, PortError>;
    /// How what may be missing for `footprint` is granted, in one sentence.
    fn grant(&self, footprint: &Footprint) -> String;
    /// How to see for oneself how the platform stands, in one sentence.
    fn look(&self) -> String;
}
