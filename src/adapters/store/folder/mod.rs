//! The run store in a folder of this machine: files that are synced, claims that one process alone can create.

mod claims;
mod disk;
mod earlier;
mod files;
mod folder_store;
mod locks;
mod machine;
mod prune;
mod read;
mod segments;
mod snapshots;

pub use disk::Disk;
pub use folder_store::FolderStore;
pub use machine::{Machine, Sight, Work};
