//! What a script declares, before any handler runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use http::Method;
use rhai::{FnPtr, Position};
use serde_json::Value;

use super::{admission::Requirement, config::Settings, redaction::Redacted, route::Template};
use crate::lab::{
    backing::{Backing, messages::Pattern},
    page::Kind,
};

/// How long a handler may take unless the script says so.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// Everything that a script declares.
#[derive(Debug)]
pub struct Declared {
    /// How many processes, where that is said.
    pub replicas: Option<u32>,
    /// Where it says that it stands behind the gateway, in two slots.
    pub slots: Option<Position>,
    /// Where it says that it keeps its rows in the lab's PostgreSQL.
    pub postgres: Option<Position>,
    /// How long a handler may take.
    pub deadline: Duration,
    /// The most exact first.
    pub routes: Vec<Route>,
    /// By method, such as `orders.Orders/Get`.
    pub rpcs: BTreeMap<String, Rpc>,
    pub schedules: Vec<Schedule>,
    pub subscriptions: Vec<Subscription>,
    pub defects: BTreeMap<String, Defect>,
    pub metrics: BTreeMap<String, Metric>,
    /// Fields whose values are not shown.
    pub redacted: Redacted,
    /// In the order in which they are applied.
    pub migrations: Vec<Migration>,
    pub machines: BTreeMap<String, Machine>,
    pub limits: BTreeMap<String, Limit>,
    pub policies: BTreeMap<String, Policy>,
    pub settings: Settings,
}

impl Default for Declared {
    fn default() -> Self {
        Self {
            replicas: None,
            slots: None,
            postgres: None,
            deadline: DEADLINE,
            routes: Vec::new(),
            rpcs: BTreeMap::new(),
            schedules: Vec::new(),
            subscriptions: Vec::new(),
            defects: BTreeMap::new(),
            metrics: BTreeMap::new(),
            redacted: Redacted::default(),
            migrations: Vec::new(),
            machines: BTreeMap::new(),
            limits: BTreeMap::new(),
            policies: BTreeMap::new(),
            settings: Settings::new(),
        }
    }
}

/// Requests that a handler answers.
#[derive(Debug, Clone)]
pub struct Route {
    pub method: Method,
    pub template: Template,
    /// What a token has to say, where one is asked for.
    pub requires: Option<Requirement>,
    pub handler: FnPtr,
    pub at: Position,
}

/// Calls of a method that a handler answers.
#[derive(Debug, Clone)]
pub struct Rpc {
    /// What a token has to say, where one is asked for.
    pub requires: Option<Requirement>,
    pub handler: FnPtr,
    pub at: Position,
}

/// Something that is done again and again.
#[derive(Debug, Clone)]
pub struct Schedule {
    pub name: String,
    pub every: Duration,
    pub handler: FnPtr,
    pub at: Position,
}

/// Events of the bus or jobs of the queue that a handler is called for.
#[derive(Debug, Clone)]
pub struct Subscription {
    pub from: Backing,
    /// By which the bus or the queue knows it.
    pub name: String,
    pub pattern: Pattern,
    /// What the fields of a message's value have to be.
    pub rule: serde_json::Map<String, Value>,
    /// How often the queue makes a job of it, where nobody adds it.
    pub every: Option<Duration>,
    pub redelivery: Redelivery,
    pub handler: FnPtr,
    pub at: Position,
}

/// What becomes of a message whose handler fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redelivery {
    /// How often it is delivered before it is a dead letter.
    pub attempts: u32,
    /// The wait before the second delivery; it doubles with each.
    pub back_off: Duration,
}

impl Default for Redelivery {
    fn default() -> Self {
        Self { attempts: 5, back_off: Duration::from_millis(200) }
    }
}

/// What can be switched on to go wrong.
#[derive(Debug, Clone)]
pub struct Defect {
    /// What goes wrong.
    pub what: String,
    pub at: Position,
}

/// A family of samples.
#[derive(Debug, Clone)]
pub struct Metric {
    pub kind: Kind,
    pub help: String,
}

/// A change of the database's schema.
#[derive(Debug, Clone)]
pub struct Migration {
    pub name: String,
    /// The migrations that have to be applied before.
    pub after: Vec<String>,
    pub sql: String,
    pub at: Position,
}

