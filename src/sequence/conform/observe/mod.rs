//! What was observed, by the participants: which calls each of them made while it was called.

mod activations;
mod calls;
mod facts;
mod variant;

pub(in crate::sequence) use calls::Calls;
pub(in crate::sequence) use facts::PEERS;

pub(super) use activations::{ActivationId, Observations};
pub(super) use variant::{Mark, Sight, Source, Told, Variant, VariantId};
