//! A door before a real server, with a clock of its own: shut, it refuses connections and cuts those that there are.

use std::{net::SocketAddr, time::Instant};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

/// Leads from an address of its own to a server, where it is open.
pub struct Door {
    pub address: SocketAddr,
    to: SocketAddr,
    open: Option<Open>,
}

struct Open {
    shut: CancellationToken,
    /// Ends when no connection goes through any more; gives how many it cut.
    done: JoinHandle<usize>,
}

impl Door {
    /// An open door on a free port.
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { address, to: server, open: Some(Open::begin(listener, server)) }
    }

    /// From now on connections are refused; gives the times before and after the last one was cut, and how many were.
    pub async fn shut(&mut self) -> (Instant, Instant, usize) {
        let Open { shut, done } = self.open.take().expect("it is open");
        let before = Instant::now();
        shut.cancel();
        let cut = done.await.unwrap();
        (before, Instant::now(), cut)
    }

    /// Lets connections through again; gives the times before and after the first one could get in.
    pub async fn open(&mut self) -> (Instant, Instant) {
        let before = Instant::now();
        let listener = TcpListener::bind(self.address).await.unwrap();
        let after = Instant::now();
        self.open = Some(Open::begin(listener, self.to));
        (before, after)
    }
}

impl Open {
    fn begin(listener: TcpListener, to: SocketAddr) -> Self {
        let shut = CancellationToken::new();
        let done = tokio::spawn(serve(listener, to, shut.clone()));
        Self { shut, done }
    }
}

async fn serve(listener: TcpListener, to: SocketAddr, shut: CancellationToken) -> usize {
    let mut through = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = shut.cancelled() => break,
            Some(_) = through.join_next() => {}
            Ok((client, _)) = listener.accept() => {
                through.spawn(lead(client, to));
            }
        }
    }
    drop(listener);
    let cut = through.len();
    through.shutdown().await;
    cut
}

async fn lead(mut client: TcpStream, to: SocketAddr) {
    let Ok(mut server) = TcpStream::connect(to).await else { return };
    // Small packets are not held back: what is measured are milliseconds.
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let _ = copy_bidirectional(&mut client, &mut server).await;
}