/// The states of something, and the transitions between them.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    pub transitions: BTreeSet<(String, String)>,
    /// What has to hold for a transition.
    pub guards: BTreeMap<(String, String), FnPtr>,
}

/// How often something may be done, for each key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub burst: u32,
    /// The time after which all of it may be done again.
    pub per: Duration,
}

/// How another service is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How long one try may take.
    pub timeout: Duration,
    /// How often a call that has failed is made again.
    pub retries: u32,
    /// The longest wait before the first retry; it doubles with each.
    pub back_off: Duration,
    /// How many failures in a row open the circuit.
    pub failures: u32,
    /// How long an open circuit lets no call through.
    pub cool_down: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(1),
            retries: 2,
            back_off: Duration::from_millis(50),
            failures: 5,
            cool_down: Duration::from_secs(2),
        }
    }
}

impl Declared {
    /// What it takes messages from.
    #[must_use]
    pub fn sources(&self) -> BTreeSet<Backing> {
        self.subscriptions.iter().map(|subscription| subscription.from).collect()
    }

    /// Brings everything into order once nothing more is declared.
    ///
    /// # Errors
    /// What does not fit together, and where.
    pub fn finish(&mut self) -> Result<(), (Position, String)> {
        if let (Some(at), Some(_)) = (self.slots, self.replicas) {
            let what = "a service in slots has as many replicas as its slots";
            return Err((at, format!("{what} -> take `replicas` out, and say `interlock lab up --replicas 2`")));
        }
        if let (Some(_), Some(rpc)) = (self.slots, self.rpcs.values().next()) {
            let what = "calls do not come through the gateway, behind which a service in slots stands";
            return Err((rpc.at, format!("{what} -> let another service have this method, or take `slots()` out")));
        }
        self.routes.sort_by_key(|route| route.template.rank());
        self.migrations = ordered(std::mem::take(&mut self.migrations))?;
        Ok(())
    }
}

/// Migrations so that each comes after those that it needs, and otherwise as they were declared.
fn ordered(mut left: Vec<Migration>) -> Result<Vec<Migration>, (Position, String)> {
    let mut done: Vec<Migration> = Vec::new();
    while !left.is_empty() {
        let is_ready = |one: &Migration| one.after.iter().all(|name| done.iter().any(|before| before.name == *name));
        match left.iter().position(is_ready) {
            Some(at) => done.push(left.remove(at)),
            None => return Err(stranded(&left)),
        }
    }
    Ok(done)
}

fn stranded(left: &[Migration]) -> (Position, String) {
    let is_left = |name: &String| left.iter().any(|one| one.name == *name);
    for one in left {
        if let Some(unknown) = one.after.iter().find(|name| !is_left(name)) {
            let what = format!("the migration `{}` comes after `{unknown}`, which there is not", one.name);
            return (one.at, format!("{what} -> declare `{unknown}`, or leave it out"));
        }
    }
    let names: Vec<_> = left.iter().map(|one| one.name.as_str()).collect();
    let at = left.first().map_or(Position::NONE, |one| one.at);
    (at, format!("the migrations {} wait for each other -> take one of the names out", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migration(name: &str, after: &[&str]) -> Migration {
        let after = after.iter().map(|name| (*name).to_owned()).collect();
        Migration { name: name.to_owned(), after, sql: String::new(), at: Position::NONE }
    }

    #[test]
    fn migrations_follow_what_they_need() {
        let all =
            vec![migration("audit", &["orders", "sites"]), migration("orders", &["sites"]), migration("sites", &[])];
        let names: Vec<_> = ordered(all).unwrap().into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["sites", "orders", "audit"]);
    }

    #[test]
    fn migrations_that_can_never_be_applied_are_told() {
        let unknown = ordered(vec![migration("orders", &["sites"])]).unwrap_err().1;
        assert!(unknown.starts_with("the migration `orders` comes after `sites`, which there is not"), "{unknown}");
        let circle = ordered(vec![migration("a", &["b"]), migration("b", &["a"])]).unwrap_err().1;
        assert!(circle.starts_with("the migrations a, b wait for each other"), "{circle}");
    }
}
