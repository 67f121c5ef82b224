//! A `MariaDB`: made, started, and copied anew from the primary where its own history has gone astray.

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;

use super::{
    cluster::HostPlan,
    engine::{Engine, Power},
    peer,
    site::Site,
    tool::Tool,
};
use crate::process::{Launch, Signal};

/// How long a statement may take.
const STATEMENT: Duration = Duration::from_secs(10);
/// How long making or copying a whole database may take.
const COPY: Duration = Duration::from_secs(90);
/// How long a start may take.
const START: Duration = Duration::from_secs(60);
/// How long it may take until changes arrive.
const STREAM: Duration = Duration::from_secs(30);

/// The settings of all nodes.
const SETTINGS: [&str; 14] = [
    "--skip-name-resolve",
    "--log-bin=binlog",
    "--log-slave-updates",
    "--relay-log=relay",
    "--binlog-format=ROW",
    "--gtid-strict-mode=ON",
    "--sync-binlog=1",
    "--innodb-flush-log-at-trx-commit=1",
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=32M",
    "--slave-net-timeout=5",
    "--performance-schema=OFF",
    "--character-set-server=utf8mb4",
    "--log-warnings=1",
];

pub struct MariaDb {
    site: Arc<Site>,
    /// Whether it is to take no writes although it does not replicate yet.
    read_only: AtomicBool,
}

impl MariaDb {
    /// The node of a host.
    #[must_use]
    pub const fn new(site: Arc<Site>) -> Self {
        Self { site, read_only: AtomicBool::new(false) }
    }

    fn socket(&self) -> PathBuf {
        self.site.run().join("socket")
    }

    /// Where tools find the administrator's password.
    fn administrator(&self) -> PathBuf {
        self.site.run().join("administrator.cnf")
    }

    /// Whether it was told whom to replicate; the file goes when it is promoted.
    fn is_replica(&self) -> bool {
        self.site.data().join("master.info").exists()
    }

    fn number(&self) -> usize {
        let mut nodes = self.site.cluster.nodes();
        1 + nodes.position(|node| node.name == self.site.plan.name).unwrap_or_default()
    }

    async fn install(&self) -> io::Result<()> {
        let site = &self.site;
        site.tool("mariadb-install-db")?
            .args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=socket"])
            .arg(format!("--auth-root-socket-user={}", site.superuser))
            .arg(format!("--datadir={}", site.data().display()))
            .run(COPY)
            .await
            .map(drop)
    }

    /// Has statements done by this node, as its superuser.
    async fn say(&self, statements: &str, within: Duration) -> io::Result<String> {
        let site = &self.site;
        site.tool("mariadb")?
            .arg("--no-defaults")
            .arg(format!("--socket={}", self.socket().display()))
            .args(["--batch", "--raw", "--user", &site.superuser])
            .input(statements)
            .run(within)
            .await
    }

    /// A tool that asks another node, as the administrator.
    fn asking(&self, program: &str, at: SocketAddr) -> io::Result<Tool> {
        let file = format!("--defaults-file={}", self.administrator().display());
        let (host, port) = (at.ip().to_string(), at.port().to_string());
        Ok(self.site.tool(program)?.args([&*file, "--host", &host, "--port", &port]))
    }

    fn accounts(&self) -> String {
        let known = self.site.cluster.known();
        let (user, admin, database) = (&known.user, &known.admin_user, &known.database);
        format!(
            "create database {database};\n\
             create user {user}@'%' identified by '{}';\n\
             grant all privileges on {database}.* to {user}@'%';\n\
             grant slave monitor, binlog monitor on *.* to {user}@'%';\n\
             create user {admin}@'%' identified by '{}';\n\
             grant all privileges on *.* to {admin}@'%' with grant option;\n",
            known.password, known.admin_password,
        )
    }

    /// Replicates from where its own history ends.
    async fn replicate(&self) -> io::Result<()> {
        let missing = || io::Error::other("the plan has no way to the primary");
        let way = self.site.plan.upstream.ok_or_else(missing)?.listen;
        let known = self.site.cluster.known();
        let statements = format!(
            "change master to master_host = '{}', master_port = {}, master_user = '{}', master_password = '{}', \
             master_use_gtid = slave_pos, master_connect_retry = 1;\nstart slave;\n",
            way.ip(),
            way.port(),
            known.admin_user,
            known.admin_password,
        );
        self.say(&statements, STATEMENT).await.map(drop)
    }

