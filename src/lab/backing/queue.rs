//! The job queue: a job is done by one replica of the service that has declared it, and refused where none has.

use std::path::Path;

use super::{
    Backing,
    messages::{Unclaimed, routes as deliver},
    serve::Routes,
};
use crate::error::Error;

/// What the queue answers, with its state in `file`.
///
/// # Errors
/// Where the file cannot be opened.
pub fn routes(file: &Path) -> Result<Routes, Error> {
    deliver(Backing::Queue, file, Unclaimed::Refused)
}
