//! What is wrong, or worth knowing, in documents and the diagrams in them.

mod fragments;
mod identifiers;
mod library;
mod participants;
mod races;
mod references;
mod replies;
mod report;
mod run;
mod stimuli;

pub use library::{Entry, Library, Site};
pub use report::{Finding, Report, Summary};
pub use run::{Source, lint};
pub(in crate::sequence) use stimuli::PEOPLE;
