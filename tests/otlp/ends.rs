//! How a receiver ends, and how it says that nothing comes any more.

use std::time::Duration;

use interlock::{
    adapters::otlp::{Limits, Receiver},
    ports::{PortError, Traces, Wanted},
};
use prost::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    samples::{numbered, numbers, request},
    sender::{PROTOBUF, receiver},
};

const LONG: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn the_end_waits_for_requests_that_have_begun() {
    let (receiver, sender) = receiver(Limits::default()).await;
    assert_eq!(sender.send(&request("shop", numbered(0, 2))).await.partial(), None);
    let body = request("shop", numbered(2, 2)).encode_to_vec();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: {PROTOBUF}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut begun = TcpStream::connect(receiver.address()).await.unwrap();
    begun.write_all(head.as_bytes()).await.unwrap();
    begun.write_all(&body[..10]).await.unwrap();
    // A request that is under way is activity, whatever the clock says.
    while !receiver.quiet().is_zero() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!receiver.settled(Duration::from_nanos(1), Duration::from_millis(50)).await);
    let (ended, answer) = tokio::join!(receiver.end(LONG), async {
        // Others find nobody any more.
        while sender.tried(&[("content-type", PROTOBUF)], "").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        begun.write_all(&body[10..]).await.unwrap();
        let mut answer = Vec::new();
        begun.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    });
    assert!(ended && answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // It is told what came before the end, and it may be ended again.
    let collected = receiver.collect(&Wanted { traces: Vec::new(), most: 4 }).await.unwrap();
    assert_eq!(numbers(&collected.spans), [0, 1, 2, 3]);
    assert!(receiver.settled(Duration::from_millis(1), LONG).await);
    assert!(receiver.end(LONG).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_takes_too_long_is_cut() {
    let (receiver, _) = receiver(Limits::default()).await;
    let mut begun = TcpStream::connect(receiver.address()).await.unwrap();
    begun.write_all(b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n").await.unwrap();
    while !receiver.quiet().is_zero() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!receiver.end(Duration::from_millis(50)).await);
    let mut rest = Vec::new();
    // Closed or reset, but never left open.
    let _ = tokio::time::timeout(LONG, begun.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dropped_listens_no_more() {
    let (receiver, sender) = receiver(Limits::default()).await;
    let address = receiver.address();
    assert_eq!(sender.send(&request("shop", numbered(0, 2))).await.partial(), None);
    let taken = Receiver::start(address, Limits::default()).await;
    let Err(PortError::Unreachable { what, .. }) = taken else { panic!("two of them on one address") };
    assert_eq!(what, format!("the address {address} to listen on"));
    drop(receiver);
    // Also the connection that the sender keeps.
    while sender.tried(&[("content-type", PROTOBUF)], "").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
