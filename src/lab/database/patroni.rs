//! A `PostgreSQL` that a Patroni makes, starts, promotes and rewinds.

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::{
    cluster::HostPlan,
    engine::{Engine, Power},
    holder::Sort,
    peer,
    postgres::{self, REPLICATOR},
    programs,
    site::Site,
};
use crate::{
    lab::http::{Ask, Client},
    process::Launch,
};

/// How long each step of making a node may take.
const STEP: Duration = Duration::from_secs(60);
const ANSWER: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(50);

pub struct Patroni {
    site: Arc<Site>,
}

impl Patroni {
    /// The node of a host.
    #[must_use]
    pub const fn new(site: Arc<Site>) -> Self {
        Self { site }
    }

    fn file(&self) -> PathBuf {
        self.site.manager().join("patroni.yml")
    }

    /// What Patroni reads; JSON is YAML, and needs no thought about quotes.
    fn settings(&self) -> io::Result<Value> {
        let site = &self.site;
        let missing = |what| io::Error::other(format!("the plan has no {what}"));
        let HostPlan { name, service, .. } = &site.plan;
        let rest = site.plan.rest.ok_or_else(|| missing("port for the interface of Patroni"))?;
        let etcd = site.plan.upstream.ok_or_else(|| missing("way to etcd"))?;
        let programs = programs::find("postgres").ok_or_else(|| missing("programs of PostgreSQL"))?;
        let secrets = &site.cluster.secrets;
        Ok(json!({
            "scope": "interlock",
            "name": name,
            "restapi": { "listen": rest.to, "connect_address": rest.listen },
            "etcd3": { "hosts": [etcd.listen] },
            "bootstrap": {
                "dcs": self.shared(),
                "initdb": ["data-checksums", "no-locale", { "encoding": "UTF8" }],
                "pg_hba": postgres::admission(&site.superuser).lines().collect::<Vec<_>>(),
            },
            "postgresql": {
                "listen": service.to,
                "connect_address": service.listen,
                "data_dir": site.data(),
                "bin_dir": programs.parent(),
                "pgpass": site.run().join("patroni.pgpass"),
                "use_unix_socket": true,
                // A copy that waits for the next checkpoint in its own time takes minutes.
                "basebackup": [{ "checkpoint": "fast" }, "no-sync"],
                "parameters": { "unix_socket_directories": site.run() },
                "authentication": {
                    "superuser": { "username": site.superuser, "password": secrets.superuser },
                    "replication": { "username": REPLICATOR, "password": secrets.replication },
                },
            },
            // Its margin is longer than the time that a leader has here.
            "watchdog": { "mode": "off", "safety_margin": 0 },
        }))
    }

    /// What all members share.
    fn shared(&self) -> Value {
        let set = self.site.cluster.settings;
        let parameters: serde_json::Map<_, _> = postgres::settings().map(|(key, value)| (key, json!(value))).collect();
        let mut shared = json!({
            "ttl": set.ttl,
            "loop_wait": set.loop_wait,
            "retry_timeout": set.retry_timeout,
            "maximum_lag_on_failover": 16 << 20,
            "synchronous_mode": set.synchronous,
            "failsafe_mode": set.failsafe_mode,
            "postgresql": { "use_pg_rewind": true, "use_slots": true, "parameters": parameters },
        });
        if let Some(seconds) = set.primary_start_timeout {
            shared["primary_start_timeout"] = json!(seconds);
        }
        shared
    }

    async fn lead(&self, power: &dyn Power) -> io::Result<()> {
        power.start(STEP).await?;
        let rest = self.site.plan.rest.map_or(self.site.plan.service.to, |rest| rest.to);
        let client = Client::new(rest, None);
        // It leads once it has made the accounts that it needs itself.
        until("leader", || async {
            client.ask(Ask::get("/leader"), ANSWER).await.is_ok_and(|answer| answer.status == StatusCode::OK)
        })
        .await?;
        postgres::say(&self.site, "postgres", &postgres::accounts(&self.site, false)).await.map(drop)
    }

    async fn join(&self, power: &dyn Power) -> io::Result<()> {
        power.start(STEP).await?;
        let streams = "select 1 from pg_stat_wal_receiver where status = 'streaming'";
        until("streaming standby", || async {
            postgres::say(&self.site, "postgres", streams).await.is_ok_and(|told| told == "1")
        })
        .await
    }
}

async fn until<F: Future<Output = bool>>(what: &str, is_it: impl Fn() -> F) -> io::Result<()> {
    let begun = Instant::now();
    while !is_it().await {
        if begun.elapsed() >= STEP {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("it has not become a {what} within {} s", STEP.as_secs()),
            ));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

#[async_trait]
impl Engine for Patroni {
    fn is_managed(&self) -> bool {
        true
    }

    fn main(&self) -> io::Result<Launch> {
        Ok(self.site.launch("patroni", &self.site.manager())?.arg(self.file()))
    }

    fn pid_file(&self) -> Option<PathBuf> {
        Some(postgres::pid_file(&self.site))
    }

    fn locks(&self) -> Vec<PathBuf> {
        postgres::locks(&self.site)
    }

    async fn make(&self, power: &dyn Power) -> io::Result<()> {
        let site = &self.site;
        site.write(&self.file(), &format!("{:#}", self.settings()?))?;
        // Patroni makes it by itself, and takes one that is there for a database.
        std::fs::remove_dir(site.data())?;
        for other in site.cluster.hosts.iter().filter(|host| !site.cluster.nodes().any(|node| node.name == host.name)) {
            peer::until_made(site, other, STEP).await?;
        }
        match site.cluster.nodes().next() {
            // One begins, or whoever comes first would lead.
            Some(first) if first.name != site.plan.name => {
                peer::until_made(site, first, STEP).await?;
                self.join(power).await
            }
            _ => self.lead(power).await,
        }
    }

    async fn serves(&self) -> bool {
        postgres::say(&self.site, "postgres", "select 1").await.is_ok()
    }

    fn senders(&self) -> Option<Sort> {
        Some(postgres::SENDERS)
    }

    fn receivers(&self) -> Option<Sort> {
        Some(postgres::RECEIVERS)
    }

    async fn follow(&self, _: &str, _: bool, power: &dyn Power) -> io::Result<String> {
        power.ensure().await?;
        Ok("Patroni rejoins it by itself".to_owned())
    }
}
