//! The hash chain as such: follows it line by line and makes its next line, wherever the lines are kept.

use serde::{Deserialize, Serialize};

use super::{
    Digest, Record,
    record::{open, seal},
};
use crate::{
    error::Error,
    model::{Epoch, Timestamp},
};

/// Where a chain has got to: how many records it has, and the hash that the next one has to name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// How many records there are.
    pub records: u64,
    /// The hash of the last one.
    pub hash: Digest,
}

impl Default for Chain {
    fn default() -> Self {
        Self { records: 0, hash: Digest::origin() }
    }
}

/// A record that is ready to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Sealed {
    /// The record.
    pub record: Record,
    /// Its line, newline included.
    pub line: String,
    /// The chain with this record.
    pub chain: Chain,
}

impl Chain {
    /// Takes the next line (without its newline).
    ///
    /// # Errors
    /// Says why it cannot be the next one; the chain stays as it was.
    pub fn follow(&mut self, line: &str) -> Result<Record, String> {
        let (record, hash) = open(line, self.records, &self.hash)?;
        *self = Self { records: self.records + 1, hash };
        Ok(record)
    }

    /// Makes the line that comes next.
    ///
    /// # Errors
    /// Where the entry cannot be written as JSON.
    pub fn seal(&self, at: Timestamp, epoch: Epoch, entry: serde_json::Value) -> serde_json::Result<Sealed> {
        let record = Record { seq: self.records, at, epoch, prev: self.hash.clone(), entry };
        let (line, hash) = seal(&record)?;
        Ok(Sealed { record, line, chain: Self { records: self.records + 1, hash } })
    }

    /// The last record's position and hash; `None` before the first.
    #[must_use]
    pub fn head(&self) -> Option<Head> {
        Some(Head { seq: self.records.checked_sub(1)?, hash: self.hash.clone() })
    }
}

/// The position and hash of a record that was once the last, kept apart from the records so that a cut-off end shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Its position.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
}

impl Head {
    /// Says what does not fit, where a journal cannot once have ended here. A head that lags behind is no contradiction.
    #[must_use]
    pub fn contradiction(&self, records: &[Record], chain: &Chain) -> Option<String> {
        let found = match self.seq + 1 {
            next if next == chain.records => Some(&chain.hash),
            next => usize::try_from(next).ok().and_then(|next| records.get(next)).map(|record| &record.prev),
        };
        match found {
            None => Some(format!(
                "the journal ends at record {}, but it once had this one",
                chain.records.saturating_sub(1)
            )),
            Some(hash) if *hash == self.hash => None,
            Some(hash) => Some(format!("it has hash {}, but it was written with {}", hash.short(), self.hash.short())),
        }
    }
}

/// The error that names the place and the record that does not fit.
#[must_use]
pub fn tampered(place: &str, seq: u64, why: &str) -> Error {
    Error::Tampered {
        what: format!("{place} record {seq}: {why}"),
        hint: "do not trust this journal; restore it from a copy, or look at the platform and \
               `interlock runs resolve` the run"
            .to_owned(),
    }
}
