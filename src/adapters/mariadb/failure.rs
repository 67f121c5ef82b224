//! What an error of `MariaDB` means for a statement: not done, or nobody knows.

use std::{io, time::Duration};

use mysql_async::{DriverError, Error, IoError};

use crate::{
    model::Span,
    ports::{PortError, Written},
};

/// Errors that answer a statement and do not say that nothing was done: a failed commit or rollback, broken lines, a
/// server that ends, a connection that was killed.
const UNKNOWN: &[u16] = &[1053, 1158, 1159, 1160, 1161, 1180, 1181, 1927];

/// Privileges that are missing: for a database, a table, a column, a statement.
const FORBIDDEN: &[u16] = &[1044, 1142, 1143, 1227];

/// A user that is not known, or its password; a database that is not there.
const STRANGER: &[u16] = &[1045, 1049, 1130, 1698];

/// Why a server did not do what it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its error number, or `timeout`, `closed`, `refused` where nobody listens, `odd`.
    pub class: String,
    /// The number, where the server gave one.
    pub code: Option<u16>,
    /// What was said, for people.
    pub words: String,
}

impl Failure {
    /// No answer in time.
    pub fn timeout(within: Duration) -> Self {
        Self { class: "timeout".to_owned(), code: None, words: format!("no answer within {}", Span(within)) }
    }

    /// A connection that had ended before it was used.
    pub fn closed() -> Self {
        Self { class: "closed".to_owned(), code: None, words: "the connection has ended".to_owned() }
    }

    /// An answer that makes no sense to us.
    pub fn odd(words: impl Into<String>) -> Self {
        Self { class: "odd".to_owned(), code: None, words: words.into() }
    }

    /// How a statement ended that was sent.
    pub fn sent(self) -> Written {
        match self.code {
            Some(code) if !UNKNOWN.contains(&code) => Written::Refused { class: self.class },
            _ => Written::Unknown { class: self.class },
        }
    }

    /// How a statement ended that never was sent.
    pub fn unsent(self) -> Written {
        Written::Refused { class: self.class }
    }

    /// The same for a port: `what` is the node, `verb` what it was asked to do.
    pub fn port(self, what: &str, verb: &str) -> PortError {
        let Some(code) = self.code else {
            return match self.class.as_str() {
                "odd" => PortError::odd(what, self.words),
                _ => PortError::unreachable(what, self.words),
            };
        };
        let said = format!("{} ({code})", self.words);
        if FORBIDDEN.contains(&code) {
            return PortError::Forbidden { what: format!("{verb} {what}"), why: said };
        }
        if STRANGER.contains(&code) {
            return PortError::unreachable(what, format!("it does not know us: {said}"));
        }
        if UNKNOWN.contains(&code) { PortError::unreachable(what, said) } else { PortError::odd(what, said) }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let lost = |class: &str, words: String| Self { class: class.to_owned(), code: None, words };
        match error {
            Error::Server(said) => Self { class: said.code.to_string(), code: Some(said.code), words: said.message },
            Error::Io(IoError::Io(cause)) if cause.kind() == io::ErrorKind::ConnectionRefused => {
                lost("refused", cause.to_string())
            }
            Error::Io(cause) => lost("closed", cause.to_string()),
            Error::Driver(DriverError::ConnectionClosed) => Self::closed(),
            // What else the driver says may repeat values, and with them secrets.
            Error::Driver(_) | Error::Other(_) | Error::Url(_) => Self::odd("the driver could not read the answer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use mysql_async::ServerError;

    use super::*;

    fn said(code: u16) -> Failure {
        Error::Server(ServerError { code, message: "no".to_owned(), state: "HY000".to_owned() }).into()
    }

    #[test]
    fn an_answer_says_that_nothing_was_done_unless_the_commit_failed() {
        assert_eq!(said(1290).sent(), Written::Refused { class: "1290".to_owned() });
        assert_eq!(said(1146).sent(), Written::Refused { class: "1146".to_owned() });
        for unknown in [1053, 1180, 1927] {
            assert_eq!(said(unknown).sent(), Written::Unknown { class: unknown.to_string() });
        }
        let eof = Failure::from(Error::Io(IoError::Io(io::ErrorKind::UnexpectedEof.into())));
        assert_eq!(eof.clone().sent(), Written::Unknown { class: "closed".to_owned() });
        assert_eq!(eof.unsent(), Written::Refused { class: "closed".to_owned() });
        let silent = Failure::timeout(Duration::from_millis(200));
        assert_eq!(silent.sent(), Written::Unknown { class: "timeout".to_owned() });
    }

    #[test]
    fn a_password_that_is_wrong_is_no_permission_that_is_missing() {
        assert!(matches!(said(1045).port("mariadb a", "ask"), PortError::Unreachable { .. }));
        assert!(matches!(said(1227).port("mariadb a", "promote"), PortError::Forbidden { .. }));
        assert!(matches!(said(1064).port("mariadb a", "ask"), PortError::Odd { .. }));
    }
}
