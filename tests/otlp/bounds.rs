//! Nothing that a sender does makes the receiver hold more than it was told to.

use std::{collections::HashSet, time::Duration};

use interlock::{
    adapters::otlp::Limits,
    ports::{Traces, Wanted},
};
use prost::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    samples::{numbered, numbers, request, wire_span},
    sender::{JSON, PROTOBUF, gzip, receiver},
};

/// A valid request that is exactly so long: what is missing is in a field that nobody knows.
fn padded(length: usize) -> Vec<u8> {
    let mut body = request("shop", numbered(0, 3)).encode_to_vec();
    // Tag 15 with a length of four bytes, as every length here has.
    let padding = length - body.len() - 5;
    body.push(15 << 3 | 2);
    body.extend((0..4).map(|i| (padding >> (7 * i) & 0x7f) as u8 | if i < 3 { 0x80 } else { 0 }));
    body.resize(length, b'x');
    body
}

const MIB: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_64_mib_is_taken_and_not_a_byte_more() {
    let (receiver, sender) = receiver(Limits::default()).await;
    let plain = [("content-type", PROTOBUF)];
    let zipped = [("content-type", PROTOBUF), ("content-encoding", "gzip")];
    assert_eq!(sender.post(&plain, padded(64 * MIB)).await.partial(), None);
    assert_eq!(sender.post(&zipped, gzip(&padded(64 * MIB))).await.partial(), None);
    let long = padded(64 * MIB + 1);
    // With its length said, without, and under gzip.
    let pieces: Vec<Result<Vec<u8>, std::io::Error>> = long.chunks(MIB).map(|piece| Ok(piece.to_vec())).collect();
    for answer in [
        sender.post(&plain, long.clone()).await,
        sender.post(&plain, reqwest::Body::wrap_stream(futures::stream::iter(pieces))).await,
        sender.post(&zipped, gzip(&long)).await,
    ] {
        assert_eq!((answer.status, answer.refusal().code), (413, 8));
        assert_eq!(answer.refusal().message, "a body has 64 MiB at most, also once it is inflated");
    }
    assert_eq!((receiver.counts().accepted, receiver.counts().broken), (6, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_are_refused() {
    let (receiver, sender) = receiver(Limits::default()).await;
    let bomb = gzip(&vec![0; 128 * MIB]);
    assert!(bomb.len() < MIB);
    let twice = gzip(&bomb);
    let zipped = |kind| [("content-type", kind), ("content-encoding", "gzip")];
    for kind in [PROTOBUF, JSON] {
        assert_eq!(sender.post(&zipped(kind), bomb.clone()).await.status, 413);
        assert_eq!(sender.post(&zipped(kind), twice.clone()).await.status, 400);
    }
    // Two bytes for an empty message each, which take a hundred where they are decoded without thought.
    // Scopes, resources, and a resource that comes in parts with an attribute each.
    for (inner, status) in [(&b"\x12\x00\x12\x00"[..], 400), (b"\x0a\x00\x0a\x00", 200), (b"\x0a\x02\x0a\x00", 400)] {
        let many = inner.repeat(8 * MIB);
        let body = [&[0x0a][..], &varint(many.len()), &many].concat();
        let answer = sender.post(&zipped(PROTOBUF), gzip(&body)).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    // Empty spans are no spans, and neither is one with half a million empty attributes.
    let scope = b"\x0a\x04\x12\x02\x12\x00".repeat(1000);
    assert_eq!(sender.post(&[("content-type", PROTOBUF)], scope).await.partial().unwrap().0, 1000);
    let mut large = wire_span(1);
    large.attributes = vec![Default::default(); 600_000];
    let answer = sender.send(&request("shop", vec![large, wire_span(2)])).await;
    assert_eq!(answer.partial().unwrap(), (1, "1 span was rejected: it is longer than 1024 KiB".to_owned()));
    let counts = receiver.counts();
    assert_eq!((counts.accepted, counts.held, counts.rejected), (1, 1, 1001));
    assert!(counts.bytes < 2000, "{counts:?}");
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_receiver_refuses_until_it_is_drained() {
    let (receiver, sender) = receiver(Limits { spans: 1000, ..Limits::default() }).await;
    let batch = |first| request("shop", numbered(first, 600));
    assert_eq!(sender.send(&batch(0)).await.partial(), None);
    for _ in 0..2 {
        let answer = sender.send(&batch(600)).await;
        assert_eq!((answer.status, answer.header("retry-after"), answer.refusal().code), (429, "1", 8));
    }
    // As much as there is room for is still taken.
    assert_eq!(sender.send(&request("shop", numbered(5000, 400))).await.partial(), None);
    let answer = sender.send_json(&request("shop", numbered(6000, 1))).await;
    assert_eq!((answer.status, answer.header("retry-after")), (429, "1"));
    assert_eq!((receiver.counts().held, receiver.counts().refused), (1000, 601));
    // What was refused and came again is lost no more.
    let drained = receiver.drain();
    assert_eq!((drained.spans.len(), drained.lost), (1000, 601));
    assert_eq!((receiver.counts().held, receiver.counts().bytes), (0, 0));
    assert_eq!(sender.send(&batch(600)).await.partial(), None);
    assert_eq!(receiver.counts().refused, 1);
    assert_eq!(sender.send_json(&request("shop", numbered(6000, 1))).await.status, 200);
    let collected = receiver.collect(&Wanted { traces: Vec::new(), most: 601 }).await.unwrap();
    assert_eq!(collected.lost, 0);
    assert_eq!(numbers(&collected.spans), (600..1200).chain([6000]).collect::<Vec<_>>());
    // What could never be held is refused for good.
    let answer = sender.send(&request("shop", numbered(0, 1001))).await;
    assert_eq!((answer.status, answer.header("retry-after")), (413, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_bounded_as_well_as_spans() {
    let (receiver, sender) = receiver(Limits { held: 100_000, ..Limits::default() }).await;
    let mut accepted = 0;
    let refused = loop {
        let mut span = wire_span(accepted);
        span.name = "n".repeat(20_000);
        let answer = sender.send(&request("shop", vec![span])).await;
        if answer.status != 200 {
            break answer;
        }
        accepted += 1;
    };
    assert_eq!((refused.status, accepted), (429, 4));
    assert!((80_000..=100_000).contains(&receiver.counts().bytes), "{:?}", receiver.counts());
    assert_eq!(receiver.drain().spans.len(), 4);
    assert_eq!(receiver.counts().bytes, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_senders_at_once_lose_nothing() {
    const SENDERS: u64 = 8;
    const BATCHES: u64 = 40;
    const EACH: u64 = 64;
    let (receiver, sender) = receiver(Limits::default()).await;
    let sending = (0..SENDERS).map(|one| {
        let sender = sender.clone();
        tokio::spawn(async move {
            for batch in 0..BATCHES {
                let request = request(&format!("service-{one}"), numbered((one * BATCHES + batch) * EACH, EACH));
                let answer =
                    if batch % 2 == 0 { sender.send(&request).await } else { sender.send_json(&request).await };
                assert_eq!(answer.status, 200);
            }
        })
    });
    // Somebody looks at it all the while.
    let sending: Vec<_> = sending.collect();
    while sending.iter().any(|task| !task.is_finished()) {
        receiver.collect(&Wanted { traces: Vec::new(), most: usize::MAX }).await.unwrap();
    }
    for task in sending {
        task.await.unwrap();
    }
    let spans = receiver.drain().spans;
    assert_eq!(numbers(&spans), (0..SENDERS * BATCHES * EACH).collect::<Vec<_>>());
    let services: HashSet<_> = spans.iter().map(|span| span.resource.service.clone()).collect();
    assert_eq!(services.len(), SENDERS as usize);
    assert_eq!(receiver.counts().lost(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_stops_in_the_midst_holds_nobody_up() {
    let limits = Limits { within: Duration::from_millis(500), body: MIB, bodies: MIB, ..Limits::default() };
    let (receiver, sender) = receiver(limits).await;
    let mut slow = TcpStream::connect(receiver.address()).await.unwrap();
    let head =
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    // It held the whole place for bodies, and is told so in the end.
    let read = slow.read(&mut answer).await.unwrap();
    let text = String::from_utf8_lossy(&answer[..read]);
    assert!(text.starts_with("HTTP/1.1 408 ") && text.ends_with("}"), "{text}");
    assert_eq!(sender.send(&request("shop", numbered(0, 1))).await.partial(), None);
    assert_eq!((receiver.counts().broken, receiver.counts().accepted), (1, 1));
}
