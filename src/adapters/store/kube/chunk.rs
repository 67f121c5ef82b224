//! A journal in parts: which records a part holds, when it is full, and whether all parts together are still what was
//! written. Touches nothing.

use std::collections::BTreeMap;

use crate::{
    error::Error,
    journal::{Chain, Head, Record, alone, tampered},
    model::Epoch,
};

/// A part is closed before it would grow beyond this, in bytes of records; a ConfigMap holds 1 MiB at most, and each
/// append stores the whole part anew.
pub const FULL: usize = 256 * 1024;
/// How many parts a run may have.
pub const PARTS: u32 = 64;
/// How many of them are kept for the way back.
const RESERVED: u32 = 4;
/// The bytes of records in the others, less the ends that stay empty because a record does not fit there.
pub const ROOM: u64 = (PARTS - RESERVED) as u64 * FULL as u64 / 20 * 19;

/// The key of the one line that is left of a journal that was pruned.
pub const PRUNED: &str = "pruned";

/// One part, as it stands in its ConfigMap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunk {
    /// The ConfigMap's name.
    pub name: String,
    /// The version that a write is conditioned on.
    pub version: String,
    /// The sealed lines by their keys.
    pub lines: BTreeMap<String, String>,
    /// What the last append left, as `SEQ HASH`.
    pub head: Option<String>,
    /// The lowest term that may still write here.
    pub epoch: u64,
    /// Records go on in the next part.
    pub closed: bool,
    /// The next part was there once.
    pub has_next: bool,
}

/// Where the next record goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    pub chain: Chain,
    /// The newest part, counted from 0.
    pub chunk: u32,
    pub version: String,
    /// How many bytes of records it holds.
    pub bytes: usize,
    /// The lowest term that may still write there.
    pub epoch: Epoch,
    /// It takes no more records.
    pub closed: bool,
}

impl Tail {
    /// Whether a line still goes into the newest part. A part that is empty takes any.
    pub const fn takes(&self, line: usize) -> bool {
        !self.closed && (self.bytes == 0 || self.bytes + line <= FULL)
    }

    /// Whether only the room for the way back is left.
    pub const fn is_exhausted(&self) -> bool {
        self.chunk + RESERVED >= PARTS
    }
}

/// The key of a record: padded, so that people and programs sort it alike.
pub fn key(seq: u64) -> String {
    format!("{seq:06}")
}

pub fn head(chain: &Chain) -> String {
    chain.head().map(|Head { seq, hash }| format!("{seq} {hash}")).unwrap_or_default()
}

