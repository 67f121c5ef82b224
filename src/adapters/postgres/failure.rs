//! What an error of `PostgreSQL` means for a statement: not done, or nobody knows.

use std::{error::Error as _, io, time::Duration};

use tokio_postgres::{
    Error,
    error::{DbError, Severity},
};

use crate::{
    model::Span,
    ports::{PortError, Written},
};

/// Why a server did not do what it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its SQLSTATE, or `timeout`, `closed`, `refused` where nobody listens, `credentials`, `odd`.
    pub class: String,
    /// Whether the server says with it that nothing was done.
    undone: bool,
    /// What was said, for people.
    pub words: String,
}

impl Failure {
    /// No answer in time.
    pub fn timeout(within: Duration) -> Self {
        Self { class: "timeout".to_owned(), undone: false, words: format!("no answer within {}", Span(within)) }
    }

    /// A connection that had ended before it was used.
    pub fn closed() -> Self {
        Self { class: "closed".to_owned(), undone: false, words: "the connection has ended".to_owned() }
    }

    /// How a statement ended that was sent.
    pub fn sent(self) -> Written {
        if self.undone { Written::Refused { class: self.class } } else { Written::Unknown { class: self.class } }
    }

    /// How a statement ended that never was sent.
    pub fn unsent(self) -> Written {
        Written::Refused { class: self.class }
    }

    /// Whether the server refuses for want of a privilege.
    pub fn is_privilege(&self) -> bool {
        self.class == "42501"
    }

    /// The same for a port: `what` is the node, `verb` what it was asked to do.
    pub fn port(self, what: &str, verb: &str) -> PortError {
        let said = if self.class.len() == 5 { format!("{} ({})", self.words, self.class) } else { self.words };
        match self.class.as_str() {
            "42501" => PortError::Forbidden { what: format!("{verb} {what}"), why: said },
            class if class == "credentials" || class.starts_with("28") => {
                PortError::unreachable(what, format!("it does not know us: {said}"))
            }
            "timeout" | "closed" | "refused" | "3D000" => PortError::unreachable(what, said),
            class if class.starts_with("57P") || class.starts_with("53") => PortError::unreachable(what, said),
            _ => PortError::odd(what, said),
        }
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        if let Some(said) = error.as_db_error() {
            let undone = says_undone(said.code().code(), said.parsed_severity());
            return Self { class: said.code().code().to_owned(), undone, words: words(said) };
        }
        // What wraps it only says that there was an error; the cause beneath is what tells.
        let (heading, cause) = (error.to_string(), error.source());
        let class = match cause {
            _ if error.is_closed() => "closed",
            Some(cause) if is_refused(cause) => "refused",
            Some(cause) if cause.is::<io::Error>() => "closed",
            _ if heading.starts_with("invalid configuration") || heading.starts_with("authentication") => "credentials",
            _ => "odd",
        };
        Self { class: class.to_owned(), undone: false, words: cause.map_or(heading, ToString::to_string) }
    }
}

fn is_refused(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

fn words(said: &DbError) -> String {
    said.detail().map_or_else(|| said.message().to_owned(), |detail| format!("{}: {detail}", said.message()))
}

/// Whether an error that answers a statement says that the statement was not done.
///
/// An ERROR aborts its transaction; what fails after the commit record was written is a PANIC. A FATAL or a PANIC ends the
/// session or the server, perhaps after the commit: an administrator's shutdown (57P01) also ends a wait for a synchronous
/// standby, and then the row is there. 08 and 40003 say themselves that they do not know.
fn says_undone(class: &str, severity: Option<Severity>) -> bool {
    match class {
        "25006" | "57P03" => true,
        "57P01" | "57P02" | "40003" => false,
        class if class.starts_with("08") => false,
        _ => severity == Some(Severity::Error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_error_that_leaves_the_session_alive_says_that_nothing_was_done() {
        let error = Some(Severity::Error);
        let fatal = Some(Severity::Fatal);
        let cases = [
            ("25006", error, true),
            ("57P03", fatal, true),
            ("42P01", error, true),
            ("57014", error, true),
            ("53100", error, true),
            ("53100", Some(Severity::Panic), false),
            ("57P01", fatal, false),
            ("57P02", Some(Severity::Warning), false),
            ("40003", error, false),
            ("08006", error, false),
            ("XX000", fatal, false),
            // A server that does not tell its severity in English tells nothing.
            ("42P01", None, false),
        ];
        for (class, severity, undone) in cases {
            assert_eq!(says_undone(class, severity), undone, "{class} {severity:?}");
        }
    }

    #[test]
    fn what_was_never_sent_is_refused_whatever_its_class() {
        let timeout = Failure::timeout(Duration::from_millis(200));
        assert_eq!(timeout.clone().sent(), Written::Unknown { class: "timeout".to_owned() });
        assert_eq!(timeout.unsent(), Written::Refused { class: "timeout".to_owned() });
    }

    #[test]
    fn wrong_credentials_are_no_permission_that_is_missing() {
        let failure = |class: &str| Failure { class: class.to_owned(), undone: true, words: "no".to_owned() };
        assert!(matches!(failure("28P01").port("postgres a", "ask"), PortError::Unreachable { .. }));
        assert!(matches!(failure("42501").port("postgres a", "promote"), PortError::Forbidden { .. }));
        assert!(matches!(failure("42601").port("postgres a", "ask"), PortError::Odd { .. }));
    }
}
