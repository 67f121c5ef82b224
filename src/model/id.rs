//! Names of runs, targets and owners' terms.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Names one run: sortable by time, safe as a file name and as a Kubernetes object name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    /// Builds an id from the time it starts and four hexadecimal digits of chance.
    #[must_use]
    pub fn new(at: jiff::Timestamp, chance: u16) -> Self {
        let day = at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y%m%d-%H%M%S");
        Self(format!("{day}-{chance:04x}"))
    }

    /// Reads an id that a person typed.
    ///
    /// # Errors
    /// Where it has characters that no run id has, which also keeps it inside the run store.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fits = (1..=40).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("`{text}` is no run id (such as 20261121-093000-1f2e)"))
        }
    }

    /// Another id of the same time, for where this one is taken: its digits of chance count on.
    #[must_use]
    pub fn another(&self) -> Self {
        let counted = self.0.rsplit_once('-').and_then(|(day, digits)| {
            let chance = u16::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 4)?;
            Some(Self(format!("{day}-{:04x}", chance.wrapping_add(1))))
        });
        counted.unwrap_or_else(|| self.clone())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What a run changes and a lock protects, such as the service `tenant`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Target(String);

impl Target {
    /// Reads a target's name: letters, digits, `-`, `_` and `.`, 63 at most, no leading dot.
    ///
    /// # Errors
    /// Where the name has other characters or length.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fits = (1..=63).contains(&text.len())
            && !text.starts_with('.')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("`{text}` is no target name: letters, digits, `-`, `_`, `.`; at most 63"))
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The term of an owner: each takeover of a target raises it, and a lower one may no longer write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The term after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_cannot_leave_the_store() {
        assert!(RunId::parse("../etc").is_err());
        assert!(Target::parse("..").is_err());
        assert!(Target::parse("a/b").is_err());
        assert!(Target::parse("tenant").is_ok());
    }

    #[test]
    fn run_ids_sort_by_time() {
        let id = RunId::new("2026-11-21T09:30:00Z".parse().unwrap(), 0x1f2e);
        assert_eq!(id.as_str(), "20261121-093000-1f2e");
        assert!(RunId::parse(id.as_str()).is_ok());
        assert_eq!(id.another().as_str(), "20261121-093000-1f2f");
        assert_eq!(RunId::parse("20261121-093000-ffff").unwrap().another().as_str(), "20261121-093000-0000");
    }
}
