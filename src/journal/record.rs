//! One journal record and the hash chain that makes every later change to it show.
//!
//! A line is `{"hash":"<sha-256>","record":{...}}`. The hash covers the bytes of `record` exactly as they
//! stand in the line, and `record` names the hash of the one before it.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::model::{Epoch, Timestamp};

/// A SHA-256 digest in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// What the first record of a journal names as the one before it.
    #[must_use]
    pub fn origin() -> Self {
        Self("0".repeat(64))
    }

    /// The digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let digits =
            |byte: u8| [byte >> 4, byte & 0xf].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]));
        Self(Sha256::digest(bytes).into_iter().flat_map(digits).collect())
    }

    /// The digest as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, enough for people to compare.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One thing that happened in a run. What `entry` means is the guard's business.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Position in the journal, counted from 0.
    pub seq: u64,
    /// Wall time, for people only.
    pub at: Timestamp,
    /// The term of the owner who wrote it.
    pub epoch: Epoch,
    /// The hash of the record before it.
    pub prev: Digest,
    /// What happened.
    pub entry: serde_json::Value,
}

#[derive(Serialize)]
struct LineOut<'a> {
    hash: &'a Digest,
    record: &'a serde_json::value::RawValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LineIn<'a> {
    hash: Digest,
    #[serde(borrow)]
    record: &'a serde_json::value::RawValue,
}

/// Writes a record as its line (newline included) and returns the record's hash.
///
/// # Errors
/// Where the entry cannot be written as JSON, such as a map whose keys are not text.
pub fn seal(record: &Record) -> serde_json::Result<(String, Digest)> {
    let raw = serde_json::value::to_raw_value(record)?;
    let hash = Digest::of(raw.get().as_bytes());
    let mut line = serde_json::to_string(&LineOut { hash: &hash, record: &raw })?;
    line.push('\n');
    Ok((line, hash))
}

/// Reads one line (without its newline) that has to follow `prev` at position `seq`.
///
/// # Errors
/// Says what does not fit: unreadable, another hash, another predecessor, another position.
pub fn open(line: &str, seq: u64, prev: &Digest) -> Result<(Record, Digest), String> {
    let (record, hash) = alone(line)?;
    if record.seq != seq {
        return Err(format!("record {} stands where {seq} belongs", record.seq));
    }
    if record.prev != *prev {
        return Err(format!("it follows {}, but the record before it is {}", record.prev.short(), prev.short()));
    }
    Ok((record, hash))
}

/// Reads one line (without its newline) wherever it stands.
///
/// # Errors
/// Says what does not fit: unreadable, another hash.
pub fn alone(line: &str) -> Result<(Record, Digest), String> {
    let parsed: LineIn<'_> = serde_json::from_str(line).map_err(|e| format!("unreadable: {e}"))?;
    let hash = Digest::of(parsed.record.get().as_bytes());
    if hash != parsed.hash {
        return Err(format!("its content has hash {}, the line says {}", hash.short(), parsed.hash.short()));
    }
    let whole = serde_json::to_string(&LineOut { hash: &hash, record: parsed.record }).map_err(|e| e.to_string())?;
    if whole != line {
        return Err("bytes outside the hashed part were changed".to_owned());
    }
    let record = serde_json::from_str(parsed.record.get()).map_err(|e| format!("unreadable record: {e}"))?;
    Ok((record, hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(seq: u64, prev: Digest) -> Record {
        let at = "2026-11-21T09:30:00Z".parse().unwrap();
        Record { seq, at, epoch: Epoch(1), prev, entry: serde_json::json!({"applied": {"step": seq, "share": 0.1}}) }
    }

    #[test]
    fn every_single_byte_change_shows() {
        let (line, hash) = seal(&record(0, Digest::origin())).unwrap();
        let line = line.trim_end();
        assert_eq!(open(line, 0, &Digest::origin()).unwrap().1, hash);
        for at in 0..line.len() {
            for flip in [1u8, 2, 32] {
                let mut bytes = line.as_bytes().to_vec();
                bytes[at] ^= flip;
                let Ok(text) = String::from_utf8(bytes) else { continue };
                assert!(open(&text, 0, &Digest::origin()).is_err(), "byte {at} ^ {flip} went unnoticed: {text}");
            }
        }
    }

    #[test]
    fn order_and_predecessor_show() {
        let (_, first) = seal(&record(0, Digest::origin())).unwrap();
        let (second, _) = seal(&record(1, first.clone())).unwrap();
        assert!(open(second.trim_end(), 1, &first).is_ok());
        assert!(open(second.trim_end(), 0, &Digest::origin()).is_err());
        assert!(open(second.trim_end(), 1, &Digest::origin()).is_err());
    }
}
