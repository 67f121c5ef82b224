//! What one node says of itself.

use super::{
    gtid::{self, Gtid},
    wire::Columns,
};
use crate::{
    adapters::sql::{engine::Answer, failure::Failure},
    ports::{Follows, Sample},
};

/// Role, history and position.
pub const SAMPLE: &str = "select cast(@@global.read_only as char) as read_only, @@global.gtid_current_pos as position, \
    concat_ws(',', @@global.gtid_binlog_state, @@global.gtid_slave_pos) as history, \
    @@global.gtid_domain_id as domain, @@global.server_id as server";

/// Every line of replication that ends here.
pub const LINES: &str = "show all slaves status";

/// Whether semi-synchronous replication works, as primary and as standby.
pub const SEMISYNC: &str = "select lower(variable_name) as name, variable_value as value \
    from information_schema.global_status where variable_name in ('Rpl_semi_sync_master_status', 'Rpl_semi_sync_slave_status')";

/// A line of replication that ends at a node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// Whether changes arrive.
    pub receives: bool,
    /// Whether they are applied.
    pub applies: bool,
    /// Where they come from: host and port.
    pub from: (String, String),
    /// The history that they come from.
    pub timeline: Option<String>,
    /// How far changes have arrived.
    pub received: String,
    /// The error number and words of what keeps them from arriving or from being applied.
    pub error: Option<(u32, String)>,
}

/// What only `MariaDB` knows of.
#[derive(Debug, Clone, PartialEq)]
pub struct Detail {
    pub position: String,
    /// The last transaction of every server that it has logged or applied.
    pub history: String,
    pub line: Option<Line>,
    /// Whether it waits for a standby before it acknowledges.
    pub waits: bool,
    /// Whether a primary waits for it.
    pub confirms: bool,
}

fn column<'a>(row: &'a Columns, name: &str) -> Result<&'a str, Failure> {
    row.get(name).map(String::as_str).ok_or_else(|| Failure::unexpected(format!("there is no `{name}` in the answer")))
}

fn number(row: &Columns, name: &str) -> Result<u32, Failure> {
    column(row, name)?.parse().map_err(|_| Failure::unexpected(format!("`{name}` is no number")))
}

/// Reads a row of [`SAMPLE`]: one that takes writes is on its own history, another on that of its last transaction.
pub fn sample(row: &Columns) -> Result<Sample, Failure> {
    let (domain, server) = (number(row, "domain")?, number(row, "server")?);
    let last = gtid::in_domain(column(row, "position")?, domain);
    // Later versions know more than on and off; all of them take writes away.
    let writable = matches!(column(row, "read_only")?, "0" | "OFF");
    let timeline = if writable { Some(gtid::timeline(domain, server)) } else { last.as_ref().map(Gtid::timeline) };
    Ok(Sample { writable, timeline, position: last.map(|gtid| gtid.sequence) })
}

/// Reads what a node answered to the three questions.
pub fn answer(row: &Columns, lines: &[Columns], semisync: &[Columns]) -> Result<Answer<Detail>, Failure> {
    let domain = number(row, "domain")?;
    let on = |name: &str| {
        let is = |row: &&Columns| row.get("name").is_some_and(|found| found == name);
        semisync.iter().find(is).is_some_and(|row| row.get("value").is_some_and(|value| value == "ON"))
    };
    let line = lines.first().map(|row| line(row, domain)).transpose()?;
    let detail = Detail {
        position: column(row, "position")?.to_owned(),
        history: column(row, "history")?.to_owned(),
        line,
        waits: on("rpl_semi_sync_master_status"),
        confirms: on("rpl_semi_sync_slave_status"),
    };
    Ok(Answer { sample: sample(row)?, follows: detail.line.as_ref().map(Line::follows), detail })
}

fn line(row: &Columns, domain: u32) -> Result<Line, Failure> {
    let master = number(row, "master_server_id").ok().filter(|server| *server > 0);
    let error = |number: &str, words: &str| -> Result<Option<(u32, String)>, Failure> {
        let code: u32 = column(row, number)?.parse().unwrap_or(0);
        Ok((code > 0).then_some((code, column(row, words)?.to_owned())))
    };
    Ok(Line {
        receives: column(row, "slave_io_running")? == "Yes",
        applies: column(row, "slave_sql_running")? == "Yes",
        from: (column(row, "master_host")?.to_owned(), column(row, "master_port")?.to_owned()),
        timeline: master.map(|server| gtid::timeline(domain, server)),
        received: column(row, "gtid_io_pos")?.to_owned(),
        error: error("last_io_errno", "last_io_error")?.or(error("last_sql_errno", "last_sql_error")?),
    })
}

