//! The nodes of one database, each asked directly and all at the same time, each with a deadline of its own; and the port
//! [`Database`] over them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::{future::OptionFuture, future::join_all};
use tokio::time::{Instant, timeout};

use super::{
    Connect, Kept, Opening, Server,
    engine::{AnswerOf, Engine, Wire, nodes},
    failure::Failure,
    findings::{Case, Seen},
    ledger,
    limits::{ACT, ASK, OPEN, PAUSE},
    patroni::Patroni,
    session::SqlSession,
    standing,
};
use crate::{
    model::HumanDuration,
    ports::{Database, Fencing, Finding, Hosts, Means, Permit, PortError, Session, Topology, Unit},
};

/// The nodes of one database, who we are there, and what manages them.
pub struct Cluster<E: Engine> {
    pub engine: Arc<E>,
    pub writer: Connect,
    pub admin: Connect,
    servers: Vec<Server>,
    manager: Option<Patroni>,
    kept: Kept<E::Wire>,
    opening: Opening<E::Wire>,
}

impl<E: Engine> Cluster<E> {
    /// Takes the nodes; without a manager, we promote and let nodes follow.
    pub fn new(engine: E, servers: Vec<Server>, manager: Option<Patroni>, connect: Connect) -> Self {
        let (kept, opening, admin) = (Kept::new(&servers), Opening::new(&servers), connect.as_admin());
        Self { engine: Arc::new(engine), writer: connect, admin, servers, manager, kept, opening }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.servers.iter().map(|server| server.name.as_str())
    }

    /// One node's server, or that there is none.
    pub fn server(&self, name: &str) -> Result<&Server, PortError> {
        let found = self.servers.iter().find(|server| server.name == name);
        let all = || self.names().collect::<Vec<_>>().join(", ");
        found.ok_or_else(|| PortError::NotFound { what: format!("node {name} among {}", all()) })
    }

    /// What a node is called in errors.
    pub fn place(&self, name: &str) -> String {
        let at = self.server(name).map_or_else(|_| String::new(), |at| format!(" ({}:{})", at.host, at.port));
        format!("{} {name}{at}", E::NODE)
    }

    /// Makes a port's error of a node's failure to do something.
    pub fn failed(&self, node: &str, verb: &'static str) -> impl Fn(Failure) -> PortError + use<E> {
        let place = self.place(node);
        move |failure| failure.port(&place, verb)
    }

    /// Connects to a node as who writes.
    pub async fn open_writer(&self, node: &str, within: Duration) -> Result<E::Wire, PortError> {
        let opened = open(&*self.engine, self.server(node)?, &self.writer, within).await;
        opened.map_err(self.failed(node, "connect to"))
    }

    /// Connects to a node as who looks at replication, promotes, and lets nodes follow.
    pub async fn open_admin(&self, node: &str, within: Duration) -> Result<E::Wire, PortError> {
        let opened = open(&*self.engine, self.server(node)?, &self.admin, within).await;
        opened.map_err(self.failed(node, "connect to"))
    }

    /// Gives notice of a session that is about to act: it is named before anything is done in it, so that whoever comes after us
    /// can end it.
    pub async fn intend(
        &self,
        node: &str,
        wire: &mut E::Wire,
        user: &Connect,
        what: &str,
        permit: &dyn Permit,
    ) -> Result<(), PortError> {
        let id = wire.identify(ASK).await.map_err(self.failed(node, "ask"))?;
        let what = format!("what was to {what} {}", self.place(node));
        permit.intend(Means::Session { what, node: node.to_owned(), user: user.user.clone(), id }).await
    }

    /// Ends a session of an earlier term, and waits for what it has set in motion.
    async fn settle_session(&self, means: &Means, within: Duration) -> Result<(), PortError> {
        let Means::Session { what, node, user, id } = means else {
            return Err(means.never_used());
        };
        let user = if *user == self.writer.user { &self.writer } else { &self.admin };
        let mut wire = match open(&*self.engine, self.server(node)?, user, within).await {
            Ok(wire) => wire,
            // A server that does not run has no sessions.
            Err(failure) if failure.is_refused() => return Ok(()),
            Err(failure) => return Err(self.failed(node, "connect to")(failure)),
        };
        match E::settle(&mut wire, id, within).await.map_err(self.failed(node, "ask"))? {
            None => Ok(()),
            Some(why) => Err(PortError::MayAct { what: what.clone(), why }),
        }
    }

