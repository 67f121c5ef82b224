//! What `SHOW GRANTS` says that we may do. Its lines hold the password's hash, so none is ever shown.

/// What a user, or a role of it, may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Grants {
    /// Write although the server is read-only, and switch that.
    pub past_read_only: bool,
    /// Point a server at another, and stop it following.
    pub point: bool,
    /// Make a server forget whom it followed.
    pub reset: bool,
    /// See how a server follows.
    pub see: bool,
    /// Follow a server: what replication connects as.
    pub replicate: bool,
    /// Make, fill, read and drop a table in the database.
    pub table: bool,
}

impl Grants {
    /// Whether that suffices to promote a server, and to point it at another.
    pub const fn administer(&self) -> bool {
        self.past_read_only && self.point && self.reset
    }
}

/// Reads the lines of `SHOW GRANTS`; `version` is major and minor.
pub fn read(lines: &[String], database: &str, version: (u16, u16)) -> Grants {
    let mut grants = Grants::default();
    let mut table = Vec::new();
    for (privileges, on) in lines.iter().filter_map(|line| split(line)) {
        let has = |name: &str| privileges.iter().any(|one| one == name || one == "ALL PRIVILEGES");
        if on == "*.*" {
            // Since 10.11, SUPER alone does not write past read_only.
            grants.past_read_only |= has("READ_ONLY ADMIN") || (has("SUPER") && version < (10, 11));
            grants.point |= has("REPLICATION SLAVE ADMIN") || has("SUPER");
            grants.reset |= has("RELOAD");
            grants.see |= ["SLAVE MONITOR", "REPLICA MONITOR", "REPLICATION CLIENT", "SUPER"].into_iter().any(has);
            grants.replicate |= has("REPLICATION SLAVE") || has("REPLICATION REPLICA");
        }
        if on == "*.*" || is_database(&on, database) {
            table.extend(["CREATE", "INSERT", "SELECT", "DROP"].into_iter().filter(|name| has(name)));
        }
    }
    grants.table = ["CREATE", "INSERT", "SELECT", "DROP"].iter().all(|name| table.contains(name));
    grants
}

/// The privileges of a line and what they are on; `None` for one that grants a role.
fn split(line: &str) -> Option<(Vec<String>, String)> {
    let (privileges, rest) = line.strip_prefix("GRANT ")?.split_once(" ON ")?;
    let on = rest.split_once(" TO ")?.0.replace('`', "");
    Some((privileges.split(',').map(|one| one.trim().to_uppercase()).collect(), on))
}

/// Whether a grant's `name.*` means this database; names may hold `_` and `%` as patterns, or escaped.
fn is_database(on: &str, database: &str) -> bool {
    let Some(pattern) = on.strip_suffix(".*") else {
        return false;
    };
    pattern == database || pattern.replace("\\_", "_").replace("\\%", "%") == database || pattern == "%"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str], version: (u16, u16)) -> Grants {
        read(&lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>(), "app", version)
    }

    #[test]
    fn a_user_with_a_role_writes_past_read_only_only_in_it() {
        let plain = [
            "GRANT `interlock_admin` TO `interlock`@`127.0.0.1`",
            "GRANT REPLICATION SLAVE, BINLOG MONITOR, SLAVE MONITOR ON *.* TO `interlock`@`127.0.0.1` IDENTIFIED BY PASSWORD '*CDAE'",
            "GRANT ALL PRIVILEGES ON `app`.* TO `interlock`@`127.0.0.1`",
        ];
        let base = of(&plain, (10, 11));
        assert_eq!(
            base,
            Grants { past_read_only: false, point: false, reset: false, see: true, replicate: true, table: true }
        );
        let role = "GRANT RELOAD, READ_ONLY ADMIN, REPLICATION SLAVE ADMIN ON *.* TO `interlock_admin`";
        let with_role = of(&[plain[0], plain[1], plain[2], role], (10, 11));
        assert!(with_role.administer() && !base.administer());
    }

    #[test]
    fn an_administrator_writes_past_read_only_always() {
        let all = of(&["GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION"], (10, 11));
        assert_eq!(
            all,
            Grants { past_read_only: true, point: true, reset: true, see: true, replicate: true, table: true }
        );
        assert!(of(&["GRANT SUPER ON *.* TO `x`@`%`"], (10, 6)).past_read_only);
        assert!(!of(&["GRANT SUPER ON *.* TO `x`@`%`"], (10, 11)).past_read_only);
    }

    #[test]
    fn grants_on_other_databases_are_no_use() {
        assert!(!of(&["GRANT ALL PRIVILEGES ON `application`.* TO `x`@`%`"], (10, 11)).table);
        assert!(!of(&["GRANT SELECT, INSERT ON `app`.* TO `x`@`%`"], (10, 11)).table);
        assert!(of(&["GRANT SELECT, INSERT, CREATE, DROP ON `app`.* TO `x`@`%`"], (10, 11)).table);
    }
}
