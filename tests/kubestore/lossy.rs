//! A way to the API server on which answers get lost: the request has gone through, and nobody hears of it.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

/// A proxy that ends a connection instead of passing on each n-th piece of an answer, and one that it is told to hold.
pub struct Lossy {
    pub at: SocketAddr,
    lost: Arc<AtomicU64>,
    hold: Arc<Hold>,
    task: tokio::task::JoinHandle<()>,
}

/// One answer that is held, and then lost.
#[derive(Default)]
struct Hold {
    armed: AtomicBool,
    held: Notify,
    lose: Notify,
}

impl Lossy {
    pub async fn before(server: SocketAddr, each: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (pieces, lost) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let losing = lost.clone();
        let hold = Arc::new(Hold::default());
        let holding = hold.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (pieces, lost, hold) = (pieces.clone(), losing.clone(), holding.clone());
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(server).await else { return };
                    let (mut from_client, mut to_client) = client.into_split();
                    let (mut from_server, mut to_server) = server.into_split();
                    let requests = tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
                    let mut buffer = vec![0; 64 * 1024];
                    while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
                        if hold.armed.swap(false, Ordering::SeqCst) {
                            hold.held.notify_one();
                            hold.lose.notified().await;
                            break;
                        }
                        if pieces.fetch_add(1, Ordering::SeqCst) % each == each - 1 {
                            lost.fetch_add(1, Ordering::SeqCst);
                            break;
                        }
                        if to_client.write_all(&buffer[..length]).await.is_err() {
                            break;
                        }
                    }
                    requests.abort();
                });
            }
        });
        Self { at, lost, hold, task }
    }

    /// Holds the next answer, does something once the server has given it, and loses it then.
    pub async fn meanwhile<T>(&self, something: impl Future<Output = T>) -> T {
        self.hold.armed.store(true, Ordering::SeqCst);
        self.hold.held.notified().await;
        let done = something.await;
        self.hold.lose.notify_one();
        done
    }

    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::SeqCst)
    }
}

impl Drop for Lossy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Copies a kubeconfig with another address of the server; says which one it had.
pub fn redirect(kubeconfig: &std::path::Path, to: SocketAddr, folder: &std::path::Path) -> PathBuf {
    let text = std::fs::read_to_string(kubeconfig).unwrap();
    let text = text.replace(&format!("https://{}", address(kubeconfig)), &format!("https://{to}"));
    let path = folder.join("kubeconfig");
    std::fs::write(&path, text).unwrap();
    path
}

/// Where a kubeconfig's server is.
pub fn address(kubeconfig: &std::path::Path) -> SocketAddr {
    let text = std::fs::read_to_string(kubeconfig).unwrap();
    let server = text.lines().find_map(|line| line.trim().strip_prefix("server: https://")).unwrap();
    server.trim().parse().unwrap()
}
