//! What happened, durably and in order: hash-chained records, locks with epochs, and the store of runs.

mod chain;
mod disk;
mod folder;
mod lock;
mod record;
mod store;
mod verify;

pub use chain::{Chain, Head, Sealed, tampered};
pub use folder::FolderStore;
pub use lock::{Grant, Lock, Owner, held, superseded};
pub use record::{Digest, Record};
pub use store::Store;
pub use verify::{Verified, verify};
