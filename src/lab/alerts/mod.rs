//! The sink of a full lab: takes what services log, and raises alerts.

mod board;
mod routes;

pub use board::{Alert, Board, Level, Log};
pub use routes::{Told, serve};
