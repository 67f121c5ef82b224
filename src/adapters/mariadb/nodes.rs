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
        limits::{ASK, CONNECT, PAUSE},
        servers,
    },
    model::Span,
    ports::{PortError, Topology},
};

/// The nodes of one database and who we are there.
#[derive(Clone)]
pub struct Nodes {
    servers: Vec<Server>,
    login: Login,
    admin: Login,
    /// Where replicas fetch a node's changes, if not where clients reach it.
    sources: Vec<Server>,
    kept: Kept<Wire>,
}

impl Nodes {
    /// Takes names and addresses.
    ///
    /// # Errors
    /// Where an address is none, or the trusted authorities cannot be read.
    pub fn new(nodes: &[(String, String)], connect: Connect) -> Result<Self, PortError> {
        let servers = servers("MariaDB", nodes, 3306)?;
        let kept = Kept::new(&servers);
        let (admin, login) = (Login::new(connect.as_admin())?, Login::new(connect)?);
        Ok(Self { servers, login, admin, sources: Vec::new(), kept })
    }

    /// The nodes' names.
    pub fn names(&self) -> Vec<String> {
        self.servers.iter().map(|server| server.name.clone()).collect()
    }

    /// Who connects, and how.
    pub fn connect(&self) -> &Connect {
        self.login.connect()
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
        Ok(format!("mariadb {name} ({}:{})", server.host, server.port))
    }

    /// Connects to a node.
    ///
    /// # Errors
    /// What the node said.
    pub async fn open(&self, name: &str, within: Duration) -> Result<Wire, PortError> {
        self.login.open(self.server(name)?, within).await.map_err(self.failed(name, "connect to")?)
    }

    /// Connects to a node as the one who administers it.
    ///
    /// # Errors
    /// What the node said.
    pub async fn open_admin(&self, name: &str, within: Duration) -> Result<Wire, PortError> {
        self.admin.open(self.server(name)?, within).await.map_err(self.failed(name, "connect to")?)
    }

    /// Names where replicas fetch changes, for nodes where that is not where clients reach them.
    ///
    /// # Errors
    /// Where an address is none.
    pub fn fetched_at(mut self, sources: &[(String, String)]) -> Result<Self, PortError> {
        if !sources.is_empty() {
            self.sources = servers("MariaDB", sources, 3306)?;
        }
        Ok(self)
    }

    /// Where replicas fetch a node's changes.
    ///
    /// # Errors
    /// Where there is no such node.
    pub fn source(&self, name: &str) -> Result<&Server, PortError> {
        self.sources.iter().find(|source| source.name == name).map_or_else(|| self.server(name), Ok)
    }

    /// Who administers, and how it connects; replicas log in to a primary as the same.
    pub fn administrator(&self) -> &Connect {
        self.admin.connect()
    }

    /// Makes a port's error of a node's failure.
    ///
    /// # Errors
    /// Where there is no such node.
    pub fn failed(&self, node: &str, verb: &'static str) -> Result<impl Fn(Failure) -> PortError + use<>, PortError> {
        let place = self.place(node)?;
        Ok(move |failure: Failure| failure.port(&place, verb))
    }

    /// Asks every node.
    pub async fn topology(&self) -> Topology {
        let asked = self.servers.iter().map(async |server| {
            let answer = self.ask(server).await;
            (server.name.clone(), answer.map_err(|failure| failure.words))
        });
        Topology { nodes: look::nodes(&join_all(asked).await), leader: None }
    }

    /// Asks one node how it stands.
    ///
    /// # Errors
    /// Why it does not answer.
    pub async fn answer(&self, name: &str) -> Result<Answer, Failure> {
        match self.server(name) {
            Ok(server) => self.ask(server).await,
            Err(why) => Err(Failure::odd(why.to_string())),
        }
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
        let mut wire = self.login.open(server, CONNECT).await?;
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
        wanted: impl Fn(&Answer) -> Result<(), String> + Send,
    ) -> Result<(), PortError> {
        let until = Instant::now() + within;
        loop {
            let missing = match self.answer(name).await {
                Ok(answer) => match wanted(&answer) {
                    Ok(()) => return Ok(()),
                    Err(missing) => missing,
                },
                Err(failure) => failure.words,
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
    let until = Instant::now() + ASK;
    let left = || until.saturating_duration_since(Instant::now());
    let row = wire.row(look::SAMPLE, left()).await?;
    let lines = wire.rows(look::LINES, left()).await?;
    let semisync = wire.rows(look::SEMISYNC, left()).await?;
    look::answer(&row, &lines, &semisync)
}
