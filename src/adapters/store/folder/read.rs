//! Reads a journal from its folder, in an order that fits an owner who writes meanwhile.

use std::{io, path::Path};

use super::{
    disk::{Disk, failed},
    prune::PRUNED,
};
use crate::{
    error::Error,
    journal::{Chain, Digest, FIRST, Head, Header, Part, Record, Segment, Tail, alone, broken, first_line, verify},
    ports::{Ends, IsEnough, LAST},
};

/// Reads all records of a run, and where the next one goes.
pub(super) fn read_journal(disk: &dyn Disk, folder: &Path) -> Result<(Vec<Record>, Tail), Error> {
    let names = disk.list(folder).map_err(|e| failed(folder, &e))?;
    if let Some((record, _)) = read_pruned(disk, folder, &names)? {
        // What was noted of it is the end of what was pruned.
        let chain = Chain { records: record.seq, hash: record.prev.clone() };
        return Ok((vec![record], Tail { segment: Segment(None), bytes: 0, chain }));
    }
    let (newest, mut header) = newest(disk, folder, &names)?;
    // The head before the part: its owner, who may write meanwhile, writes them in the other order, so that the part that
    // is read here is never behind the head.
    let head = read_head(disk, folder, newest)?;
    let after = |header: &Option<Header>| header.as_ref().map(|header| header.after.clone());
    let mut parts = vec![Part { segment: newest, bytes: read(disk, folder, newest)?, after: after(&header) }];
    while let Some(Header { after: before, .. }) = header {
        let segment = Segment::parse(&before.segment).unwrap_or(Segment(None));
        let mut bytes = read(disk, folder, segment)?;
        bytes.truncate(usize::try_from(before.bytes).unwrap_or(usize::MAX));
        header = first_line(folder, segment, &bytes)?;
        parts.push(Part { segment, bytes, after: after(&header) });
    }
    parts.reverse();
    verify(folder, parts, head.as_ref())
}

/// The newest part that was begun as a whole, with its first line. One whose first line is torn was never written to.
pub(super) fn newest(disk: &dyn Disk, folder: &Path, names: &[String]) -> Result<(Segment, Option<Header>), Error> {
    let named = |name: &String| Segment::parse(name).or_else(|| Segment::of_head(name));
    let mut segments: Vec<_> = names.iter().filter_map(named).filter(|segment| segment.0.is_some()).collect();
    segments.sort_unstable();
    segments.dedup();
    for segment in segments.into_iter().rev() {
        let path = folder.join(segment.name());
        let line = match first_line_of(disk, &path) {
            // A head is written only once its part has a record.
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(broken(&path, 0, "it is gone")),
            other => other.map_err(|e| failed(&path, &e))?,
        };
        if let Some(line) = line {
            let header = Header::open(&line, segment).map_err(|why| broken(&path, 0, &why))?;
            return Ok((segment, Some(header)));
        }
        if names.contains(&segment.head()) {
            return Err(broken(&path, 0, "it has records no more"));
        }
    }
    Ok((Segment(None), None))
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

/// Reads the first record of a run and its last ones, from both ends of its journal: back to one that is enough. What lies
/// between is not looked at.
pub(super) fn read_ends(disk: &dyn Disk, folder: &Path, is_enough: IsEnough) -> Result<Ends, Error> {
    let names = disk.list(folder).map_err(|e| failed(folder, &e))?;
    if let Some((record, _)) = read_pruned(disk, folder, &names)? {
        return Ok(Ends { first: Some(record.clone()), last: vec![record] });
    }
    let (newest, header) = newest(disk, folder, &names)?;
    // The head before the part, as where all is read.
    let head = read_head(disk, folder, newest)?;
    let path = folder.join(newest.name());
    let last = last_records(disk, &path, usize::from(header.is_some()), is_enough)?;
    if let Some((Head { seq, hash }, (newest, found))) = head.as_ref().zip(last.last())
        && (*seq > newest.seq || (*seq == newest.seq && hash != found))
    {
        return Err(broken(&path, *seq, "the journal once had another record here"));
    }
    let path = folder.join(FIRST);
    let first = first_line_of(disk, &path).map_err(|e| failed(&path, &e))?;
    let first = first.map(|line| record(&path, &line)).transpose()?;
    Ok(Ends { first: first.map(|(record, _)| record), last: last.into_iter().map(|(record, _)| record).collect() })
}

/// How much of a file is read at first.
const PIECE: u64 = 8 * 1024;

/// The last records of a file, back to one that is enough, oldest first. As many of its first lines are no records.
fn last_records(
    disk: &dyn Disk,
    path: &Path,
    headers: usize,
    is_enough: IsEnough,
) -> Result<Vec<(Record, Digest)>, Error> {
    let size = disk.size(path).map_err(|e| failed(path, &e))?;
    let mut length = PIECE;
    loop {
        let from = size.saturating_sub(length);
        let bytes = disk.read_from(path, from, size - from).map_err(|e| failed(path, &e))?;
        // What comes before the first end of a line may be a part of one.
        let no_records = if from == 0 { headers } else { 1 };
        let lines = whole_lines(&bytes).count().saturating_sub(no_records);
        let (mut last, mut enough) = (Vec::new(), false);
        for line in whole_lines(&bytes).rev().take(lines) {
            let read = record(path, line)?;
            enough = is_enough(&read.0) || last.len() + 1 == LAST;
            last.push(read);
            if enough {
                break;
            }
        }
        if enough || from == 0 {
            last.reverse();
            return Ok(last);
        }
        length = length.saturating_mul(4);
    }
}

/// The first line of a file, without its newline.
fn first_line_of(disk: &dyn Disk, path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut length = PIECE;
    loop {
        let mut bytes = disk.read_from(path, 0, length)?;
        match bytes.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                bytes.truncate(end);
                return Ok(Some(bytes));
            }
            None if (bytes.len() as u64) < length => return Ok(None),
            None => length = length.saturating_mul(4),
        }
    }
}

/// The line in place of a journal that was pruned, with its hash.
pub(super) fn read_pruned(disk: &dyn Disk, folder: &Path, names: &[String]) -> Result<Option<(Record, Digest)>, Error> {
    if !names.iter().any(|name| name == PRUNED) {
        return Ok(None);
    }
    let path = folder.join(PRUNED);
    let bytes = disk.read(&path).map_err(|e| failed(&path, &e))?;
    let Some(line) = bytes.strip_suffix(b"\n") else { return Err(broken(&path, 0, "it is torn")) };
    record(&path, line).map(Some)
}

/// Lines that end with a newline, without it.
fn whole_lines(bytes: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    bytes[..end].split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

fn record(path: &Path, line: &[u8]) -> Result<(Record, Digest), Error> {
    let text = std::str::from_utf8(line).map_err(|e| broken(path, 0, &format!("unreadable: {e}")))?;
    alone(text).map_err(|why| broken(path, 0, &why))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{
        super::disk::{SystemDisk, replace},
        *,
    };
    use crate::journal::journal;

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
        assert_eq!(read_journal(&SystemDisk, folder.path()).unwrap().1.chain.records, 3000);
    }
}
