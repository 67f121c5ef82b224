//! Databases of a platform file: their nodes, who we are to them, and what can be done to their hosts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checks::check_variable;
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
    /// The nodes, by the names that Patroni has for them.
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

/// One node under Patroni.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PatroniNode {
    /// The database's address, such as `10.0.0.1:5432`.
    pub sql: String,
    /// The address of Patroni's REST API, such as `http://10.0.0.1:8008`.
    pub rest: String,
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

/// Checks a database of a platform file.
///
/// # Errors
/// Where nodes or names are missing, or name what cannot be.
pub fn check(database: &Database) -> Result<(), Problem> {
    let (kind, count, login) = match database {
        Database::Lab(_) => return Ok(()),
        Database::Postgres(cluster) => ("postgres", cluster.nodes.len(), &cluster.login),
        Database::Mariadb(cluster) => ("mariadb", cluster.nodes.len(), &cluster.login),
        Database::Patroni(cluster) => ("patroni", cluster.nodes.len(), &cluster.login),
    };
    if count < 2 {
        let what = format!("{count} nodes: nothing could take over");
        return Err(Problem::new(&format!("{kind}.nodes"), what, "name at least two, such as `pg1: 10.0.0.1:5432`"));
    }
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
