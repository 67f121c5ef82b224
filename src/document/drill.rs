//! Drill documents: how a database's primary is taken away, what is promised for that, and how much is written meanwhile.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Document, Metadata};
use crate::{
    error::Fault,
    model::{self, HumanDuration, Restore, Victim},
    operation::drill::Method,
    slo::Problem,
};

/// The most writes per second that a drill is allowed.
const MOST_RATE: u32 = 10_000;
/// The most connections of one writer.
const MOST_WORKERS: u32 = 64;
/// The longest baseline, fault or wait.
const LONGEST: Duration = Duration::from_secs(3600);

/// A failover drill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Drill {
    /// The version of this format: `interlock/v1alpha1`.
    #[schemars(extend("const" = "interlock/v1alpha1"))]
    pub api_version: String,
    /// The kind of document: `Drill`.
    #[schemars(extend("const" = "Drill"))]
    pub kind: String,
    /// Names the drill.
    pub metadata: Metadata,
    /// The database, by its name in the platform file.
    pub database: String,
    /// How the primary is taken away.
    pub fault: FaultSpec,
    /// What is promised.
    pub objectives: ObjectivesSpec,
    /// How much is written meanwhile.
    #[serde(default)]
    pub writer: WriterSpec,
    /// What has to hold before it may begin.
    #[serde(default)]
    pub require: RequireSpec,
    /// How long is written before the fault, to know what can be told apart.
    #[serde(default = "three_seconds")]
    pub baseline: HumanDuration,
    /// How long writes have to be acknowledged again before the outage counts as over.
    #[serde(default = "one_second")]
    pub settle: HumanDuration,
    /// How long each wait may take: for the failover, and for the cluster to be whole again.
    #[serde(default = "one_minute")]
    pub limit: HumanDuration,
    /// What stands after it: `original` (the same primary) or `rejoined` (every node, the primary wherever it is).
    #[serde(default)]
    pub restore: Restore,
    /// How often all of it is done.
    #[serde(default = "once")]
    pub repetitions: u32,
    /// How long ago the last drill on this database has to have ended.
    #[serde(default)]
    pub cooldown: HumanDuration,
    /// Whose users end the drill, where they suffer too much.
    #[serde(default)]
    pub users: Option<UsersSpec>,
    /// The decision record that asks for this drill, for the report.
    #[serde(default)]
    pub adr: Option<String>,
    /// What to do where it ends badly, for the report.
    #[serde(default)]
    pub runbook: Option<String>,
}

/// How the primary is taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FaultSpec {
    /// As planned, by promoting a standby, or by a fault.
    pub method: Method,
    /// What is killed: `host`, `database` or `manager`.
    #[serde(default)]
    pub victim: Victim,
    /// The host that it befalls: a node, or such as `etcd`; the primary where it is left out.
    #[serde(default)]
    pub on: Option<String>,
    /// The standby that takes over, for `switchover` and `promote`; the one that is furthest where it is left out.
    #[serde(default)]
    pub candidate: Option<String>,
    /// How long the fault lasts: needed by one that does not end with the failover, and at least so long by one that does.
    #[serde(default, rename = "for")]
    pub length: Option<HumanDuration>,
    /// How long the primary's replication is stopped before the fault, so that something is certain to be lost.
    #[serde(default)]
    pub frozen: HumanDuration,
}

/// What is promised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectivesSpec {
    /// How long nobody may be able to write.
    #[serde(default)]
    pub rto: Option<HumanDuration>,
    /// What may be lost.
    #[serde(default)]
    pub rpo: Option<RpoSpec>,
}

/// What may be lost of what was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RpoSpec {
    /// Rows.
    #[serde(default)]
    pub rows: Option<u64>,
    /// The time from the first row that was lost to the last.
    #[serde(default)]
    pub time: Option<HumanDuration>,
    /// How many rows have to have been at risk before "none was lost" says something.
    #[serde(default = "hundred")]
    pub at_risk: u64,
}

/// How much is written meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct WriterSpec {
    /// Writes per second that follow the primary.
    pub rate: u32,
    /// Writes per second that are pinned to each node; 0 for none, which misses a split brain.
    pub per_node: u32,
    /// Connections that share each rate.
    pub workers: u32,
}

impl Default for WriterSpec {
    fn default() -> Self {
        Self { rate: 400, per_node: 100, workers: 16 }
    }
}

/// What has to hold before a drill may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RequireSpec {
    /// Whether a standby has to be synchronous, or may not be.
    pub synchronous: Option<bool>,
    /// How many standbys there are at least.
    pub standbys: u32,
    /// How far a standby may be behind: bytes for `PostgreSQL`, transactions for `MariaDB`.
    pub lag: u64,
    /// How many bytes have to be free on the disk of each node, where its host can tell.
    pub free_bytes: u64,
}

impl Default for RequireSpec {
    fn default() -> Self {
        Self { synchronous: None, standbys: 1, lag: 1 << 20, free_bytes: 256 << 20 }
    }
}

/// Whose users end the drill, where they suffer too much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UsersSpec {
    /// The service, by its name in the platform file; its SLOs are counted.
    pub service: String,
    /// More bad requests than this, against any of its SLOs, end the drill.
    pub most_bad: u64,
}

const fn three_seconds() -> HumanDuration {
    HumanDuration::secs(3)
}

const fn one_second() -> HumanDuration {
    HumanDuration::secs(1)
}

const fn one_minute() -> HumanDuration {
    HumanDuration::secs(60)
}

const fn once() -> u32 {
    1
}

const fn hundred() -> u64 {
    100
}

