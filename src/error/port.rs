//! Why a platform did not do what was asked.

/// Why a port's call failed; the kind decides whether it is worth another try and which exit code it ends in.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PortError {
    /// The platform did not answer, or not in time.
    #[error("cannot reach {what}: {why}")]
    Unreachable {
        /// The part of the platform.
        what: String,
        /// What the connection said.
        why: String,
    },
    /// The platform knows us and says no.
    #[error("not allowed to {what}: {why}")]
    Forbidden {
        /// The verb and the resource.
        what: String,
        /// What the platform said.
        why: String,
    },
    /// The value is not the one that the write was conditioned on.
    #[error("found {found} where {expected} was expected")]
    Conflict {
        /// What stands there now.
        found: serde_json::Value,
        /// What the caller took to stand there.
        expected: serde_json::Value,
    },
    /// A later owner has written; this one must stop.
    #[error("superseded: epoch {ours} is older than {theirs}")]
    Superseded {
        /// Our epoch.
        ours: u64,
        /// The highest epoch that the platform has seen.
        theirs: u64,
    },
    /// The object is not the one that the caller has captured, or does not bear its mark any more. Nothing was written.
    #[error("{what} is not as it was captured: {why}")]
    Replaced {
        /// The object.
        what: String,
        /// What somebody has done to it.
        why: String,
    },
    /// Something was begun whose end is not known, and nothing here can hold it back.
    #[error("{what} may still act: {why}")]
    MayAct {
        /// What was begun.
        what: String,
        /// Why nobody can tell.
        why: String,
    },
    /// The platform has no such thing.
    #[error("no {what}")]
    NotFound {
        /// What was looked for.
        what: String,
    },
    /// The platform answered, and the answer makes no sense to us.
    #[error("{what} answered with something else than expected: {why}")]
    UnexpectedResponse {
        /// The part of the platform.
        what: String,
        /// What was wrong with the answer.
        why: String,
    },
}

impl PortError {
    /// Shorthand for [`PortError::Unreachable`].
    pub fn unreachable(what: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self::Unreachable { what: what.into(), why: why.to_string() }
    }

    /// Shorthand for [`PortError::UnexpectedResponse`].
    pub fn unexpected(what: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self::UnexpectedResponse { what: what.into(), why: why.to_string() }
    }
}
