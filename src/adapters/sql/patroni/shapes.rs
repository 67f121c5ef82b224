//! What Patroni's REST API answers with, from version 2 to 4; what is not known to us is passed over.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// `GET /cluster`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Cluster {
    pub members: Vec<Member>,
    /// Whether automatic failover is switched off.
    #[serde(default)]
    pub pause: bool,
    #[serde(default)]
    pub scheduled_switchover: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Member {
    pub name: String,
    /// Its role, such as `leader`, `replica`, `sync_standby`.
    pub role: String,
    /// Its state, such as `running` or `streaming`.
    #[serde(default)]
    pub state: String,
    /// What its owner says of it.
    #[serde(default)]
    pub tags: BTreeMap<String, Value>,
    /// Whether a setting waits for a restart.
    #[serde(default)]
    pub pending_restart: bool,
}

impl Cluster {
    /// The member that holds the leader's lock.
    pub fn leader(&self) -> Option<&str> {
        // `master` and `primary` are the words of other versions.
        let leads =
            |member: &&Member| matches!(member.role.as_str(), "leader" | "standby_leader" | "master" | "primary");
        self.members.iter().find(leads).map(|member| member.name.as_str())
    }
}

impl Member {
    /// Whether its database runs. Since version 3.1 a standby that receives changes is `streaming`.
    pub fn runs(&self) -> bool {
        matches!(self.state.as_str(), "running" | "streaming")
    }

    /// Whether the leader waits for it before it acknowledges.
    pub fn is_waited_for(&self) -> bool {
        matches!(self.role.as_str(), "sync_standby" | "quorum_standby")
    }

    /// Whether it may become the leader.
    pub fn may_lead(&self) -> bool {
        let never = |tag: &Value| tag.as_bool() == Some(true) || tag.as_str() == Some("true");
        let zero = |tag: &Value| tag.as_i64() == Some(0);
        !self.tags.get("nofailover").is_some_and(never) && !self.tags.get("failover_priority").is_some_and(zero)
    }
}

/// `GET /config`: the settings that hold for all members.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// For how long the leader's lock holds, in seconds.
    pub ttl: f64,
    /// How often each member looks, in seconds.
    pub loop_wait: f64,
    /// How long the store and the database may fail until the leader gives up, in seconds.
    pub retry_timeout: f64,
    /// How far a candidate may be behind, in bytes.
    pub maximum_lag: u64,
    /// Whether only a synchronous standby may become the leader; `off`, `on` or `quorum`.
    pub synchronous: String,
    /// Whether no write is acknowledged without a synchronous standby.
    pub strict: bool,
    /// Whether the leader goes on without the store, as long as it reaches all members.
    pub failsafe: bool,
    /// How long a leader whose database was killed may try to start it, in seconds.
    pub start_timeout: f64,
    /// Whether a member that has diverged is rewound.
    pub rewinds: bool,
    /// Whether the whole cluster follows another one.
    pub standby_cluster: bool,
}

impl Config {
    /// Reads the settings; what is not there has Patroni's default.
    pub fn read(json: &Value) -> Self {
        let number = |name: &str, usual: f64| json.get(name).and_then(number).unwrap_or(usual);
        let on = |value: Option<&Value>| value.is_some_and(is_on);
        let synchronous = match json.get("synchronous_mode") {
            Some(Value::String(mode)) if mode == "quorum" => "quorum",
            mode if on(mode) => "on",
            _ => "off",
        };
        // The name of older versions holds where the newer one is not given.
        let start_timeout = number("primary_start_timeout", number("master_start_timeout", 300.0));
        Self {
            ttl: number("ttl", 30.0),
            loop_wait: number("loop_wait", 10.0),
            retry_timeout: number("retry_timeout", 10.0),
            maximum_lag: json.get("maximum_lag_on_failover").and_then(Value::as_u64).unwrap_or(1 << 20),
            synchronous: synchronous.to_owned(),
            strict: on(json.get("synchronous_mode_strict")),
            failsafe: on(json.get("failsafe_mode")),
            start_timeout,
            rewinds: on(json.pointer("/postgresql/use_pg_rewind")),
            standby_cluster: json.get("standby_cluster").is_some_and(|value| !value.is_null()),
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn is_on(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_str().is_some_and(|text| matches!(text, "on" | "true" | "yes" | "1")))
}

/// Where the timeline before `timeline` ended, from `GET /history`: rows of timeline, position and reason.
pub fn switched_at(history: &Value, timeline: u64) -> Option<u64> {
    let row = history.as_array()?.iter().rfind(|row| row.get(0).and_then(Value::as_u64) == timeline.checked_sub(1))?;
    row.get(1)?.as_u64()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cluster_is_read_whatever_the_version() {
        let of_3_0: Cluster = serde_json::from_value(json!({"members": [
            {"name": "a", "role": "leader", "state": "running", "api_url": "http://127.0.0.1:16011/patroni",
             "host": "127.0.0.1", "port": 16001, "timeline": 1},
            {"name": "b", "role": "replica", "state": "running", "api_url": "http://127.0.0.1:16012/patroni",
             "host": "127.0.0.1", "port": 16002, "timeline": 1, "lag": 0, "tags": {"nofailover": true}},
        ]}))
        .unwrap();
        assert_eq!(of_3_0.leader(), Some("a"));
        assert!(!of_3_0.pause && of_3_0.members[0].may_lead() && !of_3_0.members[1].may_lead());

        let of_4_0: Cluster = serde_json::from_value(json!({"members": [
            {"name": "a", "role": "leader", "state": "running", "timeline": 3, "lsn": "0/4000060"},
            {"name": "b", "role": "quorum_standby", "state": "streaming", "receive_lag": 0, "replay_lag": "unknown",
             "lag": "unknown", "tags": {"failover_priority": 0}, "pending_restart": true},
        ], "scope": "demo", "pause": true, "scheduled_switchover": {"at": "2030-01-01T00:00:00+00:00", "from": "a"}}))
        .unwrap();
        assert!(of_4_0.pause && of_4_0.scheduled_switchover.is_some());
        assert!(!of_4_0.members[1].may_lead() && of_4_0.members[1].pending_restart);

        let leaderless: Cluster =
            serde_json::from_value(json!({"members": [{"name": "a", "role": "replica", "state": "stopped"}]})).unwrap();
        assert_eq!(leaderless.leader(), None);
    }

    #[test]
    fn settings_that_are_not_there_have_their_defaults() {
        let config =
            Config::read(&json!({"loop_wait": 1, "ttl": "5", "synchronous_mode": "on", "failsafe_mode": true}));
        assert_eq!((config.ttl, config.loop_wait, config.retry_timeout), (5.0, 1.0, 10.0));
        assert_eq!((config.synchronous.as_str(), config.failsafe, config.start_timeout), ("on", true, 300.0));
        assert_eq!(Config::read(&json!({"synchronous_mode": "quorum"})).synchronous, "quorum");
        assert_eq!(Config::read(&json!({"synchronous_mode": false, "master_start_timeout": 0})).start_timeout, 0.0);
    }

    #[test]
    fn the_history_tells_where_the_present_timeline_began() {
        let history = json!([
            [1, 83886240, "no recovery target specified", "2026-01-01T00:00:00+00:00", "b"],
            [2, 100663456, "no recovery target specified", "2026-01-01T01:00:00+00:00", "a"],
        ]);
        assert_eq!(switched_at(&history, 3), Some(100_663_456));
        assert_eq!(switched_at(&history, 2), Some(83_886_240));
        assert_eq!(switched_at(&history, 4), None);
        assert_eq!(switched_at(&json!([]), 1), None);
    }
}
