//! `PostgreSQL` under Patroni, as the port has it.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use serde_json::Value;

use super::{
    findings::{Manager, findings},
    rest::Rest,
    shapes::{self, Cluster, Config},
};
use crate::{
    adapters::{
        postgres::Nodes,
        sql::{Connect, limits::PAUSE},
    },
    ports::{Database, Finding, Hosts, PortError, Session, Topology, Unit},
};

/// How often the history is asked for until the leader has written it.
const HISTORY_TRIES: u32 = 50;

/// `PostgreSQL` under Patroni; Patroni promotes and brings members back.
#[derive(Clone)]
pub struct Patroni {
    pub(super) nodes: Nodes,
    pub(super) rest: Vec<Rest>,
}

impl Patroni {
    /// Takes each node's name as Patroni has it, its address (`host:port`) and that of its REST API (`http://host:8008`, with
    /// user and password in it where the API wants them).
    ///
    /// # Errors
    /// Where an address is none, a name is there twice, or the trusted authorities cannot be read.
    pub fn new(nodes: &[(String, String, String)], connect: Connect) -> Result<Self, PortError> {
        let rest = nodes.iter().map(|(name, _, url)| Rest::new(name, url, &connect.tls)).collect::<Result<_, _>>()?;
        let addresses: Vec<_> = nodes.iter().map(|(name, address, _)| (name.clone(), address.clone())).collect();
        Ok(Self { nodes: Nodes::new(&addresses, connect)?, rest })
    }

    /// The first useful answer of any member: a stopped one must not keep the others from telling.
    ///
    /// # Errors
    /// Why the last one did not answer.
    pub(super) async fn ask<T>(&self, page: &str, read: impl Fn(Value) -> Result<T, String>) -> Result<T, PortError> {
        let mut last = PortError::NotFound { what: "REST API of any member".to_owned() };
        let asked = self.rest.iter().map(async |rest| (rest, rest.get(page).await));
        let mut asked: FuturesUnordered<_> = asked.collect();
        while let Some((rest, answer)) = asked.next().await {
            match answer.and_then(|json| read(json).map_err(|why| PortError::odd(rest.place(), why))) {
                Ok(read) => return Ok(read),
                Err(why) => last = why,
            }
        }
        Err(last)
    }

    /// What Patroni says of its members.
    ///
    /// # Errors
    /// Where no member answers.
    pub(super) async fn cluster(&self) -> Result<Cluster, PortError> {
        self.ask("cluster", |json| serde_json::from_value(json).map_err(|e| e.to_string())).await
    }

    /// What the nodes say, and whom Patroni names.
    pub(super) async fn everything(&self) -> Topology {
        let (topology, cluster) = futures::join!(self.nodes.topology(), self.cluster());
        let leader = cluster.ok().and_then(|cluster| cluster.leader().map(str::to_owned));
        Topology { leader, ..topology }
    }

    async fn manager(&self) -> Manager {
        let (cluster, config, watchdogs) = futures::join!(
            self.cluster(),
            self.ask("config", |json| Ok(Config::read(&json))),
            join_all(self.rest.iter().map(async |rest| {
                let failed = rest.get("patroni").await.is_ok_and(|json| json.get("watchdog_failed").is_some());
                failed.then(|| rest.name.clone())
            })),
        );
        Manager {
            cluster: cluster.map_err(|why| why.to_string()),
            config: config.map_err(|why| why.to_string()),
            watchdogs: watchdogs.into_iter().flatten().collect(),
        }
    }

    /// Where the present timeline left the one before, as Patroni remembers it; it writes that down one loop later.
    async fn history(&self, primary: &str) -> Result<Option<u64>, PortError> {
        let timeline = self.nodes.look(primary).await?.timeline.and_then(|timeline| timeline.parse::<u64>().ok());
        let Some(timeline) = timeline.filter(|timeline| *timeline > 1) else {
            return Ok(None);
        };
        for _ in 0..HISTORY_TRIES {
            if let Some(at) = self.ask("history", |json| Ok(shapes::switched_at(&json, timeline))).await? {
                return Ok(Some(at));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(None)
    }
}

#[async_trait]
impl Database for Patroni {
    fn system(&self) -> &'static str {
        "PostgreSQL under Patroni"
    }

    fn nodes(&self) -> Vec<String> {
        self.nodes.names()
    }

    fn is_managed(&self) -> bool {
        true
    }

    fn unit(&self) -> Unit {
        Unit::Bytes
    }

    async fn topology(&self) -> Topology {
        self.everything().await
    }

    async fn findings(&self, victim: &str) -> Vec<Finding> {
        let (topology, manager) = futures::join!(self.everything(), self.manager());
        let mut found = self.nodes.findings(&topology, victim, false).await;
        found.extend(findings(&manager, &topology, victim));
        found
    }

    async fn connect(&self, node: &str, within: Duration) -> Result<Box<dyn Session>, PortError> {
        self.nodes.session(node, within).await
    }

    async fn has_ledger(&self, node: &str) -> Result<bool, PortError> {
        self.nodes.has_ledger(node).await
    }

    async fn set_ledger(&self, primary: &str, there: bool) -> Result<(), PortError> {
        self.nodes.set_ledger(primary, there).await
    }

    async fn rows(&self, node: &str) -> Result<BTreeMap<u64, u32>, PortError> {
        self.nodes.rows(node).await
    }

    async fn switched_at(&self, primary: &str) -> Result<Option<u64>, PortError> {
        match self.nodes.switched_at(primary).await? {
            Some(at) => Ok(Some(at)),
            None => self.history(primary).await,
        }
    }

    async fn promote(&self, candidate: &str) -> Result<(), PortError> {
        let why = "Patroni decides who leads; hand the role over with a switchover";
        Err(PortError::Forbidden { what: format!("promote {candidate} past its manager"), why: why.to_owned() })
    }

    async fn switch_over(&self, from: &str, to: &str, _hosts: &dyn Hosts) -> Result<(), PortError> {
        self.switch(from, to).await
    }

    async fn rejoin(&self, node: &str, hosts: &dyn Hosts) -> Result<(), PortError> {
        self.comes_back(node, hosts).await
    }
}
