//! Whether a journal in parts is still what was written: the bytes of its parts against each other and against its head.

use std::path::Path;

use super::{
    Record,
    chain::{Chain, Head, tampered},
    segment::{After, Header, Segment},
};
use crate::error::Error;

/// Where the next record goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// The newest part.
    pub segment: Segment,
    /// Its length, in bytes, as far as it holds whole lines.
    pub bytes: u64,
    /// All records so far.
    pub chain: Chain,
}

/// One part of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Which one.
    pub segment: Segment,
    /// What it holds, up to where the part after it begins.
    pub bytes: Vec<u8>,
    /// What it follows; nothing where it is the first.
    pub after: Option<After>,
}

/// Follows the parts of a journal, oldest first, and says where the next record goes. `folder` is for messages only.
///
/// Someone who rewrites the whole journal with all its hashes and heads is found only by comparing the head with one
/// that was kept elsewhere, such as in a CI log.
///
/// # Errors
/// [`Error::Tampered`] says which record does not fit, and how.
pub fn verify(folder: &Path, parts: Vec<Part>, head: Option<&Head>) -> Result<(Vec<Record>, Tail), Error> {
    let (mut records, mut tail) = (Vec::new(), Tail { segment: Segment(None), bytes: 0, chain: Chain::default() });
    for Part { segment, bytes, after } in parts {
        let path = folder.join(segment.name());
        if let Some(after) = after
            && (after.bytes, after.chain()) != (tail.bytes, tail.chain.clone())
        {
            let last = tail.chain.records.saturating_sub(1);
            return Err(broken(&folder.join(&after.segment), last, &ends_elsewhere(&after, &tail)));
        }
        let skipped = if segment == Segment(None) { 0 } else { line_end(&bytes).unwrap_or(0) };
        let read = read_chain(&bytes[skipped..], tail.chain).map_err(|(seq, why)| broken(&path, seq, &why))?;
        records.extend(read.0);
        tail = Tail { segment, bytes: skipped as u64 + read.1, chain: read.2 };
    }
    if let Some(head) = head
        && let Some(why) = head.contradiction(&records, &tail.chain)
    {
        return Err(broken(&folder.join(tail.segment.name()), head.seq, &why));
    }
    Ok((records, tail))
}

/// The first line of a part; none of the very first one, nor where it is torn.
///
/// # Errors
/// [`Error::Tampered`] where it is not what was written.
pub fn first_line(folder: &Path, segment: Segment, bytes: &[u8]) -> Result<Option<Header>, Error> {
    let Some(end) = line_end(bytes).filter(|_| segment != Segment(None)) else { return Ok(None) };
    let header = Header::open(&bytes[..end - 1], segment);
    header.map(Some).map_err(|why| broken(&folder.join(segment.name()), 0, &why))
}

/// Where the first line ends, its newline included.
fn line_end(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1)
}

fn ends_elsewhere(after: &After, tail: &Tail) -> String {
    format!(
        "it ends with {} records and hash {}, but a later owner found {} and {}",
        tail.chain.records,
        tail.chain.hash.short(),
        after.records,
        after.hash.short()
    )
}

/// Folds the lines behind `chain`; an end without a newline is what a crash left of a write, and is no record.
fn read_chain(bytes: &[u8], mut chain: Chain) -> Result<(Vec<Record>, u64, Chain), (u64, String)> {
    let (mut length, mut records) = (0, Vec::new());
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(content) = line.strip_suffix(b"\n") else { break };
        let seq = chain.records;
        let text = std::str::from_utf8(content).map_err(|e| (seq, format!("unreadable: {e}")))?;
        records.push(chain.follow(text).map_err(|why| (seq, why))?);
        length += line.len() as u64;
    }
    Ok((records, length, chain))
}

/// The error that names the part and the record that does not fit.
pub fn broken(path: &Path, seq: u64, why: &str) -> Error {
    tampered(&path.display().to_string(), seq, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::journal;

    fn chain_of(text: &str) -> Result<(Vec<Record>, u64, Chain), (u64, String)> {
        read_chain(text.as_bytes(), Chain::default())
    }

    #[test]
    fn dropped_swapped_and_doubled_lines_show() {
        let lines = journal(6);
        assert_eq!(chain_of(&lines.concat()).unwrap().0.len(), 6);
        for at in 0..5 {
            let mut dropped = lines.clone();
            dropped.remove(at);
            assert!(chain_of(&dropped.concat()).is_err(), "dropping {at}");
            let mut swapped = lines.clone();
            swapped.swap(at, at + 1);
            assert!(chain_of(&swapped.concat()).is_err(), "swapping {at}");
            let mut doubled = lines.clone();
            doubled.insert(at, lines[at].clone());
            assert!(chain_of(&doubled.concat()).is_err(), "doubling {at}");
        }
    }

    #[test]
    fn a_cut_off_end_shows_by_the_head() {
        let lines = journal(4);
        let (_, _, chain) = chain_of(&lines.concat()).unwrap();
        let head = Head { seq: 3, hash: chain.hash };
        let verified = |kept: usize| {
            let part = Part { segment: Segment(None), bytes: lines[..kept].concat().into_bytes(), after: None };
            verify(Path::new("run"), vec![part], Some(&head))
        };
        assert_eq!(verified(4).unwrap().1.chain.records, 4);
        for kept in 0..4 {
            assert!(matches!(verified(kept), Err(Error::Tampered { .. })), "{kept} records kept");
        }
    }

    #[test]
    fn a_torn_end_is_no_record_and_no_tampering() {
        let lines = journal(3);
        let whole = lines.concat();
        let last = whole.len() - lines[2].len();
        for cut in last..whole.len() {
            let (records, bytes, _) = chain_of(&whole[..cut]).unwrap();
            assert_eq!((records.len(), bytes), (2, last as u64), "cut at {cut}");
        }
    }
}
