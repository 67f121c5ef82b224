//! `--database` of `interlock lab up`, and `interlock lab host`: what is asked and ordered of the hosts of databases.

use clap::ValueEnum;

use super::{
    command::{At, Where},
    show,
};
use crate::{
    error::{Error, Exit},
    lab::{
        DatabaseKind, LabHosts,
        database::{HostStand, Setting, programs},
        state::Folder,
        supervisor::WithDatabase,
    },
    ports::{ByHand, Flow, HostState, Hosts as _, PortError},
};

const HINT: &str = "the logs in the lab's folder say more";

/// The database that a lab starts with.
#[derive(Debug, clap::Args)]
pub(super) struct DatabaseArgs {
    /// The database that is started: `auto` is `postgres` where its programs are found
    #[arg(long, value_enum, default_value_t = Wanted::Auto, value_name = "KIND")]
    database: Wanted,
    /// Start the database and nothing else
    #[arg(long, conflicts_with = "full")]
    database_only: bool,
    /// Set something about the database: synchronous=on, stallable=on; of patroni also ttl, loop_wait, retry_timeout,
    /// primary_start_timeout, failsafe_mode
    #[arg(long, value_name = "KEY=VALUE")]
    database_set: Vec<Setting>,
}

/// Which database is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Wanted {
    /// A PostgreSQL where its programs are found, else none
    Auto,
    /// None
    None,
    /// A PostgreSQL primary and a streaming standby
    Postgres,
    /// Three nodes of PostgreSQL under Patroni, and an etcd
    Patroni,
    /// A MariaDB primary and a replica by GTID
    Mariadb,
}

impl DatabaseArgs {
    /// The database, and why there is none where one would have been nice to have.
    ///
    /// # Errors
    /// Where a database was named whose programs are missing, or something is set that there is not.
    pub fn resolve(self) -> Result<(Option<WithDatabase>, Option<String>), Error> {
        let Self { database, database_only: only, database_set: set } = self;
        let kind = match database {
            Wanted::None => None,
            Wanted::Auto if programs::missing(DatabaseKind::Postgres).is_empty() => Some(DatabaseKind::Postgres),
            Wanted::Auto if !only && set.is_empty() => {
                let install = install(&programs::missing(DatabaseKind::Postgres));
                return Ok((None, Some(format!("no database: the programs of PostgreSQL are missing; {install}"))));
            }
            Wanted::Auto | Wanted::Postgres => Some(DatabaseKind::Postgres),
            Wanted::Patroni => Some(DatabaseKind::Patroni),
            Wanted::Mariadb => Some(DatabaseKind::MariaDb),
        };
        let Some(kind) = kind else {
            return match only || !set.is_empty() {
                true => Err(Error::usage("there is no database with `--database none`", "name one, such as postgres")),
                false => Ok((None, None)),
            };
        };
        let missing = programs::missing(kind);
        if !missing.is_empty() {
            let what = format!("programs of {kind} are missing: {}", missing.join(" "));
            return Err(Error::usage(what, install(&missing)));
        }
        let with = WithDatabase { kind, set, only };
        with.settings()?;
        Ok((Some(with), None))
    }
}

/// How to get packages that are missing.
pub(super) fn install(packages: &[&str]) -> String {
    format!("on Debian: apt-get install --no-install-recommends {}", packages.join(" "))
}

#[derive(Debug, clap::Args)]
pub(super) struct HostArgs {
    #[command(flatten)]
    pub at: Where,
    /// The host; all of them unless named
    pub name: Option<String>,
    /// What to do with it; nothing but a look unless named
    pub order: Option<Order>,
    /// The node that it is to follow
    #[arg(required_if_eq("order", "follow"))]
    pub primary: Option<String>,
}

/// What can be ordered of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Order {
    /// Release, heal and start it
    Running,
    /// Kill all that runs on it
    Down,
    /// Stop all that runs on it, as if it had no time
    Paused,
    /// Hold all of its connections
    Partitioned,
    /// Kill its database and leave its manager
    Crashed,
    /// Kill its manager and leave its database
    Orphaned,
    /// Let its disk take no writes
    Stalled,
    /// Hold what sends its changes on
    Freeze,
    /// Release what sends its changes on
    Flow,
    /// End its database as an administrator would
    Stop,
    /// Start its database as a follower of another node
    Follow,
}

/// Looks at hosts, or gives one an order first.
pub(super) async fn host(
    at: At,
    name: Option<String>,
    order: Option<Order>,
    primary: Option<&str>,
) -> Result<Exit, Error> {
    let file = Folder::new(&at.folder).read_lab()?;
    let hosts = LabHosts::of(file.database()?, &file.token);
    let names = match &name {
        Some(name) if !hosts.names().contains(name) => {
            return Err(Error::usage(
                format!("there is no host {name}"),
                format!("there is {}", hosts.names().join(", ")),
            ));
        }
        Some(name) => vec![name.clone()],
        None => hosts.names(),
    };
    let mut how = None;
    if let (Some(name), Some(order)) = (&name, order) {
        how = give(&hosts, name, order, primary).await.map_err(|e| Error::port(e, HINT))?;
    }
    show::hosts(&look(&hosts, &names).await, how.as_deref(), at.output)?;
    Ok(Exit::Kept)
}

/// How each of the hosts stands, or why it does not tell.
pub(super) async fn look(hosts: &LabHosts, names: &[String]) -> Vec<(String, Result<HostStand, PortError>)> {
    let look = |name: &String| {
        let name = name.clone();
        async move { (name.clone(), hosts.stand(&name).await) }
    };
    futures::future::join_all(names.iter().map(look)).await
}

async fn give(hosts: &LabHosts, name: &str, order: Order, primary: Option<&str>) -> Result<Option<String>, PortError> {
    // A person comes after whoever has given orders last.
    let permit = &ByHand(hosts.stand(name).await?.epoch);
    let state = match order {
        Order::Running => HostState::Running,
        Order::Down => HostState::Down,
        Order::Paused => HostState::Paused,
        Order::Partitioned => HostState::Partitioned,
        Order::Crashed => HostState::Crashed,
        Order::Orphaned => HostState::Orphaned,
        Order::Stalled => HostState::Stalled,
        Order::Freeze => return hosts.set_flow(name, Flow::Frozen, permit).await.map(|()| None),
        Order::Flow => return hosts.set_flow(name, Flow::Flowing, permit).await.map(|()| None),
        Order::Stop => return hosts.stop_cleanly(name, permit).await.map(|()| None),
        Order::Follow => {
            return hosts.start_following(name, primary.unwrap_or_default(), permit).await.map(Some);
        }
    };
    hosts.set_state(name, state, permit).await.map(|()| None)
}
