//! Files: told by their content, read whole, and their faults said with place and fix.

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

/// What a fault says: the text, the fix, and whether it shows its line.
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
    assert_eq!(hint, "fix the place, or let the file be written again");

    let (what, _, shown) = told(good.replace("1700000000000000000", "long ago"));
    let column = good.find("1700000000000000000").unwrap();
    assert!(!shown && what.starts_with("traces:1:"), "{what}");
    let told_column: usize = what.split(':').nth(2).unwrap().parse().unwrap();
    assert!((column..column + 12).contains(&told_column), "{what}, and it is at {column}");
    assert!(what.ends_with("invalid value: string \"long ago\", expected a whole number, or a text of one"), "{what}");

    let (what, hint, _) = told(&good[..good.len() / 2]);
    assert!(what.starts_with("traces:1:") && what.contains("EOF while parsing"), "{what}");
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
    let (what, _, _) = told(b"\x00\x00\x00\x02\x0a".to_vec());
    assert_eq!(what, "traces: no OTLP protobuf: a message is cut off (byte 0)");
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
    // Three bytes in base64 are no id.
    let text = json(0, 2).replacen("00000000000000000000000000000001", "AAAA", 1);
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

/// What backends put around OTLP is taken off, and what its fields were called before is known.
#[test]
fn what_backends_answer_and_what_was_written_before_is_read() {
    let plain = json(0, 3);
    let inner = plain.trim_start_matches('{').trim_end_matches('}').to_owned();
    let expected = read(plain.clone()).unwrap().spans().to_vec();
    let old = plain.replace("\"scopeSpans\"", "\"instrumentationLibrarySpans\"");
    let batches = plain.replacen("\"resourceSpans\"", "\"batches\"", 1);
    for (what, text) in [
        ("Jaeger", format!("{{\"result\":{plain}}}")),
        ("Jaeger, in parts", format!("{{\"result\":{plain}}}\n{{\"result\":{{}}}}\n")),
        ("Tempo", format!("{{\"trace\":{plain},\"metrics\":{{}}}}")),
        ("Tempo before", batches),
        ("before OTLP 0.19", old),
        ("both names", format!("{{{inner},\"result\":null}}")),
    ] {
        assert_eq!(read(text).unwrap_or_else(|e| panic!("{what}: {e}")).spans(), expected, "{what}");
    }
    // In base64, as the JSON mapping of Protocol Buffers writes ids.
    let tempo = r#"{"batches":[{"scopeSpans":[{"spans":[
        {"traceId":"W47/95gDgQPSabYzgT/GDA==","spanId":"AAAAAAAAAKI=","parentSpanId":"AAAAAAAAAKE=","kind":"SPAN_KIND_CLIENT"}]}]}]}"#;
    let read_back = read(tempo).unwrap();
    let span = &read_back.spans()[0];
    let parent = span.parent.unwrap();
    assert_eq!(
        (span.trace.to_string(), span.id.to_string(), parent.to_string()),
        ("5b8efff798038103d269b633813fc60c".into(), "00000000000000a2".into(), "00000000000000a1".into())
    );
    // Wrapped again and again, it is nothing that anybody answers.
    let deep = format!("{}{plain}{}", "{\"result\":".repeat(50), "}".repeat(50));
    assert!(read(deep).is_err());
}

/// The field of spans before OTLP 0.19, in protobuf.
#[test]
fn the_old_field_of_protobuf_is_read() {
    let mut scope = Vec::new();
    for span in numbered(0, 3) {
        let span = span.encode_to_vec();
        scope.extend([2 << 3 | 2]);
        prost::encoding::encode_varint(span.len() as u64, &mut scope);
        scope.extend(span);
    }
    let mut resource = Vec::new();
    prost::encoding::encode_varint(1000 << 3 | 2, &mut resource);
    prost::encoding::encode_varint(scope.len() as u64, &mut resource);
    resource.extend(scope);
    let mut body = vec![1 << 3 | 2];
    prost::encoding::encode_varint(resource.len() as u64, &mut body);
    body.extend(resource);
    assert_eq!(numbers(read(body).unwrap().spans()), [0, 1, 2]);
}

/// A file that is still being written ends anywhere: what is whole is read, and that something is missing is told.
#[test]
fn a_half_written_end_is_told_and_the_rest_read() {
    let (first, second) = (json(0, 3), json(3, 2).replace("GET", "GÉT"));
    let whole = format!("{first}\n").into_bytes();
    for end in 1..second.len() - 1 {
        let bytes = [&whole[..], &second.as_bytes()[..end]].concat();
        let read = read(bytes).unwrap_or_else(|e| panic!("{end}: {e}"));
        assert_eq!(numbers(read.spans()), [0, 1, 2], "{end}");
        assert_eq!(
            read.notes(),
            ["traces: 1 span was rejected: the file ends in the midst of it, and what stands before was read"]
        );
    }
    let message = request("shop", numbered(0, 3)).encode_to_vec();
    let frame = [&u32::try_from(message.len()).unwrap().to_be_bytes()[..], &message].concat();
    for end in 1..frame.len() {
        let read = read([&frame[..], &frame[..end]].concat()).unwrap();
        assert_eq!((numbers(read.spans()), read.notes().len()), (vec![0, 1, 2], 1), "{end}");
    }
}

/// Elements without a span are next to nothing on the wire, and take as long as others: their count is bounded.
#[test]
fn elements_that_hold_nothing_are_bounded_by_a_count() {
    let many = |element: &str, count: usize| vec![element; count].join(",");
    let json = |count: usize| format!("{{\"resourceSpans\":[{}]}}", many("{}", count));
    assert!(read(json(100_000)).unwrap().spans().is_empty());
    for text in [
        json(100_001),
        format!("{{\"resourceSpans\":[{{\"scopeSpans\":[{}]}}]}}", many("{}", 100_001)),
        format!("{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{}]}}]}}]}}", many("{}", 100_001)),
    ] {
        let error = read(text).unwrap_err().to_string();
        assert!(error.contains("more than 100000 elements hold no span"), "{error}");
    }
    let protobuf = |count: usize| vec![[0x0a, 0x00]; count].concat();
    assert!(read(protobuf(100_000)).unwrap().spans().is_empty());
    assert!(read(gzip(&protobuf(6_000_000))).unwrap_err().to_string().contains("hold no span"));
}
