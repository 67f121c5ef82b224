//! The parts of a journal: one file for each term, each of which says where the one before it ends.
//!
//! The first part, `journal.jsonl`, has records only. Each later one, `journal-0000000002.jsonl`, begins with a line
//! `{"hash":"<sha-256>","segment":{...}}` that names the claim of its owner, and the part before it with its length and
//! the hash of its last record. What stands in that part behind this length is void: a superseded owner wrote it late.

use serde::{Deserialize, Serialize};

use super::{Chain, Claim, Digest};
use crate::model::Epoch;

/// The first part.
pub const FIRST: &str = "journal.jsonl";

/// A part's name: the term of its owner, and none for the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Segment(pub Option<Epoch>);

impl Segment {
    /// Reads a file's name; `None` where it is no part of a journal.
    pub fn parse(name: &str) -> Option<Self> {
        if name == FIRST {
            return Some(Self(None));
        }
        numbered(name, "journal-", ".jsonl").map(|epoch| Self(Some(epoch)))
    }

    pub fn name(self) -> String {
        self.0.map_or_else(|| FIRST.to_owned(), |epoch| format!("journal-{:010}.jsonl", epoch.0))
    }

    /// The file with the position and hash of its last record.
    pub fn head(self) -> String {
        self.0.map_or_else(|| "head.json".to_owned(), |epoch| format!("head-{:010}.json", epoch.0))
    }

    /// Whose head a file is, by its name.
    pub fn of_head(name: &str) -> Option<Self> {
        if name == "head.json" {
            return Some(Self(None));
        }
        numbered(name, "head-", ".json").map(|epoch| Self(Some(epoch)))
    }
}

/// The epoch in a file's name.
pub fn numbered(name: &str, before: &str, behind: &str) -> Option<Epoch> {
    let digits = name.strip_prefix(before)?.strip_suffix(behind)?;
    let plain = digits.len() >= 10 && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok().map(Epoch))?
}

/// Where the part before ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// The file.
    pub segment: String,
    /// Its length, in bytes.
    pub bytes: u64,
    /// How many records the journal has up to there.
    pub records: u64,
    /// The hash of the last one.
    pub hash: Digest,
}

impl After {
    pub fn chain(&self) -> Chain {
        Chain { records: self.records, hash: self.hash.clone() }
    }
}

/// What the first line of a later part says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Whose part this is.
    pub claim: Claim,
    /// What it follows.
    pub after: After,
}

#[derive(Serialize)]
struct LineOut<'a> {
    hash: &'a Digest,
    segment: &'a serde_json::value::RawValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LineIn<'a> {
    hash: Digest,
    #[serde(borrow)]
    segment: &'a serde_json::value::RawValue,
}

impl Header {
    /// The line, newline included.
    pub fn seal(&self) -> serde_json::Result<String> {
        let raw = serde_json::value::to_raw_value(self)?;
        let hash = Digest::of(raw.get().as_bytes());
        let mut line = serde_json::to_string(&LineOut { hash: &hash, segment: &raw })?;
        line.push('\n');
        Ok(line)
    }

    /// Reads the first line of the part `of`, without its newline.
    pub fn open(line: &[u8], of: Segment) -> Result<Self, String> {
        let text = std::str::from_utf8(line).map_err(|e| format!("unreadable: {e}"))?;
        let parsed: LineIn<'_> = serde_json::from_str(text).map_err(|e| format!("unreadable: {e}"))?;
        let raw = parsed.segment;
        let hash = Digest::of(raw.get().as_bytes());
        let whole = serde_json::to_string(&LineOut { hash: &hash, segment: raw }).map_err(|e| e.to_string())?;
        if hash != parsed.hash || whole != text {
            return Err("the first line was changed".to_owned());
        }
        let header: Self = serde_json::from_str(raw.get()).map_err(|e| format!("unreadable first line: {e}"))?;
        let before = Segment::parse(&header.after.segment);
        if of.0 != Some(header.claim.epoch) || before.is_none_or(|before| before >= of) {
            return Err("its first line belongs to another part".to_owned());
        }
        Ok(header)
    }
}
