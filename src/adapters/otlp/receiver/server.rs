//! The server of a receiver: its connections, its end, and what it holds as a port.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

use super::{
    Counts, Limits,
    answer::{Shared, answer},
};
use crate::{
    adapters::otlp::files::{pick, too_many},
    model::trace::{Span, TraceId},
    ports::{Collected, PortError, Traces, Wanted},
};

/// How often is looked whether a receiver has become quiet.
const LOOK: Duration = Duration::from_millis(20);
/// How long a connection may be silent between requests, and take for the head of one.
const SILENT: Duration = Duration::from_secs(120);

/// An OTLP/HTTP receiver that listens until it is ended or dropped.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    finish: CancellationToken,
    server: Mutex<Option<JoinHandle<()>>>,
}

impl Receiver {
    /// Listens on an address; on any free port where the port is 0.
    ///
    /// # Errors
    /// Where the address is taken, or not ours.
    pub async fn start(address: SocketAddr, limits: Limits) -> Result<Self, PortError> {
        let unreachable = |e| PortError::unreachable(format!("the address {address} to listen on"), e);
        let listener = TcpListener::bind(address).await.map_err(unreachable)?;
        let address = listener.local_addr().map_err(unreachable)?;
        let shared = Arc::new(Shared::new(limits));
        let finish = CancellationToken::new();
        let server = tokio::spawn(serve(listener, shared.clone(), finish.clone()));
        Ok(Self { address, shared, finish, server: Mutex::new(Some(server)) })
    }

    /// Where it listens. Senders are given `http://ADDRESS` as their endpoint.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What has come in so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.store.counts()
    }

    /// How long nothing has come; nothing at all while a request is being served, and since the start where none came.
    #[must_use]
    pub fn quiet(&self) -> Duration {
        self.shared.store.quiet()
    }

    /// Waits until nothing has come for `quiet`; `false` where that was not so `within` the time.
    pub async fn settled(&self, quiet: Duration, within: Duration) -> bool {
        let since = Instant::now();
        loop {
            let so_far = self.quiet();
            if so_far >= quiet {
                return true;
            }
            let left = within.saturating_sub(since.elapsed());
            if left.is_zero() {
                return false;
            }
            tokio::time::sleep((quiet - so_far).max(LOOK).min(left)).await;
        }
    }

    /// Traces of which something has come not longer ago than this: more of them may be on its way.
    #[must_use]
    pub fn fresh(&self, within: Duration) -> BTreeSet<TraceId> {
        self.shared.store.fresh(within)
    }

    /// Takes all spans out, which makes room for more; in no order.
    #[must_use]
    pub fn drain(&self) -> Collected {
        let spans = self.shared.store.drain();
        Collected { spans, lost: self.counts().lost(), quiet: Some(self.quiet()) }
    }

    /// Stops listening and lets the requests that have begun finish; `false` where they did not `within` the time.
    ///
    /// What was received can still be collected.
    pub async fn end(&self, within: Duration) -> bool {
        self.finish.cancel();
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut server) = server else { return true };
        let ended = tokio::time::timeout(within, &mut server).await.is_ok();
        server.abort();
        ended
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let server = self.server.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = server.take() {
            // Its connections go with it.
            server.abort();
        }
    }
}

#[async_trait]
impl Traces for Receiver {
    async fn collect(&self, wanted: &Wanted) -> Result<Collected, PortError> {
        // First, so that whatever comes meanwhile makes it look less quiet than it is, and never more.
        let (quiet, batches) = (self.quiet(), self.shared.store.snapshot());
        let lost = self.counts().lost();
        let asked = wanted.clone();
        let picking = tokio::task::spawn_blocking(move || pick(batches.iter().flat_map(|batch| batch.iter()), &asked));
        let picked = picking.await.map_err(|e| PortError::unexpected("the receiver", e))?;
        let spans: Vec<Span> = picked.map_err(|count| too_many("the receiver", count, wanted))?;
        Ok(Collected { spans, lost, quiet: Some(quiet) })
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, finish: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        let free = connections.len() < shared.limits.connections;
        tokio::select! {
            () = finish.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if free => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, shared.clone(), finish.clone()));
                }
                Err(e) => {
                    // Out of descriptors, most likely: wait for some to come back.
                    tracing::warn!("accept: {e}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, finish: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(answer(shared, request).await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SILENT)
        .serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = finish.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(e) = ended {
        tracing::debug!("connection: {e}");
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Sends an empty request over a connection of its own; the whole answer.
    async fn asked(receiver: &Receiver) -> String {
        let mut stream = TcpStream::connect(receiver.address()).await.unwrap();
        let head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n";
        stream.write_all(format!("{head}content-length: 2\r\n\r\n{{}}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_request_waits_for_a_place_and_is_sent_away_in_the_end() {
        let limits = Limits { within: Duration::from_millis(50), ..Limits::default() };
        let receiver = Receiver::start("127.0.0.1:0".parse().unwrap(), limits).await.unwrap();
        let taken = receiver.shared.take_all_bodies().unwrap();
        let answer = asked(&receiver).await;
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 1\r\n"), "{answer}");
        assert!(answer.ends_with(r#"{"code":14,"message":"too many bodies are on their way at once"}"#), "{answer}");
        drop(taken);
        assert!(asked(&receiver).await.starts_with("HTTP/1.1 200 "));
        assert_eq!(receiver.counts().broken, 1);
    }
}
