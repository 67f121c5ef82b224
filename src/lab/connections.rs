//! The connections of a server: each accepted into a task of its own, counted by client, and ended in the end.

use std::{
    cmp::Reverse,
    collections::HashMap,
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hyper::{
    Request, Response,
    body::{Body, Incoming},
    server::conn::http1,
    service::Service,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The most connections at a time; more wait to be accepted.
const MOST: usize = 4096;

/// All connections of one server.
pub struct Connections {
    /// How long a client may take to send the head of a request; also how long it may stay silent in between.
    head_within: Duration,
    places: Arc<Semaphore>,
    tasks: TaskTracker,
    finish: CancellationToken,
    open: Arc<Mutex<Open>>,
}

struct Open {
    by_client: HashMap<IpAddr, u64>,
    /// When the last one came, or when there was none yet.
    latest: Instant,
}

impl Connections {
    /// None yet; each may be silent for `head_within`.
    #[must_use]
    pub fn new(head_within: Duration) -> Self {
        let open = Open { by_client: HashMap::new(), latest: Instant::now() };
        Self {
            head_within,
            places: Arc::new(Semaphore::new(MOST)),
            tasks: TaskTracker::new(),
            finish: CancellationToken::new(),
            open: Arc::new(Mutex::new(open)),
        }
    }

    /// Accepts connections and serves each with what `service` makes for its client, until this is dropped.
    ///
    /// The connections that were accepted go on then; see [`Connections::finish`].
    pub async fn accept<S, B>(&self, listener: TcpListener, service: impl Fn(SocketAddr) -> S) -> Infallible
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
        S::Future: Send,
        S::Error: Into<Cause>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Cause>,
    {
        loop {
            let place = self.places.clone().acquire_owned().await;
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let serving = self.serve(stream, peer, service(peer));
                    let counted = Counted::new(&self.open, peer.ip().to_canonical());
                    self.tasks.spawn(async move {
                        serving.await;
                        drop((counted, place));
                    });
                }
                Err(e) => {
                    // Out of descriptors, most likely: wait for some to come back.
                    tracing::warn!("accept: {e}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    fn serve<S, B>(&self, stream: TcpStream, peer: SocketAddr, service: S) -> impl Future<Output = ()> + use<S, B>
    where
        S: Service<Request<Incoming>, Response = Response<B>>,
        S::Error: Into<Cause>,
        B: Body + 'static,
        B::Error: Into<Cause>,
    {
        let _ = stream.set_nodelay(true);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.head_within)
            .serve_connection(TokioIo::new(stream), service);
        let finish = self.finish.clone();
        async move {
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = finish.cancelled() => {
                    // This closes an idle connection at once, also one whose client is just sending.
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(e) = ended {
                tracing::debug!("connection from {peer}: {e}");
            }
        }
    }

    /// How many each client has open, those with most first.
    #[must_use]
    pub fn by_client(&self) -> Vec<(IpAddr, u64)> {
        let mut clients: Vec<_> = self.open().by_client.iter().map(|(client, n)| (*client, *n)).collect();
        clients.sort_unstable_by_key(|(client, n)| (Reverse(*n), *client));
        clients
    }

    /// Waits until none is open and none has come for `linger`.
    ///
    /// A client that still comes shows that not everybody knows yet that this server is to end.
    pub async fn quiet(&self, linger: Duration) {
        let since = Instant::now();
        self.tasks.close();
        loop {
            self.tasks.wait().await;
            let left = linger.saturating_sub(since.max(self.open().latest).elapsed());
            if left.is_zero() && self.tasks.is_empty() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }

    /// Closes those that are idle and the others after their answer; says whether all of them ended `within` that time.
    pub async fn finish(&self, within: Duration) -> bool {
        self.finish.cancel();
        self.tasks.close();
        tokio::time::timeout(within, self.tasks.wait()).await.is_ok()
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a connection for as long as it is open.
struct Counted {
    open: Arc<Mutex<Open>>,
    client: IpAddr,
}

impl Counted {
    fn new(open: &Arc<Mutex<Open>>, client: IpAddr) -> Self {
        let mut now = open.lock().unwrap_or_else(PoisonError::into_inner);
        *now.by_client.entry(client).or_default() += 1;
        now.latest = Instant::now();
        Self { open: open.clone(), client }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut now = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(n) = now.by_client.get_mut(&self.client) {
            *n -= 1;
            if *n == 0 {
                // Clients come and go, and the map is to hold those that are here.
                now.by_client.remove(&self.client);
            }
        }
    }
}
