//! How a database stands, in words: what every failure halfway has to say.

use crate::ports::{NodeSeen, PortError, Topology};

/// How every node stands, in one line.
pub fn standing(topology: &Topology) -> String {
    let mut told: Vec<_> = topology.nodes.iter().map(one).collect();
    if let Some(leader) = &topology.leader {
        told.push(format!("the manager names {leader} as leader"));
    }
    told.join("; ")
}

fn one(node: &NodeSeen) -> String {
    let name = &node.name;
    let on = node.timeline.as_ref().map_or_else(String::new, |timeline| format!(" on timeline {timeline}"));
    if let Some(trouble) = &node.trouble {
        return format!("{name} cannot be asked ({trouble})");
    }
    if node.writable {
        return format!("{name} takes writes{on}");
    }
    match &node.follows {
        Some(follows) if follows.streaming => format!("{name} is a standby{on} and streams"),
        Some(follows) => {
            let why = follows.trouble.as_deref().unwrap_or("no reason known");
            format!("{name} is a standby{on} and does not stream ({why})")
        }
        None => format!("{name} takes no writes{on} and follows nobody"),
    }
}

/// An error that says at which step something stopped, why, and how things stand now.
pub fn with_standing(step: &str, why: &PortError, topology: &Topology) -> PortError {
    match why {
        PortError::Superseded { .. } => why.clone(),
        _ => PortError::unexpected(step, format!("{why}; as things stand: {}", standing(topology))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Follows;

    #[test]
    fn every_node_is_told_of() {
        let node = |name: &str| NodeSeen {
            name: name.to_owned(),
            trouble: None,
            writable: false,
            timeline: Some("2".to_owned()),
            position: Some(7),
            follows: None,
            synchronous: false,
        };
        let topology = Topology {
            nodes: vec![
                NodeSeen { writable: true, ..node("a") },
                NodeSeen {
                    follows: Some(Follows { streaming: true, timeline: Some("2".to_owned()), trouble: None }),
                    ..node("b")
                },
                NodeSeen { trouble: Some("no answer within 300ms".to_owned()), ..node("c") },
                node("d"),
            ],
            leader: Some("a".to_owned()),
        };
        insta::assert_snapshot!(standing(&topology), @"a takes writes on timeline 2; b is a standby on timeline 2 and streams; c cannot be asked (no answer within 300ms); d takes no writes on timeline 2 and follows nobody; the manager names a as leader");
    }
}
