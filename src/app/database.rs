//! What a platform file says of databases, as the adapters take it.

use std::{collections::BTreeMap, sync::Arc};

use super::{Snapshot, misconfigured, secret};
use crate::{
    adapters::{
        Admin, CommandHosts, Connect, HostCommands, SystemClock, Tls, mariadb_cluster, patroni_cluster,
        postgres_cluster, postgres_configs,
    },
    document::{self, Database as Document, Host, LabTarget, Login, Target},
    error::Error,
    operation::{
        Build,
        drill::{Ports, record::UrgentWriters},
    },
    ports::{Act, Configs, Database, Flow, Hosts, Order, PortError},
};

/// What to do about a lab with another database.
#[cfg(feature = "lab")]
const LAB_KIND: &str = "start the lab with `--database postgres`";

type Bound = (Arc<dyn Database>, Arc<dyn Hosts>);

impl Snapshot {
    /// What a drill needs: the database, its hosts, and the users' counters where they are watched.
    ///
    /// # Errors
    /// Where there is no such database, or it is not configured in a way that can work.
    pub async fn drill_ports(&self, name: &str, metrics: Option<Build>) -> Result<Ports, Error> {
        let database = self.platform.databases.get(name).ok_or_else(|| {
            let known: Vec<_> = self.platform.databases.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Error::usage(
                format!("the platform has no database `{name}`"),
                format!("it has {known}; databases are declared under `databases`"),
            )
        })?;
        let (database, hosts) = match database {
            Document::Lab(_) => self.lab_database()?,
            Document::Postgres(cluster) => {
                let database = postgres_cluster(&listed(&cluster.nodes), self.login(&cluster.login)?);
                bound(database, &cluster.hosts)?
            }
            Document::Patroni(cluster) => {
                let nodes: Vec<_> =
                    cluster.nodes.iter().map(|(name, at)| (name.clone(), at.sql.clone(), at.rest.clone())).collect();
                bound(patroni_cluster(&nodes, self.login(&cluster.login)?), &cluster.hosts)?
            }
            Document::Mariadb(cluster) => {
                let database = mariadb_cluster(&listed(&cluster.nodes), &[], self.login(&cluster.login)?);
                bound(database, &cluster.hosts)?
            }
        };
        let metrics = match metrics {
            Some(build) => Some(self.metrics_source(build).await?),
            None => None,
        };
        Ok(Ports { database, hosts, metrics, writers: Arc::new(UrgentWriters), clock: Arc::new(SystemClock) })
    }

    /// What each node of a database says of its settings.
    ///
    /// # Errors
    /// Where it is not configured in a way that can work.
    pub fn database_configs(&self, name: &str) -> Result<Arc<dyn Configs>, Error> {
        let (nodes, connect) = match self.platform.databases.get(name) {
            Some(Document::Lab(_)) => self.lab_nodes()?,
            Some(Document::Postgres(cluster)) => (listed(&cluster.nodes), self.login(&cluster.login)?),
            Some(Document::Patroni(cluster)) => {
                let sql = cluster.nodes.iter().map(|(name, at)| (name.clone(), at.sql.clone()));
                (sql.collect(), self.login(&cluster.login)?)
            }
            Some(Document::Mariadb(_)) | None => {
                return Err(Error::usage(
                    format!("`{name}` is no database of PostgreSQL"),
                    "name one under `databases`",
                ));
            }
        };
        postgres_configs(&nodes, connect).map_err(misconfigured)
    }

    fn login(&self, login: &Login) -> Result<Connect, Error> {
        let tls = match login.tls {
            document::Tls::Disable => Tls::Disable,
            document::Tls::Require => {
                Tls::Require { ca_file: login.ca_file.as_ref().map(|file| self.folder.join(file)) }
            }
        };
        let password =
            |variable: &Option<String>| variable.as_deref().map(secret).transpose().map(|p| p.map(Into::into));
        let admin = login.admin.as_ref().map(|user| -> Result<Admin, Error> {
            Ok(Admin { user: user.clone(), password: password(&login.admin_password_env)? })
        });
        Ok(Connect {
            user: login.user.clone(),
            password: password(&login.password_env)?,
            database: login.database.clone(),
            tls,
            admin: admin.transpose()?,
        })
    }

