//! Renders what happens for people and machines; with `cli` the only place that prints.

mod event;
mod json;
mod narrate;
mod style;
mod table;
mod terminal;

pub use event::{Format, events};
pub use json::{line, print};
pub use narrate::{Narrator, Told};
pub use style::{Style, is_plain};
pub use table::{closing, gates, history, plan, runs, show};
