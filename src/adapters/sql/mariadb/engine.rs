//! What is `MariaDB`'s own: its settings, its promotion, and pointing a server at a primary while it runs.

use std::time::Duration;

use async_trait::async_trait;
use mysql_async::{Conn, Opts, OptsBuilder, SslOpts};

use super::{
    admin, findings, gtid,
    look::Detail,
    settings::{self, Observation, TRANSACTIONS_BEHIND},
    wire::Wire,
};
use crate::{
    adapters::{
        install_crypto,
        sql::{
            Connect, Server, Tls,
            cluster::Cluster,
            engine::{Answer, Engine, Wire as _},
            failure::Failure,
            findings::Case,
            limits::{ACT, LEDGER, PROMOTE},
            usable,
        },
    },
    ports::{Finding, Permit, PortError, Unit},
};

/// Errors that say that a node's own transactions, or lack of them, keep it from following: its position is not in the
/// primary's log, or what comes does not fit its rows or its numbering.
const DIVERGED: &[u32] = &[1032, 1062, 1236, 1950];

/// `MariaDB` with GTID replication; its hosts make a diverged node anew.
pub struct MariaDb {
    tls: Option<SslOpts>,
    /// Where replicas fetch a node's changes, if not where clients reach it.
    sources: Vec<Server>,
}

impl MariaDb {
    /// Reads what TLS needs. The user is also the one that replication connects as.
    pub fn new(sources: Vec<Server>, tls: &Tls) -> Result<Self, PortError> {
        install_crypto();
        let tls = match tls {
            Tls::Disable => None,
            Tls::Require { ca_file } => {
                let trusted = usable(ca_file.as_deref())?;
                let roots = trusted.iter().map(|der| der.to_vec().into()).collect();
                Some(SslOpts::default().with_root_certs(roots).with_disable_built_in_roots(true))
            }
        };
        Ok(Self { tls, sources })
    }
}

#[async_trait]
impl Engine for MariaDb {
    type Wire = Wire;
    type Settings = Observation;

    const NODE: &'static str = "mariadb";
    const UNIT: Unit = Unit::Transactions;
    const MOST_BEHIND: u64 = TRANSACTIONS_BEHIND;
    const SHORT_LOCKS: &'static str = "set session lock_wait_timeout = 5";
    const CHANGES_ROLE_RUNNING: bool = true;
    const STEPPED_DOWN: &'static str = "read-only now";
    /// It recovers before it listens.
    const LISTENS: Duration = Duration::from_secs(30);
    const STREAMS: Duration = Duration::ZERO;

    fn make_ledger() -> String {
        format!(
            "create table if not exists {LEDGER} (`id` bigint not null, \
             `at` timestamp(6) not null default current_timestamp(6), key (`id`)) engine = innodb"
        )
    }

    async fn connect(&self, server: &Server, user: &Connect, _within: Duration) -> Result<Wire, Failure> {
        let opts = OptsBuilder::default()
            .ip_or_hostname(&server.host)
            .tcp_port(server.port)
            .user(Some(&user.user))
            .pass(user.password.as_ref().map(|password| password.reveal()))
            .db_name(Some(&user.database))
            .ssl_opts(self.tls.clone())
            .tcp_nodelay(true)
            // A unix socket of this machine may belong to another server; and both limits would be asked for first.
            .prefer_socket(false)
            .max_allowed_packet(Some(16 << 20))
            .wait_timeout(Some(28_800));
        Ok(Wire::new(Conn::new(Opts::from(opts)).await?))
    }

    fn waits_for(primary: &Answer<Detail>, _name: &str, standby: &Answer<Detail>) -> bool {
        primary.detail.waits && standby.detail.confirms
    }

    async fn settings(cluster: &Cluster<Self>, node: &str) -> Result<Observation, PortError> {
        settings::look(cluster, node).await
    }