    #[cfg(feature = "lab")]
    fn lab_database(&self) -> Result<Bound, Error> {
        use crate::lab::{DatabaseKind, Lab, LabHosts, LabNode};
        let Target::Lab(lab) = &self.platform.target else { return Err(no_lab()) };
        let folder = self.folder.join(LabTarget::folder(lab));
        let hosts = LabHosts::open(&folder)?;
        let lab = Lab::open(&folder)?.file.database()?.clone();
        let connect = lab_login(&lab);
        let sql: Vec<_> = lab.nodes.iter().map(|node| (node.name.clone(), node.sql.to_string())).collect();
        let database = match lab.kind {
            DatabaseKind::Postgres => postgres_cluster(&sql, connect),
            DatabaseKind::Patroni => {
                let rest = |node: &LabNode| {
                    let rest = node.rest.map(|at| format!("http://{at}")).unwrap_or_default();
                    (node.name.clone(), node.sql.to_string(), rest)
                };
                patroni_cluster(&lab.nodes.iter().map(rest).collect::<Vec<_>>(), connect)
            }
            DatabaseKind::MariaDb => {
                let source = |node: &LabNode| Some((node.name.clone(), node.replication?.to_string()));
                mariadb_cluster(&sql, &lab.nodes.iter().filter_map(source).collect::<Vec<_>>(), connect)
            }
        };
        Ok((database.map_err(misconfigured)?, Arc::new(hosts)))
    }

    #[cfg(feature = "lab")]
    fn lab_nodes(&self) -> Result<(Vec<(String, String)>, Connect), Error> {
        use crate::lab::DatabaseKind;
        let lab = self.lab()?.file.database()?.clone();
        if let DatabaseKind::MariaDb = lab.kind {
            return Err(Error::usage("the lab's database is MariaDB, which does not tell what it runs on", LAB_KIND));
        }
        let nodes = lab.nodes.iter().map(|node| (node.name.clone(), node.sql.to_string()));
        Ok((nodes.collect(), lab_login(&lab)))
    }

    #[cfg(not(feature = "lab"))]
    fn lab_nodes(&self) -> Result<(Vec<(String, String)>, Connect), Error> {
        Err(no_lab())
    }

    #[cfg(not(feature = "lab"))]
    fn lab_database(&self) -> Result<Bound, Error> {
        Err(no_lab())
    }
}

/// How the lab's own database is connected to.
#[cfg(feature = "lab")]
#[must_use]
pub fn lab_login(lab: &crate::lab::LabDatabase) -> Connect {
    Connect {
        user: lab.user.clone(),
        password: Some(lab.password.clone().into()),
        database: lab.database.clone(),
        tls: Tls::Disable,
        admin: Some(Admin { user: lab.admin_user.clone(), password: Some(lab.admin_password.clone().into()) }),
    }
}

fn no_lab() -> Error {
    Error::usage(
        "the database is said to be the lab's, and there is no lab here",
        "name its nodes: `postgres: {nodes: {pg1: 10.0.0.1:5432, ...}, login: ...}`",
    )
}

fn listed(nodes: &BTreeMap<String, String>) -> Vec<(String, String)> {
    nodes.iter().map(|(name, at)| (name.clone(), at.clone())).collect()
}

fn bound(database: Result<Arc<dyn Database>, PortError>, hosts: &BTreeMap<String, Host>) -> Result<Bound, Error> {
    let hosts = hosts.iter().map(|(name, host)| (name.clone(), commands(host))).collect();
    Ok((database.map_err(misconfigured)?, Arc::new(CommandHosts::new(hosts))))
}

fn commands(host: &Host) -> HostCommands {
    let all = [
        (Order::State, &host.state),
        (Order::Run, &host.run),
        (Order::Do(Act::PowerOff), &host.kill),
        (Order::Do(Act::Pause), &host.pause),
        (Order::Do(Act::Partition), &host.partition),
        (Order::Do(Act::KillDatabase), &host.kill_database),
        (Order::Do(Act::KillManager), &host.kill_manager),
        (Order::Do(Act::StallDisk), &host.stall),
        (Order::Flow, &host.flow),
        (Order::SetFlow(Flow::Frozen), &host.freeze),
        (Order::SetFlow(Flow::Flowing), &host.thaw),
        (Order::Free, &host.free),
        (Order::Stop, &host.stop),
        (Order::Follow, &host.follow),
    ];
    all.into_iter().map(|(order, command)| (order, command.clone())).collect()
}