    /// Waits until what was asked for has come; nobody can take it back.
    async fn await_request(&self, what: &str, wanted: &str, within: Duration) -> Result<(), PortError> {
        let until = Instant::now() + within;
        loop {
            let topology = self.topology().await;
            if topology.primary().is_ok_and(|primary| primary.name == wanted) {
                return Ok(());
            }
            if Instant::now() >= until {
                let why = format!("nothing tells whether it was taken; now: {}", standing(&topology));
                return Err(PortError::MayAct { what: what.to_owned(), why });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Asks one node how it stands, on the connection that is kept, or on a new one where that has ended meanwhile.
    pub async fn answer(&self, node: &str) -> Result<AnswerOf<E>, Failure> {
        let server = self.server(node).map_err(|why| Failure::unexpected(why.to_string()))?;
        let kept = match self.kept.take(node) {
            None => self.opening.made(node).await,
            kept => kept,
        };
        if let Some(mut wire) = kept {
            match wire.ask(ASK).await {
                Ok(answer) => {
                    self.kept.keep(node, wire);
                    return Ok(answer);
                }
                // Silence is an answer; any other failure may be an old one, of a server that has been started anew.
                Err(failure) if failure.class == "timeout" => return Err(failure),
                Err(_) => {}
            }
        }
        let connect = || {
            let (engine, server, admin) = (Arc::clone(&self.engine), server.clone(), self.admin.clone());
            async move { open(&*engine, &server, &admin, OPEN).await }
        };
        let mut wire = self.opening.wait(node, connect).await?;
        let answer = wire.ask(ASK).await?;
        self.kept.keep(node, wire);
        Ok(answer)
    }

    /// Asks one node again and again, until it is as wanted or the time is up.
    pub async fn wait(
        &self,
        node: &str,
        within: Duration,
        wanted: impl Fn(&AnswerOf<E>) -> Result<(), String> + Send,
    ) -> Result<(), PortError> {
        let until = Instant::now() + within;
        loop {
            let missing = match self.answer(node).await {
                Ok(answer) => match wanted(&answer) {
                    Ok(()) => return Ok(()),
                    Err(missing) => missing,
                },
                Err(failure) => failure.words,
            };
            if Instant::now() >= until {
                let why = format!("{missing}, also after {}", HumanDuration(within));
                return Err(PortError::unreachable(self.place(node), why));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

#[async_trait]
impl<E: Engine> Database for Cluster<E> {
    fn nodes(&self) -> Vec<String> {
        self.names().map(str::to_owned).collect()
    }

    fn is_managed(&self) -> bool {
        self.manager.is_some()
    }

    fn fencing(&self) -> Fencing {
        // What Patroni was asked for it does by itself.
        if self.is_managed() { Fencing::None } else { Fencing::Session }
    }

    fn unit(&self) -> Unit {
        E::UNIT
    }

    async fn topology(&self) -> Topology {
        let asked = join_all(self.servers.iter().map(async |Server { name, .. }| {
            let answer = self.answer(name).await;
            (name.clone(), answer.map_err(|failure| failure.words))
        }));
        let leader = OptionFuture::from(self.manager.as_ref().map(Patroni::leader));
        let (answers, leader) = futures::join!(asked, leader);
        Topology { nodes: nodes::<E>(answers), leader: leader.flatten() }
    }

    async fn findings(&self, victim: &str) -> Vec<Finding> {
        let topology = self.topology().await;
        let looked = self.names().map(async |name| {
            let settings = E::settings(self, name).await;
            (name.to_owned(), settings.map_err(|why| why.to_string()))
        });
        let seen: Vec<Seen<E::Settings>> = join_all(looked).await;
        let mut found = E::findings(&Case {
            seen: &seen,
            topology: &topology,
            victim,
            writer: &self.writer.user,
            admin: &self.admin.user,
            database: &self.writer.database,
            promotes: self.manager.is_none(),
        });
        if let Some(manager) = &self.manager {
            found.extend(manager.findings(&topology, victim).await);
        }
        found
    }

    fn checks(&self) -> Vec<&'static str> {
        let manager = self.manager.iter().flat_map(|_| Patroni::CHECKS);
        E::CHECKS.iter().copied().chain(manager).collect()
    }

    async fn connect(&self, node: &str, within: Duration) -> Result<Box<dyn Session>, PortError> {
        let wire = self.open_writer(node, within).await?;
        Ok(Box::new(SqlSession { place: self.place(node), wire }))
    }

    async fn has_ledger(&self, node: &str) -> Result<bool, PortError> {
        let mut wire = self.open_writer(node, ACT).await?;
        wire.has_ledger(ACT).await.map_err(self.failed(node, "ask"))
    }

    async fn set_ledger(&self, primary: &str, there: bool, permit: &dyn Permit) -> Result<(), PortError> {
        ledger::set(self, primary, there, permit).await
    }

    async fn rows(&self, node: &str) -> Result<BTreeMap<u64, u32>, PortError> {
        ledger::rows(self, node).await
    }

    async fn switched_at(&self, primary: &str) -> Result<Option<u64>, PortError> {
        match (E::switched_at(self, primary).await?, &self.manager) {
            (None, Some(manager)) => manager.switched_at(self, primary).await,
            (found, _) => Ok(found),
        }
    }

    async fn promote(&self, candidate: &str, permit: &dyn Permit) -> Result<(), PortError> {
        match &self.manager {
            Some(_) => Err(Patroni::decides(candidate)),
            None => self.make_primary(candidate, permit).await,
        }
    }

    async fn switch_over(&self, from: &str, to: &str, hosts: &dyn Hosts, permit: &dyn Permit) -> Result<(), PortError> {
        match &self.manager {
            Some(manager) => manager.switch(self, from, to, permit).await,
            None => self.hand_over(from, to, hosts, permit).await,
        }
    }

    async fn take_role_back(&self, except: &str, hosts: &dyn Hosts, permit: &dyn Permit) -> Result<(), PortError> {
        match &self.manager {
            Some(_) => Ok(()),
            None => self.step_up_again(except, hosts, permit).await,
        }
    }

    async fn rejoin(&self, node: &str, hosts: &dyn Hosts, permit: &dyn Permit) -> Result<(), PortError> {
        match &self.manager {
            Some(manager) => manager.comes_back(self, node, hosts).await,
            None => self.bring_back(node, hosts, permit).await,
        }
    }

    async fn settle(&self, means: &Means, within: Duration) -> Result<(), PortError> {
        match means {
            Means::Request { what, primary } => self.await_request(what, primary, within).await,
            session => self.settle_session(session, within).await,
        }
    }
}

/// Connects to a node. `within` holds for everything up to the first statement, also at a host that accepts connections and
/// answers nothing.
async fn open<E: Engine>(engine: &E, server: &Server, user: &Connect, within: Duration) -> Result<E::Wire, Failure> {
    match timeout(within, engine.connect(server, user, within)).await {
        Ok(opened) => opened.map_err(|failure| Failure { words: user.clean(&failure.words), ..failure }),
        Err(_) => Err(Failure::timeout(within)),
    }
}
