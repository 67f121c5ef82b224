//! The connections of a server: each accepted into a task of its own, counted by client, and ended in the end.

use std::{
    cmp::Reverse,
    collections::HashMap,
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use hyper::{
    Request, Response,
    body::{Body, Incoming},
    server::conn::{http1, http2},
    service::Service,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The most connections at a time; more wait to be accepted.
const MOST: usize = 4096;

/// What a connection begins with whose client knows that the server speaks HTTP/2, as those of gRPC do:
/// <https://www.rfc-editor.org/rfc/rfc9113#section-3.4>.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";
/// How long a connection on which streams are open may be silent, and then take to answer a ping.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Which versions of HTTP a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    Http1,
    /// HTTP/1.1, and HTTP/2 where a client begins with it.
    Http1And2,
}

/// All connections of one server.
pub struct Connections {
    speaks: Speaks,
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
    pub fn new(head_within: Duration, speaks: Speaks) -> Self {
        let open = Open { by_client: HashMap::new(), latest: Instant::now() };
        Self {
            speaks,
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
        S::Future: Send + 'static,
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
        S::Future: Send + 'static,
        S::Error: Into<Cause>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Cause>,
    {
        let _ = stream.set_nodelay(true);
        let (speaks, head_within, finish) = (self.speaks, self.head_within, self.finish.clone());
        async move {
            let is_http2 = tokio::select! {
                is_http2 = begins_with_http2(&stream, head_within), if speaks == Speaks::Http1And2 => is_http2,
                () = finish.cancelled(), if speaks == Speaks::Http1And2 => false,
                else => false,
            };
            let ended = if is_http2 {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder.timer(TokioTimer::new()).keep_alive_interval(KEEP_ALIVE).keep_alive_timeout(KEEP_ALIVE);
                let connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
                to_its_end(connection, &finish, http2::Connection::graceful_shutdown).await
            } else {
                let mut builder = http1::Builder::new();
                builder.timer(TokioTimer::new()).header_read_timeout(head_within);
                let connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
                // This closes an idle connection at once, also one whose client is just sending.
                to_its_end(connection, &finish, http1::Connection::graceful_shutdown).await
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

/// Serves a connection until it ends, or until `finish` and what is left to be done on it then.
async fn to_its_end<C: Future<Output = Result<(), hyper::Error>>>(
    mut connection: Pin<&mut C>,
    finish: &CancellationToken,
    shut: impl FnOnce(Pin<&mut C>),
) -> Result<(), hyper::Error> {
    tokio::select! {
        ended = connection.as_mut() => ended,
        () = finish.cancelled() => {
            shut(connection.as_mut());
            connection.await
        }
    }
}

/// Whether a client begins with HTTP/2; nothing of what it has sent is taken from the connection.
async fn begins_with_http2(stream: &TcpStream, within: Duration) -> bool {
    let peek = async {
        let mut begun = [0; PREFACE.len()];
        loop {
            match stream.peek(&mut begun).await {
                Ok(read) if read == PREFACE.len() => return begun == PREFACE,
                Ok(read) if read > 0 && begun[..read] == PREFACE[..read] => {
                    // The rest of it is on its way.
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                Ok(_) | Err(_) => return false,
            }
        }
    };
    tokio::time::timeout(within, peek).await.unwrap_or(false)
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
