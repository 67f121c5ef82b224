//! What was typed, turned into what is meant; one file per command.

pub mod child;
#[cfg(feature = "lab")]
pub mod lab;
