//! What is `PostgreSQL`'s own: its settings, its promotion, and a standby that its host has to start as one.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use tokio_postgres::{Config, config::SslMode, types::Type};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    findings, history,
    look::Detail,
    settings::{self, Observation, Rights},
    settle,
    wire::Wire,
};
use crate::{
    adapters::sql::{
        Connect, Server, Tls, client_config,
        cluster::Cluster,
        engine::{Answer, Engine, Wire as _},
        failure::{Failure, Kind},
        findings::Case,
        limits::{ACT, ASK, BYTES_BEHIND, LEDGER, PAUSE, PROMOTE},
    },
    ports::{Finding, Permit, PortError, Unit},
};

/// Whether a standby has applied everything that it got.
const APPLIED: &str = "\
    select coalesce(pg_last_wal_replay_lsn() >= pg_last_wal_receive_lsn(), true) \
    and not exists (select from pg_stat_wal_receiver where status = 'streaming'), \
    (greatest(pg_last_wal_replay_lsn(), '0/0') - '0/0')::bigint";

/// `PostgreSQL` with streaming replication; its hosts rewind.
pub struct Postgres(MakeRustlsConnect);

impl Postgres {
    /// Reads what TLS needs.
    pub fn new(tls: &Tls) -> Result<Self, PortError> {
        Ok(Self(MakeRustlsConnect::new(client_config(tls)?)))
    }
}

#[async_trait]
impl Engine for Postgres {
    type Wire = Wire;
    type Settings = Observation;

    const NODE: &'static str = "postgres";
    const UNIT: Unit = Unit::Bytes;
    const MOST_BEHIND: u64 = BYTES_BEHIND;
    const SHORT_LOCKS: &'static str = "set lock_timeout = '5s'; set statement_timeout = '8s'";
    const CHANGES_ROLE_RUNNING: bool = false;
    const STEPPED_DOWN: &'static str = "ended";
    const LISTENS: Duration = Duration::from_secs(2);
    const STREAMS: Duration = Duration::from_secs(10);

    fn make_ledger() -> String {
        format!(
            "create table if not exists {LEDGER} (id bigint not null, at timestamptz default clock_timestamp()); \
             create index if not exists {LEDGER}_id on {LEDGER} (id)"
        )
    }

    async fn connect(&self, server: &Server, user: &Connect, within: Duration) -> Result<Wire, Failure> {
        let mut config = Config::new();
        config
            .host(&server.host)
            .port(server.port)
            .user(&user.user)
            .dbname(&user.database)
            .application_name("interlock")
            .connect_timeout(within)
            .ssl_mode(match user.tls {
                Tls::Disable => SslMode::Disable,
                Tls::Require { .. } => SslMode::Require,
            });
        if let Some(password) = &user.password {
            config.password(password.reveal());
        }
        let (client, line) = config.connect(self.0.clone()).await?;
        Ok(Wire::new(client, line))
    }

    fn waits_for(primary: &Answer<Detail>, name: &str, standby: &Answer<Detail>) -> bool {
        primary.detail.waits_for(name, &standby.detail)
    }

    async fn settings(cluster: &Cluster<Self>, node: &str) -> Result<Observation, PortError> {
        let mut wire = cluster.open_admin(node, ACT).await?;
        let mut looked = settings::look(&mut wire).await.map_err(cluster.failed(node, "ask"))?;
        if cluster.writer.user != cluster.admin.user {
            let mut wire = cluster.open_writer(node, ACT).await?;
            let own = settings::rights(&mut wire).await.map_err(cluster.failed(node, "ask"))?;
            looked.rights = Rights { schema: own.schema, create: own.create, ledger: own.ledger, ..looked.rights };
        }
        Ok(looked)
    }