    const CHECKS: &'static [&'static str] = findings::CHECKS;

    fn findings(case: &Case<'_, Observation>) -> Vec<Finding> {
        findings::findings(case)
    }

    /// The last transaction that a primary got from another one: where its own history began. `None` where it got none.
    async fn switched_at(cluster: &Cluster<Self>, primary: &str) -> Result<Option<u64>, PortError> {
        let sql = "select @@global.gtid_slave_pos as position, @@global.gtid_domain_id as domain";
        let mut wire = cluster.open_admin(primary, ACT).await?;
        let row = wire.row(sql, ACT).await.map_err(cluster.failed(primary, "ask"))?;
        let part = |name: &str| row.get(name).map_or("", String::as_str);
        let domain = part("domain").parse();
        let domain =
            domain.map_err(|_| PortError::unexpected(cluster.place(primary), "`gtid_domain_id` is no number"))?;
        Ok(gtid::in_domain(part("position"), domain).map(|gtid| gtid.sequence))
    }

    /// What it has received is applied, then it follows nobody and takes writes.
    async fn promote(
        cluster: &Cluster<Self>,
        node: &str,
        answer: &Answer<Detail>,
        permit: &dyn Permit,
    ) -> Result<(), PortError> {
        let failed = cluster.failed(node, "promote");
        let mut wire = admin::open_to(cluster, node, "promote", permit).await?;
        if answer.detail.line.is_some() {
            wire.run("stop slave io_thread", ACT).await.map_err(&failed)?;
            // It was acknowledged elsewhere, and would be lost.
            cluster.wait(node, PROMOTE, applied).await?;
            for sql in ["stop slave", "reset slave all"] {
                wire.run(sql, ACT).await.map_err(&failed)?;
            }
        }
        wire.run("set global read_only = 0", ACT).await.map_err(&failed)
    }

    async fn may_promote(cluster: &Cluster<Self>, node: &str) -> Result<(), PortError> {
        admin::open(cluster, node).await.map(drop)
    }

    async fn step_down(cluster: &Cluster<Self>, node: &str, permit: &dyn Permit) -> Result<String, PortError> {
        admin::set_read_only(cluster, node, true, permit).await?;
        Ok(cluster.answer(node).await.map_err(cluster.failed(node, "ask"))?.detail.position)
    }

    async fn catch_up(cluster: &Cluster<Self>, node: &str, end: &str) -> Result<(), PortError> {
        let seconds = PROMOTE.as_secs();
        let mut wire = cluster.open_writer(node, ACT).await?;
        // The position is the server's own text: digits, dashes and commas.
        let sql = format!("select master_gtid_wait('{end}', {seconds}) as reached");
        let row = wire.row(&sql, PROMOTE + ACT).await.map_err(cluster.failed(node, "ask"))?;
        match row.get("reached").map(String::as_str) {
            Some("0") => Ok(()),
            _ => {
                Err(PortError::unexpected(cluster.place(node), format!("it has not come to {end} within {seconds} s")))
            }
        }
    }

    async fn step_up(cluster: &Cluster<Self>, node: &str, permit: &dyn Permit) -> &'static str {
        let done = admin::set_read_only(cluster, node, false, permit).await;
        if done.is_ok() { "takes writes again" } else { "is left read-only" }
    }

    async fn follow(cluster: &Cluster<Self>, node: &str, primary: &str, permit: &dyn Permit) -> Result<(), PortError> {
        let source = cluster.engine.sources.iter().find(|source| source.name == primary);
        admin::point(cluster, node, source.map_or_else(|| cluster.server(primary), Ok)?, permit).await
    }

    async fn settle(wire: &mut Wire, session: &str, within: Duration) -> Result<Option<String>, Failure> {
        admin::end(wire, session, within).await
    }

    fn diverged(answer: &Answer<Detail>, primary: Option<&Answer<Detail>>) -> Option<String> {
        let error = answer.detail.line.as_ref().and_then(|line| line.error.as_ref());
        if let Some((code, words)) = error.filter(|(code, _)| DIVERGED.contains(code)) {
            return Some(format!("{words} ({code})"));
        }
        let beyond = gtid::beyond(&answer.detail.position, &primary?.detail.history)?;
        Some(format!("it has {beyond}, which the primary's history lacks"))
    }
}

/// Whether a standby has applied what it has received.
fn applied(answer: &Answer<Detail>) -> Result<(), String> {
    let Some(line) = &answer.detail.line else {
        return Ok(());
    };
    if !line.applies {
        let why = line.follows().trouble.unwrap_or_default();
        return Err(format!("it does not apply what it has received: {why}"));
    }
    let missing = gtid::missing(&line.received, &answer.detail.position);
    missing.map_or(Ok(()), |gtid| Err(format!("it has received {gtid} and not applied it")))
}
