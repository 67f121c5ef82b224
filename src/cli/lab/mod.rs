//! `interlock lab`: the embedded platform.

mod command;
mod serve;
mod show;

pub use command::{Args, run};
