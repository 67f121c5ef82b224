//! The receiver: spans a second that it accepts from one sender, counted without loss.
//!
//! The sender is a thread of this process with one connection. It waits for each answer before it sends again, so the two
//! hardly ever work at once; its bodies are encoded before the clock starts, and what it does then is to write and to read.
//! The second figure leaves the number of cores out: spans by the processor time of the whole process, sender and kernel
//! included.

use std::{
    collections::HashSet,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Instant,
};

use anyhow::{Context as _, ensure};
use interlock::adapters::otlp::{Limits, Receiver};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike as _,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1 as proto,
};
use prost::Message as _;

use crate::figures::{at_least, head, plain};

/// Spans a second.
const BAR: f64 = 100_000.0;
/// Spans in a batch, as SDKs send them by default.
const BATCH: u64 = 512;
/// Batches in a run.
const BATCHES: u64 = 400;
/// Runs; their middle counts.
const RUNS: usize = 5;

/// Measures; says whether all bars were reached.
pub fn run() -> bool {
    match measured() {
        Ok(reached) => reached,
        Err(why) => {
            println!("the receiver could not be measured: {why:#}");
            false
        }
    }
}

fn measured() -> anyhow::Result<bool> {
    let bodies: Vec<Vec<u8>> = (0..BATCHES).map(|batch| body(batch * BATCH)).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let receiver = runtime.block_on(Receiver::start("127.0.0.1:0".parse()?, Limits::default()))?;
    let (mut by_clock, mut by_work) = (Vec::new(), Vec::new());
    for run in 0..=RUNS {
        let (begun, worked) = (Instant::now(), processor()?);
        std::thread::scope(|scope| {
            let sending = scope.spawn(|| send(receiver.address(), &bodies));
            sending.join().map_err(|_| anyhow::anyhow!("the sender failed"))?
        })?;
        let (took, worked) = (begun.elapsed().as_secs_f64(), processor()? - worked);
        let received = receiver.drain();
        let ids: HashSet<_> = received.spans.iter().map(|span| span.id).collect();
        ensure!(received.lost == 0 && received.spans.len() as u64 == BATCH * BATCHES, "spans were lost");
        ensure!(ids.len() as u64 == BATCH * BATCHES, "spans were mixed up");
        // The first run warms up.
        if run > 0 {
            by_clock.push((BATCH * BATCHES) as f64 / took);
            by_work.push((BATCH * BATCHES) as f64 / worked);
        }
    }
    by_clock.sort_by(f64::total_cmp);
    by_work.sort_by(f64::total_cmp);
    head();
    let bytes = bodies.iter().map(Vec::len).sum::<usize>() as f64 / (BATCH * BATCHES) as f64;
    plain("encoded bytes of a span", bytes, "bytes");
    let clock = at_least("spans accepted, one sender that waits", by_clock[RUNS / 2], BAR, "/s");
    let work = at_least("spans by processor time, sender included", by_work[RUNS / 2], BAR, "/s");
    println!("all {} spans of each of the {RUNS} runs arrived, each once", BATCH * BATCHES);
    Ok(clock && work)
}

/// The processor time of this process, in seconds.
fn processor() -> anyhow::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    Ok((usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6)
}

fn send(to: SocketAddr, bodies: &[Vec<u8>]) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    let mut answer = [0; 4096];
    for body in bodies {
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\nhost: {to}\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        // An answer without a body comes in one piece.
        let read = stream.read(&mut answer)?;
        let answer = answer.get(..read).context("no answer")?;
        let accepted = answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(b"\r\n\r\n");
        ensure!(accepted, "answered: {}", String::from_utf8_lossy(answer));
    }
    Ok(())
}

/// A batch as an instrumented web service sends it.
fn body(first: u64) -> Vec<u8> {
    let attributes = [
        ("service.name", "checkout"),
        ("service.namespace", "shop"),
        ("service.version", "1.4.2"),
        ("service.instance.id", "checkout-7d9c5b8f4-x2v9q"),
        ("telemetry.sdk.name", "opentelemetry"),
    ];
    let resource =
        Resource { attributes: attributes.map(|(key, text)| named(key, text)).to_vec(), ..Default::default() };
    let spans = (first..first + BATCH).map(span).collect();
    let scope_spans = vec![proto::ScopeSpans { spans, ..Default::default() }];
    let resource_spans = vec![proto::ResourceSpans { resource: Some(resource), scope_spans, ..Default::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn span(number: u64) -> proto::Span {
    let status = KeyValue {
        key: "http.response.status_code".to_owned(),
        value: Some(AnyValue { value: Some(Value::IntValue(200)) }),
        ..Default::default()
    };
    proto::Span {
        trace_id: u128::from(number / 8 + 1).to_be_bytes().to_vec(),
        span_id: (number + 1).to_be_bytes().to_vec(),
        parent_span_id: number.max(1).to_be_bytes().to_vec(),
        name: "POST /baskets/{id}/checkout".to_owned(),
        kind: 2,
        start_time_unix_nano: 1_700_000_000_000_000_000 + number,
        end_time_unix_nano: 1_700_000_000_004_000_000 + number,
        attributes: vec![
            named("http.request.method", "POST"),
            named("http.route", "/baskets/{id}/checkout"),
            named("url.path", &format!("/baskets/{number}/checkout")),
            named("url.scheme", "http"),
            named("server.address", "checkout.shop.svc"),
            named("network.protocol.version", "1.1"),
            named("user_agent.original", "shop-web/3.1"),
            status,
        ],
        ..Default::default()
    }
}

fn named(key: &str, text: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(text.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..Default::default() }
}
