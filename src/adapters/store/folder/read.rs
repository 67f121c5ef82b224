//! Reads a journal from its folder, in an order that fits an owner who writes meanwhile.

use std::{io, path::Path};

use super::disk::{Disk, failed};
use crate::{
    error::Error,
    journal::{FIRST, Head, Header, Part, Record, Segment, Tail, broken, first_line, verify},
};

/// Reads all records of a run, and where the next one goes.
pub(super) fn read_journal(disk: &dyn Disk, folder: &Path) -> Result<(Vec<Record>, Tail), Error> {
    let names = disk.list(folder).map_err(|e| failed(folder, &e))?;
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
