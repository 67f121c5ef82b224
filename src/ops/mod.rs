//! The operations: what each one's steps mean. The guard does the rest.

pub mod around;
pub mod checkpoint;
pub mod drill;
pub mod switchover;
