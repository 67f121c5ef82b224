//! The plan of a lab's database: its hosts, where each listens, and the secrets; written once, read by every agent.

use std::{
    env, fs, io,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    kind::{DatabaseKind, Runs, Settings},
    known::{LabDatabase, LabHost, LabNode},
    programs,
    proxy::Forward,
};
use crate::{
    error::Error,
    lab::state::{broken, new_token},
    process::Account,
};

/// The longest folder for temporary files that leaves room for the names of sockets, which have 107 characters at most.
const LONGEST: usize = 40;
/// The database that users keep their data in; also the name of the account that they use.
const DATABASE: &str = "interlock";
/// The account that sees and may do everything.
const ADMIN: &str = "interlock_admin";

/// What the passwords of the accounts are.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    pub user: String,
    /// Of the account that may do everything.
    pub admin: String,
    /// Of the account that standbys use.
    pub replication: String,
    /// Of the database's own superuser, where somebody has to show one.
    pub superuser: String,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostPlan {
    pub name: String,
    pub runs: Runs,
    /// Where its agent takes orders.
    pub agent: SocketAddr,
    /// Where its clients come in.
    pub service: Forward,
    /// Where the interface of its manager is reached.
    pub rest: Option<Forward>,
    /// Where others fetch its changes, if not where clients come in.
    pub replication: Option<Forward>,
    /// Where it reaches what it depends on.
    pub upstream: Option<Forward>,
    /// A port for itself only.
    pub own: Option<SocketAddr>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    pub kind: DatabaseKind,
    /// The folder of all hosts' folders: a short one, and one that other accounts reach.
    pub folder: PathBuf,
    /// The account of the system that the databases run as; ours if none is named.
    pub account: Option<String>,
    pub settings: Settings,
    pub secrets: Secrets,
    pub hosts: Vec<HostPlan>,
}

impl Cluster {
    /// Plans a cluster: names, addresses, passwords; touches nothing.
    ///
    /// # Errors
    /// Where no port is free, or the account of the database is missing.
    pub fn plan(
        kind: DatabaseKind,
        settings: Settings,
        mut address: impl FnMut(&str) -> Result<SocketAddr, Error>,
    ) -> Result<Self, Error> {
        let account = programs::account(kind).map_err(|e| broken("the account of the database", e))?;
        let hosts = match kind {
            DatabaseKind::Postgres => {
                vec![plain("pg1", Runs::Postgres, &mut address)?, plain("pg2", Runs::Postgres, &mut address)?]
            }
            DatabaseKind::Patroni => patroni(&mut address)?,
            DatabaseKind::MariaDb => mariadb(&mut address)?,
        };
        Ok(Self {
            kind,
            folder: short_folder(),
            account: account.map(|account| account.name().to_owned()),
            settings,
            secrets: Secrets {
                user: new_token(),
                admin: new_token(),
                replication: new_token(),
                superuser: new_token(),
            },
            hosts,
        })
    }

    /// Makes the folder of all hosts; other accounts may pass through it, and see nothing.
    ///
    /// # Errors
    /// Where the system refuses, or it is there already.
    pub fn make_folder(&self) -> io::Result<()> {
        fs::DirBuilder::new().mode(0o711).create(&self.folder)
    }

    /// The account of the system that the databases run as, if not ours.
    ///
    /// # Errors
    /// Where it is gone.
    pub fn account(&self) -> io::Result<Option<Account>> {
        self.account.as_deref().map(Account::named).transpose()
    }

    #[must_use]
    pub fn host(&self, name: &str) -> Option<&HostPlan> {
        self.hosts.iter().find(|host| host.name == name)
    }

    /// The hosts that have the data; the first one is the primary at first.
    pub fn nodes(&self) -> impl Iterator<Item = &HostPlan> {
        self.hosts.iter().filter(|host| host.runs != Runs::Etcd)
    }

