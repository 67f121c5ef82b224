//! How a database is connected to: who we are, and whether the line is encrypted.

use std::{fmt, path::PathBuf};

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself; for the wire only.
    pub(in crate::adapters) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Whether the line to a database is encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Tls {
    #[default]
    Disable,
    /// It is, and the server's certificate has to be valid for its name.
    Require {
        /// The authorities that are trusted, in PEM; those of this machine where none is named.
        ca_file: Option<PathBuf>,
    },
}

/// Who connects to a database, and how. The same user has to be known at every node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    pub user: String,
    pub password: Option<Secret>,
    /// The database that the ledger's table is made in.
    pub database: String,
    /// Whether the line is encrypted.
    pub tls: Tls,
    /// Who looks at replication, promotes and lets nodes follow, where that is another user than the one who writes.
    pub admin: Option<Admin>,
}

/// A user who may look at replication, promote, and let nodes follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    pub user: String,
    pub password: Option<Secret>,
}

impl Connect {
    /// The same database as its administrator sees it.
    pub(in crate::adapters) fn as_admin(&self) -> Self {
        match &self.admin {
            None => self.clone(),
            Some(Admin { user, password }) => {
                Self { user: user.clone(), password: password.clone(), admin: None, ..self.clone() }
            }
        }
    }

    /// A text of somebody else's with the password taken out, should it be there: servers quote statements in their errors.
    pub(in crate::adapters) fn clean(&self, text: &str) -> String {
        match &self.password {
            Some(password) if !password.0.is_empty() => text.replace(&password.0, "***"),
            _ => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_never_shown() {
        let connect = Connect {
            user: "interlock".to_owned(),
            password: Some(Secret::from("tr0ub4dor".to_owned())),
            database: "app".to_owned(),
            admin: None,
            tls: Tls::Disable,
        };
        assert!(!format!("{connect:?}").contains("tr0ub4dor"));
        assert_eq!(connect.clean("near 'tr0ub4dor' at line 1"), "near '***' at line 1");
    }
}
