//! Which settings each PostgreSQL runs on: whether it has read its files since they changed, took what they say, and waits for a restart.

use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use tokio_postgres::Error;

use super::{Postgres, wire::Wire};
use crate::{
    adapters::sql::{cluster::Cluster, failure::Failure, limits::ACT},
    model::Timestamp,
    ports::{Configs, Desired, Instance, Look, PortError, RunsOn},
};

/// How long a server may take to accept a connection.
const CONNECT_AT_MOST: Duration = Duration::from_secs(5);

const LOADED: &str = "\
    select extract(epoch from pg_conf_load_time())::float8, \
    array(select name from pg_settings where pending_restart order by name), \
    has_function_privilege('pg_stat_file(text, boolean)', 'execute'), \
    has_table_privilege('pg_file_settings', 'select') and has_function_privilege('pg_show_all_file_settings()', 'execute')";

// The files that are there: with them goes every file that they include, but for those that were added since.
const CHANGED: &str = "\
    select max(extract(epoch from (pg_stat_file(file, true)).modification))::float8 from (\
    select distinct sourcefile as file from pg_file_settings union select setting from pg_settings where name = 'config_file') files";

// Files tell their second alone, so that for a change within that of the last read the values are compared. What a command line has
// set is not the files' to say. One value may be written in several ways; what is not seen to be the same counts as another.
const DIFFERENT: &str = "\
    with said as (select distinct on (lower(name)) lower(name) as name, setting from pg_file_settings \
    where name is not null order by lower(name), seqno desc) \
    select array(select s.name from said f join pg_settings s on lower(s.name) = f.name \
    where s.source = 'default' or s.source = 'configuration file' \
    and lower(f.setting) not in (lower(s.setting), lower(current_setting(s.name))) \
    and not (s.vartype = 'bool' and s.setting::bool = (lower(f.setting) in ('t', 'true', 'y', 'yes', 'on', '1'))) \
    union select name from pg_settings where source = 'configuration file' and lower(name) not in (select name from said) \
    order by 1)";

const WRONG: &str = "\
    select sourcefile, sourceline::text, error from pg_file_settings where error is not null \
    and error <> 'setting could not be applied' order by seqno limit 1";

const NO_RIGHT: &str = "whether its files were changed since it read them is not for us to see: `grant execute on function \
                        pg_stat_file(text, boolean), pg_show_all_file_settings() to` whom the platform file names, and `grant \
                        select on pg_file_settings`";

const SAME_SECOND: &str = "its files were changed within the second in which it read them, and may say something else";

/// What one server says of its settings.
struct Said {
    loaded: f64,
    /// Those that take a restart.
    pending: Vec<String>,
    /// When its files were changed last; none where we may not look.
    changed: Option<f64>,
    /// Settings of which the files seem to say something else.
    different: Vec<String>,
    /// What is wrong with its files.
    wrong: Option<String>,
}

#[async_trait]
impl Configs for Cluster<Postgres> {
    async fn look(&self) -> Result<Look, PortError> {
        let instances = join_all(self.names().map(|node| self.instance(node))).await;
        let desired = Desired { told_by: "their own files".to_owned(), ..Desired::default() };
        Ok(Look { desired: Some(desired), instances })
    }
}

impl Cluster<Postgres> {
    async fn instance(&self, node: &str) -> Instance {
        let asked = async {
            let mut wire = self.open_admin(node, CONNECT_AT_MOST).await?;
            said(&mut wire).await.map_err(self.failed(node, "ask"))
        };
        let (runs_on, trouble) = match asked.await {
            Ok(said) => said.told(),
            Err(e @ PortError::Unreachable { .. }) => (RunsOn::Silent { why: e.to_string() }, None),
            Err(e) => (RunsOn::Unclear { why: e.to_string() }, None),
        };
        let known_by = "pg_settings, pg_file_settings".to_owned();
        Instance { name: node.to_owned(), runs_on, trouble, known_by }
    }
}

async fn said(wire: &mut Wire) -> Result<Said, Failure> {
    let row = wire.row(LOADED, &[], ACT).await?;
    let read = || -> Result<(f64, Vec<String>, bool, bool), Error> {
        Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?))
    };
    let (loaded, pending, may_stat, may_read) = read().map_err(Failure::from)?;
    let changed = match may_stat && may_read {
        true => wire.row(CHANGED, &[], ACT).await?.try_get(0)?,
        false => None,
    };
    let different = match changed.is_some_and(|changed| changed == loaded.floor()) {
        true => wire.row(DIFFERENT, &[], ACT).await?.try_get(0)?,
        false => Vec::new(),
    };
    let wrong = match may_read {
        true => wire.rows(WRONG, &[], ACT).await?.first().map(wrong).transpose()?,
        false => None,
    };
    Ok(Said { loaded, pending, changed, different, wrong })
}

fn wrong(row: &tokio_postgres::Row) -> Result<String, Error> {
    let at = |column| row.try_get::<_, Option<String>>(column).map(Option::unwrap_or_default);
    Ok(format!("a fault in its files: {}:{}: {}", at(0)?, at(1)?, at(2)?))
}

impl Said {
    fn told(self) -> (RunsOn, Option<String>) {
        let Self { loaded, pending, changed, different, wrong } = self;
        let since = |seconds: f64| Timestamp::from_microsecond((seconds * 1e6).round() as i64).ok();
        let unclear = |why: &str| RunsOn::Unclear { why: why.to_owned() };
        let runs_on = match (since(loaded), changed) {
            (None, _) => unclear("it tells no time at which it has read its files"),
            // What is pending is known all the same.
            (Some(at), None) if !pending.is_empty() => RunsOn::Source { at, lacks: lacks(false, &pending) },
            (Some(_), None) => unclear(NO_RIGHT),
            (Some(_), Some(_)) if pending.is_empty() && !different.is_empty() => {
                unclear(&format!("{SAME_SECOND} about {}: reload it once more, and it is known", different.join(", ")))
            }
            (Some(at), Some(changed)) => RunsOn::Source { at, lacks: lacks(changed > loaded, &pending) },
        };
        (runs_on, wrong)
    }
}

/// Why it does not run on what its files say.
fn lacks(has_changed: bool, pending: &[String]) -> Option<String> {
    let reload = has_changed.then(|| "its files were changed since it read them: it has to be reloaded".to_owned());
    let restart = (!pending.is_empty()).then(|| format!("a restart is pending for {}", pending.join(", ")));
    let all: Vec<_> = reload.into_iter().chain(restart).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_not_be_seen_is_unclear_and_what_is_seen_counts() {
        let said = |pending: &[&str], changed, different: &[&str]| {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            Said { loaded: 1_796_040_000.5, pending: owned(pending), changed, different: owned(different), wrong: None }
        };
        let all = [
            said(&[], None, &[]),
            said(&["max_connections"], None, &[]),
            said(&[], Some(1_796_039_999.0), &[]),
            said(&[], Some(1_796_040_000.0), &["work_mem"]),
            said(&["max_connections"], Some(1_796_040_000.0), &["max_connections"]),
            said(&["max_connections", "shared_buffers"], Some(1_796_040_001.0), &[]),
        ];
        insta::assert_snapshot!(all.map(|said| format!("{:?}", said.told())).join("\n"));
    }
}
