//! Traces as sequence diagrams: what happened, drawn so that it can be read, kept, and checked against later traces.

mod draw;
mod fold;
mod forest;
mod item;
mod names;
mod units;
mod write;

pub use write::{MOST_SPANS, Unfit, export};
