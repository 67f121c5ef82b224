//! `interlock sequence`: documents with diagrams, and what is wrong with them.

mod command;
mod lint;
mod shelf;

pub use command::Command;
