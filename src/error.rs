//! What can go wrong before or beside an outcome, and the exit code each kind ends in.

mod port;

use std::fmt;

pub use port::PortError;

/// The exit codes of the command; documented and stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Kept, or passed.
    Kept = 0,
    /// Rolled back, or the platform failed the check.
    RolledBack = 1,
    /// Invalid input or usage; nothing was touched.
    Invalid = 2,
    /// Refused by a gate, or forbidden; nothing was touched.
    Refused = 3,
    /// Platform or metrics cannot be reached, or do not know us; nothing was touched.
    Unreachable = 4,
    /// Something may be left changed; a person is needed.
    Stuck = 5,
    /// Held: inconclusive, and left as it is for a person to decide.
    Held = 6,
    /// Interrupted, and put back.
    Interrupted = 7,
}

/// A place in a text that a person wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as it was named.
    pub file: String,
    /// Line, counted from 1.
    pub line: u64,
    /// Column in characters, counted from 1.
    pub column: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A fault in a document, with where it is and how to fix it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{place}: {what}")]
pub struct Fault {
    /// Where it is.
    pub place: Place,
    /// What is wrong.
    pub what: String,
    /// How to fix it.
    pub hint: String,
    /// The whole text, to show the line.
    pub text: String,
}

/// Why a command could not come to an outcome.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A document is not what it should be.
    #[error(transparent)]
    Document(Box<Fault>),
    /// What was typed makes no sense.
    #[error("{what}")]
    Usage {
        /// What is wrong.
        what: String,
        /// How to fix it.
        hint: String,
    },
    /// A gate said no.
    #[error("refused: {what}")]
    Refused {
        /// The gate and its reason.
        what: String,
        /// How to fix it.
        hint: String,
    },
    /// A part of the platform failed us.
    #[error("{source}")]
    Port {
        /// What the port said.
        source: PortError,
        /// What to do next.
        hint: String,
    },
    /// A file or folder of ours cannot be read or written.
    #[error("{place}: {why}")]
    Store {
        /// The file or folder.
        place: String,
        /// What the system said.
        why: String,
        /// What to do next.
        hint: String,
    },
    /// Another run has the id.
    #[error("run {run} exists already")]
    Taken {
        /// The id.
        run: String,
    },
    /// Another owner has taken the run over.
    #[error("superseded: run {run} belongs to epoch {theirs} now, ours was {ours}")]
    Superseded {
        /// The run.
        run: String,
        /// Our epoch.
        ours: u64,
        /// The epoch of the new owner.
        theirs: u64,
    },
    /// A journal or an approval is not what was written.
    #[error("{what}")]
    Tampered {
        /// What does not fit, and where.
        what: String,
        /// What to do next.
        hint: String,
    },
}

impl Error {
    /// A usage error with its fix.
    pub fn usage(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { what: what.into(), hint: hint.into() }
    }

    /// A port's error with what to do next.
    pub fn port(source: PortError, hint: impl Into<String>) -> Self {
        Self::Port { source, hint: hint.into() }
    }

    /// The exit code that this error ends in.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Document(_) | Self::Usage { .. } => Exit::Invalid,
            Self::Refused { .. } | Self::Port { source: PortError::Forbidden { .. }, .. } => Exit::Refused,
            Self::Port { .. } | Self::Store { .. } | Self::Taken { .. } => Exit::Unreachable,
            // Nobody can tell from it what is left changed.
            Self::Superseded { .. } | Self::Tampered { .. } => Exit::Stuck,
        }
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &str {
        match self {
            Self::Document(fault) => &fault.hint,
            Self::Usage { hint, .. }
            | Self::Refused { hint, .. }
            | Self::Port { hint, .. }
            | Self::Store { hint, .. }
            | Self::Tampered { hint, .. } => hint,
            Self::Taken { .. } => "try again; the next run gets another id",
            Self::Superseded { .. } => "`interlock runs show` tells what the new owner did",
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Document(Box::new(fault))
    }
}
