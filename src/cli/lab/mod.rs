//! `interlock lab`: the embedded platform.

mod acts;
mod command;
mod database;
mod demo;
mod down;
mod files;
mod play;
mod serve;
mod services;
mod setup;
mod show;

pub use command::{Args, run};
