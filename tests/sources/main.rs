//! Sources of counters, against a fake Prometheus with every kind of fault and against a real one.
#![cfg(feature = "lab")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may end where it cannot go on")]

mod access;
mod fake;
mod native;
mod notices;
mod programs;
mod real;
mod release;
mod servers;
mod several;
mod telemetry;

use std::net::SocketAddr;

use axum::Router;

/// Serves a router on a free port of this machine until the test ends.
async fn serve(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}