    const CHECKS: &'static [&'static str] = findings::CHECKS;

    fn findings(case: &Case<'_, Observation>) -> Vec<Finding> {
        findings::findings(case)
    }

    /// `None` also where we may not read files.
    async fn switched_at(cluster: &Cluster<Self>, primary: &str) -> Result<Option<u64>, PortError> {
        let answer = cluster.answer(primary).await.map_err(cluster.failed(primary, "ask"))?;
        let timeline = answer.sample.timeline.and_then(|timeline| timeline.parse().ok());
        let Some(timeline) = timeline.filter(|timeline| *timeline > 1) else {
            return Ok(None);
        };
        let mut wire = cluster.open_admin(primary, ACT).await?;
        let file = history::file(timeline);
        let asked = wire.row("select pg_read_file($1, 0, 1000000, true)", &[(&file, Type::TEXT)], ASK).await;
        match asked.and_then(|row| Ok(row.try_get::<_, Option<String>>(0)?)) {
            Ok(history) => Ok(history.as_deref().and_then(history::switched_at)),
            Err(failure) if failure.kind == Kind::Forbidden => Ok(None),
            Err(failure) => Err(cluster.failed(primary, "ask")(failure)),
        }
    }

    async fn promote(
        cluster: &Cluster<Self>,
        node: &str,
        answer: &Answer<Detail>,
        permit: &dyn Permit,
    ) -> Result<(), PortError> {
        if answer.follows.is_none() {
            let why = "it is no standby, and takes no writes; look at default_transaction_read_only";
            return Err(PortError::unexpected(cluster.place(node), why));
        }
        let mut wire = cluster.open_admin(node, ACT).await?;
        cluster.intend(node, &mut wire, &cluster.admin, "promote", permit).await?;
        // The server waits for at most 10 s itself; what it answers is looked at and not believed.
        let sent = wire.row("select pg_promote(true, 10)", &[], ACT * 2).await;
        sent.map(drop).map_err(cluster.failed(node, "promote"))
    }

    async fn may_promote(_: &Cluster<Self>, _: &str) -> Result<(), PortError> {
        Ok(())
    }

    async fn step_down(cluster: &Cluster<Self>, node: &str, _: &dyn Permit) -> Result<String, PortError> {
        // A checkpoint makes the end that follows short. Only a comfort, for which the privilege may be missing.
        let mut wire = cluster.open_admin(node, ACT).await?;
        if let Err(why) = wire.run("checkpoint", ACT).await {
            tracing::debug!(node, "no checkpoint before the handover: {}", why.words);
        }
        let answer = cluster.answer(node).await.map_err(cluster.failed(node, "ask"))?;
        Ok(answer.sample.position.unwrap_or(0).to_string())
    }

    async fn catch_up(cluster: &Cluster<Self>, node: &str, end: &str) -> Result<(), PortError> {
        let end: u64 = end.parse().map_err(|e| PortError::unexpected(cluster.place(node), e))?;
        let until = Instant::now() + PROMOTE;
        let mut wire = cluster.open_admin(node, ACT).await?;
        loop {
            let row = wire.row(APPLIED, &[], ASK).await;
            let read = row.and_then(|row| Ok((row.try_get::<_, bool>(0)?, row.try_get::<_, i64>(1)?)));
            let (all, at) = read.map_err(cluster.failed(node, "ask"))?;
            let at = u64::try_from(at).unwrap_or(0);
            if all && at >= end {
                return Ok(());
            }
            if Instant::now() >= until {
                let why = format!("it is at {at}, and the old primary was at {end}");
                return Err(PortError::unexpected(cluster.place(node), why));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn step_up(_: &Cluster<Self>, _: &str, _: &dyn Permit) -> &'static str {
        "is the primary as before once it is started again"
    }

    async fn follow(_: &Cluster<Self>, _: &str, _: &str, _: &dyn Permit) -> Result<(), PortError> {
        Ok(())
    }

    async fn settle(wire: &mut Wire, session: &str, within: Duration) -> Result<Option<String>, Failure> {
        let until = Instant::now() + within;
        if !settle::end(wire, session, until).await? {
            return Ok(Some("its session does not end".to_owned()));
        }
        settle::await_promotion(wire, until).await
    }

    fn diverged(_: &Answer<Detail>, _: Option<&Answer<Detail>>) -> Option<String> {
        None
    }
}