/// Reads all parts of a journal, oldest first.
///
/// # Errors
/// [`Error::Tampered`] names the part and the record that do not fit.
pub fn read(chunks: &[Chunk]) -> Result<(Vec<Record>, Tail), Error> {
    let mut records = Vec::new();
    let mut tail =
        Tail { chain: Chain::default(), chunk: 0, version: String::new(), bytes: 0, epoch: Epoch(0), closed: false };
    if let Some((first, line)) = chunks.first().and_then(|first| Some((first, first.lines.get(PRUNED)?))) {
        let broken = |why: &str| tampered(&format!("ConfigMap {}", first.name), 0, why);
        let (record, _) = alone(line).map_err(|why| broken(&why))?;
        if first.lines.len() > 1 {
            return Err(broken("it has records beside the line that is left of them"));
        }
        // What was noted of it is the end of what was pruned.
        let chain = Chain { records: record.seq, hash: record.prev.clone() };
        let (version, epoch) = (first.version.clone(), Epoch(first.epoch));
        return Ok((vec![record], Tail { chain, version, epoch, closed: true, ..tail }));
    }
    for (index, chunk) in chunks.iter().enumerate() {
        let place = format!("ConfigMap {}", chunk.name);
        let broken = |seq: u64, why: &str| tampered(&place, seq, why);
        for (found, line) in &chunk.lines {
            let seq = tail.chain.records;
            if *found != key(seq) {
                return Err(broken(seq, &format!("`{found}` stands where `{}` belongs", key(seq))));
            }
            records.push(tail.chain.follow(line).map_err(|why| broken(seq, &why))?);
        }
        // Written with each append in one step, so that it is exactly the last record's.
        let expected = (!chunk.lines.is_empty()).then(|| head(&tail.chain));
        if chunk.head != expected {
            let seq = tail.chain.records.saturating_sub(1);
            let said = chunk.head.as_deref().unwrap_or("nothing");
            let found = expected.as_deref().unwrap_or("no record");
            return Err(broken(seq, &format!("its end was noted as {said}, and it ends with {found}")));
        }
        tail = Tail {
            chunk: u32::try_from(index).unwrap_or(u32::MAX),
            version: chunk.version.clone(),
            bytes: chunk.lines.values().map(String::len).sum(),
            epoch: Epoch(chunk.epoch),
            closed: chunk.closed,
            ..tail
        };
    }
    if let Some(last) = chunks.last().filter(|last| last.has_next) {
        let place = format!("ConfigMap {}", last.name);
        return Err(tampered(&place, tail.chain.records, "the part that follows was there once, and is gone"));
    }
    Ok((records, tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts of three records each.
    fn journal(count: u64) -> Vec<Chunk> {
        let mut chain = Chain::default();
        let mut chunks = Vec::new();
        for seq in 0..count {
            if seq % 3 == 0 {
                if let Some(last) = chunks.last_mut() {
                    let last: &mut Chunk = last;
                    (last.closed, last.has_next) = (true, true);
                }
                chunks.push(Chunk { name: format!("part-{}", seq / 3), epoch: 1, ..Chunk::default() });
            }
            let at = "2026-11-21T09:30:00Z".parse().unwrap();
            let sealed = chain.seal(at, Epoch(1), serde_json::json!({ "applied": { "step": seq } })).unwrap();
            chain = sealed.chain;
            let last = chunks.last_mut().unwrap();
            last.lines.insert(key(seq), sealed.line.trim_end().to_owned());
            last.head = Some(head(&chain));
        }
        chunks
    }

    fn is_tampered(chunks: &[Chunk]) -> bool {
        matches!(read(chunks), Err(Error::Tampered { .. }))
    }

    #[test]
    fn parts_read_as_one_chain() {
        let (records, tail) = read(&journal(8)).unwrap();
        assert_eq!((records.len(), tail.chain.records, tail.chunk, tail.closed), (8, 8, 2, false));
        assert_eq!(records.iter().map(|record| record.seq).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
        assert_eq!(read(&[]).unwrap().1.chain, Chain::default());
    }

    #[test]
    fn whatever_is_edited_dropped_or_swapped_shows() {
        let whole = journal(8);
        for (part, chunk) in whole.iter().enumerate() {
            for seq in chunk.lines.keys() {
                let mut dropped = whole.clone();
                dropped[part].lines.remove(seq);
                assert!(is_tampered(&dropped), "dropping {seq}");
                let mut edited = whole.clone();
                let line = edited[part].lines.get_mut(seq).unwrap();
                *line = line.replace("\"step\":", "\"step\":1");
                assert!(is_tampered(&edited), "editing {seq}");
                for other in chunk.lines.keys().filter(|other| *other != seq) {
                    let mut swapped = whole.clone();
                    swapped[part].lines.insert(seq.clone(), chunk.lines[other].clone());
                    swapped[part].lines.insert(other.clone(), chunk.lines[seq].clone());
                    assert!(is_tampered(&swapped), "swapping {seq} and {other}");
                }
            }
            let mut added = whole.clone();
            added[part].lines.insert("note".to_owned(), "to whom it may concern".to_owned());
            assert!(is_tampered(&added));
            let mut headless = whole.clone();
            headless[part].head = None;
            assert!(is_tampered(&headless));
        }
        assert!(is_tampered(&whole[..2]), "the last part is gone");
        assert!(is_tampered(&[whole[0].clone(), whole[2].clone()]), "the middle part is gone");
    }

    #[test]
    fn a_part_that_was_closed_and_never_followed_is_whole() {
        let mut chunks = journal(3);
        chunks[0].closed = true;
        let (_, tail) = read(&chunks).unwrap();
        assert!(!tail.takes(1));
        chunks.push(Chunk { name: "part-1".to_owned(), epoch: 2, ..Chunk::default() });
        let (records, tail) = read(&chunks).unwrap();
        assert_eq!((records.len(), tail.chunk, tail.epoch), (3, 1, Epoch(2)), "a new owner has fenced the next");
        assert!(tail.takes(FULL * 2), "an empty part takes a record of any length");
    }

    #[test]
    fn parts_end_at_their_size_and_runs_at_their_bound() {
        let (_, tail) = read(&journal(2)).unwrap();
        assert!(tail.takes(FULL - tail.bytes) && !tail.takes(FULL - tail.bytes + 1));
        assert!(!Tail { chunk: 59, ..tail.clone() }.is_exhausted());
        assert!(Tail { chunk: 60, ..tail }.is_exhausted(), "four parts are left, and that is for the way back");
    }
}
