//! What happened, durably and in order: hash-chained records, locks with epochs, and the store of runs.

mod disk;
mod folder;
mod lock;
mod record;
mod store;
mod verify;

pub use folder::FolderStore;
pub use lock::{Grant, Lock, Owner};
pub use record::{Digest, Record};
pub use store::Store;
pub use verify::{Verified, verify};
