//! Traces in files: OTLP in JSON or Protocol Buffers, told by what is in them and not by their names.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use async_trait::async_trait;
use flate2::read::MultiGzDecoder;

use super::{
    batch::{Batch, Broken, Invalid},
    json, protobuf,
    room::Room,
};
use crate::{
    error::{Error, Fault, Place},
    model::trace::Span,
    ports::{Collected, PortError, Traces, Wanted},
};

/// The longest line that is shown with an error.
const SHOWN: usize = 400;
/// The longest text that is kept to show an error in it.
const KEPT: usize = 1024 * 1024;

/// What all files together may hold at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLimits {
    pub spans: usize,
    /// Bytes that the spans take in memory.
    pub held: usize,
    /// Bytes of a single file, also once it is inflated.
    pub file: u64,
}

impl Default for FileLimits {
    fn default() -> Self {
        Self { spans: 2_000_000, held: 1 << 30, file: 1 << 30 }
    }
}

/// Spans that were read from files.
#[derive(Debug, Clone, Default)]
pub struct TraceFiles {
    spans: Vec<Span>,
    rejected: u64,
    notes: Vec<String>,
}

impl TraceFiles {
    /// Reads all of these files, now and whole.
    ///
    /// Known are OTLP JSON (one object, or one after the other, as the OpenTelemetry collector's file exporter writes
    /// them), OTLP protobuf (one message, or several with the collector's lengths between), and either under gzip.
    ///
    /// # Errors
    /// Where a file cannot be read, holds something else, or holds more than `limits`.
    pub fn read(paths: &[PathBuf], limits: FileLimits) -> Result<Self, Error> {
        let room = Room::new(limits.spans, limits.held);
        let mut all = Self::default();
        for path in paths {
            let unread =
                |e: io::Error| Error::usage(format!("{}: {e}", path.display()), "give a file that can be read");
            let bytes = bounded(File::open(path).map_err(unread)?, path, limits)?;
            all.add(path, bytes, limits, &room)?;
        }
        Ok(all)
    }

    /// Reads what was read already, from standard input or an archive; `name` tells people where it is from.
    ///
    /// # Errors
    /// As [`TraceFiles::read`].
    pub fn of_bytes(name: &Path, bytes: Vec<u8>, limits: FileLimits) -> Result<Self, Error> {
        let mut all = Self::default();
        all.add(name, bytes, limits, &Room::new(limits.spans, limits.held))?;
        Ok(all)
    }

    fn add(&mut self, path: &Path, bytes: Vec<u8>, limits: FileLimits, room: &Room) -> Result<(), Error> {
        let mut batch = Batch::new(room);
        decode(path, bytes, limits, &mut batch)?;
        if batch.is_full() {
            let what = format!("{}: with it there are more than {}", path.display(), room.bound());
            return Err(Error::usage(what, "give fewer files, or only the traces that are to be looked at"));
        }
        if batch.rejected.count > 0 {
            self.notes.push(format!("{}: {}", path.display(), batch.rejected));
            self.rejected += batch.rejected.count;
        }
        self.spans.extend(batch.keep().0);
        Ok(())
    }

    /// All spans, in the order in which they stand in the files.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// What was rejected: for each file with invalid spans how many, and why.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

#[async_trait]
impl Traces for TraceFiles {
    async fn collect(&self, wanted: &Wanted) -> Result<Collected, PortError> {
        let spans = pick(self.spans.iter(), wanted).map_err(|n| too_many("the trace files", n, wanted))?;
        Ok(Collected { spans, lost: self.rejected, quiet: None })
    }
}

/// The spans that are wanted; how many there are, where they are too many.
pub(super) fn pick<'s>(spans: impl Iterator<Item = &'s Span> + Clone, wanted: &Wanted) -> Result<Vec<Span>, usize> {
    let traces: HashSet<_> = wanted.traces.iter().collect();
    let picked = spans.filter(|span| traces.is_empty() || traces.contains(&span.trace));
    let count = picked.clone().count();
    if count > wanted.most { Err(count) } else { Ok(picked.cloned().collect()) }
}

/// The error where there is more than was asked for.
pub(super) fn too_many(what: &str, count: usize, wanted: &Wanted) -> PortError {
    PortError::unexpected(
        what,
        format!("{count} spans belong to what was asked for, and at most {} are taken", wanted.most),
    )
}

/// What a file is, by its first bytes.
enum Content {
    Nothing,
    Gzip,
    Zstd,
    Json,
    Protobuf,
    /// Messages, each behind its length in four bytes.
    Framed,
    Unknown,
}

fn recognise(bytes: &[u8]) -> Content {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    let inside = text.get(1..).unwrap_or_default().trim_ascii_start();
    match (bytes, text, inside) {
        (_, [], _) => Content::Nothing,
        ([0x1f, 0x8b, ..], ..) => Content::Gzip,
        ([0x28, 0xb5, 0x2f, 0xfd, ..], ..) => Content::Zstd,
        // A message may begin with a line feed and a brace as well; but no byte of a name follows then.
        (_, [b'{'], _) | (_, [b'{', ..], [] | [b'}', ..] | [b'"'] | [b'"', b' '..=0xff, ..]) => Content::Json,
        ([0x0a, ..], ..) => Content::Protobuf,
        // No field has a number that would begin with these; a message of less than 64 MiB has such a length.
        ([0..=3, _, _, _, ..], ..) => Content::Framed,
        (_, [b'{' | b'[' | b'"', ..], _) => Content::Json,
        _ => Content::Unknown,
    }
}

