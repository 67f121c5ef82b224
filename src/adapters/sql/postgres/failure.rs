//! What an error of `PostgreSQL` means.

use std::{error::Error as _, io};

use tokio_postgres::{
    Error,
    error::{DbError, Severity},
};

use crate::adapters::sql::failure::{Failure, Kind};

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        if let Some(said) = error.as_db_error() {
            let code = said.code().code();
            let undone = says_undone(code, said.parsed_severity());
            return Self { class: code.to_owned(), coded: true, undone, kind: kind(code), words: words(said) };
        }
        // What wraps it only says that there was an error; the cause beneath is what tells.
        let (heading, cause) = (error.to_string(), error.source());
        let words = cause.map_or(heading.clone(), ToString::to_string);
        match cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
            _ if error.is_closed() => Self::io(io::ErrorKind::ConnectionReset, words),
            Some(cause) => Self::io(cause.kind(), words),
            None if heading.starts_with("invalid configuration") || heading.starts_with("authentication") => {
                Self::local("credentials", Kind::UnknownUser, words)
            }
            None => Self::unexpected(words),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::from(&error)
    }
}

fn kind(code: &str) -> Kind {
    match code {
        "42501" => Kind::Forbidden,
        "3D000" => Kind::Unreachable,
        code if code.starts_with("28") => Kind::UnknownUser,
        code if code.starts_with("57P") || code.starts_with("53") => Kind::Unreachable,
        _ => Kind::Unexpected,
    }
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
    fn wrong_credentials_are_no_permission_that_is_missing() {
        assert_eq!(kind("28P01"), Kind::UnknownUser);
        assert_eq!(kind("42501"), Kind::Forbidden);
        assert_eq!(kind("42601"), Kind::Unexpected);
    }
}
