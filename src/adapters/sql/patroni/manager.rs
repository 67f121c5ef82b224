//! Patroni's answers about its cluster: the first useful one of any member, since a stopped one must not keep the others from
//! telling.

use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use serde_json::Value;

use super::{
    findings::{Manager, findings},
    rest::Rest,
    shapes::{self, Cluster, Config},
};
use crate::{
    adapters::sql::{Tls, cluster, engine::Engine, limits::PAUSE},
    ports::{Finding, PortError, Topology},
};

/// How often the history is asked for until the leader has written it.
const HISTORY_TRIES: u32 = 50;

/// The manager of a cluster: it promotes, and brings members back.
pub struct Patroni(pub(super) Vec<Rest>);

impl Patroni {
    /// The names of all that is looked at before a drill.
    pub const CHECKS: [&'static str; 8] = super::findings::CHECKS;

    /// Takes each node's name as Patroni has it, and the address of its REST API (`http://host:8008`, with user and password in
    /// it where the API wants them).
    pub fn new(members: &[(String, String)], tls: &Tls) -> Result<Self, PortError> {
        Ok(Self(members.iter().map(|(name, url)| Rest::new(name, url, tls)).collect::<Result<_, _>>()?))
    }

    /// The first useful answer, or why the last one did not answer.
    pub(super) async fn ask<T>(&self, page: &str, read: impl Fn(Value) -> Result<T, String>) -> Result<T, PortError> {
        let mut last = PortError::NotFound { what: "REST API of any member".to_owned() };
        let asked = self.0.iter().map(async |rest| (rest, rest.get(page).await));
        let mut asked: FuturesUnordered<_> = asked.collect();
        while let Some((rest, answer)) = asked.next().await {
            match answer.and_then(|json| read(json).map_err(|why| PortError::unexpected(rest.place(), why))) {
                Ok(read) => return Ok(read),
                Err(why) => last = why,
            }
        }
        Err(last)
    }

    /// What Patroni says of its members.
    pub(super) async fn cluster(&self) -> Result<Cluster, PortError> {
        self.ask("cluster", |json| serde_json::from_value(json).map_err(|e| e.to_string())).await
    }

    /// Whom it names as leader.
    pub async fn leader(&self) -> Option<String> {
        self.cluster().await.ok()?.leader().map(str::to_owned)
    }

    /// What its settings and its state say against a drill.
    pub async fn findings(&self, topology: &Topology, victim: &str) -> Vec<Finding> {
        let (cluster, config, watchdogs) = futures::join!(
            self.cluster(),
            self.ask("config", |json| Ok(Config::read(&json))),
            join_all(self.0.iter().map(async |rest| {
                let failed = rest.get("patroni").await.is_ok_and(|json| json.get("watchdog_failed").is_some());
                failed.then(|| rest.name.clone())
            })),
        );
        let manager = Manager {
            cluster: cluster.map_err(|why| why.to_string()),
            config: config.map_err(|why| why.to_string()),
            watchdogs: watchdogs.into_iter().flatten().collect(),
        };
        findings(&manager, topology, victim)
    }

    /// Where the present timeline left the one before, as Patroni remembers it; it writes that down one loop later.
    pub async fn switched_at<E: Engine>(
        &self,
        nodes: &cluster::Cluster<E>,
        primary: &str,
    ) -> Result<Option<u64>, PortError> {
        let answer = nodes.answer(primary).await.map_err(nodes.failed(primary, "ask"))?;
        let timeline = answer.sample.timeline.and_then(|timeline| timeline.parse::<u64>().ok());
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

    /// Why a node is not promoted by us.
    pub fn decides(candidate: &str) -> PortError {
        let why = "Patroni decides who leads; hand the role over with a switchover";
        PortError::Forbidden { what: format!("promote {candidate} past its manager"), why: why.to_owned() }
    }
}
