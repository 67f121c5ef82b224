//! Files: told by their content, read whole, and their faults said with place and mend.

use std::path::{Path, PathBuf};

use interlock::{
    adapters::otlp::{FileLimits, TraceFiles},
    error::{Error, Exit},
};
use prost::Message;

use crate::{
    decode::{read, saved},
    samples::{numbered, numbers, request},
    sender::gzip,
};

fn json(first: u64, count: u64) -> String {
    serde_json::to_string(&request("shop", numbered(first, count))).unwrap()
}

#[test]
fn every_shape_of_a_file_is_read() {
    let pretty = serde_json::to_string_pretty(&request("shop", numbered(3, 2))).unwrap();
    let others = "{\"resourceMetrics\":[{\"x\":[1]}]}\n{\"resourceLogs\":[]}\n{}\n";
    let frames: Vec<u8> = [numbered(0, 3), numbered(3, 2)]
        .map(|spans| {
            let message = request("shop", spans).encode_to_vec();
            [&u32::try_from(message.len()).unwrap().to_be_bytes()[..], &message].concat()
        })
        .concat();
    let lines = format!("{}\n{}\n", json(0, 3), json(3, 2));
    for (what, bytes) in [
        ("lines", lines.clone().into_bytes()),
        ("lines without an end", lines.trim_end().as_bytes().to_vec()),
        ("lines of Windows", lines.replace('\n', "\r\n").into_bytes()),
        ("with a mark of byte order", format!("\u{feff}{lines}").into_bytes()),
        ("one line and one that is laid out", format!("{}\n\n{pretty}", json(0, 3)).into_bytes()),
        ("with metrics and logs between", format!("{}\n{others}{}", json(0, 3), json(3, 2)).into_bytes()),
        ("protobuf", request("shop", numbered(0, 5)).encode_to_vec()),
        ("messages with their lengths", frames),
        ("lines under gzip", gzip(lines.as_bytes())),
        ("protobuf under gzip, in two members", {
            let [one, two] = [numbered(0, 3), numbered(3, 2)].map(|spans| request("shop", spans).encode_to_vec());
            [gzip(&one), gzip(&two)].concat()
        }),
    ] {
        let read = read(bytes).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(numbers(read.spans()), [0, 1, 2, 3, 4], "{what}");
        assert!(read.notes().is_empty());
    }
    for nothing in ["", " \n", "{}", "{\"resourceSpans\":null}", "{\"resourceSpans\":[{}, {\"scopeSpans\":[{}]}]}"] {
        assert_eq!(read(nothing).unwrap().spans(), []);
    }
}

#[test]
fn names_of_files_mean_nothing_and_their_order_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let files = [("a.json", request("shop", numbered(5, 5)).encode_to_vec()), ("b.pb", json(0, 5).into_bytes())];
    let paths = files.map(|(name, bytes)| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    });
    let both = TraceFiles::read(&paths, FileLimits::default()).unwrap();
    assert_eq!(both.spans()[0].name, "GET /orders/5");
    assert_eq!(numbers(both.spans()), (0..10).collect::<Vec<_>>());
    let missing = TraceFiles::read(&[folder.path().join("c")], FileLimits::default()).unwrap_err();
    assert_eq!(missing.exit(), Exit::Invalid);
    assert!(missing.to_string().ends_with("c: No such file or directory (os error 2)"), "{missing}");
    assert!(TraceFiles::read(&[folder.path().to_owned()], FileLimits::default()).is_err());
}

/// What a fault says: the text, the mend, and whether it shows its line.
fn told(bytes: impl Into<Vec<u8>>) -> (String, String, bool) {
    let error = read(bytes).unwrap_err();
    assert_eq!(error.exit(), Exit::Invalid);
    (error.to_string(), error.hint().to_owned(), matches!(error, Error::Document(_)))
}

