//! What a write is conditioned on, so that no owner of old can overwrite a later one, and no late message anything at all.

use crate::model::Epoch;

/// What a write is conditioned on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence<T> {
    /// The writer's term; a platform that has seen a higher one at this object refuses.
    pub epoch: Epoch,
    /// The value that the writer takes to stand now; a platform that has another one refuses.
    pub from: T,
}
