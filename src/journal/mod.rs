//! What happened, durably and in order, as data: hash-chained records, parts and claims, locks with epochs. No I/O.

mod chain;
mod claim;
mod draft;
mod lock;
mod record;
#[cfg(test)]
mod sample;
mod segment;
mod verify;

pub(crate) use chain::{Chain, Head, Sealed, tampered};
pub(crate) use claim::{Beat, Claim};
pub use draft::{Draft, Milestone, ReadMilestone};
pub use lock::{Grant, Lock, Owner};
pub(crate) use lock::{alive, held, superseded};
pub(crate) use record::alone;
pub use record::{Digest, Record};
#[cfg(test)]
pub(crate) use sample::journal;
pub(crate) use segment::{After, FIRST, Header, Segment, numbered};
pub(crate) use verify::{Part, Tail, broken, first_line, verify};
