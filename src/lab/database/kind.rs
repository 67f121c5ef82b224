//! The kinds of databases that a lab can run, and what can be set about each.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::ports::{Act, HostState};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatabaseKind {
    /// `PostgreSQL`: a primary and one streaming standby, with nobody who promotes it.
    Postgres,
    /// `PostgreSQL` under Patroni: three nodes and one etcd.
    Patroni,
    /// `MariaDB`: a primary and one replica by GTID.
    #[serde(rename = "mariadb")]
    MariaDb,
}

impl DatabaseKind {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Patroni => "patroni",
            Self::MariaDb => "mariadb",
        }
    }

    /// Whether its nodes are PostgreSQL's.
    #[must_use]
    pub const fn is_postgres(self) -> bool {
        matches!(self, Self::Postgres | Self::Patroni)
    }

    /// The keys that can be set about it.
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["synchronous", "stallable"],
            Self::Patroni => &[
                "synchronous",
                "ttl",
                "loop_wait",
                "retry_timeout",
                "primary_start_timeout",
                "failsafe_mode",
                "stallable",
            ],
            Self::MariaDb => &["stallable"],
        }
    }
}

impl fmt::Display for DatabaseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runs {
    /// A `PostgreSQL` of its own.
    Postgres,
    /// A Patroni, which runs a `PostgreSQL`.
    Patroni,
    /// A `MariaDB`.
    #[serde(rename = "mariadb")]
    MariaDb,
    Etcd,
}

impl Runs {
    /// Whether such a host can be brought into a state; one with a disk of its own can be stalled.
    #[must_use]
    pub fn can(self, state: HostState, stallable: bool) -> bool {
        state.acts().all(|act| match act {
            Act::PowerOff | Act::Pause | Act::Partition => true,
            Act::KillDatabase | Act::KillManager => matches!(self, Self::Patroni),
            Act::StallDisk => self.is_stallable() && stallable,
        })
    }

    /// Whether such a host may have a disk of its own.
    #[must_use]
    pub const fn is_stallable(self) -> bool {
        !matches!(self, Self::Etcd)
    }

    /// Whether its replication can be stopped.
    #[must_use]
    pub const fn can_freeze(self) -> bool {
        !matches!(self, Self::Etcd)
    }
}

/// One thing that was set: `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    key: String,
    value: String,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self { key: key.to_owned(), value: value.to_owned() }),
            _ => Err(format!("`{text}` sets nothing; write it as ttl=30")),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

/// All that can be set; times in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Whether a standby has a change before it is acknowledged.
    pub synchronous: bool,
    /// How long Patroni's leader may be silent.
    pub ttl: u32,
    /// How often Patroni looks.
    pub loop_wait: u32,
    /// How long Patroni tries again before a primary steps down.
    pub retry_timeout: u32,
    /// How long Patroni lets a primary recover before it fails over; Patroni's own choice unless set.
    pub primary_start_timeout: Option<u32>,
    /// Whether Patroni's primary goes on without etcd while all members agree.
    pub failsafe_mode: bool,
    /// Whether each node has a disk of its own, which can be stalled.
    pub stallable: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            synchronous: false,
            ttl: 5,
            loop_wait: 1,
            retry_timeout: 2,
            primary_start_timeout: None,
            failsafe_mode: false,
            stallable: false,
        }
    }
}

impl Settings {
    /// Reads what was set about a kind.
    ///
    /// # Errors
    /// Names the keys that this kind knows, or the values that a key takes.
    pub fn read(kind: DatabaseKind, set: &[Setting]) -> Result<Self, String> {
        let mut settings = Self::default();
        for one in set {
            if !kind.keys().contains(&&*one.key) {
                let keys = kind.keys().join(", ");
                return Err(format!("`{}` cannot be set about {kind}; there is {keys}", one.key));
            }
            settings.set(one)?;
        }
        Ok(settings)
    }

    fn set(&mut self, one: &Setting) -> Result<(), String> {
        match &*one.key {
            "synchronous" => self.synchronous = switch(one)?,
            "failsafe_mode" => self.failsafe_mode = switch(one)?,
            "stallable" => self.stallable = switch(one)?,
            "ttl" => self.ttl = seconds(one)?,
            "loop_wait" => self.loop_wait = seconds(one)?,
            "retry_timeout" => self.retry_timeout = seconds(one)?,
            _ => self.primary_start_timeout = Some(seconds(one)?),
        }
        Ok(())
    }
}

fn switch(one: &Setting) -> Result<bool, String> {
    match &*one.value {
        "on" => Ok(true),
        "off" => Ok(false),
        other => Err(format!("{} is on or off, not `{other}`", one.key)),
    }
}

fn seconds(one: &Setting) -> Result<u32, String> {
    one.value.parse().map_err(|_| format!("{} is a number of seconds, not `{}`", one.key, one.value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: DatabaseKind, set: &[&str]) -> Result<Settings, String> {
        let set: Result<Vec<Setting>, String> = set.iter().map(|text| text.parse()).collect();
        Settings::read(kind, &set?)
    }

    #[test]
    fn what_is_set_is_read() {
        let settings = read(DatabaseKind::Patroni, &["synchronous=on", "ttl=30", "primary_start_timeout=0"]).unwrap();
        let wanted = Settings { synchronous: true, ttl: 30, primary_start_timeout: Some(0), ..Settings::default() };
        assert_eq!(settings, wanted);
        assert_eq!(read(DatabaseKind::MariaDb, &[]), Ok(Settings::default()));
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let odd = [
            read(DatabaseKind::Postgres, &["ttl=5"]),
            read(DatabaseKind::MariaDb, &["ttl=5"]),
            read(DatabaseKind::Patroni, &["tll=5"]),
            read(DatabaseKind::Patroni, &["ttl=soon"]),
            read(DatabaseKind::Patroni, &["synchronous=yes"]),
            read(DatabaseKind::Patroni, &["ttl"]),
        ];
        insta::assert_snapshot!(odd.map(Result::unwrap_err).join("\n"), @r"
`ttl` cannot be set about postgres; there is synchronous, stallable
`ttl` cannot be set about mariadb; there is stallable
`tll` cannot be set about patroni; there is synchronous, ttl, loop_wait, retry_timeout, primary_start_timeout, failsafe_mode, stallable
ttl is a number of seconds, not `soon`
synchronous is on or off, not `yes`
`ttl` sets nothing; write it as ttl=30
");
    }
}
