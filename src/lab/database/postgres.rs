//! A `PostgreSQL` of its own: made, started, and rewound to follow another one.

use std::{fs, io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    cluster::HostPlan,
    engine::{Engine, Power},
    holder::Sort,
    peer,
    site::Site,
};
use crate::process::{Launch, Signal};

/// The account that standbys use.
pub const REPLICATOR: &str = "interlock_replicator";
/// What sends changes on, and what fetches them, as titles say.
pub const SENDERS: Sort = Sort("walsender");
/// See [`SENDERS`].
pub const RECEIVERS: Sort = Sort("walreceiver");

/// How long a statement may take.
const STATEMENT: Duration = Duration::from_secs(10);
/// How long copying a whole database may take.
const COPY: Duration = Duration::from_secs(60);
/// How long a start may take.
const START: Duration = Duration::from_secs(30);
/// How long the primary may take to be made.
const PRIMARY: Duration = Duration::from_secs(60);
/// How long it may take until changes arrive.
const STREAM: Duration = Duration::from_secs(5);

/// The settings of all nodes; a standby takes them over with the data, so nothing in them is of one node only.
const SETTINGS: [(&str, &str); 7] = [
    ("wal_log_hints", "on"),
    ("wal_keep_size", "128MB"),
    ("wal_retrieve_retry_interval", "200ms"),
    ("wal_sender_timeout", "5s"),
    ("wal_receiver_timeout", "5s"),
    ("shared_buffers", "32MB"),
    ("max_wal_size", "256MB"),
];

pub struct Postgres {
    site: Arc<Site>,
}

impl Postgres {
    /// The node of a host.
    #[must_use]
    pub const fn new(site: Arc<Site>) -> Self {
        Self { site }
    }

    fn is_first(&self) -> bool {
        self.site.cluster.nodes().next().is_some_and(|first| first.name == self.site.plan.name)
    }

    fn slot(&self) -> &str {
        &self.site.plan.name
    }

    async fn make_primary(&self, power: &dyn Power) -> io::Result<()> {
        let site = &self.site;
        site.tool("initdb")?
            .arg("-D")
            .arg(site.data())
            .args(["--data-checksums", "--no-locale", "--encoding=UTF8", "--no-sync", "--username", &site.superuser])
            .run(COPY)
            .await?;
        site.write(&site.data().join("pg_hba.conf"), &admission(&site.superuser))?;
        let file = site.data().join("postgresql.conf");
        let before = fs::read_to_string(&file)?;
        site.write(&file, &settings().fold(before, |text, (key, value)| text + format!("{key} = {value}\n").as_str()))?;
        power.start(START).await?;
        let slots = site.cluster.nodes().filter(|node| node.name != site.plan.name);
        let slots = slots.map(|node| make_slot(&node.name)).collect::<String>();
        say(site, "postgres", &(accounts(site, true) + slots.as_str())).await?;
        Ok(())
    }

    async fn make_standby(&self, primary: &HostPlan, power: &dyn Power) -> io::Result<()> {
        self.copy(primary).await?;
        self.start_as_standby(primary, power).await
    }

    /// Copies all of the primary's data.
    async fn copy(&self, primary: &HostPlan) -> io::Result<()> {
        let site = &self.site;
        site.clear_data()?;
        site.tool("pg_basebackup")?
            .arg("-D")
            .arg(site.data())
            .args(["-X", "stream", "-c", "fast", "--no-sync", "--no-password", "-S", self.slot(), "-d"])
            .arg(conninfo(primary.service.listen, REPLICATOR, ""))
            .run(COPY)
            .await?;
        Ok(())
    }

    /// Starts it as a standby of `primary`, whatever it was before.
    async fn start_as_standby(&self, primary: &HostPlan, power: &dyn Power) -> io::Result<()> {
        let site = &self.site;
        let conninfo = conninfo(primary.service.listen, REPLICATOR, "");
        let passwords = site.passwords();
        let follow = format!(
            "primary_conninfo = '{conninfo} application_name={} passfile={}'\nprimary_slot_name = '{}'\n",
            site.plan.name,
            passwords.display(),
            self.slot()
        );
        // The whole file is ours: what a rewind has brought along from the primary goes.
        site.write(&site.data().join("postgresql.auto.conf"), &follow)?;
        site.write(&self.signal_file(), "")?;
        power.start(START).await?;
        // The slots of its time as a primary would keep its log for ever.
        let drop = "select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active";
        say(site, "postgres", drop).await?;
        Ok(())
    }

