//! How well what a participant did fits a frame: costs from the innermost calls outward, each variant once.

mod body;
mod engine;
mod events;
mod ties;

pub(super) use body::{Body, is_otherwise};
pub(super) use engine::{Engine, Fitted};
pub(super) use events::{Aim, Does, Happened};
