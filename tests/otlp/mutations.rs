//! Cut anywhere and with any byte changed, a body is read or said to be broken; nothing panics, and nothing overflows.

use interlock::adapters::otlp::Limits;
use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, ArrayValue, KeyValueList, any_value},
    trace::v1 as proto,
};
use proptest::prelude::*;
use prost::Message;

use crate::{
    decode::{read, saved},
    samples::{pair, request, spans, wire, wire_span},
    sender::{JSON, PROTOBUF, receiver},
};

/// A request with a bit of everything.
fn rich() -> opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest {
    let mut span = wire_span(3);
    span.parent_span_id = vec![9; 8];
    span.status = Some(proto::Status { message: "no".to_owned(), code: 2 });
    let list = ArrayValue { values: vec![AnyValue { value: Some(any_value::Value::BytesValue(vec![1, 2, 3])) }] };
    let map = KeyValueList { values: vec![pair("a", any_value::Value::DoubleValue(0.5))] };
    span.attributes.push(pair("list", any_value::Value::ArrayValue(list)));
    span.attributes.push(pair("map", any_value::Value::KvlistValue(map)));
    span.events = vec![proto::span::Event { name: "é".to_owned(), time_unix_nano: 5, ..Default::default() }];
    span.links = vec![proto::span::Link { trace_id: vec![5; 16], span_id: vec![6; 8], ..Default::default() }];
    request("shop", vec![span])
}

fn bodies() -> [Vec<u8>; 3] {
    let protobuf = rich().encode_to_vec();
    let lines = saved(read(protobuf.clone()).unwrap().spans());
    [protobuf, serde_json::to_vec_pretty(&rich()).unwrap(), lines]
}

/// Fuzz entry: any bytes as a file.
fn any_bytes(bytes: Vec<u8>) -> bool {
    match read(bytes) {
        Ok(read) => read.spans().len() + read.notes().len() > 0,
        Err(e) => {
            assert!(!e.to_string().is_empty() && !e.hint().is_empty());
            false
        }
    }
}

#[test]
fn every_truncation_is_answered() {
    for body in bodies() {
        assert!(any_bytes(body.clone()));
        let whole = (0..body.len()).filter(|end| any_bytes(body[..*end].to_vec())).count();
        // Only the line feed at the end of a line is nothing that is missed.
        assert!(whole <= 1, "{whole}");
    }
}

#[test]
fn every_byte_may_be_another() {
    for body in bodies() {
        let mut changed = body.clone();
        for at in 0..body.len() {
            for other in (1..8).map(|bit| body[at] ^ 1 << bit).chain([0, b'"', b'{', b'[', 0x7f, 0xff]) {
                changed[at] = other;
                any_bytes(changed.clone());
            }
            changed[at] = body[at];
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn mutations_of_anything_are_answered(
        spans in spans(),
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        for mut body in [wire(&spans).encode_to_vec(), serde_json::to_vec(&wire(&spans)).unwrap(), saved(&spans)] {
            if body.is_empty() {
                continue;
            }
            body.truncate(cut.index(body.len()) + 1);
            for (at, byte) in &places {
                let at = at.index(body.len());
                body[at] = *byte;
            }
            any_bytes(body);
        }
    }

    #[test]
    fn anything_is_a_file(bytes in proptest::collection::vec(any::<u8>(), 0..200), first in any::<u8>()) {
        let starts = [&b"\x0a"[..], b"{", b"{\"resourceSpans\":[{", b"\x00\x00\x00\x05", b"\x1f\x8b\x08", b""];
        any_bytes([starts[usize::from(first) % starts.len()], &bytes].concat());
    }
}

fn nested(depth: usize, map: bool) -> proto::Span {
    let mut value = any_value::Value::IntValue(1);
    for _ in 0..depth {
        value = if map {
            any_value::Value::KvlistValue(KeyValueList { values: vec![pair("k", value)] })
        } else {
            any_value::Value::ArrayValue(ArrayValue { values: vec![AnyValue { value: Some(value) }] })
        };
    }
    proto::Span { attributes: vec![pair("deep", value)], ..wire_span(1) }
}

#[test]
fn values_are_nested_sixteen_deep_and_no_deeper() {
    for map in [false, true] {
        for (depth, kept) in [(16, true), (17, false), (30, false), (80, false)] {
            let request = request("shop", vec![nested(depth, map), wire_span(2)]);
            for body in [request.encode_to_vec(), serde_json::to_vec(&request).unwrap()] {
                let read = read(body).unwrap();
                assert_eq!(read.spans().len(), 1 + usize::from(kept), "{depth} {map}");
                if kept {
                    // What is taken can be saved, too.
                    assert_eq!(self::read(saved(read.spans())).unwrap().spans(), read.spans());
                } else {
                    let [note] = read.notes() else { panic!("{:?}", read.notes()) };
                    assert!(
                        note.ends_with("1 span was rejected: its values are nested deeper than 16 levels"),
                        "{note}"
                    );
                }
            }
        }
    }
}

/// A field that is delimited by its length.
pub fn field(tag: u8, inner: &[u8]) -> Vec<u8> {
    let (mut head, mut length) = (vec![tag << 3 | 2], inner.len());
    while length >= 0x80 {
        head.push(length as u8 | 0x80);
        length >>= 7;
    }
    head.push(length as u8);
    head.extend(inner);
    head
}

/// A request with a value in so many lists.
fn deep_protobuf(depth: usize) -> Vec<u8> {
    let value = (0..depth).fold(Vec::new(), |inner, _| field(5, &field(1, &inner)));
    let span = [wire_span(1).encode_to_vec(), field(9, &field(2, &value))].concat();
    field(1, &field(2, &field(2, &span)))
}

#[tokio::test(flavor = "multi_thread")]
async fn nested_bombs_are_rejected_and_no_stack_overflows() {
    let (receiver, sender) = receiver(Limits::default()).await;
    let answer = sender.post(&[("content-type", PROTOBUF)], deep_protobuf(10_000)).await;
    assert_eq!(answer.partial().unwrap().0, 1);
    let list = |open: &str, close: &str, depth| {
        let span = "\"traceId\":\"00000000000000000000000000000001\",\"spanId\":\"0000000000000001\"";
        let value = format!("{}{{}}{}", open.repeat(depth), close.repeat(depth));
        format!(
            "{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{{{span},\"attributes\":[{{\"key\":\"k\",\"value\":{value}}}]}}]}}]}}]}}"
        )
    };
    let json = [("content-type", JSON)];
    for text in [
        list("{\"arrayValue\":{\"values\":[", "]}}", 10_000),
        list("{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":", "}]}}", 10_000),
    ] {
        let answer = sender.post(&json, text).await;
        assert_eq!(answer.json()["partialSuccess"]["rejectedSpans"], "1", "{answer:?}");
    }
    // What nobody knows is passed over, however deep it is.
    let unknown = list("{\"unknown\":[", "]}", 10_000);
    assert_eq!(sender.post(&json, unknown).await.json(), serde_json::json!({}));
    for bomb in
        ["[".repeat(32 << 20), "{\"a\":".repeat(6 << 20), format!("{{\"resourceSpans\":{}", "[".repeat(32 << 20))]
    {
        assert_eq!(sender.post(&json, bomb).await.status, 400);
    }
    assert_eq!((receiver.counts().accepted, receiver.counts().rejected), (1, 3));
}
