//! Findings in words, all is well or why not and how to fix it, and those that are judged alike for every system.

use super::limits::words;
use crate::ports::{Finding, NodeSeen, Objection, Topology, Unit};

/// All is well.
pub fn fine(name: &str, found: impl Into<String>) -> Finding {
    Finding { name: name.to_owned(), found: found.into(), objection: None }
}

/// Why no drill may begin.
pub fn objection(name: &str, found: impl Into<String>, hint: impl Into<String>) -> Finding {
    Finding { objection: Some(Objection { hint: hint.into() }), ..fine(name, found) }
}

/// All is well, unless there are faults.
pub fn judged(name: &str, found: String, faults: &[String], hint: impl Into<String>) -> Finding {
    if faults.is_empty() { fine(name, found) } else { objection(name, faults.join("; "), hint) }
}

/// What was looked at in a node, by its name; or why it could not be.
pub type Seen<S> = (String, Result<S, String>);

pub struct Case<'a, S> {
    pub seen: &'a [Seen<S>],
    /// How all stand.
    pub topology: &'a Topology,
    /// The node that is going to be disturbed.
    pub victim: &'a str,
    /// Who writes.
    pub writer: &'a str,
    /// Who looks at replication and promotes.
    pub admin: &'a str,
    /// The database that we connect to.
    pub database: &'a str,
    /// Whether we have to promote ourselves.
    pub promotes: bool,
}

impl<S> Case<'_, S> {
    pub fn looked(&self) -> impl Iterator<Item = (&str, &S)> {
        self.seen.iter().filter_map(|(name, seen)| Some((name.as_str(), seen.as_ref().ok()?)))
    }

    pub fn writable(&self, name: &str) -> bool {
        self.topology.node(name).is_some_and(|node| node.writable)
    }

    pub fn primary(&self) -> Option<(&str, &S)> {
        self.looked().find(|(name, _)| self.writable(name))
    }

    /// The nodes for which something holds, each with words of its own.
    pub fn each(&self, what: impl Fn(&str, &S) -> Option<String>) -> Vec<String> {
        self.looked().filter_map(|(name, node)| what(name, node)).collect()
    }

    /// The names of the standbys that a primary waits for, in one text; empty where it waits for none.
    pub fn waited_for(&self) -> String {
        let waits = self.topology.nodes.iter().filter(|node| node.synchronous);
        waits.map(|node| node.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Whether all nodes let us in, and what else was found where one does at least.
    pub fn all(&self, user: &str, hint: &str, others: impl FnOnce() -> Vec<Finding>) -> Vec<Finding> {
        let missing: Vec<_> =
            self.seen.iter().filter_map(|(name, seen)| Some(format!("{name}: {}", seen.as_ref().err()?))).collect();
        let mut found = vec![judged("reach", format!("all {} nodes let {user} in", self.seen.len()), &missing, hint)];
        if self.looked().next().is_some() {
            found.extend(others());
        }
        found
    }

    pub fn standbys(&self, unit: Unit, most: u64) -> Finding {
        let hint = "wait until a standby has caught up, or fix its replication";
        let Ok(primary) = self.topology.primary() else {
            return fine("standbys", "unknown: there is not one primary");
        };
        let behind = |node: &NodeSeen| primary.position.unwrap_or(0).saturating_sub(node.position.unwrap_or(0));
        let streams = |node: &&NodeSeen| node.follows.as_ref().is_some_and(|follows| follows.streaming);
        let others = self.topology.nodes.iter().filter(|node| node.name != primary.name);
        let others: Vec<_> = others.filter(streams).map(|node| (&node.name, behind(node))).collect();
        if others.is_empty() {
            return objection("standbys", "no standby streams", hint);
        }
        let unit = words(unit);
        let late: Vec<_> = others
            .iter()
            .filter(|(_, behind)| *behind > most)
            .map(|(name, behind)| format!("{name} is {behind} {unit} behind, {most} are allowed"))
            .collect();
        let found: Vec<_> =
            others.iter().map(|(name, behind)| format!("{name} streams, {behind} {unit} behind")).collect();
        judged("standbys", found.join("; "), &late, hint)
    }
}

/// What findings say against or for a drill, one line each.
#[cfg(test)]
pub fn told(found: &[Finding]) -> String {
    let line = |finding: &Finding| match &finding.objection {
        None => format!("{}: {}\n", finding.name, finding.found),
        Some(objection) => format!("{}! {} -> {}\n", finding.name, finding.found, objection.hint),
    };
    found.iter().map(line).collect()
}