impl Line {
    /// The same for a port.
    pub fn follows(&self) -> Follows {
        let streaming = self.receives && self.applies;
        let trouble = (!streaming).then(|| match &self.error {
            Some((code, words)) => format!("{words} ({code})"),
            None if self.receives => "it receives changes and does not apply them".to_owned(),
            None => "it receives no changes".to_owned(),
        });
        Follows { streaming, timeline: self.timeline.clone(), trouble }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::sql::{
        engine::{Engine as _, nodes},
        mariadb::MariaDb,
    };

    fn columns(pairs: &[(&str, &str)]) -> Columns {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn state(read_only: &str, position: &str, server: &str) -> Columns {
        let history = ("history", position);
        columns(&[("read_only", read_only), ("position", position), history, ("domain", "0"), ("server", server)])
    }

    fn slave(io: &str, sql: &str, errno: &str, error: &str) -> Columns {
        columns(&[
            ("slave_io_running", io),
            ("slave_sql_running", sql),
            ("master_host", "127.0.0.1"),
            ("master_port", "17011"),
            ("master_server_id", "17011"),
            ("gtid_io_pos", "0-17011-9"),
            ("last_io_errno", errno),
            ("last_io_error", error),
            ("last_sql_errno", "0"),
            ("last_sql_error", ""),
        ])
    }

    #[test]
    fn a_standby_is_on_the_history_of_its_primary_and_a_primary_on_its_own() {
        let primary = answer(&state("OFF", "0-17011-9", "17012"), &[], &[]).unwrap();
        let standby = answer(&state("ON", "0-17011-9", "17012"), &[slave("Yes", "Yes", "0", "")], &[]).unwrap();
        let seen = nodes::<MariaDb>(vec![("a".to_owned(), Ok(primary)), ("b".to_owned(), Ok(standby))]);
        assert_eq!((seen[0].writable, seen[0].timeline.as_deref()), (true, Some("0-17012")));
        let follows = seen[1].follows.clone().unwrap();
        assert_eq!((follows.streaming, follows.timeline.as_deref()), (true, Some("0-17011")));
        assert_eq!((seen[1].writable, seen[1].position), (false, Some(9)));
    }

    #[test]
    fn a_standby_that_has_diverged_says_so_in_the_servers_words() {
        let words = "Got fatal error 1236 from master: requested GTID is not in the master's binlog";
        let standby = answer(&state("1", "", "2"), &[slave("No", "Yes", "1236", words)], &[]).unwrap();
        let line = standby.detail.line.unwrap();
        assert_eq!(line.error.as_ref().unwrap().0, 1236);
        assert!(!line.follows().streaming && line.follows().trouble.unwrap().contains("1236"));
        assert_eq!(standby.sample.position, None);
    }

    #[test]
    fn a_standby_with_rows_of_its_own_has_diverged_also_while_it_still_seems_to_stream() {
        let primary = |history: &str| {
            let mut row = state("OFF", "0-17012-140", "17012");
            row.insert("history".to_owned(), history.to_owned());
            answer(&row, &[], &[]).unwrap()
        };
        let standby = answer(&state("ON", "0-17011-125", "17011"), &[slave("Yes", "Yes", "0", "")], &[]).unwrap();
        assert!(standby.detail.line.as_ref().unwrap().follows().streaming);
        let diverged = |history: &str| MariaDb::diverged(&standby, Some(&primary(history)));
        assert_eq!(
            diverged("0-17011-110,0-17012-140").as_deref(),
            Some("it has 0-17011-125, which the primary's history lacks")
        );
        assert_eq!((diverged("0-17011-125,0-17012-140"), diverged("0-17012-140")), (None, None));
        assert_eq!(MariaDb::diverged(&standby, None), None);
    }

    #[test]
    fn a_standby_is_synchronous_if_both_ends_say_so() {
        let of = |master: &str, slave_status: &str| {
            let status = |name: &str, value: &str| columns(&[("name", name), ("value", value)]);
            let primary =
                answer(&state("0", "0-1-1", "1"), &[], &[status("rpl_semi_sync_master_status", master)]).unwrap();
            let lines = [slave("Yes", "Yes", "0", "")];
            let confirms = [status("rpl_semi_sync_slave_status", slave_status)];
            let standby = answer(&state("1", "0-1-1", "2"), &lines, &confirms).unwrap();
            nodes::<MariaDb>(vec![("a".to_owned(), Ok(primary)), ("b".to_owned(), Ok(standby))])[1].synchronous
        };
        assert!(of("ON", "ON"));
        assert!(!of("OFF", "ON") && !of("ON", "OFF"));
    }
}
