//! What only an administrator may do: take writes or not, follow or not. The right to it also lets one write to a server
//! that is read-only, so the user that writes the ledger should have it in a role alone, which is put on here.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    MariaDb,
    grants::{self, Grants},
    wire::{Columns, Wire},
};
use crate::{
    adapters::sql::{
        Connect, Server, Tls,
        cluster::Cluster,
        engine::Wire as _,
        failure::Failure,
        limits::{ACT, ASK, PAUSE},
    },
    ports::{Permit, PortError},
};

/// What a server says of a statement that it cannot read; it quotes from it.
const PARSE_ERROR: &str = "1064";
/// What a server says of a session that is gone.
const NO_SUCH_THREAD: &str = "1094";

/// Connects to a node as administrator, in a role of our user if it is not one itself.
pub async fn open(cluster: &Cluster<MariaDb>, node: &str) -> Result<Wire, PortError> {
    let failed = cluster.failed(node, "administer");
    let database = &cluster.admin.database;
    let mut wire = cluster.open_admin(node, ACT).await?;
    // The literals that we write mean the same whatever the server's own mode; nobody's lock is waited for longer than
    // we wait; and passwords stay out of the general log, if we may keep it.
    wire.run("set session sql_mode = '', lock_wait_timeout = 5", ASK).await.map_err(&failed)?;
    let _ = wire.run("set session sql_log_off = 1", ASK).await;
    if grants(&mut wire, database).await.map_err(&failed)?.administer() {
        return Ok(wire);
    }
    for role in roles(&mut wire).await.map_err(&failed)? {
        wire.run(&format!("set role {}", name(&role)), ASK).await.map_err(&failed)?;
        if grants(&mut wire, database).await.map_err(&failed)?.administer() {
            return Ok(wire);
        }
    }
    let user = &cluster.admin.user;
    let why = format!(
        "neither {user} nor a role of it has READ_ONLY ADMIN, REPLICATION SLAVE ADMIN and RELOAD; {}",
        hint(user)
    );
    Err(PortError::Forbidden { what: format!("administer {}", cluster.place(node)), why })
}

/// Connects to a node as administrator, to do something there that whoever comes after us can end.
pub async fn open_to(
    cluster: &Cluster<MariaDb>,
    node: &str,
    what: &str,
    permit: &dyn Permit,
) -> Result<Wire, PortError> {
    let mut wire = open(cluster, node).await?;
    cluster.intend(node, &mut wire, &cluster.admin, what, permit).await?;
    Ok(wire)
}

/// Ends a session by its name, at most `within`; gives why it may still do something.
pub async fn end(wire: &mut Wire, session: &str, within: Duration) -> Result<Option<String>, Failure> {
    let until = Instant::now() + within;
    let sql = format!("select is_used_lock({}) as id", literal(session));
    loop {
        let id = wire.row(&sql, ASK).await?.remove("id").unwrap_or_default();
        if id.is_empty() {
            return Ok(None);
        }
        // It may have ended by itself meanwhile.
        if let Err(failure) = wire.run(&format!("kill {id}"), ASK).await
            && failure.class != NO_SUCH_THREAD
        {
            return Err(failure);
        }
        if Instant::now() >= until {
            return Ok(Some("its session does not end".to_owned()));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What we may do on a connection, in the role that it has now.
pub async fn grants(wire: &mut Wire, database: &str) -> Result<Grants, Failure> {
    let rows = wire.rows("show grants", ASK).await?;
    let lines: Vec<_> = rows.into_iter().flat_map(Columns::into_values).collect();
    Ok(grants::read(&lines, database, wire.version()))
}

/// Lets a node take writes, or not. What is being written is waited for.
pub async fn set_read_only(
    cluster: &Cluster<MariaDb>,
    node: &str,
    to: bool,
    permit: &dyn Permit,
) -> Result<(), PortError> {
    let mut wire = open_to(cluster, node, "switch read_only at", permit).await?;
    let sql = format!("set global read_only = {}", u8::from(to));
    wire.run(&sql, ACT).await.map_err(cluster.failed(node, "switch read_only at"))
}

/// Makes a node follow a primary from where it is. It takes no writes from here on.
pub async fn point(
    cluster: &Cluster<MariaDb>,
    node: &str,
    primary: &Server,
    permit: &dyn Permit,
) -> Result<(), PortError> {
    let failed = cluster.failed(node, "point");
    let mut wire = open_to(cluster, node, "point", permit).await?;
    // A primary has its position in its own log only, and what it follows from has to be set.
    let position = "set global gtid_slave_pos = @@global.gtid_current_pos";
    for sql in ["set global read_only = 1", "stop slave", position] {
        wire.run(sql, ACT).await.map_err(&failed)?;
    }
    let change = change_master(&cluster.admin, primary);
    wire.run(&change, ACT).await.map_err(|failure| failed(hushed(&cluster.admin, failure)))?;
    wire.run("start slave", ACT).await.map_err(&failed)
}

fn change_master(admin: &Connect, primary: &Server) -> String {
    let password = admin.password.as_ref().map_or("", |password| password.reveal());
    let ssl = u8::from(admin.tls != Tls::Disable);
    format!(
        "change master to master_host = {}, master_port = {}, master_user = {}, master_password = {}, \
         master_connect_retry = 1, master_ssl = {ssl}, master_use_gtid = slave_pos",
        literal(&primary.host),
        primary.port,
        literal(&admin.user),
        literal(password),
    )
}

/// A failure of a statement that holds the password: a parser quotes what it could not read, perhaps a part of it.
fn hushed(admin: &Connect, failure: Failure) -> Failure {
    let words = if failure.coded && failure.class != PARSE_ERROR {
        admin.clean(&failure.words)
    } else {
        "the server did not take the statement".to_owned()
    };
    Failure { words, ..failure }
}

/// The roles that our user may put on.
async fn roles(wire: &mut Wire) -> Result<Vec<String>, Failure> {
    let rows =
        wire.rows("select distinct role_name from information_schema.applicable_roles order by role_name", ASK).await?;
    Ok(rows.into_iter().filter_map(|mut row| row.remove("role_name")).collect())
}

/// How to give our user the right in a role.
pub fn hint(user: &str) -> String {
    format!(
        "create role interlock_admin; grant read_only admin, replication slave admin, reload on *.* to interlock_admin; \
         grant interlock_admin to {user}"
    )
}

/// A string in SQL, under an empty `sql_mode`.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

fn name(text: &str) -> String {
    format!("`{}`", text.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_cannot_be_left() {
        assert_eq!(literal(r"a'b\c"), r"'a''b\\c'");
        assert_eq!(literal(r"\'"), r"'\\'''");
        assert_eq!(name("a`b"), "`a``b`");
    }
}
