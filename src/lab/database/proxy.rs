//! The network of a host: every connection from or to it is carried through here, so that it can be cut off whole.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional_with_sizes},
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
    pub to: SocketAddr,
    /// What the other side tells of itself as its address, and what is told to be this one instead. A client that is told
    /// where else to go would leave this way.
    pub renamed: Option<SocketAddr>,
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
                    Ok(listener) => listening.push(accept(listener, forward, gates)),
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

async fn accept(listener: TcpListener, forward: Forward, gates: Gates) {
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
                    carry(client, forward, &gates).await;
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

async fn carry(mut client: TcpStream, forward: Forward, gates: &Gates) {
    let Ok(Ok(mut server)) = tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(forward.to)).await else {
        // Nobody is there: the client hears it as it would from the host itself.
        cut(&client);
        return;
    };
    for stream in [&client, &server] {
        let _ = stream.set_nodelay(true);
    }
    tokio::select! {
        () = copy(&mut client, &mut server, forward) => {}
        () = gates.held() => {
            gates.open().await;
            cut(&client);
            cut(&server);
        }
    }
}

async fn copy(client: &mut TcpStream, server: &mut TcpStream, forward: Forward) {
    // Both ends learn from the closed sockets how it ended.
    let _ = match forward.renamed {
        None => copy_bidirectional_with_sizes(client, server, CHUNK, CHUNK).await.map(drop),
        Some(renamed) => copy_renaming(client, server, &renamed.to_string(), &forward.listen.to_string()).await,
    };
}

/// Copies both ways, and puts one address for the other in what the server says. Both have the same length, so that
/// whatever counts bytes still counts right; an address that comes in two pieces is missed.
async fn copy_renaming(client: &mut TcpStream, server: &mut TcpStream, from: &str, to: &str) -> io::Result<()> {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (client.split(), server.split());
    let asked = async {
        tokio::io::copy(&mut from_client, &mut to_server).await?;
        to_server.shutdown().await
    };
    let told = async {
        let mut chunk = vec![0; CHUNK];
        loop {
            let n = from_server.read(&mut chunk).await?;
            if n == 0 {
                return to_client.shutdown().await;
            }
            rename(&mut chunk[..n], from.as_bytes(), to.as_bytes());
            to_client.write_all(&chunk[..n]).await?;
        }
    };
    tokio::try_join!(asked, told).map(drop)
}

fn rename(text: &mut [u8], from: &[u8], to: &[u8]) {
    if from.len() != to.len() {
        return;
    }
    let places = (0..(text.len() + 1).saturating_sub(from.len())).filter(|at| text[*at..].starts_with(from));
    for at in places.collect::<Vec<_>>() {
        text[at..at + to.len()].copy_from_slice(to);
    }
}

/// Ends a connection as a host does that knows nothing of it.
fn cut(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

#[cfg(test)]
mod tests {
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

    async fn say(stream: &mut TcpStream) -> Result<u8, Option<io::Error>> {
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
        start(vec![(Forward { listen, to, renamed: None }, Gates(vec![Gate::new(false), gate.clone()]))])
            .await
            .unwrap();
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

    #[test]
    fn an_address_is_told_as_another_one() {
        let mut told = *b"at 1.1:20 and 1.1:20, not 1.1:21";
        rename(&mut told, b"1.1:20", b"9.9:99");
        assert_eq!(&told, b"at 9.9:99 and 9.9:99, not 1.1:21");
        rename(&mut told, b"9.9:99", b"1.1:1");
        assert_eq!(&told, b"at 9.9:99 and 9.9:99, not 1.1:21", "of another length");
        rename(&mut told[..2], b"9.9:99", b"1.1:20");
    }
}
