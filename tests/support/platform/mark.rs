//! Who may write to an object of the platform in memory, and what is too late for it.

use serde_json::json;

use interlock::{
    model::Epoch,
    ports::{Fence, PortError},
};

/// What one object remembers of its writers; each object fences for itself, as those of real platforms do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// Which of the objects of this name it is.
    pub uid: u64,
    pub epoch: Epoch,
    pub version: u64,
}

impl Default for Mark {
    fn default() -> Self {
        Self { uid: 1, epoch: Epoch(0), version: 0 }
    }
}

impl Mark {
    /// Raises the epoch; nothing that was sent before is taken from here on.
    pub fn raise(&mut self, epoch: Epoch) -> Result<(), PortError> {
        if epoch < self.epoch {
            return Err(PortError::Superseded { ours: epoch.0, theirs: self.epoch.0 });
        }
        *self = Self { epoch, version: self.version + 1, ..*self };
        Ok(())
    }

    /// Somebody makes the object anew, without our mark.
    pub fn make_anew(&mut self) {
        *self = Self { uid: self.uid + 1, ..Self::default() };
    }

    /// Whether a write holds that was made for `version` and takes `from` to stand where `found` does.
    pub fn admit<T: PartialEq + serde::Serialize>(
        &mut self,
        (uid, version): (u64, u64),
        found: &T,
        to: &T,
        fence: &Fence<T>,
    ) -> Result<(), PortError> {
        if fence.epoch < self.epoch {
            return Err(PortError::Superseded { ours: fence.epoch.0, theirs: self.epoch.0 });
        }
        if (uid, version) != (self.uid, self.version) || (*found != fence.from && found != to) {
            return Err(PortError::Conflict { found: json!(found), expected: json!(fence.from) });
        }
        self.raise(fence.epoch)
    }
}
