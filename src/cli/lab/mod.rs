//! `interlock lab`: the embedded platform.

mod acts;
mod command;
mod database;
mod demo;
mod files;
mod serve;
mod services;
mod setup;
mod show;

pub use command::{Args, run};