#[test]
fn faults_have_a_place_and_a_mend() {
    let good = json(0, 1);
    let (what, hint, shown) = told("{}\n{\"resourceSpans\":[{\"é\": 1, \"scopeSpans\":[5]}]}\n");
    assert_eq!((what.as_str(), shown), ("traces:2:42: an element of `scopeSpans` is no object", true));
    assert_eq!(hint, "mend the place, or let the file be written again");

    let (what, _, shown) = told(good.replace("1700000000000000000", "long ago"));
    let column = good.find("1700000000000000000").unwrap();
    assert!(!shown && what.starts_with("traces:1:"), "{what}");
    let told_column: usize = what.split(':').nth(2).unwrap().parse().unwrap();
    assert!((column..column + 12).contains(&told_column), "{what}, and it is at {column}");
    assert!(what.ends_with("invalid value: string \"long ago\", expected a whole number, or a text of one"), "{what}");

    let (what, hint, _) = told(format!("{good}\n{}", &good[..good.len() / 2]));
    assert!(what.starts_with("traces:2:") && what.contains("EOF while parsing"), "{what}");
    assert_eq!(
        hint,
        "the file ends in the midst of an object: wait until its writer is done, or cut the last line off"
    );

    let (what, hint, _) = told("{\"data\": [{\"traceID\": \"1\"}]}");
    assert_eq!(what, "traces:1:1: an object without `resourceSpans`");
    assert!(hint.starts_with("give OTLP JSON"), "{hint}");
    let (what, hint, _) = told("[{\"traceId\": \"1\"}]");
    assert_eq!(what, "traces:1:1: invalid type: sequence, expected an object with `resourceSpans`");
    assert!(hint.starts_with("give OTLP JSON"), "{hint}");

    let (what, _, _) = told(b"{\n \"a\": \"\xff\"}".to_vec());
    assert_eq!(what, "traces:2:8: a byte that is no UTF-8");
    let (what, hint, _) = told(b"\x0a\x05\x12".to_vec());
    assert_eq!(what, "traces: no OTLP protobuf: a field of 5 bytes is cut off after 1 (byte 2)");
    assert!(hint.starts_with("write the file again"));
    let (what, _, _) = told(b"\x00\x00\x00\x02\x0a\x00\x00\x00".to_vec());
    assert_eq!(what, "traces: no OTLP protobuf: a message is cut off (byte 6)");
    let (what, hint, _) = told(b"\x28\xb5\x2f\xfd\x00".to_vec());
    assert_eq!(
        (what.as_str(), hint.as_str()),
        ("traces: it is compressed with zstd", "unpack it before: zstd -d traces")
    );
    for other in ["\u{89}PNG", "id,name\n", "<html>"] {
        assert_eq!(told(other).0, "traces: it is neither OTLP JSON nor OTLP protobuf");
    }
}

#[test]
fn invalid_spans_are_noted_and_the_others_are_read() {
    // As one backend writes ids: in base64.
    let text = json(0, 2).replacen("00000000000000000000000000000001", "AAAAAAAAAAAAAAAAAAAAAQ==", 1);
    let read = read(text).unwrap();
    assert_eq!(numbers(read.spans()), [1]);
    assert_eq!(
        read.notes(),
        ["traces: 1 span was rejected: its trace id has to be 16 bytes (32 hexadecimal digits in JSON), not all zero"]
    );
}

#[test]
fn files_are_bounded() {
    let bounded = |bytes: Vec<u8>, limits| {
        TraceFiles::of_bytes(Path::new("traces"), bytes, limits).map_err(|error| error.to_string())
    };
    let body = request("shop", numbered(0, 10)).encode_to_vec();
    let spans = |spans| FileLimits { spans, ..FileLimits::default() };
    assert_eq!(bounded(body.clone(), spans(10)).unwrap().spans().len(), 10);
    assert_eq!(bounded(body.clone(), spans(9)).unwrap_err(), "traces: with it there are more than 9 spans or 1024 MiB");
    let held = FileLimits { held: 1000, ..FileLimits::default() };
    assert!(bounded(body.clone(), held).unwrap_err().contains("there are more than"));
    let short = FileLimits { file: 1 << 20, ..FileLimits::default() };
    assert_eq!(bounded(gzip(&vec![0; 2 << 20]), short).unwrap_err(), "traces: it is longer than 1 MiB");
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("long");
    std::fs::write(&path, vec![b' '; (1 << 20) + 1]).unwrap();
    assert!(TraceFiles::read(&[path], short).unwrap_err().to_string().ends_with("long: it is longer than 1 MiB"));
}

#[test]
fn a_file_that_is_saved_has_a_line_for_each_resource() {
    let many = read(request("shop", numbered(0, 1200)).encode_to_vec()).unwrap();
    let other = read(request("bank", numbered(1200, 3)).encode_to_vec()).unwrap();
    let all = [many.spans(), other.spans()].concat();
    let lines = saved(&all);
    assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 4);
    assert_eq!(read(lines).unwrap().spans(), all);
}
