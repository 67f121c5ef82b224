//! What a write is conditioned on, so that no owner of old can overwrite a later one, and no late message anything at all.

use std::fmt;

use serde::Serialize;

use crate::model::Epoch;

/// What a write is conditioned on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence<T> {
    /// The writer's term; a platform that has seen a higher one at this object refuses.
    pub epoch: Epoch,
    /// The value that the writer takes to stand now; a platform that has another one refuses.
    pub from: T,
}

/// What keeps a write that is still under way from landing once its run has another owner, or is over. Ordered from the
/// strongest to the weakest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Fencing {
    /// The object refuses it, by its epoch and its version.
    Version,
    /// Its session at a database is ended first, or what it has begun is awaited.
    Session,
    /// Its process group is ended first, on the machine where it runs.
    Child,
    /// Nothing does.
    None,
}

impl Fencing {
    /// What becomes of a write that is under way when its owner dies, for people.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Version => "is refused: whoever goes back raises the object's epoch first",
            Self::Session => "is ended with its database session before anything is put back; a promotion is awaited",
            Self::Child => {
                "is ended with its process group before anything is put back; from another machine it cannot be, and the run \
                 ends stuck (exit code 5): it may still act"
            }
            Self::None => {
                "cannot be stopped: it may still act after the run is over. It is awaited; where its end is not seen the run \
                 ends stuck (exit code 5), even if everything looks as before"
            }
        }
    }
}

impl fmt::Display for Fencing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Version => "version",
            Self::Session => "session",
            Self::Child => "child",
            Self::None => "none",
        })
    }
}