/// The JSON Schema of drills.
#[must_use]
pub fn drill_schema() -> serde_json::Value {
    schemars::schema_for!(Drill).to_value()
}

impl Drill {
    /// Checks what no schema can say.
    ///
    /// # Errors
    /// The first problem, at its place.
    pub fn check(&self, document: &Document<'_>) -> Result<(), Fault> {
        self.checked().map_err(|problem| document.fault(&problem))
    }

    fn checked(&self) -> Result<(), Problem> {
        for (key, said, meant) in
            [("apiVersion", &self.api_version, "interlock/v1alpha1"), ("kind", &self.kind, "Drill")]
        {
            if said != meant {
                return Err(Problem::new(key, format!("`{key}` is `{said}`"), format!("write `{meant}`")));
            }
        }
        model::Target::parse(&self.metadata.name)
            .map_err(|e| Problem::new("metadata.name", e, "give it a name such as `pull-the-plug`"))?;
        self.fault.check().map_err(|problem| problem.under("fault"))?;
        self.writer.check().map_err(|problem| problem.under("writer"))?;
        self.check_times()?;
        self.check_objectives()?;
        match (self.repetitions, self.restore) {
            (0, _) => Err(Problem::new("repetitions", "a drill that is done 0 times", "write at least 1")),
            (1, _) | (2..=100, Restore::Original) => Ok(()),
            (_, Restore::Rejoined) => Err(Problem::new(
                "repetitions",
                "each repetition begins at the same primary",
                "write `restore: original`, or leave `repetitions` out",
            )),
            _ => Err(Problem::new("repetitions", "more than 100 do not fit into one journal", "write at most 100")),
        }
    }

    fn check_times(&self) -> Result<(), Problem> {
        for (at, span) in [("baseline", self.baseline), ("settle", self.settle), ("limit", self.limit)] {
            if span.0 < Duration::from_millis(100) || span.0 > LONGEST {
                let what = format!("{span} is outside of 100ms to 1h");
                return Err(Problem::new(at, what, "write one such as `5s`"));
            }
        }
        if self.settle > self.limit {
            let what = format!("`settle` ({}) is longer than `limit` ({})", self.settle, self.limit);
            return Err(Problem::new("settle", what, "let it be much shorter"));
        }
        Ok(())
    }

    fn check_objectives(&self) -> Result<(), Problem> {
        let ObjectivesSpec { rto, rpo } = &self.objectives;
        let empty = rpo.as_ref().is_none_or(|rpo| rpo.rows.is_none() && rpo.time.is_none());
        if rto.is_none() && empty {
            let hint = "promise something: `rto: 10s`, `rpo: {rows: 0}` or `rpo: {time: 1s}`";
            return Err(Problem::new("objectives", "nothing is promised, so nothing could fail", hint));
        }
        let Some(rto) = rto else { return Ok(()) };
        let finest = Duration::from_secs(2) / self.writer.rate;
        if rto.0 < finest {
            let what = format!("{rto} is finer than {} writes per second can tell apart", self.writer.rate);
            let hint = format!("promise at least {}ms, or write more often", finest.as_millis().max(1));
            return Err(Problem::new("objectives.rto", what, hint));
        }
        if *rto > self.limit {
            let what = format!("{rto} is longer than `limit` ({}), so it could never be missed", self.limit);
            return Err(Problem::new("objectives.rto", what, "raise `limit`"));
        }
        Ok(())
    }
}

impl FaultSpec {
    fn check(&self) -> Result<(), Problem> {
        let method = self.method;
        match self.length {
            None if method.is_timed() => {
                let what = format!("`{method}` has to end some time");
                return Err(Problem::new("method", what, "say when: `for: 9s`"));
            }
            Some(_) if !method.is_fault() => {
                let what = format!("`{method}` lasts until a standby has taken over");
                return Err(Problem::new("for", what, "leave it out"));
            }
            Some(length) if length.0.is_zero() || length.0 > LONGEST => {
                return Err(Problem::new("for", format!("{length} is outside of 1ms to 1h"), "write one such as `9s`"));
            }
            _ => {}
        }
        if self.victim != Victim::Host && (!method.is_fault() || method.fault(self.victim).is_none()) {
            return Err(Problem::new("victim", format!("`{method}` befalls a whole host"), "leave it out"));
        }
        if self.candidate.is_some() && method.is_fault() {
            let what = format!("with `{method}` the cluster itself decides who takes over");
            return Err(Problem::new("candidate", what, "leave it out"));
        }
        if self.on.is_some() && !method.is_fault() {
            return Err(Problem::new("on", format!("`{method}` is about the primary"), "leave it out"));
        }
        if self.frozen.0 > Duration::from_secs(60) {
            let what = format!("{} without replication may fill the primary's disk", self.frozen);
            return Err(Problem::new("frozen", what, "write at most `1m`"));
        }
        if !self.frozen.0.is_zero() && method == Method::Switchover {
            let what = "a planned switchover waits for replication, and would never end";
            return Err(Problem::new("frozen", what, "leave it out, or take another method"));
        }
        Ok(())
    }
}

impl WriterSpec {
    fn check(self) -> Result<(), Problem> {
        let ranges = [
            ("rate", self.rate, 1, MOST_RATE),
            ("perNode", self.per_node, 0, MOST_RATE),
            ("workers", self.workers, 1, MOST_WORKERS),
        ];
        for (at, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                let what = format!("{value} is outside of {least} to {most}");
                return Err(Problem::new(at, what, format!("write a number from {least} to {most}")));
            }
        }
        Ok(())
    }
}
