//! The replicas behind a slot.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Fence, PortError};
use crate::model::{Epoch, Slot};

/// One replica of a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// Its name, stable across restarts.
    pub name: String,
    /// Whether it says that it can take traffic.
    pub ready: bool,
    /// The release that it runs.
    pub version: String,
    /// How often its process has ended by itself since the replica was made.
    pub exits: u64,
    /// Why it is not ready, where the platform says so, such as `ImagePullBackOff: no such image`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// Looks after the replicas behind the slots of one service.
#[async_trait]
pub trait Workload: Send + Sync {
    /// Lists a slot's replicas, ready or not.
    ///
    /// # Errors
    /// Where the platform cannot be asked.
    async fn replicas(&self, slot: Slot) -> Result<Vec<Replica>, PortError>;
    /// Reads how many replicas the slot is meant to have.
    ///
    /// # Errors
    /// Where the platform cannot be asked.
    async fn scale(&self, slot: Slot) -> Result<u32, PortError>;
    /// The highest epoch that the object bears which holds a slot's scale.
    ///
    /// # Errors
    /// Where the platform cannot be asked.
    async fn scale_epoch(&self, slot: Slot) -> Result<Epoch, PortError>;
    /// What tells the object that holds a slot's scale from any other that will ever have its name; `None` where the platform
    /// knows no such thing.
    ///
    /// # Errors
    /// Where the platform cannot be asked.
    async fn scale_object(&self, slot: Slot) -> Result<Option<String>, PortError> {
        let _ = slot;
        Ok(None)
    }
    /// From here on only this very object is fenced and written for the slot, and where it is `marked` only as long as it bears a
    /// mark. Only the first call counts.
    fn bind_scale(&self, slot: Slot, object: &str, marked: bool) {
        let _ = (slot, object, marked);
    }
    /// Raises the epoch and keeps the scale, which it reads: whatever an earlier owner, or an earlier epoch of this one, still has
    /// under way is refused from here on.
    ///
    /// # Errors
    /// [`PortError::Superseded`] where a later owner has written; where the platform cannot be asked.
    async fn fence_scale(&self, slot: Slot, epoch: Epoch) -> Result<u32, PortError>;
    /// Sets how many replicas the slot is meant to have; repeating the call changes nothing more. A message that arrives after the
    /// scale was written or fenced again changes nothing.
    ///
    /// # Errors
    /// [`PortError::Superseded`] and [`PortError::Conflict`] where the fence does not hold.
    async fn set_scale(&self, slot: Slot, to: u32, fence: &Fence<u32>) -> Result<(), PortError>;
}
