//! What happened, durably and in order: hash-chained records, locks with epochs, and the store of runs.

mod chain;
mod claim;
mod disk;
mod earlier;
mod files;
mod folder;
mod lock;
mod locks;
mod machine;
mod record;
mod segment;
mod store;
mod verify;

pub use chain::{Chain, Head, Sealed, tampered};
pub use disk::{Disk, SystemDisk};
pub use folder::FolderStore;
pub use lock::{Grant, Lock, Owner, held, superseded};
pub use machine::{Machine, Sight, ThisMachine, Work};
pub use record::{Digest, Record};
pub use store::Store;
pub use verify::{Verified, verify};
