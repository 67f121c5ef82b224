//! Connections to whichever node of the lab's database is the primary: a few, kept, and made anew where it has moved.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_postgres::{
    Client, Config, NoTls, Statement,
    config::{SslMode, TargetSessionAttrs},
};
use tokio_util::task::AbortOnDropHandle;

use crate::lab::LabDatabase;

/// How many connections there are at most.
const MOST: usize = 4;
/// How many statements a connection keeps prepared.
const PREPARED: usize = 100;
/// How long a node may take to let us in and to say that it takes writes.
const CONNECT: Duration = Duration::from_millis(300);
/// How long nobody asks again once no node would do: twice as long each time, and at most so long. Half of it is left to chance,
/// so that the replicas do not come all at once.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(400));

/// A connection to a node that took writes when it was made; dropping it ends it.
pub struct Line {
    /// Asks over it.
    pub client: Client,
    prepared: HashMap<String, Statement>,
    _carried: AbortOnDropHandle<()>,
}

impl Line {
    /// A statement that the node has read before, or reads now.
    ///
    /// # Errors
    /// What it says of the statement.
    pub async fn prepared(&mut self, text: &str) -> Result<Statement, tokio_postgres::Error> {
        if let Some(known) = self.prepared.get(text) {
            return Ok(known.clone());
        }
        if self.prepared.len() >= PREPARED {
            self.prepared.clear();
        }
        let statement = self.client.prepare(text).await?;
        self.prepared.insert(text.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// What the last try to connect has come to.
#[derive(Default)]
struct Latest {
    /// The node that took writes last.
    node: usize,
    /// Until when nobody tries again, how long that is, and why the last try came to nothing.
    away: Option<(Instant, Duration, String)>,
}

/// The nodes, and the connections to one of them.
#[derive(Clone)]
pub struct Primary(Arc<Shared>);

struct Shared {
    nodes: Vec<(String, Config)>,
    /// The node that took writes last. Locked while one connects: of many at once each would take the others' time, and a
    /// primary that is away would find a crowd at its door when it comes back.
    latest: tokio::sync::Mutex<Latest>,
    idle: Mutex<Vec<Line>>,
    places: Arc<Semaphore>,
}

impl Primary {
    /// Connected to nobody yet.
    #[must_use]
    pub fn of(database: &LabDatabase, who: &str) -> Self {
        Self::new(database.nodes.iter().map(|node| (node.name.clone(), config(database, node.sql, who))).collect())
    }

    fn new(nodes: Vec<(String, Config)>) -> Self {
        let (latest, idle) = (tokio::sync::Mutex::default(), Mutex::default());
        Self(Arc::new(Shared { nodes, latest, idle, places: Arc::new(Semaphore::new(MOST)) }))
    }

    /// Waits until fewer connections are in use than there may be; nobody may use one without such a place.
    pub async fn place(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        self.0.places.clone().acquire_owned().await.ok()
    }

    /// Gives a connection that was used before, or makes one. It is made to its end also where nobody waits for it any more: those
    /// who have waited for others would have no time left for a node that is slow, each of them anew.
    ///
    /// # Errors
    /// Why none of the nodes will do.
    pub async fn line(&self) -> Result<Line, String> {
        if let Some(line) = self.0.reused() {
            return Ok(line);
        }
        let (shared, (give, take)) = (self.0.clone(), oneshot::channel());
        tokio::spawn(async move {
            if let Err(Ok(line)) = give.send(shared.connect().await) {
                shared.put(line);
            }
        });
        take.await.unwrap_or_else(|_| Err("the connection was given up".to_owned()))
    }

    /// Whether a node takes writes and answers.
    ///
    /// # Errors
    /// Why none does.
    pub async fn probe(&self) -> Result<(), String> {
        let _place = self.place().await;
        let line = self.line().await?;
        line.client.simple_query("select 1").await.map_err(|e| said(&e))?;
        self.put(line);
        Ok(())
    }

    /// Takes back a connection on which all was answered.
    pub fn put(&self, line: Line) {
        self.0.put(line);
    }

    /// Ends all connections that nobody uses: the node was silent on another one.
    pub fn forget(&self) {
        self.0.idle().clear();
    }
}

impl Shared {
    async fn connect(&self) -> Result<Line, String> {
        let mut latest = self.latest.lock().await;
        // One may have come back meanwhile.
        if let Some(line) = self.reused() {
            return Ok(line);
        }
        if let Some((until, _, why)) = &latest.away
            && Instant::now() < *until
        {
            return Err(why.clone());
        }
        let mut causes = Vec::new();
        for (at, (name, config)) in self.nodes.iter().enumerate().cycle().skip(latest.node).take(self.nodes.len()) {
            match open(config).await {
                Ok(line) => {
                    if at != latest.node {
                        tracing::info!(node = name, "the database's primary has moved");
                    }
                    *latest = Latest { node: at, away: None };
                    return Ok(line);
                }
                Err(why) => causes.push(format!("{name}: {why}")),
            }
        }
        let (first, longest) = BACK_OFF;
        let pause = latest.away.as_ref().map_or(first, |(_, pause, _)| (*pause * 2).min(longest));
        let why = causes.join("; ");
        latest.away = Some((Instant::now() + pause.mul_f64(rand::random_range(0.5..1.0)), pause, why.clone()));
        Err(why)
    }

    fn put(&self, line: Line) {
        let mut idle = self.idle();
        if idle.len() < MOST {
            idle.push(line);
        }
    }

    fn reused(&self) -> Option<Line> {
        let mut idle = self.idle();
        while let Some(line) = idle.pop() {
            if !line.client.is_closed() {
                return Some(line);
            }
        }
        None
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Line>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each service has a schema of its own, by its name.
fn config(database: &LabDatabase, at: std::net::SocketAddr, who: &str) -> Config {
    let mut config = Config::new();
    config
        .host(at.ip().to_string())
        .port(at.port())
        .user(&database.user)
        .password(&database.password)
        .dbname(&database.database)
        .application_name(who)
        .options(format!("-c search_path=\"{who}\",public"))
        .ssl_mode(SslMode::Disable)
        // A standby lets us in as well, and shows what was.
        .target_session_attrs(TargetSessionAttrs::ReadWrite);
    config
}

async fn open(config: &Config) -> Result<Line, String> {
    let connected = tokio::time::timeout(CONNECT, config.connect(NoTls)).await;
    let (client, connection) =
        connected.map_err(|_| format!("does not let us in within {CONNECT:?}"))?.map_err(|e| said(&e))?;
    let carried = tokio::spawn(async move {
        // Whoever asks is told as well, and it is they who report.
        let _ = connection.await;
    });
    Ok(Line { client, prepared: HashMap::new(), _carried: AbortOnDropHandle::new(carried) })
}

/// What an error says with its cause, which it leaves out itself.
pub fn said(error: &tokio_postgres::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_crowd_at_a_database_that_is_away_makes_few_connections() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut config = Config::new();
        config.host("127.0.0.1").port(listener.local_addr().unwrap().port()).user("me").ssl_mode(SslMode::Disable);
        let made = Arc::new(AtomicUsize::new(0));
        let counted = made.clone();
        tokio::spawn(async move {
            // Lets everybody in, and shuts the door at once.
            while listener.accept().await.is_ok() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        let primary = Primary::new(vec![("pg1".to_owned(), config)]);
        let begun = Instant::now();
        for _ in 0..20_000 {
            let why = primary.line().await.err().unwrap();
            assert!(why.starts_with("pg1: "), "{why}");
        }
        // The shortest pause that there can be is half of the first one.
        let most = begun.elapsed().as_millis() / (BACK_OFF.0.as_millis() / 2) + 2;
        assert!((made.load(Ordering::SeqCst) as u128) <= most, "{made:?} connections");
    }

    /// A node that takes its time, and then lets in and takes writes.
    async fn slow(listener: tokio::net::TcpListener, time: Duration) {
        let authenticated = [&b"R\0\0\0\x08\0\0\0\0"[..], b"Z\0\0\0\x05I"].concat();
        let writable = [
            &b"T\0\0\0\x2e\0\x01transaction_read_only\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"[..],
            b"D\0\0\0\x0d\0\x01\0\0\0\x03off",
            b"C\0\0\0\x09SHOW\0",
            b"Z\0\0\0\x05I",
        ]
        .concat();
        while let Ok((mut client, _)) = listener.accept().await {
            let (authenticated, writable) = (authenticated.clone(), writable.clone());
            tokio::spawn(async move {
                let mut heard = [0; 1024];
                for answer in [authenticated, writable] {
                    let _ = client.read(&mut heard).await;
                    tokio::time::sleep(time).await;
                    let _ = client.write_all(&answer).await;
                }
                let _ = client.read(&mut heard).await;
            });
        }
    }

    #[tokio::test]
    async fn a_node_that_is_slow_is_connected_to_although_nobody_waits_so_long() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut config = Config::new();
        config.host("127.0.0.1").port(listener.local_addr().unwrap().port()).user("me").ssl_mode(SslMode::Disable);
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        tokio::spawn(slow(listener, CONNECT / 10));
        let primary = Primary::new(vec![("pg1".to_owned(), config)]);
        for _ in 0..100 {
            // Each has less time left than it takes to be let in.
            if let Ok(line) = tokio::time::timeout(CONNECT / 10, primary.line()).await {
                assert!(line.is_ok(), "{:?}", line.err());
                return;
            }
        }
        panic!("nobody was ever let in");
    }
}