fn decode(path: &Path, mut bytes: Vec<u8>, limits: FileLimits, batch: &mut Batch<'_>) -> Result<(), Error> {
    let mut content = recognise(&bytes);
    if matches!(content, Content::Gzip) {
        bytes = bounded(MultiGzDecoder::new(&*bytes), path, limits)?;
        content = recognise(&bytes);
    }
    match content {
        Content::Nothing => Ok(()),
        Content::Json => of_json(path, &bytes, batch),
        Content::Protobuf => protobuf::read(&bytes, batch).map_err(|broken| at_byte(path, &broken)),
        Content::Framed => framed(&bytes, batch).map_err(|broken| at_byte(path, &broken)),
        Content::Zstd => Err(Error::usage(
            format!("{}: it is compressed with zstd", path.display()),
            format!("unpack it before: zstd -d {}", path.display()),
        )),
        Content::Gzip | Content::Unknown => Err(Error::usage(
            format!("{}: it is neither OTLP JSON nor OTLP protobuf", path.display()),
            "give a file of the OpenTelemetry collector's file exporter, or what a backend answers in OTLP",
        )),
    }
}

fn bounded(from: impl Read, path: &Path, limits: FileLimits) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let read = from.take(limits.file.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|e| Error::usage(format!("{}: {e}", path.display()), "give a file that can be read to its end"))?;
    if bytes.len() as u64 > limits.file {
        let what = format!("{}: it is longer than {} MiB", path.display(), limits.file >> 20);
        return Err(Error::usage(what, "split it; a file of JSON lines may be cut at any line"));
    }
    Ok(bytes)
}

fn of_json(path: &Path, bytes: &[u8], batch: &mut Batch<'_>) -> Result<(), Error> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // A writer that is not done may be in the midst of a character.
        Err(e) if e.error_len().is_none() => std::str::from_utf8(&bytes[..e.valid_up_to()]).unwrap_or_default(),
        Err(e) => {
            let (text, at) = (String::from_utf8_lossy(bytes), e.valid_up_to());
            return Err(in_text(path, &text, &Broken::new("a byte that is no UTF-8", at)));
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    json::several(text, batch).map_err(|broken| in_text(path, text, &broken))
}

/// Messages with their lengths between, as the collector's file exporter writes them with `format: proto`. The last one may
/// be cut off, where the file was read while it was written.
fn framed(bytes: &[u8], batch: &mut Batch<'_>) -> Result<(), Broken> {
    let mut at = 0;
    while at < bytes.len() {
        let whole = bytes[at..].split_first_chunk::<4>().and_then(|(length, rest)| {
            usize::try_from(u32::from_be_bytes(*length)).ok().and_then(|length| rest.get(..length))
        });
        let Some(message) = whole else {
            if at == 0 {
                return Err(Broken::new("a message is cut off", at));
            }
            batch.reject(Invalid::Cut);
            return Ok(());
        };
        protobuf::read(message, batch).map_err(|inner| Broken { at: at + 4 + inner.at, ..inner })?;
        at += 4 + message.len();
    }
    Ok(())
}

fn at_byte(path: &Path, broken: &Broken) -> Error {
    let what = format!("{}: no OTLP protobuf: {} (byte {})", path.display(), broken.what, broken.at);
    Error::usage(what, "write the file again; it is damaged, cut off, or something else")
}

/// The error at its line and column, and with the line where people can read it.
fn in_text(path: &Path, text: &str, broken: &Broken) -> Error {
    let mut at = broken.at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let before = &text[..at];
    let begin = before.rfind('\n').map_or(0, |at| at + 1);
    let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count() as u64;
    let column = 1 + text[begin..at].chars().count() as u64;
    let place = Place { file: path.display().to_string(), line, column };
    let (what, hint) = (broken.what.clone(), hint(text, broken));
    let end = text[at..].find('\n').map_or(text.len(), |n| at + n);
    if text.len() <= KEPT && end - begin <= SHOWN {
        return Fault { place, what, hint, text: text.to_owned() }.into();
    }
    Error::usage(format!("{place}: {what}"), hint)
}

fn hint(text: &str, broken: &Broken) -> String {
    if broken.what.starts_with("EOF ") && text.contains("resourceSpans") {
        return "the file ends in the midst of an object: wait until its writer is done, or cut the last line off"
            .into();
    }
    if broken.what.contains("`resourceSpans`") {
        return "give OTLP JSON: Jaeger answers so under `/api/v3/traces/ID`, Tempo under `/api/v2/traces/ID`, and a \
                collector writes it to files; what Jaeger's own page and Zipkin give is another format"
            .into();
    }
    "fix the place, or let the file be written again".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_by_what_is_in_it() {
        let is = |bytes: &[u8]| match recognise(bytes) {
            Content::Nothing => "nothing",
            Content::Gzip => "gzip",
            Content::Zstd => "zstd",
            Content::Json => "json",
            Content::Protobuf => "protobuf",
            Content::Framed => "framed",
            Content::Unknown => "unknown",
        };
        for (bytes, what) in [
            (&b""[..], "nothing"),
            (b" \n", "nothing"),
            (b"{", "json"),
            (b"{}", "json"),
            (b"\xef\xbb\xbf\n { \"resourceSpans\": []}", "json"),
            (b"[{}]", "json"),
            // A list of spans that is 123 bytes long, of a resource of 34 bytes or of none.
            (b"\x0a\x7b\x0a\x22\x0a\x20", "protobuf"),
            (b"\x0a\x7b\x12\x79", "protobuf"),
            (b"\x00\x00\x00\x02\x0a\x00", "framed"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"\x28\xb5\x2f\xfd", "zstd"),
            (b"\x89PNG", "unknown"),
            (b"hello", "unknown"),
        ] {
            assert_eq!(is(bytes), what, "{bytes:?}");
        }
    }
}
