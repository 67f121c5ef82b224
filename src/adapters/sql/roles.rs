//! Who is whose primary, read from what the nodes say.

use crate::ports::{NodeSeen, Topology};

/// The only other node that takes writes; `None` where the node is the only one that does.
///
/// # Errors
/// Says that there is none to follow, or several.
pub fn primary_for(topology: &Topology, node: &str) -> Result<Option<String>, String> {
    let others: Vec<_> = topology.writable().filter(|seen| seen.name != node).map(|seen| seen.name.clone()).collect();
    match others.as_slice() {
        [one] => Ok(Some(one.clone())),
        [] if topology.writable().next().is_some() => Ok(None),
        [] => Err("no node takes writes that it could follow".to_owned()),
        several => {
            Err(format!("{} take writes, and which one it should follow is not for us to say", several.join(" and ")))
        }
    }
}

/// Whether a node receives changes from the history that is named.
///
/// # Errors
/// Says what is missing.
pub fn streams(seen: &NodeSeen, timeline: Option<&str>) -> Result<(), String> {
    let Some(follows) = &seen.follows else {
        return Err("it is no standby".to_owned());
    };
    if !follows.streaming {
        return Err(follows.trouble.clone().unwrap_or_else(|| "it does not stream".to_owned()));
    }
    if timeline.is_none() || follows.timeline.as_deref() != timeline {
        let told = |timeline: Option<&str>| timeline.unwrap_or("unknown").to_owned();
        let (theirs, ours) = (told(follows.timeline.as_deref()), told(timeline));
        return Err(format!("it follows timeline {theirs}, and the primary is on {ours}"));
    }
    Ok(())
}

/// A node that could not be asked.
pub fn unseen(name: &str, trouble: String) -> NodeSeen {
    NodeSeen {
        name: name.to_owned(),
        trouble: Some(trouble),
        writable: false,
        timeline: None,
        position: None,
        follows: None,
        synchronous: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Follows;

    fn node(name: &str, writable: bool) -> NodeSeen {
        NodeSeen {
            name: name.to_owned(),
            trouble: None,
            writable,
            timeline: Some("2".to_owned()),
            position: Some(1),
            follows: (!writable).then(|| Follows { streaming: true, timeline: Some("1".to_owned()), trouble: None }),
            synchronous: false,
        }
    }

    #[test]
    fn the_primary_is_the_only_other_node_that_takes_writes() {
        let topology = |nodes| Topology { nodes, leader: None };
        let split = topology(vec![node("a", true), node("b", true)]);
        assert_eq!(primary_for(&split, "a").unwrap().as_deref(), Some("b"));
        let alone = topology(vec![node("a", true), node("b", false)]);
        assert_eq!(primary_for(&alone, "a").unwrap(), None);
        assert!(primary_for(&topology(vec![node("a", false), node("b", false)]), "a").is_err());
        assert!(primary_for(&topology(vec![node("a", true), node("b", true), node("c", true)]), "a").is_err());
    }

    #[test]
    fn a_standby_of_the_old_timeline_does_not_stream_from_the_new_primary() {
        assert!(streams(&node("b", false), Some("1")).is_ok());
        assert!(streams(&node("b", false), Some("2")).is_err());
        assert!(streams(&node("b", false), None).is_err());
        assert!(streams(&node("a", true), Some("2")).is_err());
    }
}
