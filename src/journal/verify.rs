//! Reads a journal from its folder and says whether it is still what was written.

use std::{fs, io, path::Path};

use serde::Serialize;

use super::{
    Digest, Record,
    chain::{Chain, Head, tampered},
    disk::failed,
};
use crate::error::Error;

/// Where the next record goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) bytes: u64,
    pub(super) chain: Chain,
}

/// A journal whose chain holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// How many records it has.
    pub records: u64,
    /// The hash of the last one: whoever keeps it elsewhere can tell later whether all of it was rewritten.
    pub head: Digest,
}

/// Checks the journal in a run's folder: every record's hash, order and predecessor, and that the end is there.
///
/// Someone who rewrites the whole journal with all its hashes and `head.json` is found only by comparing the head
/// with one that was kept elsewhere, such as in a CI log.
///
/// # Errors
/// [`Error::Tampered`] says which record does not fit, and how.
pub fn verify(folder: &Path) -> Result<Verified, Error> {
    read_journal(folder).map(|(_, tail)| Verified { records: tail.chain.records, head: tail.chain.hash })
}

pub(super) fn read_journal(folder: &Path) -> Result<(Vec<Record>, Tail), Error> {
    // The head before the journal: an owner that writes meanwhile writes them in the other order, so that the journal
    // that is read here is never behind the head.
    let head = read_head(folder)?;
    let path = folder.join("journal.jsonl");
    let bytes = fs::read(&path).map_err(|e| failed(&path, &e))?;
    let (records, tail) = read_chain(&bytes).map_err(|(seq, why)| broken(&path, seq, &why))?;
    if let Some(head) = head
        && let Some(why) = head.contradiction(&records, &tail.chain)
    {
        return Err(broken(&path, head.seq, &why));
    }
    Ok((records, tail))
}

/// Folds the lines; an end without a newline is what a crash left of a write, and is no record.
fn read_chain(bytes: &[u8]) -> Result<(Vec<Record>, Tail), (u64, String)> {
    let mut tail = Tail { bytes: 0, chain: Chain::default() };
    let mut records = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(content) = line.strip_suffix(b"\n") else { break };
        let seq = tail.chain.records;
        let text = std::str::from_utf8(content).map_err(|e| (seq, format!("unreadable: {e}")))?;
        records.push(tail.chain.follow(text).map_err(|why| (seq, why))?);
        tail.bytes += line.len() as u64;
    }
    Ok((records, tail))
}

fn read_head(folder: &Path) -> Result<Option<Head>, Error> {
    let path = folder.join("head.json");
    match fs::read(&path) {
        // An empty file is what a power cut may leave of one that is never synced.
        Ok(bytes) if bytes.is_empty() => Ok(None),
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map(Some).map_err(|e| broken(&path, 0, &format!("unreadable: {e}")))
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(failed(&path, &e)),
    }
}

fn broken(path: &Path, seq: u64, why: &str) -> Error {
    tampered(&path.display().to_string(), seq, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{journal::disk::replace, model::Epoch};

    fn journal(count: u64) -> Vec<String> {
        let mut chain = Chain::default();
        (0..count)
            .map(|seq| {
                let at = "2026-11-21T09:30:00Z".parse().unwrap();
                let entry = serde_json::json!({ "applied": { "step": seq } });
                let sealed = chain.seal(at, Epoch(1), entry).unwrap();
                chain = sealed.chain;
                sealed.line
            })
            .collect()
    }

    #[test]
    fn dropped_swapped_and_doubled_lines_show() {
        let lines = journal(6);
        assert_eq!(read_chain(lines.concat().as_bytes()).unwrap().0.len(), 6);
        for at in 0..5 {
            let mut dropped = lines.clone();
            dropped.remove(at);
            assert!(read_chain(dropped.concat().as_bytes()).is_err(), "dropping {at}");
            let mut swapped = lines.clone();
            swapped.swap(at, at + 1);
            assert!(read_chain(swapped.concat().as_bytes()).is_err(), "swapping {at}");
            let mut doubled = lines.clone();
            doubled.insert(at, lines[at].clone());
            assert!(read_chain(doubled.concat().as_bytes()).is_err(), "doubling {at}");
        }
    }

    #[test]
    fn a_cut_off_end_shows_by_the_head() {
        let folder = tempfile::tempdir().unwrap();
        let lines = journal(4);
        let (_, tail) = read_chain(lines.concat().as_bytes()).unwrap();
        let head = serde_json::to_vec(&Head { seq: 3, hash: tail.chain.hash }).unwrap();
        fs::write(folder.path().join("head.json"), head).unwrap();
        fs::write(folder.path().join("journal.jsonl"), lines.concat()).unwrap();
        assert_eq!(verify(folder.path()).unwrap().records, 4);
        for kept in 0..4 {
            fs::write(folder.path().join("journal.jsonl"), lines[..kept].concat()).unwrap();
            assert!(matches!(verify(folder.path()), Err(Error::Tampered { .. })), "{kept} records kept");
        }
    }

    #[test]
    fn a_journal_that_grows_while_it_is_read_is_whole() {
        use std::io::Write as _;
        let folder = tempfile::tempdir().unwrap();
        let lines = journal(3000);
        let mut file = fs::File::create(folder.path().join("journal.jsonl")).unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for (seq, line) in lines.iter().enumerate() {
                    file.write_all(line.as_bytes()).unwrap();
                    let hash = serde_json::from_str::<serde_json::Value>(line).unwrap()["hash"].clone();
                    let head = serde_json::json!({ "seq": seq, "hash": hash }).to_string();
                    replace(&folder.path().join("head.json"), head.as_bytes(), false).unwrap();
                }
            });
            while !writer.is_finished() {
                read_journal(folder.path()).unwrap();
            }
        });
        assert_eq!(verify(folder.path()).unwrap().records, 3000);
    }

    #[test]
    fn a_torn_end_is_no_record_and_no_tampering() {
        let lines = journal(3);
        let whole = lines.concat();
        let last = whole.len() - lines[2].len();
        for cut in last..whole.len() {
            let (records, tail) = read_chain(&whole.as_bytes()[..cut]).unwrap();
            assert_eq!((records.len(), tail.bytes), (2, last as u64), "cut at {cut}");
        }
    }
}
