//! Who is whose primary, read from what the nodes say.

use crate::ports::{NodeSeen, Topology};

/// The only other node that takes writes; `None` where the node is the only one that does.
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
    use crate::adapters::sql::sample::{primary, standby};

    #[test]
    fn the_primary_is_the_only_other_node_that_takes_writes() {
        let topology = |nodes| Topology { nodes, leader: None };
        let split = topology(vec![primary("a", "2", 1), primary("b", "2", 1)]);
        assert_eq!(primary_for(&split, "a").unwrap().as_deref(), Some("b"));
        let alone = topology(vec![primary("a", "2", 1), standby("b", "1", 1)]);
        assert_eq!(primary_for(&alone, "a").unwrap(), None);
        assert!(primary_for(&topology(vec![standby("a", "1", 1), standby("b", "1", 1)]), "a").is_err());
        assert!(
            primary_for(&topology(vec![primary("a", "2", 1), primary("b", "2", 1), primary("c", "2", 1)]), "a")
                .is_err()
        );
    }

    #[test]
    fn a_standby_of_the_old_timeline_does_not_stream_from_the_new_primary() {
        assert!(streams(&standby("b", "1", 1), Some("1")).is_ok());
        assert!(streams(&standby("b", "1", 1), Some("2")).is_err());
        assert!(streams(&standby("b", "1", 1), None).is_err());
        assert!(streams(&primary("a", "2", 1), Some("2")).is_err());
    }
}
