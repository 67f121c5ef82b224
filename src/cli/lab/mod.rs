//! `interlock lab`: the embedded platform.

mod acts;
mod address;
mod check;
mod command;
mod database;
mod demo;
mod deploy;
mod down;
mod files;
mod play;
mod serve;
mod services;
mod setup;
mod show;

pub use command::{Args, run};
