//! Databases of a platform file: their nodes, who we are to them, and what can be done to their hosts.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

use super::{
    Target,
    checks::{check_url, check_variable},
    words::ADDRESS,
};
use crate::slo::Problem;

/// A replicated database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Database {
    /// The lab's own; it knows by itself.
    Lab(LabDatabase),
    /// `PostgreSQL` with streaming replication, and nothing that promotes a standby.
    Postgres(Cluster),
    /// `PostgreSQL` under Patroni.
    Patroni(PatroniCluster),
    /// `MariaDB` with replication by GTID.
    Mariadb(Cluster),
}

/// The lab's own database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabDatabase {}

/// Nodes, and who we are to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cluster {
    /// The nodes' addresses, such as `pg1: 10.0.0.1:5432`.
    pub nodes: BTreeMap<String, String>,
    /// How they are connected to.
    pub login: Login,
    /// What can be done to their hosts, by the host's name: a node's, or that of what coordinates them.
    #[serde(default)]
    pub hosts: BTreeMap<String, Host>,
}

/// Nodes under Patroni, and who we are to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatroniCluster {
    /// The nodes, by the names that Patroni has for them, such as `pg1: 10.0.0.1:5432`.
    pub nodes: BTreeMap<String, PatroniNode>,
    /// How they are connected to.
    pub login: Login,
    /// What can be done to their hosts, by the host's name: a node's, or that of what coordinates them.
    #[serde(default)]
    pub hosts: BTreeMap<String, Host>,
}

/// Commands for one host: programs with their arguments, without a shell. What has no command cannot be done to it.
///
/// They get the variables `INTERLOCK_HOST`, `INTERLOCK_EPOCH`, and for `follow` `INTERLOCK_PRIMARY`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Host {
    /// Prints how the host stands: `running`, `down`, `paused`, `partitioned`, `crashed`, `orphaned` or `stalled`; where it is
    /// several, such as `partitioned+paused`.
    pub state: Vec<String>,
    /// Releases, heals and starts it.
    pub run: Vec<String>,
    /// Cuts its power.
    pub kill: Vec<String>,
    /// Gives it no more time.
    pub pause: Vec<String>,
    /// Cuts it off.
    pub partition: Vec<String>,
    /// Kills its database, and not the manager.
    pub kill_database: Vec<String>,
    /// Kills its manager, and not the database.
    pub kill_manager: Vec<String>,
    /// Lets its disk take no writes.
    pub stall: Vec<String>,
    /// Prints `flowing` or `frozen`: whether its database sends its changes on.
    pub flow: Vec<String>,
    /// Stops what sends the changes.
    pub freeze: Vec<String>,
    /// Releases it.
    pub thaw: Vec<String>,
    /// Prints how many bytes are free where its database keeps its data, as its last word, such as
    /// `[df, --output=avail, -B1, /var/lib/postgresql]`.
    pub free: Vec<String>,
    /// Ends its database as an administrator would: all changes are sent first.
    pub stop: Vec<String>,
    /// Starts its database as a follower of `INTERLOCK_PRIMARY`, rewound if need be, and prints how.
    pub follow: Vec<String>,
}

/// One node under Patroni: the database's address, such as `10.0.0.1:5432`, where its REST API is at Patroni's own port of the
/// same host; else both addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PatroniNode {
    /// The database's address.
    pub sql: String,
    /// The address of Patroni's REST API.
    pub rest: String,
}

/// The port of Patroni's REST API unless it is told otherwise.
const PATRONI_PORT: u16 = 8008;

/// Both addresses of a node under Patroni.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PatroniAddresses {
    /// The database's address, such as `10.0.0.1:5432`.
    sql: String,
    /// The address of Patroni's REST API, such as `http://10.0.0.1:8008`; when left out, port 8008 of the database's host.
    #[serde(default)]
    rest: Option<String>,
}

impl PatroniNode {
    fn of(sql: String, rest: Option<String>) -> Self {
        let host = match sql.rsplit_once(':') {
            Some((host, _)) if !host.contains(':') || host.ends_with(']') => host.to_owned(),
            Some(_) if !sql.starts_with('[') => format!("[{sql}]"),
            _ => sql.clone(),
        };
        Self { rest: rest.unwrap_or_else(|| format!("http://{host}:{PATRONI_PORT}")), sql }
    }
}

impl<'de> Deserialize<'de> for PatroniNode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AddressOrBoth)
    }
}

struct AddressOrBoth;

impl<'de> Visitor<'de> for AddressOrBoth {
    type Value = PatroniNode;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(ADDRESS)
    }

    fn visit_str<E: serde::de::Error>(self, sql: &str) -> Result<PatroniNode, E> {
        Ok(PatroniNode::of(sql.to_owned(), None))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PatroniNode, A::Error> {
        let PatroniAddresses { sql, rest } = PatroniAddresses::deserialize(MapAccessDeserializer::new(map))?;
        Ok(PatroniNode::of(sql, rest))
    }
}