    fn signal_file(&self) -> PathBuf {
        self.site.data().join("standby.signal")
    }

    /// What the primary has to do before anybody can follow it.
    async fn prepare(&self, primary: &HostPlan) -> io::Result<()> {
        // Without the checkpoint a rewind would take the primary to be on its old timeline still.
        let prepare = format!("select pg_is_in_recovery();\ncheckpoint;\n{}", make_slot(self.slot()));
        let told = ask(&self.site, primary.service.listen, &prepare).await?;
        match told.lines().next() {
            Some("f") => Ok(()),
            _ => Err(io::Error::other(format!("{} is no primary", primary.name))),
        }
    }

    async fn rewind(&self, primary: &HostPlan) -> io::Result<()> {
        let site = &self.site;
        site.tool("pg_rewind")?
            .arg("-D")
            .arg(site.data())
            .args(["--no-sync", "--write-recovery-conf", "--source-server"])
            .arg(conninfo(primary.service.listen, &site.cluster.known().admin_user, " dbname=postgres"))
            .run(COPY)
            .await?;
        Ok(())
    }

    /// Whether changes of `primary` arrive, or begin to within a while.
    async fn streams(&self, primary: &HostPlan, within: Duration) -> bool {
        let port = primary.service.listen.port();
        let asked = format!("select 1 from pg_stat_wal_receiver where status = 'streaming' and sender_port = {port}");
        let deadline = tokio::time::Instant::now() + within;
        loop {
            if say(&self.site, "postgres", &asked).await.is_ok_and(|told| told == "1") {
                return true;
            }
            if tokio::time::Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn anew(&self, primary: &HostPlan, power: &dyn Power, why: &str) -> io::Result<String> {
        power.end().await?;
        self.make_standby(primary, power).await?;
        Ok(format!("made anew from {}, for {why}", primary.name))
    }
}

#[async_trait]
impl Engine for Postgres {
    fn main(&self) -> io::Result<Launch> {
        let site = &self.site;
        // What is of this node only is said here: a copy or a rewind brings the other node's files along.
        let mut own = vec![
            format!("port={}", site.plan.service.to.port()),
            format!("listen_addresses={}", site.plan.service.to.ip()),
            format!("unix_socket_directories={}", site.run().display()),
            format!("cluster_name={}", site.plan.name),
        ];
        if site.cluster.settings.synchronous && self.is_first() {
            // Of the first node only, or a standby that was promoted would wait for nobody's confirmation.
            own.push("synchronous_standby_names=*".to_owned());
        }
        let launch = site.launch("postgres", &site.data())?.arg("-D").arg(site.data());
        Ok(own.into_iter().fold(launch, |launch, setting| launch.arg("-c").arg(setting)))
    }

    fn pid_file(&self) -> Option<PathBuf> {
        Some(pid_file(&self.site))
    }

    fn locks(&self) -> Vec<PathBuf> {
        locks(&self.site)
    }

    async fn make(&self, power: &dyn Power) -> io::Result<()> {
        let site = &self.site;
        site.write(&site.passwords(), &passwords(site))?;
        match site.cluster.nodes().next() {
            Some(first) if !self.is_first() => {
                peer::until_made(site, first, PRIMARY).await?;
                self.make_standby(first, power).await
            }
            _ => self.make_primary(power).await,
        }
    }

    async fn serves(&self) -> bool {
        say(&self.site, "postgres", "select 1").await.is_ok()
    }

    fn clean_end(&self) -> Option<Signal> {
        Some(Signal::SIGINT)
    }

    fn senders(&self) -> Option<Sort> {
        Some(SENDERS)
    }

    fn receivers(&self) -> Option<Sort> {
        Some(RECEIVERS)
    }

    async fn follow(&self, primary: &str, _again: bool, power: &dyn Power) -> io::Result<String> {
        let primary = peer::node(&self.site, primary)?;
        if power.runs() {
            if self.streams(primary, Duration::ZERO).await {
                return Ok(format!("follows {} already", primary.name));
            }
            if !self.signal_file().exists() {
                return Err(io::Error::other(format!("{} runs as a primary: stop it first", self.site.plan.name)));
            }
            power.end().await?;
        }
        self.prepare(primary).await?;
        if self.signal_file().exists() {
            // It was a standby, and no tool of the database rewinds one that was killed.
            self.start_as_standby(primary, power).await?;
            if self.streams(primary, STREAM).await {
                return Ok(format!("started as the standby of {} that it was", primary.name));
            }
            return self.anew(primary, power, "it did not stream as it was").await;
        }
        match self.rewind(primary).await {
            Ok(()) => {
                self.start_as_standby(primary, power).await?;
                Ok(format!("rewound to where it parted from {}", primary.name))
            }
            Err(e) => self.anew(primary, power, &format!("it could not be rewound: {e}")).await,
        }
    }
}

/// The file that names the first process.
pub fn pid_file(site: &Site) -> PathBuf {
    site.data().join("postmaster.pid")
}

/// The files that name the process to whom data and socket belong.
pub fn locks(site: &Site) -> Vec<PathBuf> {
    vec![pid_file(site), site.run().join(format!(".s.PGSQL.{}.lock", site.plan.service.to.port()))]
}

/// Who is let in: the account that the database runs as, here; all others with their passwords.
pub fn admission(superuser: &str) -> String {
    format!(
        "local all,replication \"{superuser}\" peer\n\
         host all,replication all 127.0.0.1/32 scram-sha-256\n"
    )
}

/// The settings of all nodes.
pub fn settings() -> impl Iterator<Item = (String, &'static str)> {
    SETTINGS.into_iter().map(|(key, value)| (key.to_owned(), value))
}

/// The statements that make accounts and database, the one of standbys `too`. None of them waits for a standby, of which
/// there is none yet; and none goes to the log if it fails, for there are passwords in them.
pub fn accounts(site: &Site, standbys_too: bool) -> String {
    let (known, secrets) = (site.cluster.known(), &site.cluster.secrets);
    let (user, admin, database) = (&known.user, &known.admin_user, &known.database);
    let replicator = match standbys_too {
        true => format!("create role {REPLICATOR} login replication password '{}';\n", secrets.replication),
        false => String::new(),
    };
    format!(
        "set log_min_error_statement = 'panic';\nset synchronous_commit = 'local';\n{replicator}\
         create role {admin} login superuser password '{}';\n\
         create role {user} login password '{}';\n\
         create database {database} owner {user};\n",
        secrets.admin, secrets.user,
    )
}

fn make_slot(name: &str) -> String {
    format!(
        "select pg_create_physical_replication_slot('{name}') \
         where not exists (select from pg_replication_slots where slot_name = '{name}');\n"
    )
}

fn passwords(site: &Site) -> String {
    let secrets = &site.cluster.secrets;
    let admin = &site.cluster.known().admin_user;
    format!("127.0.0.1:*:*:{REPLICATOR}:{}\n127.0.0.1:*:*:{admin}:{}\n", secrets.replication, secrets.admin)
}

fn conninfo(at: SocketAddr, account: &str, more: &str) -> String {
    format!("host={} port={} user={account} connect_timeout=5{more}", at.ip(), at.port())
}

/// Has statements done by this node's own database, as its superuser.
///
/// # Errors
/// What the database said.
pub async fn say(site: &Site, database: &str, statements: &str) -> io::Result<String> {
    let port = site.plan.service.to.port().to_string();
    site.tool("psql")?
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-w", "-h"])
        .arg(site.run())
        .args(["-p", &port, "-U", &site.superuser, "-d", database])
        .input(statements)
        .run(STATEMENT)
        .await
}

/// Has statements done by another node's database, as the administrator.
///
/// # Errors
/// What the database said.
async fn ask(site: &Site, at: SocketAddr, statements: &str) -> io::Result<String> {
    let conninfo = conninfo(at, &site.cluster.known().admin_user, " dbname=postgres");
    site.tool("psql")?
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-w", "-d", &conninfo])
        .input(statements)
        .run(STATEMENT)
        .await
}
