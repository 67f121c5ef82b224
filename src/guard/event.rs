//! What the guard tells reporters while it runs: the journal's entries, and what it is about to do.

use super::{Entry, Plan};
use crate::model::RunId;

/// One thing to report.
#[derive(Debug)]
pub enum Event<'a> {
    /// A run is being driven, from its beginning or from where another owner left it.
    Driving {
        /// The run.
        run: &'a RunId,
        /// Its plan.
        plan: &'a Plan,
    },
    /// A step is about to be done.
    Begins {
        /// The step.
        step: usize,
    },
    /// The value of a step's key is about to be put back.
    Returns {
        /// The first step with its key.
        step: usize,
        /// What will stand there again, for people.
        to: String,
    },
    /// An entry is durable in the journal.
    Recorded(&'a Entry),
    /// A look was taken that only waits, and is carried on without being recorded.
    Looked(&'a Entry),
    /// Something that a person should know and that changes nothing.
    Remark(&'a str),
}

/// Renders events.
pub trait Events: Send + Sync {
    /// Takes one event; must not block for long.
    fn event(&self, event: &Event<'_>);
}

/// Renders nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Events for Silent {
    fn event(&self, _: &Event<'_>) {}
}
