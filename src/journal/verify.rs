//! Reads a journal from its folder and says whether it is still what was written.

use std::{io, path::Path};

use serde::Serialize;

use super::{
    Digest, Record,
    chain::{Chain, Head, tampered},
    disk::{Disk, SystemDisk, failed},
    segment::{After, FIRST, Header, Segment},
};
use crate::error::Error;

/// Where the next record goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) segment: Segment,
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
/// Someone who rewrites the whole journal with all its hashes and heads is found only by comparing the head with one
/// that was kept elsewhere, such as in a CI log.
///
/// # Errors
/// [`Error::Tampered`] says which record does not fit, and how.
pub fn verify(folder: &Path) -> Result<Verified, Error> {
    let (_, tail) = read_journal(&SystemDisk, folder)?;
    Ok(Verified { records: tail.chain.records, head: tail.chain.hash })
}

/// Reads all records of a run, and where the next one goes.
pub(super) fn read_journal(disk: &dyn Disk, folder: &Path) -> Result<(Vec<Record>, Tail), Error> {
    let names = disk.list(folder).map_err(|e| failed(folder, &e))?;
    let (newest, mut header) = newest(disk, folder, &names)?;
    // The head before the part: its owner, who may write meanwhile, writes them in the other order, so that the part that
    // is read here is never behind the head.
    let head = read_head(disk, folder, newest)?;
    let mut parts = vec![(newest, read(disk, folder, newest)?, header.as_ref().map(|header| header.after.clone()))];
    while let Some(Header { after, .. }) = header {
        let segment = Segment::parse(&after.segment).unwrap_or(Segment(None));
        let mut bytes = read(disk, folder, segment)?;
        bytes.truncate(usize::try_from(after.bytes).unwrap_or(usize::MAX));
        header = first_line(folder, segment, &bytes)?;
        parts.push((segment, bytes, header.as_ref().map(|header| header.after.clone())));
    }
    let (mut records, mut tail) = (Vec::new(), Tail { segment: newest, bytes: 0, chain: Chain::default() });
    for (segment, bytes, after) in parts.into_iter().rev() {
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
        return Err(broken(&folder.join(newest.name()), head.seq, &why));
    }
    Ok((records, tail))
}

/// The newest part that was begun as a whole, with its first line. One whose first line is torn was never written to.
pub(super) fn newest(disk: &dyn Disk, folder: &Path, names: &[String]) -> Result<(Segment, Option<Header>), Error> {
    let named = |name: &String| Segment::parse(name).or_else(|| Segment::of_head(name));
    let mut segments: Vec<_> = names.iter().filter_map(named).filter(|segment| segment.0.is_some()).collect();
    segments.sort_unstable();
    segments.dedup();
    for segment in segments.into_iter().rev() {
        let path = folder.join(segment.name());
        let bytes = match disk.read(&path) {
            // A head is written only once its part has a record.
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(broken(&path, 0, "it is gone")),
            other => other.map_err(|e| failed(&path, &e))?,
        };
        if let Some(header) = first_line(folder, segment, &bytes)? {
            return Ok((segment, Some(header)));
        }
        if names.contains(&segment.head()) {
            return Err(broken(&path, 0, "it has records no more"));
        }
    }
    Ok((Segment(None), None))
}

fn first_line(folder: &Path, segment: Segment, bytes: &[u8]) -> Result<Option<Header>, Error> {
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

fn read(disk: &dyn Disk, folder: &Path, segment: Segment) -> Result<Vec<u8>, Error> {
    let path = folder.join(segment.name());
    disk.read(&path).map_err(|e| failed(&path, &e))
}

/// One that is missing or unreadable is what a power cut may leave of a file that is never synced.
fn read_head(disk: &dyn Disk, folder: &Path, segment: Segment) -> Result<Option<Head>, Error> {
    let path = folder.join(segment.head());
    match disk.read(&path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(failed(&path, &e)),
    }
}

/// Whether a folder has a journal.
pub(super) fn is_journal(names: &[String]) -> bool {
    names.iter().any(|name| name == FIRST)
}

pub(super) fn broken(path: &Path, seq: u64, why: &str) -> Error {
    tampered(&path.display().to_string(), seq, why)
}

#[cfg(test)]
mod tests {
    use std::fs;

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
        let folder = tempfile::tempdir().unwrap();
        let lines = journal(4);
        let (_, _, chain) = chain_of(&lines.concat()).unwrap();
        let head = serde_json::to_vec(&Head { seq: 3, hash: chain.hash }).unwrap();
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
                    let (path, temporary) = (folder.path().join("head.json"), folder.path().join(".head"));
                    replace(&SystemDisk, &path, &temporary, head.as_bytes()).unwrap();
                }
            });
            while !writer.is_finished() {
                read_journal(&SystemDisk, folder.path()).unwrap();
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
            let (records, bytes, _) = chain_of(&whole[..cut]).unwrap();
            assert_eq!((records.len(), bytes), (2, last as u64), "cut at {cut}");
        }
    }
}
