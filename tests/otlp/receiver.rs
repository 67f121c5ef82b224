//! What the receiver accepts, what it rejects, and what it answers.

use interlock::{
    adapters::otlp::Limits,
    model::trace::{Kind, Status, Value},
    ports::{PortError, Traces, Wanted},
};
use opentelemetry_proto::tonic::common::v1::any_value;
use prost::Message;
use serde_json::json;

use crate::{
    samples::{numbered, numbers, pair, request, wire_span},
    sender::{JSON, PROTOBUF, gzip, receiver},
};

fn all() -> Wanted {
    Wanted { traces: Vec::new(), most: usize::MAX }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_encodings_are_accepted_as_they_are_and_under_gzip() {
    let (receiver, sender) = receiver(Limits::default()).await;
    let body = |first| request("shop", numbered(first, 10)).encode_to_vec();
    let text = |first| serde_json::to_vec(&request("shop", numbered(first, 10))).unwrap();
    assert_eq!(sender.post(&[("content-type", PROTOBUF)], body(0)).await.partial(), None);
    let zipped = [("content-type", PROTOBUF), ("content-encoding", "gzip")];
    assert_eq!(sender.post(&zipped, gzip(&body(10))).await.partial(), None);
    // Names of headers and types are taken in any case, and with parameters.
    let plain = [("Content-Type", "Application/JSON; charset=utf-8"), ("content-encoding", "identity")];
    let answer = sender.post(&plain, text(20)).await;
    assert_eq!((answer.status, answer.json()), (200, json!({})));
    let zipped = [("content-type", JSON), ("content-encoding", "GZIP")];
    let answer = sender.post(&zipped, gzip(&text(30))).await;
    assert_eq!((answer.status, answer.json()), (200, json!({})));

    let collected = receiver.collect(&all()).await.unwrap();
    assert_eq!(numbers(&collected.spans), (0..40).collect::<Vec<_>>());
    assert_eq!(collected.lost, 0);
    let span = collected.spans.iter().find(|span| u64::from_be_bytes(span.id.0) == 36).unwrap();
    assert_eq!((span.name.as_str(), span.kind, span.parent), ("GET /orders/35", Kind::Server, None));
    assert_eq!((span.start, span.end), (1_700_000_000_000_000_035, 1_700_000_000_000_100_035));
    assert_eq!(span.attributes.int("http.response.status_code"), Some(200));
    assert_eq!((span.resource.service.as_str(), &span.status), ("shop", &Status::Unset));
    // One copy of the resource for all of them, however they came.
    assert!(collected.spans.iter().all(|other| std::sync::Arc::ptr_eq(&other.resource, &span.resource)));
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_spans_are_counted_and_the_others_are_kept() {
    let (receiver, sender) = receiver(Limits::default()).await;
    let mut spans = numbered(0, 8);
    spans[1].trace_id = vec![7; 15];
    spans[2].trace_id = vec![0; 16];
    spans[3].span_id = Vec::new();
    spans[4].span_id = vec![0; 8];
    spans[5].parent_span_id = vec![1; 7];
    // The zeros of a root are no error, and neither is a link to nothing.
    spans[6].parent_span_id = vec![0; 8];
    spans[6].links = vec![Default::default()];
    let (rejected, why) = sender.send(&request("shop", spans.clone())).await.partial().unwrap();
    assert_eq!(rejected, 5);
    assert_eq!(
        why,
        "5 spans were rejected; of the first one, its trace id has to be 16 bytes (32 hexadecimal digits in JSON), not \
         all zero"
    );
    let answer = sender.send_json(&request("shop", spans)).await;
    assert_eq!(answer.json()["partialSuccess"]["rejectedSpans"], "5");
    let collected = receiver.collect(&all()).await.unwrap();
    assert_eq!(numbers(&collected.spans), [0, 0, 6, 6, 7, 7]);
    assert!(collected.spans.iter().all(|span| span.parent.is_none() && span.links.is_empty()));
    assert_eq!((collected.lost, receiver.counts().rejected), (10, 10));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_is_answered_in_its_own_encoding() {
    let (receiver, sender) = receiver(Limits::default()).await;
    let answer = sender.post(&[("content-type", PROTOBUF)], &b"\x0a\x05\x01"[..]).await;
    assert_eq!((answer.status, answer.refusal().code), (400, 3));
    assert!(answer.refusal().message.ends_with("a field of 5 bytes is cut off after 1 at byte 2"), "{answer:?}");
    let answer = sender.post(&[("content-type", JSON)], "{\"resourceSpans\": [{\"resource\": 5}]}").await;
    assert_eq!((answer.status, &answer.json()["code"]), (400, &json!(3)));
    assert!(answer.json()["message"].as_str().unwrap().ends_with("`resource` is no object at byte 32"), "{answer:?}");
    for (kind, encoding, body, status) in [
        (JSON, "identity", &b"{} {}"[..], 400),
        (JSON, "identity", b"[]", 400),
        (JSON, "identity", b"", 400),
        (JSON, "identity", b"\xff", 400),
        (JSON, "gzip", b"{}", 400),
        (PROTOBUF, "gzip", b"\x1f\x8b\x08\x00", 400),
        (PROTOBUF, "zstd", b"", 415),
        ("text/plain", "identity", b"", 415),
        ("application/x-protobuf-delimited", "identity", b"", 415),
    ] {
        let answer = sender.post(&[("content-type", kind), ("content-encoding", encoding)], body).await;
        assert_eq!(answer.status, status, "{kind} {encoding} {body:?}");
        assert_eq!(answer.header("retry-after"), "");
    }
    let answer = sender.post(&[], "x").await;
    assert_eq!((answer.status, answer.header("accept-encoding")), (415, "gzip, identity"));
    assert_eq!(receiver.counts().broken, 12);
    // An empty message is a request without spans.
    assert_eq!(sender.post(&[("content-type", PROTOBUF)], "").await.partial(), None);
    assert_eq!(receiver.collect(&all()).await.unwrap().spans, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_places_are_refused_for_good_and_nothing_is_counted() {
    let (receiver, sender) = receiver(Limits::default()).await;
    for path in ["/v1/metrics", "/v1/logs"] {
        // Larger than what the connection holds: an answer too early would reset it, and the sender would try again.
        let answer = sender.ask("POST", path, &[("content-type", PROTOBUF)], vec![0; 8 << 20]).await;
        assert_eq!((answer.status, answer.refusal().code), (404, 12));
        assert!(answer.refusal().message.contains("OTEL_METRICS_EXPORTER=none"), "{answer:?}");
    }
    let answer = sender.ask("POST", "/", &[("content-type", JSON)], Vec::new()).await;
    assert_eq!((answer.status, &answer.json()["message"]), (404, &json!("traces are taken at POST /v1/traces")));
    let answer = sender.ask("GET", "/v1/traces", &[], Vec::new()).await;
    assert_eq!((answer.status, answer.header("allow")), (405, "POST"));
    assert_eq!(receiver.counts(), Default::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_and_absurd_values_are_kept_as_they_came() {
    let (receiver, sender) = receiver(Limits::default()).await;
    let mut span = wire_span(1);
    (span.start_time_unix_nano, span.end_time_unix_nano) = (u64::MAX, 0);
    span.name = String::new();
    span.kind = -7;
    span.parent_span_id = span.span_id.clone();
    span.status = Some(opentelemetry_proto::tonic::trace::v1::Status { code: 99, message: "?".to_owned() });
    span.attributes = vec![
        pair("", any_value::Value::DoubleValue(f64::NEG_INFINITY)),
        pair("twice", any_value::Value::IntValue(i64::MIN)),
        pair("twice", any_value::Value::StringValueStrindex(3)),
        Default::default(),
    ];
    let request = request("", vec![span.clone(), span]);
    assert_eq!(sender.send(&request).await.partial(), None);
    let text = r#"{"resourceSpans": [{"scopeSpans": [{"spans": [{
        "traceId": "00000000000000000000000000000001", "spanId": "0000000000000002", "parentSpanId": "0000000000000002",
        "startTimeUnixNano": 18446744073709551615, "endTimeUnixNano": "0", "kind": "SPAN_KIND_UNHEARD_OF",
        "status": {"code": 99, "message": "?"}, "attributes": [
            {"value": {"doubleValue": "-Infinity"}}, {"key": "twice", "value": {"intValue": "-9223372036854775808"}},
            {"key": "twice", "value": {"stringValueStrindex": 3}}, {"key": null, "value": null, "more": []}
        ]}]}]}]}"#;
    assert_eq!(sender.post(&[("content-type", JSON)], text).await.status, 200);
    let spans = receiver.collect(&all()).await.unwrap().spans;
    assert_eq!(spans.len(), 3);
    assert_eq!(spans[0], spans[1]);
    assert_eq!((spans[0].start, spans[0].end, spans[0].kind), (u64::MAX, 0, Kind::Unspecified));
    assert_eq!((&spans[0].status, spans[0].parent), (&Status::Unset, Some(spans[0].id)));
    let empty = || Value::Text(String::new());
    let expected = [
        (String::new(), Value::Double(f64::NEG_INFINITY)),
        ("twice".to_owned(), Value::Int(i64::MIN)),
        ("twice".to_owned(), empty()),
        (String::new(), empty()),
    ];
    assert_eq!(spans[0].attributes.0, expected);
    assert_eq!((&spans[2].attributes, spans[2].start), (&spans[0].attributes, u64::MAX));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_asked_for_is_collected_and_never_a_part_of_it() {
    let (receiver, sender) = receiver(Limits::default()).await;
    sender.send(&request("shop", numbered(0, 32))).await;
    let spans = receiver.collect(&all()).await.unwrap().spans;
    let trace = spans[9].trace;
    let wanted = Wanted { traces: vec![trace], most: 8 };
    assert_eq!(numbers(&receiver.collect(&wanted).await.unwrap().spans), (8..16).collect::<Vec<_>>());
    let refused = receiver.collect(&Wanted { most: 7, ..wanted }).await;
    assert!(matches!(refused, Err(PortError::UnexpectedResponse { .. })), "{refused:?}");
}
