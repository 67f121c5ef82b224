//! Traces against diagrams: spans made by hand, and what a check says of them.

mod asynchronous;
mod broken;
mod operators;
mod parties;
mod platform;
mod properties;
mod replies;
mod states;
mod verdicts;
