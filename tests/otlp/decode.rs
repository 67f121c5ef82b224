//! Whatever is encoded comes out as it went in: protobuf, JSON as others write it, and JSON as it is saved.

use std::path::Path;

use interlock::{
    adapters::otlp::{FileLimits, TraceFiles, write_json_lines},
    error::Error,
    model::trace::{Kind, Span, Status, Value},
};
use opentelemetry_proto::tonic::{common::v1::any_value, resource::v1::Resource};
use proptest::prelude::*;
use prost::Message;

use crate::{
    mutations::field,
    samples::{pair, request, spans, wire, wire_span},
};

pub fn read(bytes: impl Into<Vec<u8>>) -> Result<TraceFiles, Error> {
    TraceFiles::of_bytes(Path::new("traces"), bytes.into(), FileLimits::default())
}

pub fn saved(spans: &[Span]) -> Vec<u8> {
    let mut lines = Vec::new();
    write_json_lines(spans, &mut lines).unwrap();
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn protobuf_is_read_as_it_was_meant(spans in spans()) {
        let read = read(wire(&spans).encode_to_vec()).unwrap();
        prop_assert_eq!(read.spans(), &spans[..]);
        prop_assert!(read.notes().is_empty());
    }

    #[test]
    fn json_as_the_exporters_write_it_is_read_as_it_was_meant(spans in spans()) {
        let text = serde_json::to_vec(&wire(&spans)).unwrap();
        let read = read(text).unwrap();
        prop_assert_eq!(read.spans(), &spans[..]);
    }

    #[test]
    fn what_is_saved_is_read_back_equal(spans in spans()) {
        let lines = saved(&spans);
        let again = read(lines.clone()).unwrap();
        prop_assert_eq!(again.spans(), &spans[..]);
        // A line is an object: whoever cuts a file at a line has two files.
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            prop_assert!(read(line).is_ok());
        }
    }
}

#[test]
fn numbers_that_are_like_nothing_are_saved_as_well() {
    let mut odd = read(request("shop", vec![wire_span(1)]).encode_to_vec()).unwrap().spans()[0].clone();
    odd.attributes.0 = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE]
        .map(|number| ("x".to_owned(), Value::Double(number)))
        .to_vec();
    let again = read(saved(&[odd.clone()])).unwrap();
    assert_eq!(format!("{:?}", again.spans()), format!("{:?}", [odd]));
}

#[test]
fn texts_and_numbers_names_and_codes_are_the_same() {
    let text = |kind: &str, code: &str, at: &str, int: &str, double: &str| {
        format!(
            r#"{{"resourceSpans":[{{"schemaUrl":"x","scopeSpans":[{{"scope":{{"name":"y"}},"spans":[{{
            "traceId":"4BF92F3577B34DA6A3CE929D0E0E4736","spanId":"00f067aa0ba902b7","flags":257,"traceState":"a=b",
            "kind":{kind},"startTimeUnixNano":{at},"status":{{"code":{code},"message":"no"}},"attributes":[
            {{"key":"i","value":{{"intValue":{int}}}}},{{"key":"d","value":{{"doubleValue":{double}}}}},
            {{"key":"b","value":{{"bytesValue":"_-8"}}}}]}}]}}]}}]}}"#
        )
    };
    let texts = [
        text("3", "2", "1700000000000000001", "-5", "2"),
        text("\"SPAN_KIND_CLIENT\"", "\"STATUS_CODE_ERROR\"", "\"1700000000000000001\"", "\"-5\"", "\"2.0\""),
        text("\"CLIENT\"", "\"ERROR\"", "\"1700000000000000001\"", "-5.0", "2e0"),
        text("\"3\"", "\"2\"", "1700000000000000001", "-0.5e1", "\"2\""),
    ];
    let read = texts.map(|text| read(text).unwrap().spans()[0].clone());
    assert_eq!((read[0].kind, read[0].start), (Kind::Client, 1_700_000_000_000_000_001));
    assert_eq!(read[0].status, Status::Error("no".to_owned()));
    let expected = [("i", Value::Int(-5)), ("d", Value::Double(2.0)), ("b", Value::Bytes(vec![0xff, 0xef]))];
    assert_eq!(read[0].attributes.0, expected.map(|(key, value)| (key.to_owned(), value)));
    assert!(read.iter().all(|other| *other == read[0]));
    for (at, int) in
        [("-1", "0"), ("1.5", "0"), ("18446744073709551616", "0"), ("0", "9223372036854775808"), ("\"\"", "0")]
    {
        assert!(self::read(text("0", "0", at, int, "0")).is_err(), "{at} {int}");
    }
}

#[test]
fn a_resource_may_come_behind_its_spans_and_in_parts() {
    // Field 2, the spans, before field 1, the resource, twice.
    let mut parts = request("shop", vec![wire_span(1)]).resource_spans.remove(0);
    let spans = field(2, &parts.scope_spans[0].encode_to_vec());
    let name = field(1, &parts.resource.take().unwrap().encode_to_vec());
    let zone = vec![pair("zone", any_value::Value::StringValue("a".to_owned()))];
    let zone = field(1, &Resource { attributes: zone, ..Default::default() }.encode_to_vec());
    let read = read(field(1, &[spans, name, zone].concat())).unwrap();
    assert_eq!(read.spans()[0].resource.service, "shop");
    assert_eq!(read.spans()[0].resource.attributes.text("zone"), Some("a"));
}