impl JsonSchema for PatroniNode {
    fn schema_name() -> Cow<'static, str> {
        "PatroniNode".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let both = generator.subschema_for::<PatroniAddresses>();
        let address =
            "The database's address, such as `10.0.0.1:5432`, where the REST API is at port 8008 of the same host.";
        json_schema!({
            "description": "One node under Patroni.",
            "anyOf": [{"type": "string", "description": address}, both],
        })
    }
}

/// Who we are to a database. Passwords are in variables of the environment, and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Login {
    /// The database that the ledger's table is made in.
    pub database: String,
    /// Who writes the ledger; must not be able to write where the database is read-only.
    pub user: String,
    /// The variable with that user's password.
    #[serde(default)]
    pub password_env: Option<String>,
    /// Who looks at replication and promotes; the same user where it is left out.
    #[serde(default)]
    pub admin: Option<String>,
    /// The variable with that user's password.
    #[serde(default)]
    pub admin_password_env: Option<String>,
    /// Whether the line is encrypted.
    #[serde(default)]
    pub tls: Tls,
    /// The authorities that are trusted, in PEM, relative to this file; those of this machine where it is left out.
    #[serde(default)]
    pub ca_file: Option<String>,
}

/// Whether the line to a database is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Tls {
    /// It is, and the server's certificate is checked.
    #[default]
    Require,
    /// It is not; for loopback.
    Disable,
}

impl Database {
    /// The variables with passwords that are read to connect to it.
    pub fn passwords(&self) -> impl Iterator<Item = &str> {
        let login = match self {
            Self::Lab(_) => None,
            Self::Postgres(cluster) | Self::Mariadb(cluster) => Some(&cluster.login),
            Self::Patroni(cluster) => Some(&cluster.login),
        };
        let admin = login.filter(|login| login.admin.is_some()).and_then(|login| login.admin_password_env.as_deref());
        login.and_then(|login| login.password_env.as_deref()).into_iter().chain(admin)
    }
}

/// Checks a database of a platform file.
///
/// # Errors
/// Where nodes or names are missing, or name what cannot be.
pub fn check(database: &Database, target: &Target) -> Result<(), Problem> {
    let (kind, count, login) = match (database, target) {
        (Database::Lab(_), Target::Hosts(_)) => {
            let hint = "name its nodes: `postgres: {nodes: {pg1: 10.0.0.1:5432, ...}, login: ...}`, or add `target: {lab: {}}`";
            return Err(Problem::new("lab", "the database is said to be the lab's, and no lab is named", hint));
        }
        (Database::Lab(_), _) => return Ok(()),
        (Database::Postgres(cluster), _) => ("postgres", cluster.nodes.len(), &cluster.login),
        (Database::Mariadb(cluster), _) => ("mariadb", cluster.nodes.len(), &cluster.login),
        (Database::Patroni(cluster), _) => ("patroni", cluster.nodes.len(), &cluster.login),
    };
    if count < 2 {
        let what = format!("{count} nodes: nothing could take over");
        return Err(Problem::new(&format!("{kind}.nodes"), what, "name at least two, such as `pg1: 10.0.0.1:5432`"));
    }
    check_nodes(database)?;
    for (key, variable) in [("passwordEnv", &login.password_env), ("adminPasswordEnv", &login.admin_password_env)] {
        if let Some(variable) = variable {
            check_variable(&format!("{kind}.login.{key}"), variable)?;
        }
    }
    if login.tls == Tls::Disable && login.ca_file.is_some() {
        let at = format!("{kind}.login.caFile");
        return Err(Problem::new(
            &at,
            "authorities are named, and the line is not encrypted",
            "leave one of the two out",
        ));
    }
    Ok(())
}

fn check_nodes(database: &Database) -> Result<(), Problem> {
    let at = |kind: &str, name: &str, key: &str| {
        // A name may hold dots, so it is no part of a dotted path.
        let path = [kind, "nodes", name, key].into_iter().filter(|part| !part.is_empty());
        path.map(str::to_owned).collect::<Vec<_>>()
    };
    let check_sql = |at: Vec<String>, address: &str| match address.contains('@') {
        false => Ok(()),
        true => {
            let hint = "write `HOST:PORT`; `login` says who we are, and `passwordEnv` names the password's variable";
            Err(Problem { at, ..Problem::new("", "the address holds credentials", hint) })
        }
    };
    match database {
        Database::Lab(_) => Ok(()),
        Database::Postgres(Cluster { nodes, .. }) => {
            nodes.iter().try_for_each(|(name, address)| check_sql(at("postgres", name, ""), address))
        }
        Database::Mariadb(Cluster { nodes, .. }) => {
            nodes.iter().try_for_each(|(name, address)| check_sql(at("mariadb", name, ""), address))
        }
        Database::Patroni(PatroniCluster { nodes, .. }) => nodes.iter().try_for_each(|(name, node)| {
            check_sql(at("patroni", name, "sql"), &node.sql)?;
            check_url("", &node.rest).map_err(|problem| Problem { at: at("patroni", name, "rest"), ..problem })
        }),
    }
}
