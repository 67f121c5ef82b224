//! Writes to the platform in memory that may be held up on their way.

use interlock::{
    model::{Slot, Weights},
    ports::{Fence, PortError},
};

/// A write on its way: it was made for one version of one object, by its uid.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    Weights { to: Weights, fence: Fence<Weights>, made_for: (u64, u64) },
    Scale { slot: Slot, to: u32, fence: Fence<u32>, made_for: (u64, u64) },
}

/// What the sender of a write hears.
pub(super) enum Sent {
    Answered(Result<(), PortError>),
    Waits,
}

/// Gives the answer to whoever waits for one.
pub(super) async fn heard(sent: Sent) -> Result<(), PortError> {
    match sent {
        Sent::Answered(answer) => answer,
        Sent::Waits => std::future::pending().await,
    }
}
