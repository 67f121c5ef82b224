//! How a run ends. An outcome is not an error.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Exit;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Outcome {
    /// The change stays.
    Kept {
        /// What was not as it should be, if anything.
        #[serde(rename = "reserve")]
        warning: Option<String>,
    },
    /// The change was taken back, because the platform failed under it or a step failed.
    RolledBack {
        /// With the evidence.
        why: String,
    },
    /// The platform was not fit for it; nothing was touched.
    Refused {
        /// What is missing.
        why: String,
    },
    /// The platform or its metrics could not be seen; nothing was touched.
    Unreachable {
        /// What could not be seen.
        why: String,
    },
    /// The change was taken back, because it could not be seen whether it does harm.
    Inconclusive {
        /// What could not be seen.
        why: String,
    },
    /// The change stays for now and a person has to decide.
    Held {
        /// What could not be seen.
        why: String,
    },
    /// Something may be left changed and a person is needed.
    Stuck {
        /// What could not be put back, and why.
        why: String,
    },
    /// A signal, an abort or the operator's death ended it, and things were put back.
    Interrupted {
        /// What happened.
        why: String,
    },
}

impl Outcome {
    /// The exit code that this outcome ends in.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Kept { .. } => Exit::Kept,
            Self::RolledBack { .. } => Exit::RolledBack,
            Self::Refused { .. } => Exit::Refused,
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::Inconclusive { .. } | Self::Held { .. } => Exit::Held,
            Self::Stuck { .. } => Exit::Stuck,
            Self::Interrupted { .. } => Exit::Interrupted,
        }
    }

    /// One word for lists, logs and notices.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Kept { .. } => "kept",
            Self::RolledBack { .. } => "rolled-back",
            Self::Refused { .. } => "refused",
            Self::Unreachable { .. } => "unreachable",
            Self::Inconclusive { .. } => "inconclusive",
            Self::Held { .. } => "held",
            Self::Stuck { .. } => "stuck",
            Self::Interrupted { .. } => "interrupted",
        }
    }

    /// Why it ended so; empty where it simply went as planned.
    #[must_use]
    pub fn why(&self) -> &str {
        match self {
            Self::Kept { warning } => warning.as_deref().unwrap_or_default(),
            Self::RolledBack { why }
            | Self::Refused { why }
            | Self::Unreachable { why }
            | Self::Inconclusive { why }
            | Self::Held { why }
            | Self::Stuck { why }
            | Self::Interrupted { why } => why,
        }
    }

    /// The outcome of a run that is over for certain, by its word; `None` for every other word.
    #[must_use]
    pub fn of_word(word: &str, why: String) -> Option<Self> {
        Some(match word {
            "kept" => Self::Kept { warning: Some(why).filter(|why| !why.is_empty()) },
            "rolled-back" => Self::RolledBack { why },
            "refused" => Self::Refused { why },
            "unreachable" => Self::Unreachable { why },
            "inconclusive" => Self::Inconclusive { why },
            "interrupted" => Self::Interrupted { why },
            _ => return None,
        })
    }

    /// Whether the run still holds its lock and waits for a person.
    #[must_use]
    pub const fn needs_person(&self) -> bool {
        matches!(self, Self::Held { .. } | Self::Stuck { .. })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why() {
            "" => f.write_str(self.word()),
            why => write!(f, "{}: {why}", self.word()),
        }
    }
}
