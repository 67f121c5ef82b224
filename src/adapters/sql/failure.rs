//! What a database's error means: for a statement, that it was not done or that nobody knows; for a port, what to tell people.

use std::{io, time::Duration};

use crate::{
    model::HumanDuration,
    ports::{PortError, Written},
};

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The server, or the way to it.
    Unreachable,
    /// The user is not known there, or its password is wrong.
    UnknownUser,
    /// A privilege is missing.
    Forbidden,
    /// An answer that makes no sense to us.
    Unexpected,
}

/// Why a server did not do what it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The server's own code, or `timeout`, `closed`, `refused` where nobody listens, `credentials`, `odd`.
    pub class: String,
    /// Whether the class is the server's own code.
    pub coded: bool,
    /// Whether the server says with it that nothing was done.
    pub undone: bool,
    /// Whose fault it is.
    pub kind: Kind,
    /// What was said, for people.
    pub words: String,
}

impl Failure {
    /// An error that the server did not give itself.
    pub fn local(class: &str, kind: Kind, words: impl Into<String>) -> Self {
        Self { class: class.to_owned(), coded: false, undone: false, kind, words: words.into() }
    }

    /// No answer in time.
    pub fn timeout(within: Duration) -> Self {
        Self::local("timeout", Kind::Unreachable, format!("no answer within {}", HumanDuration(within)))
    }

    /// A connection that had ended before it was used.
    pub fn closed() -> Self {
        Self::local("closed", Kind::Unreachable, "the connection has ended")
    }

    /// An answer that makes no sense to us.
    pub fn unexpected(words: impl Into<String>) -> Self {
        Self::local("odd", Kind::Unexpected, words)
    }

    /// A connection that broke, or that nobody took.
    pub fn io(kind: io::ErrorKind, words: String) -> Self {
        let class = if kind == io::ErrorKind::ConnectionRefused { "refused" } else { "closed" };
        Self::local(class, Kind::Unreachable, words)
    }

    /// Whether nobody listens there.
    pub fn is_refused(&self) -> bool {
        self.class == "refused"
    }

    /// How a statement ended that was sent.
    pub fn sent(self) -> Written {
        if self.undone { Written::Refused { class: self.class } } else { Written::Unknown { class: self.class } }
    }

    /// How a statement ended that never was sent.
    pub fn unsent(self) -> Written {
        Written::Refused { class: self.class }
    }

    /// The same for a port: `what` is the node, `verb` what it was asked to do.
    pub fn port(self, what: &str, verb: &str) -> PortError {
        let said = if self.coded { format!("{} ({})", self.words, self.class) } else { self.words };
        match self.kind {
            Kind::Unreachable => PortError::unreachable(what, said),
            Kind::UnknownUser => PortError::unreachable(what, format!("it does not know us: {said}")),
            Kind::Forbidden => PortError::Forbidden { what: format!("{verb} {what}"), why: said },
            Kind::Unexpected => PortError::unexpected(what, said),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_sent_is_refused_whatever_its_class() {
        let timeout = Failure::timeout(Duration::from_millis(200));
        assert_eq!(timeout.clone().sent(), Written::Unknown { class: "timeout".to_owned() });
        assert_eq!(timeout.unsent(), Written::Refused { class: "timeout".to_owned() });
        let ended = Failure::io(io::ErrorKind::UnexpectedEof, "eof".to_owned());
        assert_eq!(ended.clone().sent(), Written::Unknown { class: "closed".to_owned() });
        assert_eq!(ended.unsent(), Written::Refused { class: "closed".to_owned() });
    }
}
