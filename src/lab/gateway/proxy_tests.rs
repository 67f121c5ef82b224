//! Tests of forwarding: replicas that die with a request in hand, and what is repeated then.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicUsize, Ordering},
};

use hyper::{Method, service::service_fn};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::lab::{
    connections::{Connections, Speaks},
    http::{Ask, Client},
    known::Backend,
};

const WITHIN: Duration = Duration::from_secs(10);

/// A replica that is ready, and dies `broken` times with a request of users in hand; how many of them it has had.
async fn replica(broken: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, had) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = had.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let read = stream.read(&mut head).await.unwrap_or_default();
            let of_users = !head[..read].starts_with(b"GET /readyz ");
            if of_users && counted.fetch_add(1, Ordering::SeqCst) < broken {
                continue;
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
        }
    });
    (address, had)
}

/// A gateway in front of these replicas of blue.
async fn gateway(folder: &std::path::Path, replicas: &[SocketAddr]) -> Client {
    let backend =
        |(n, address): (usize, &SocketAddr)| Backend { name: n.to_string(), slot: Slot::Blue, address: *address };
    let listed: Vec<Backend> = replicas.iter().enumerate().map(backend).collect();
    let file = folder.join("replicas.json");
    std::fs::write(&file, serde_json::to_vec(&listed).unwrap()).unwrap();
    let shared = Arc::new(Shared {
        service: SERVICE.to_owned(),
        upstream_timeout: WITHIN,
        routing: Routing::open(folder.join("weights.json")).unwrap(),
        backends: Backends::default(),
        flights: Flights::default(),
        metrics: Metrics::default(),
        bearer: None,
        tracing: Tracing::Pass,
    });
    shared.backends.round(&file).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let connections = Connections::new(WITHIN, Speaks::Http1);
        let accepting = connections.accept(listener, |peer| {
            let shared = shared.clone();
            service_fn(move |request| {
                let shared = shared.clone();
                async move { Ok::<_, Infallible>(answer(shared, peer, request).await) }
            })
        });
        accepting.await
    });
    Client::new(address, None)
}

/// What a request gets from replicas that die with it in hand so often, and how many requests each of them had.
async fn asked<const N: usize>(method: Method, broken: [usize; N]) -> (u16, usize) {
    let folder = tempfile::tempdir().unwrap();
    let mut replicas = Vec::new();
    for times in broken {
        replicas.push(replica(times).await);
    }
    let addresses: Vec<SocketAddr> = replicas.iter().map(|(address, _)| *address).collect();
    let client = gateway(folder.path(), &addresses).await;
    let ask = Ask { method, ..Ask::get("/tenants") };
    let answer = client.ask(ask, WITHIN).await.unwrap();
    (answer.status.as_u16(), replicas.iter().map(|(_, had)| had.load(Ordering::SeqCst)).sum())
}

/// Whether the connection was new or kept alive tells nothing of what the replica has done.
#[tokio::test]
async fn a_replica_that_dies_with_a_request_on_a_new_connection_fails_none_that_may_be_repeated() {
    assert_eq!(asked(Method::GET, [1, 0]).await.0, 200);
    assert_eq!(asked(Method::GET, [0, 1]).await.0, 200);
}

#[tokio::test]
async fn a_request_is_repeated_once_and_only_where_it_may_be() {
    assert_eq!(asked(Method::GET, [9, 9, 9]).await, (502, 2), "what kills replicas reaches two of them");
    assert_eq!(asked(Method::POST, [9, 9, 9]).await, (502, 1));
    assert_eq!(asked(Method::GET, [9]).await, (502, 1), "no other replica is left");
}