    /// Where others reach an address: by their own way, where they have one.
    fn way_to(&self, address: SocketAddr) -> SocketAddr {
        let ways = self.hosts.iter().filter_map(|host| host.upstream);
        ways.into_iter().find(|way| way.to == address).map_or(address, |way| way.listen)
    }

    /// What everybody who uses it has to know.
    #[must_use]
    pub fn known(&self) -> LabDatabase {
        let node = |host: &HostPlan| LabNode {
            name: host.name.clone(),
            sql: host.service.listen,
            rest: host.rest.map(|forward| forward.listen),
            replication: host.replication.map(|own| self.way_to(own.listen)),
            agent: host.agent,
        };
        let other =
            |host: &HostPlan| LabHost { name: host.name.clone(), service: host.service.listen, agent: host.agent };
        LabDatabase {
            kind: self.kind,
            nodes: self.nodes().map(node).collect(),
            others: self.hosts.iter().filter(|host| host.runs == Runs::Etcd).map(other).collect(),
            database: DATABASE.to_owned(),
            user: DATABASE.to_owned(),
            password: self.secrets.user.clone(),
            admin_user: ADMIN.to_owned(),
            admin_password: self.secrets.admin.clone(),
            folder: self.folder.clone(),
            stallable: self.settings.stallable,
        }
    }
}

fn plain(
    name: &str,
    runs: Runs,
    address: &mut impl FnMut(&str) -> Result<SocketAddr, Error>,
) -> Result<HostPlan, Error> {
    Ok(HostPlan {
        name: name.to_owned(),
        runs,
        agent: address(&format!("{name} agent"))?,
        service: forward(name, "sql", address)?,
        rest: None,
        replication: None,
        upstream: None,
        own: None,
    })
}

fn patroni(address: &mut impl FnMut(&str) -> Result<SocketAddr, Error>) -> Result<Vec<HostPlan>, Error> {
    let mut etcd = plain("etcd", Runs::Etcd, address)?;
    etcd.own = Some(address("etcd peers")?);
    let mut hosts = Vec::new();
    for name in ["pg1", "pg2", "pg3"] {
        let mut host = plain(name, Runs::Patroni, address)?;
        host.rest = Some(forward(name, "rest", address)?);
        host.upstream = Some(Forward {
            listen: address(&format!("{name} etcd"))?,
            to: etcd.service.listen,
            renamed: Some(etcd.service.listen),
        });
        hosts.push(host);
    }
    hosts.push(etcd);
    Ok(hosts)
}

/// Two nodes, each with a way of its own to the other's changes.
fn mariadb(address: &mut impl FnMut(&str) -> Result<SocketAddr, Error>) -> Result<Vec<HostPlan>, Error> {
    let mut hosts = Vec::new();
    for name in ["maria1", "maria2"] {
        let mut host = plain(name, Runs::MariaDb, address)?;
        let changes = Forward { listen: address(&format!("{name} changes"))?, to: host.service.to, renamed: None };
        host.replication = Some(changes);
        hosts.push(host);
    }
    for (at, other) in [(0, 1), (1, 0)] {
        let to = hosts[other].replication.map_or(hosts[other].service.listen, |changes| changes.listen);
        let listen = address(&format!("{} upstream", hosts[at].name))?;
        hosts[at].upstream = Some(Forward { listen, to, renamed: None });
    }
    Ok(hosts)
}

fn forward(
    name: &str,
    what: &str,
    address: &mut impl FnMut(&str) -> Result<SocketAddr, Error>,
) -> Result<Forward, Error> {
    let (listen, to) = (address(&format!("{name} {what}"))?, address(&format!("{name} {what} behind"))?);
    Ok(Forward { listen, to, renamed: None })
}

fn short_folder() -> PathBuf {
    let temporary = env::temp_dir();
    let base = if temporary.as_os_str().len() <= LONGEST { &temporary } else { Path::new("/tmp") };
    base.join(format!("{}{:016x}", super::sweep::CLUSTER, rand::random::<u64>()))
}
