//! Which slot live traffic reaches.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Fence, PortError};
use crate::model::{Epoch, Slot, Weights};

/// The requests that a slot has accepted and not yet answered, and who may send it more.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct InFlight {
    /// How many there are.
    pub count: u64,
    /// The age of the oldest.
    pub oldest: Duration,
    /// How many are older than the age that was asked for.
    pub older: u64,
    /// The oldest ones for people, at most ten, such as `GET /tenants/7 for 41s from 127.0.0.1:5123`.
    pub examples: Vec<String>,
    /// Connections that clients keep open to the slot itself, past any gateway; they do not follow the weights.
    #[serde(default)]
    pub connections: u64,
    /// The clients with most of them for people, at most ten, such as `10.244.0.9 (20)`.
    #[serde(default)]
    pub clients: Vec<String>,
}

/// Who takes new requests, by what the platform has on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Routed {
    /// One slot takes all of them.
    To {
        /// The slot.
        slot: Slot,
        /// What says so, for people.
        by: String,
    },
    /// It cannot be told.
    Unknown {
        /// Why.
        why: String,
    },
}

/// Decides which slot live traffic reaches.
#[async_trait]
pub trait Traffic: Send + Sync {
    /// Reads the share of new requests that each slot gets.
    ///
    /// # Errors
    /// Where the platform cannot be asked.
    async fn weights(&self) -> Result<Weights, PortError>;
    /// The highest epoch that the object bears which holds the shares.
    ///
    /// # Errors
    /// Where the platform cannot be asked.
    async fn weights_epoch(&self) -> Result<Epoch, PortError>;
    /// What tells the object that holds the shares from any other that will ever have its name; `None` where the platform knows
    /// no such thing.
    ///
    /// # Errors
    /// Where the platform cannot be asked.
    async fn weights_object(&self) -> Result<Option<String>, PortError> {
        Ok(None)
    }
    /// From here on only this very object is fenced and written, and where it is `marked` only as long as it bears a mark. Only
    /// the first call counts.
    fn bind_weights(&self, object: &str, marked: bool) {
        let _ = (object, marked);
    }
    /// Raises the epoch and keeps the shares, which it reads: whatever an earlier owner, or an earlier epoch of this one, still
    /// has under way is refused from here on.
    ///
    /// # Errors
    /// [`PortError::Superseded`] where a later owner has written; where the platform cannot be asked.
    async fn fence_weights(&self, epoch: Epoch) -> Result<Weights, PortError>;
    /// Sets the shares; repeating the call changes nothing more. Returns once new requests follow them. A message that arrives
    /// after the shares were written or fenced again changes nothing.
    ///
    /// # Errors
    /// [`PortError::Superseded`] and [`PortError::Conflict`] where the fence does not hold.
    async fn set_weights(&self, to: &Weights, fence: &Fence<Weights>) -> Result<(), PortError>;
    /// Reads who takes new requests, without sending any: whether whoever routes has accepted the shares, and what is behind them.
    ///
    /// # Errors
    /// Where the platform cannot be asked.
    async fn routed(&self) -> Result<Routed, PortError> {
        Ok(Routed::Unknown { why: "the platform has no record of who serves".to_owned() })
    }
    /// Reads what a slot has in flight, and how much of it is older than `older_than`.
    ///
    /// # Errors
    /// Where the platform cannot be asked.
    async fn in_flight(&self, slot: Slot, older_than: Duration) -> Result<InFlight, PortError>;
}
