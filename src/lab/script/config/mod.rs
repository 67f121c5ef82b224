//! Settings of scripts, and the document that changes them while the services run.

mod current;
mod document;
mod publish;
mod setting;

pub use current::{Current, Taken};
pub use document::{FILE, check, desired};
pub use publish::{Published, Publisher};
pub use setting::{Setting, Settings};
