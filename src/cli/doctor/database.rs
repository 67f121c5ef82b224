//! One database that is reached by its nodes' addresses: whether one node takes writes, and all others follow it.

use super::asked::{Row, asked, failed};
use crate::{
    app::Snapshot,
    operation::Platform as _,
    ports::Topology,
    report::{Finding, State},
};

pub fn part(snapshot: &Snapshot, name: &str) -> Row {
    let (snapshot, name, part) = (snapshot.clone(), name.to_owned(), format!("database {name}"));
    asked(&part.clone(), async move {
        vec![match snapshot.database_ports(&name, None).await {
            Err(e) => failed(&part, &e),
            Ok(ports) => stand(&part, &ports.database.topology().await),
        }]
    })
}

fn stand(part: &str, topology: &Topology) -> Finding {
    match (topology.primary(), topology.is_whole(u64::MAX)) {
        (Ok(primary), Ok(())) => {
            let others = topology.nodes.len().saturating_sub(1);
            Finding::fine(part, format!("{} takes writes, and {others} follow it", primary.name))
        }
        (_, Err(why)) | (Err(why), _) => {
            let silent = topology.nodes.iter().find_map(|node| Some((&node.name, node.trouble.as_ref()?)));
            match silent {
                Some((name, trouble)) => {
                    let hint = "are address, user and password in the platform file right, and is the node up?";
                    Finding::not(part, State::Unreachable, format!("{name}: {trouble}"), hint)
                }
                None => Finding::not(part, State::Missing, why, "a drill begins with a whole cluster"),
            }
        }
    }
}
