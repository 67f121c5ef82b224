//! What only an administrator may do: take writes or not, follow or not. The right to it also lets one write to a server
//! that is read-only, so the user that writes the ledger should have it in a role alone, which is put on here.

use super::{
    failure::Failure,
    grants::{self, Grants},
    nodes::Nodes,
    wire::Wire,
};
use crate::{
    adapters::sql::{
        Tls,
        limits::{ACT, ASK, PROMOTE},
    },
    ports::PortError,
};

/// What a server says of a statement that it cannot read; it quotes from it.
const PARSE_ERROR: u16 = 1064;

impl Nodes {
    /// Connects to a node as administrator, in a role of our user if it is not one itself.
    ///
    /// # Errors
    /// Where the node cannot be asked, or neither the user nor a role of it may do that.
    pub async fn admin(&self, node: &str) -> Result<Wire, PortError> {
        let failed = self.failed(node, "administer")?;
        let mut wire = self.open_admin(node, ACT).await?;
        // The literals that we write mean the same whatever the server's own mode; nobody's lock is waited for longer than
        // we wait; and passwords stay out of the general log, if we may keep it.
        wire.run("set session sql_mode = '', lock_wait_timeout = 5", ASK).await.map_err(&failed)?;
        let _ = wire.run("set session sql_log_off = 1", ASK).await;
        if self.grants(&mut wire).await.map_err(&failed)?.administer() {
            return Ok(wire);
        }
        for role in roles(&mut wire).await.map_err(&failed)? {
            wire.run(&format!("set role {}", name(&role)), ASK).await.map_err(&failed)?;
            if self.grants(&mut wire).await.map_err(&failed)?.administer() {
                return Ok(wire);
            }
        }
        let user = &self.administrator().user;
        let why = format!(
            "neither {user} nor a role of it has READ_ONLY ADMIN, REPLICATION SLAVE ADMIN and RELOAD; {}",
            mend(user)
        );
        Err(PortError::Forbidden { what: format!("administer {}", self.place(node)?), why })
    }

    /// What we may do on a connection, in the role that it has now.
    ///
    /// # Errors
    /// What the node said.
    pub async fn grants(&self, wire: &mut Wire) -> Result<Grants, Failure> {
        let rows = wire.rows("show grants", ASK).await?;
        let lines: Vec<_> = rows.into_iter().flat_map(std::collections::BTreeMap::into_values).collect();
        Ok(grants::read(&lines, &self.connect().database, wire.version()))
    }

    /// Lets a node take writes, or not. What is being written is waited for.
    ///
    /// # Errors
    /// Where we may not, or it does not happen in time.
    pub async fn set_read_only(&self, node: &str, to: bool) -> Result<(), PortError> {
        let mut wire = self.admin(node).await?;
        let sql = format!("set global read_only = {}", u8::from(to));
        wire.run(&sql, ACT).await.map_err(self.failed(node, "switch read_only at")?)
    }

    /// Makes a standby the primary: what it has received is applied, then it follows nobody and takes writes.
    ///
    /// # Errors
    /// Where we may not, what it has received cannot be applied, or it does not take writes in time.
    pub async fn promote(&self, candidate: &str) -> Result<(), PortError> {
        let failed = self.failed(candidate, "promote")?;
        let seen = self.answer(candidate).await.map_err(&failed)?;
        if seen.sample.writable && seen.line.is_none() {
            return Ok(());
        }
        let mut wire = self.admin(candidate).await?;
        if seen.line.is_some() {
            wire.run("stop slave io_thread", ACT).await.map_err(&failed)?;
            self.applied(candidate).await?;
            wire.run("stop slave", ACT).await.map_err(&failed)?;
            wire.run("reset slave all", ACT).await.map_err(&failed)?;
        }
        wire.run("set global read_only = 0", ACT).await.map_err(&failed)?;
        let wanted = |seen: &super::look::Answer| {
            if seen.sample.writable { Ok(()) } else { Err("it takes no writes".to_owned()) }
        };
        self.wait(candidate, PROMOTE, wanted).await
    }

    /// Waits until a standby has applied what it has received: it was acknowledged elsewhere, and would be lost.
    async fn applied(&self, node: &str) -> Result<(), PortError> {
        self.wait(node, PROMOTE, |seen| {
            let Some(line) = &seen.line else {
                return Ok(());
            };
            if !line.applies {
                let why = line.follows().trouble.unwrap_or_default();
                return Err(format!("it does not apply what it has received: {why}"));
            }
            let missing = super::gtid::missing(&line.received, &seen.position);
            missing.map_or(Ok(()), |gtid| Err(format!("it has received {gtid} and not applied it")))
        })
        .await
    }

    /// Makes a node follow `primary` from where it is. It takes no writes from here on.
    ///
    /// # Errors
    /// Where we may not. Whether it streams then is for the node to say.
    pub async fn point(&self, node: &str, primary: &str) -> Result<(), PortError> {
        let failed = self.failed(node, "point")?;
        let mut wire = self.admin(node).await?;
        for sql in ["set global read_only = 1", "stop slave"] {
            wire.run(sql, ACT).await.map_err(&failed)?;
        }
        // A primary has its position in its own log only, and what it follows from has to be set.
        wire.run("set global gtid_slave_pos = @@global.gtid_current_pos", ACT).await.map_err(&failed)?;
        let change = self.change_master(primary)?;
        wire.run(&change, ACT).await.map_err(|failure| failed(self.hushed(failure)))?;
        wire.run("start slave", ACT).await.map_err(&failed)
    }

    fn change_master(&self, primary: &str) -> Result<String, PortError> {
        let server = self.source(primary)?;
        let connect = self.administrator();
        let password = connect.password.as_ref().map_or("", |password| password.reveal());
        let ssl = u8::from(connect.tls != Tls::Disable);
        Ok(format!(
            "change master to master_host = {}, master_port = {}, master_user = {}, master_password = {}, \
             master_connect_retry = 1, master_ssl = {ssl}, master_use_gtid = slave_pos",
            literal(&server.host),
            server.port,
            literal(&connect.user),
            literal(password),
        ))
    }

    /// A failure of a statement that holds the password: a parser quotes what it could not read, perhaps a part of it.
    fn hushed(&self, failure: Failure) -> Failure {
        let words = match failure.code {
            Some(PARSE_ERROR) | None => "the server did not take the statement".to_owned(),
            Some(_) => self.administrator().clean(&failure.words),
        };
        Failure { words, ..failure }
    }
}

/// The roles that our user may put on.
async fn roles(wire: &mut Wire) -> Result<Vec<String>, Failure> {
    let rows =
        wire.rows("select distinct role_name from information_schema.applicable_roles order by role_name", ASK).await?;
    Ok(rows.into_iter().filter_map(|mut row| row.remove("role_name")).collect())
}

/// How to give our user the right in a role.
pub fn mend(user: &str) -> String {
    format!(
        "create role interlock_admin; grant read_only admin, replication slave admin, reload on *.* to interlock_admin; \
         grant interlock_admin to {user}"
    )
}

/// A string in SQL, under an empty `sql_mode`.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// A name in SQL.
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