    async fn replicates(&self) -> bool {
        let told = self.say("show all slaves status\\G", STATEMENT).await.unwrap_or_default();
        ["Slave_IO_Running: Yes", "Slave_SQL_Running: Yes"].iter().all(|line| told.contains(line))
    }

    /// Whether what it lacks of the primary's history has arrived.
    async fn until_replicating(&self) -> io::Result<()> {
        let begun = Instant::now();
        while !self.replicates().await {
            if begun.elapsed() >= STREAM {
                let told = self.say("show all slaves status\\G", STATEMENT).await?;
                let errors: Vec<_> = told.lines().filter(|line| line.contains("_Error:")).map(str::trim).collect();
                return Err(io::Error::other(format!("it does not replicate: {}", errors.join(", "))));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Makes it anew, with all that the primary has.
    async fn anew(&self, primary: &HostPlan, power: &dyn Power) -> io::Result<()> {
        power.end().await?;
        self.site.clear_data()?;
        self.install().await?;
        power.start(START).await?;
        let copy = self.site.run().join("copy.sql");
        let result = self.take(primary, &copy).await;
        let removed = super::site::absent_is_fine(std::fs::remove_file(&copy));
        result.and(removed)
    }

    async fn take(&self, primary: &HostPlan, copy: &std::path::Path) -> io::Result<()> {
        self.asking("mariadb-dump", primary.service.listen)?
            .args(["--all-databases", "--single-transaction", "--gtid", "--master-data=1", "--flush-privileges"])
            .arg(format!("--result-file={}", copy.display()))
            .run(COPY)
            .await?;
        // What is taken over is the primary's history, none of its own.
        let statements = format!("set session sql_log_bin = 0;\nsource {}\n", copy.display());
        self.say(&statements, COPY).await.map(drop)
    }
}

#[async_trait]
impl Engine for MariaDb {
    fn main(&self) -> io::Result<Launch> {
        let site = &self.site;
        let launch = site
            .launch("mariadbd", &site.data())?
            .arg("--no-defaults")
            .arg(format!("--datadir={}", site.data().display()))
            .arg(format!("--socket={}", self.socket().display()))
            .arg(format!("--pid-file={}", site.run().join("pid").display()))
            .arg(format!("--bind-address={}", site.plan.service.to.ip()))
            .arg(format!("--port={}", site.plan.service.to.port()))
            .arg(format!("--server-id={}", self.number()))
            .args(SETTINGS);
        // Once: whoever is told to replicate then is a replica by that, and who is promoted is none.
        let waits = self.read_only.swap(false, Ordering::Relaxed) || self.is_replica();
        Ok(if waits { launch.arg("--read-only") } else { launch })
    }

    async fn make(&self, power: &dyn Power) -> io::Result<()> {
        let site = &self.site;
        let known = site.cluster.known();
        let secret = format!("[client]\nuser={}\npassword={}\n", known.admin_user, known.admin_password);
        site.write(&self.administrator(), &secret)?;
        self.install().await?;
        match site.cluster.nodes().next() {
            Some(first) if first.name != site.plan.name => {
                self.read_only.store(true, Ordering::Relaxed);
                power.start(START).await?;
                peer::until_made(site, first, START).await?;
                self.replicate().await?;
                self.until_replicating().await
            }
            _ => {
                power.start(START).await?;
                self.say(&self.accounts(), STATEMENT).await.map(drop)
            }
        }
    }

    async fn serves(&self) -> bool {
        self.say("select 1", STATEMENT).await.is_ok()
    }

    fn clean_end(&self) -> Option<Signal> {
        Some(Signal::SIGTERM)
    }

    async fn follow(&self, primary: &str, again: bool, power: &dyn Power) -> io::Result<String> {
        let primary = peer::node(&self.site, primary)?;
        if power.runs() && self.replicates().await {
            return Ok("replicates already".to_owned());
        }
        self.read_only.store(true, Ordering::Relaxed);
        if again {
            self.anew(primary, power).await?;
            return Ok(format!("made anew from {}, for it did not replicate as it was", primary.name));
        }
        if power.runs() {
            self.say("set global read_only = on", STATEMENT).await?;
            return Ok("runs as it was, and takes no writes any more".to_owned());
        }
        power.start(START).await?;
        Ok("started as it was, and takes no writes".to_owned())
    }
}
