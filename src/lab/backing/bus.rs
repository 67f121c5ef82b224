//! The event bus: an event goes to every subscription to its topic, and is gone where there is none.

use std::path::Path;

use super::{
    Backing,
    messages::{Unclaimed, routes as deliver},
    serve::Routes,
};
use crate::error::Error;

/// What the bus answers, with its state in `file`.
///
/// # Errors
/// Where the file cannot be opened.
pub fn routes(file: &Path) -> Result<Routes, Error> {
    deliver(Backing::Bus, file, Unclaimed::Accepted)
}
