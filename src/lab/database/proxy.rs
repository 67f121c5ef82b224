//! The network of a host: every connection from or to it is carried through here, so that it can be cut off whole.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::{
    io::copy_bidirectional_with_sizes,
    net::{TcpListener, TcpStream},
    sync::{Semaphore, oneshot},
};

use super::gate::Gates;
use crate::{
    error::Error,
    lab::{http::listen, state::broken},
};

/// The most connections of one forward at a time; more wait to be accepted.
const MOST: usize = 1024;
/// How much of each direction is read at once, in bytes.
const CHUNK: usize = 16 << 10;
/// How long connecting onward may take, which on one machine is a matter of microseconds.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Where connections come in, and where they go on to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// The address that others use.
    pub listen: SocketAddr,
    /// Where it leads to.
    pub to: SocketAddr,
}

/// Carries the connections of all forwards, on a thread of its own: what else the agent does costs them no time.
///
/// # Errors
/// Where an address cannot be listened on.
pub async fn start(forwards: Vec<(Forward, Gates)>) -> Result<(), Error> {
    let (told, heard) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| broken("the network's runtime", e))?;
    let carry = move || {
        runtime.block_on(async move {
            let mut listening = Vec::new();
            for (forward, gates) in forwards {
                match listen(forward.listen).await {
                    Ok(listener) => listening.push(accept(listener, forward.to, gates)),
                    Err(e) => {
                        let _ = told.send(Err(e));
                        return;
                    }
                }
            }
            let _ = told.send(Ok(()));
            futures::future::join_all(listening).await;
        });
    };
    std::thread::Builder::new().name("network".into()).spawn(carry).map_err(|e| broken("the network's thread", e))?;
    heard.await.unwrap_or_else(|_| Err(broken("the network's thread", "it has ended")))
}

async fn accept(listener: TcpListener, to: SocketAddr, gates: Gates) {
    let places = Arc::new(Semaphore::new(MOST));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        // While it is held, connections wait where the system keeps them: nobody accepts, nobody refuses.
        gates.open().await;
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = gates.held() => continue,
        };
        match accepted {
            Ok((client, _)) => {
                let gates = gates.clone();
                tokio::spawn(async move {
                    carry(client, to, &gates).await;
                    drop(place);
                });
            }
            Err(e) => {
                tracing::warn!("accept: {e}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn carry(mut client: TcpStream, to: SocketAddr, gates: &Gates) {
    let Ok(Ok(mut server)) = tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(to)).await else {
        // Nobody is there: the client hears it as it would from the host itself.
        cut(&client);
        return;
    };
    for stream in [&client, &server] {
        let _ = stream.set_nodelay(true);
    }
    tokio::select! {
        // Both ends learn from the closed sockets how it ended.
        _ = copy_bidirectional_with_sizes(&mut client, &mut server, CHUNK, CHUNK) => {}
        () = gates.held() => {
            gates.open().await;
            cut(&client);
            cut(&server);
        }
    }
}

/// Ends a connection as a host does that knows nothing of it.
fn cut(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::{super::gate::Gate, *};

    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        address
    }

    async fn say(stream: &mut TcpStream) -> Result<u8, Option<std::io::Error>> {
        stream.write_all(b"x").await.map_err(Some)?;
        let answer = tokio::time::timeout(Duration::from_millis(300), stream.read_u8()).await;
        answer.map_err(|_| None)?.map_err(Some)
    }

    #[tokio::test]
    async fn what_is_held_is_silent_and_then_cut() {
        let to = echo().await;
        let probe = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = probe.local_addr().unwrap();
        drop(probe);
        let gate = Gate::new(false);
        start(vec![(Forward { listen, to }, Gates(vec![Gate::new(false), gate.clone()]))]).await.unwrap();
        let mut early = TcpStream::connect(listen).await.unwrap();
        assert_eq!(say(&mut early).await.unwrap(), b'x');

        gate.set(true);
        assert!(say(&mut early).await.unwrap_err().is_none(), "silence");
        let mut late = TcpStream::connect(listen).await.unwrap();
        assert!(say(&mut late).await.unwrap_err().is_none(), "silence");

        gate.set(false);
        assert!(early.read_u8().await.is_err(), "cut");
        assert_eq!(late.read_u8().await.unwrap(), b'x', "what had waited is served");
    }
}
