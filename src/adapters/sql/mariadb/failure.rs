//! What an error of `MariaDB` means.

use mysql_async::{DriverError, Error, IoError};

use crate::adapters::sql::failure::{Failure, Kind};

/// Errors that answer a statement and do not say that nothing was done: a failed commit or rollback, broken lines, a
/// server that ends, a connection that was killed.
const UNKNOWN: &[u16] = &[1053, 1158, 1159, 1160, 1161, 1180, 1181, 1927];

/// Privileges that are missing: for a database, a table, a column, a statement.
const FORBIDDEN: &[u16] = &[1044, 1142, 1143, 1227];

/// A user that is not known, or its password; a database that is not there.
const STRANGER: &[u16] = &[1045, 1049, 1130, 1698];

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Server(said) => Self {
                class: said.code.to_string(),
                coded: true,
                undone: !UNKNOWN.contains(&said.code),
                kind: kind(said.code),
                words: said.message,
            },
            Error::Io(IoError::Io(cause)) => Self::io(cause.kind(), cause.to_string()),
            Error::Io(cause) => Self::io(std::io::ErrorKind::ConnectionReset, cause.to_string()),
            Error::Driver(DriverError::ConnectionClosed) => Self::closed(),
            // What else the driver says may repeat values, and with them secrets.
            Error::Driver(_) | Error::Other(_) | Error::Url(_) => {
                Self::unexpected("the driver could not read the answer")
            }
        }
    }
}

fn kind(code: u16) -> Kind {
    match code {
        code if FORBIDDEN.contains(&code) => Kind::Forbidden,
        code if STRANGER.contains(&code) => Kind::UnknownUser,
        code if UNKNOWN.contains(&code) => Kind::Unreachable,
        _ => Kind::Unexpected,
    }
}

#[cfg(test)]
mod tests {
    use mysql_async::ServerError;

    use super::*;
    use crate::ports::Written;

    fn said(code: u16) -> Failure {
        Error::Server(ServerError { code, message: "no".to_owned(), state: "HY000".to_owned() }).into()
    }

    #[test]
    fn an_answer_says_that_nothing_was_done_unless_the_commit_failed() {
        for refused in [1290, 1146] {
            assert_eq!(said(refused).sent(), Written::Refused { class: refused.to_string() });
        }
        for unknown in [1053, 1180, 1927] {
            assert_eq!(said(unknown).sent(), Written::Unknown { class: unknown.to_string() });
        }
    }

    #[test]
    fn a_password_that_is_wrong_is_no_permission_that_is_missing() {
        assert_eq!(kind(1045), Kind::UnknownUser);
        assert_eq!(kind(1227), Kind::Forbidden);
        assert_eq!(kind(1064), Kind::Unexpected);
    }
}
