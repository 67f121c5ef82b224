//! The nodes of one database: all asked at the same time, each with a deadline of its own.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::Instant;

use super::{
    failure::Failure,
    login::Login,
    look::{self, Answer},
    wire::Wire,
};
use crate::{
    adapters::sql::{
        Connect, Kept, Server,
        limits::{ACT, ASK, CONNECT, PAUSE},
        servers, unseen,
    },
    model::Span,
    ports::{NodeSeen, PortError, Topology},
};

/// The nodes of one database and who we are there.
#[derive(Clone)]
pub struct Nodes {
    servers: Vec<Server>,
    writer: Login,
    admin: Login,
    kept: Kept<Wire>,
}

impl Nodes {
    /// Takes names and addresses.
    ///
    /// # Errors
    /// Where an address is none, or the trusted authorities cannot be read.
    pub fn new(nodes: &[(String, String)], connect: Connect) -> Result<Self, PortError> {
        let servers = servers("PostgreSQL", nodes, 5432)?;
        let kept = Kept::new(&servers);
        let (admin, writer) = (Login::new(connect.as_admin())?, Login::new(connect)?);
        Ok(Self { servers, writer, admin, kept })
    }

    /// The nodes' names.
    pub fn names(&self) -> Vec<String> {
        self.servers.iter().map(|server| server.name.clone()).collect()
    }

    /// The database that we connect to.
    pub fn database(&self) -> &str {
        self.writer.database()
    }

    /// The name of who writes.
    pub fn writer(&self) -> &str {
        self.writer.user()
    }

    /// The name of who looks, promotes, and lets nodes follow.
    pub fn admin(&self) -> &str {
        self.admin.user()
    }

    /// One node's server.
    ///
    /// # Errors
    /// Where there is no such node.
    pub fn server(&self, name: &str) -> Result<&Server, PortError> {
        let found = self.servers.iter().find(|server| server.name == name);
        found.ok_or_else(|| PortError::NotFound { what: format!("node {name} among {}", self.names().join(", ")) })
    }

    /// What a node is called in errors.
    ///
    /// # Errors
    /// Where there is no such node.
    pub fn place(&self, name: &str) -> Result<String, PortError> {
        let server = self.server(name)?;
        Ok(format!("postgres {name} ({}:{})", server.host, server.port))
    }

    /// Connects to a node as its administrator.
    ///
    /// # Errors
    /// What the node said.
    pub async fn open(&self, name: &str, within: Duration) -> Result<Wire, PortError> {
        self.open_as(&self.admin, name, within).await
    }

    /// Connects to a node as who writes.
    ///
    /// # Errors
    /// What the node said.
    pub async fn open_writer(&self, name: &str, within: Duration) -> Result<Wire, PortError> {
        self.open_as(&self.writer, name, within).await
    }

    async fn open_as(&self, login: &Login, name: &str, within: Duration) -> Result<Wire, PortError> {
        let place = self.place(name)?;
        login.open(self.server(name)?, within).await.map_err(|failure| failure.port(&place, "connect to"))
    }

    /// Runs statements as its administrator at a node, one connection and [`ACT`] for them.
    ///
    /// # Errors
    /// What the node said; `verb` is what it was asked to do.
    pub async fn run(&self, name: &str, verb: &str, sql: &str) -> Result<(), PortError> {
        let mut wire = self.open(name, ACT).await?;
        let place = self.place(name)?;
        wire.run(sql, ACT).await.map_err(|failure| failure.port(&place, verb))
    }

    /// Asks every node.
    pub async fn topology(&self) -> Topology {
        let asked = self.servers.iter().map(async |server| {
            let answer = self.ask(server).await;
            (server.name.clone(), answer.map_err(|failure| failure.words))
        });
        Topology { nodes: look::nodes(join_all(asked).await), leader: None }
    }

    /// Asks one node how it stands; whether it is synchronous is for its primary to say.
    ///
    /// # Errors
    /// Where there is no such node; one that does not answer is no error.
    pub async fn look(&self, name: &str) -> Result<NodeSeen, PortError> {
        let server = self.server(name)?;
        let answer = self.ask(server).await;
        Ok(answer.map_or_else(|failure| unseen(name, failure.words), |answer| look::seen(name.to_owned(), answer)))
    }

    /// Asks one node how it stands.
    ///
    /// # Errors
    /// Why it does not answer.
    pub async fn answer(&self, name: &str) -> Result<NodeSeen, Failure> {
        let Ok(server) = self.server(name) else {
            return Err(Failure::closed());
        };
        Ok(look::seen(name.to_owned(), self.ask(server).await?))
    }

    /// Asks on the connection that is kept, or on a new one where that has ended meanwhile.
    async fn ask(&self, server: &Server) -> Result<Answer, Failure> {
        if let Some(mut wire) = self.kept.take(&server.name) {
            match ask(&mut wire).await {
                Ok(answer) => {
                    self.kept.keep(&server.name, wire);
                    return Ok(answer);
                }
                // Silence is an answer; any other failure may be an old one, of a server that has been started anew.
                Err(failure) if failure.class == "timeout" => return Err(failure),
                Err(_) => {}
            }
        }
        let mut wire = self.admin.open(server, CONNECT).await?;
        let answer = ask(&mut wire).await?;
        self.kept.keep(&server.name, wire);
        Ok(answer)
    }

    /// Looks at one node again and again, until it is as wanted or the time is up.
    ///
    /// # Errors
    /// What `wanted` missed last.
    pub async fn wait(
        &self,
        name: &str,
        within: Duration,
        wanted: impl Fn(&NodeSeen) -> Result<(), String> + Send,
    ) -> Result<NodeSeen, PortError> {
        let until = Instant::now() + within;
        loop {
            let seen = self.look(name).await?;
            let missing = match &seen.trouble {
                Some(trouble) => trouble.clone(),
                None => match wanted(&seen) {
                    Ok(()) => return Ok(seen),
                    Err(missing) => missing,
                },
            };
            if Instant::now() >= until {
                return Err(PortError::unreachable(
                    self.place(name)?,
                    format!("{missing}, also after {}", Span(within)),
                ));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn ask(wire: &mut Wire) -> Result<Answer, Failure> {
    let odd = |error| Failure::from(&error);
    let until = Instant::now() + ASK;
    let left = || until.saturating_duration_since(Instant::now());
    let sample = look::sample(&wire.row(look::SAMPLE, &[], left()).await?).map_err(odd)?;
    let (follows, known) = look::receiver(&wire.row(look::RECEIVER, &[], left()).await?).map_err(odd)?;
    let mut waited_for = Vec::new();
    if sample.writable {
        waited_for = look::waited_for(&wire.rows(look::WAITED_FOR, &[], left()).await?).map_err(odd)?;
    }
    Ok(Answer { sample, follows, known, waited_for })
}
