//! One service: what we may do, its traffic, its slots, and the counters that decide on it.

use std::{sync::Arc, time::Duration};

use super::{
    asked::{Row, asked, failed, state},
    command::needs,
};
use crate::{
    app::Snapshot,
    document::{Loaded, Target},
    error::Error,
    model::{Slot, Timestamp},
    operation::{
        Build, Platform as _,
        switchover::{Apart, Ports, Share, Standing, tell_apart},
    },
    ports::{Footprint, PortError, Replica, Route},
    report::{Finding, State},
    slo::{Matchers, Objective, Side, SlotNames},
};

/// How far back a series may have its last sample.
const RECENT: Duration = Duration::from_secs(120);

pub fn parts(snapshot: &Snapshot, loaded: &Loaded, name: &str, wanted: &[String]) -> Vec<Row> {
    let mut rows = Vec::new();
    if matches!(snapshot.platform.target, Target::Kubernetes(_)) {
        for (operation, footprint) in needs() {
            let needed = wanted.is_empty() || wanted.iter().any(|wanted| wanted == operation);
            rows.push(bound(snapshot, name, &format!("may {operation} {name}"), move |ports, part| async move {
                vec![permissions(&ports, part, &footprint, needed).await]
            }));
        }
    }
    rows.push(bound(snapshot, name, &format!("{name} traffic"), |ports, part| async move {
        vec![match ports.traffic.weights().await {
            Ok(weights) => Finding::fine(part, weights.to_string()),
            Err(e) => failed(&part, &Error::port(e, ports.preflight.look())),
        }]
    }));
    let path = loaded.platform.services.get(name).map(|service| service.identity().0).unwrap_or_default();
    let within = loaded.platform.defaults.answer_within.0;
    for at in Slot::ALL {
        let path = path.clone();
        rows.push(bound(snapshot, name, &format!("{name} {at}"), move |ports, part| async move {
            slot(&ports, part, at, (&path, within)).await
        }));
    }
    let service = name.to_owned();
    rows.push(bound(snapshot, name, &format!("{name} identity"), move |ports, part| async move {
        vec![identity(&ports, part, &service, (&path, within)).await]
    }));
    let Some(service) = loaded.platform.services.get(name) else { return rows };
    let names = service.names(name, &loaded.platform.target);
    // An SLO that cannot be decided on has a row of its own.
    for objective in loaded.slos.objectives(&service.slos).unwrap_or_default() {
        let (picks, names) = (Slot::ALL.map(|slot| service.matchers(name, slot)), names.clone());
        rows.push(bound(snapshot, name, &format!("series of {}", objective.name), move |ports, part| async move {
            vec![series(&ports, part, &objective, &picks, &names).await]
        }));
    }
    rows
}

/// A row that asks the service through its ports.
fn bound<F>(
    snapshot: &Snapshot,
    name: &str,
    part: &str,
    ask: impl FnOnce(Arc<Ports>, String) -> F + Send + 'static,
) -> Row
where
    F: Future<Output = Vec<Finding>> + Send + 'static,
{
    let (snapshot, name, title) = (snapshot.clone(), name.to_owned(), part.to_owned());
    asked(part, async move {
        match snapshot.service_ports(&name, Build::Now).await {
            Ok(ports) => ask(Arc::new(ports), title).await,
            Err(e) => vec![failed(&title, &e)],
        }
    })
}

async fn permissions(ports: &Ports, part: String, footprint: &Footprint, needed: bool) -> Finding {
    let lacking = match ports.preflight.missing(footprint).await {
        Ok(missing) => missing,
        Err(e) => return failed(&part, &Error::port(e, ports.preflight.look())),
    };
    if lacking.is_empty() {
        return Finding::fine(part, "all that is needed");
    }
    // All are missing in the same namespace, and mostly for the same reason.
    let all: Vec<_> =
        lacking.iter().map(|missing| missing.what.split(" in namespace").next().unwrap_or_default()).collect();
    let state = if needed { State::Forbidden } else { State::Optional };
    let why = lacking.first().map(|missing| missing.why.as_str()).unwrap_or_default();
    let found = format!("not allowed: {} ({why})", all.join(", "));
    Finding::not(part, state, found, ports.preflight.grant(footprint))
}

/// A slot's replicas, and whether it answers past the live path. A slot that is scaled to nothing is at rest.
async fn slot(ports: &Ports, part: String, slot: Slot, (path, within): (&str, Duration)) -> Vec<Finding> {
    let (replicas, scale) = futures::join!(ports.workload.replicas(slot), ports.workload.scale(slot));
    let (replicas, scale) = match (replicas, scale) {
        (Ok(replicas), Ok(scale)) => (replicas, scale),
        (Err(e), _) | (_, Err(e)) => return vec![failed(&part, &Error::port(e, ports.preflight.look()))],
    };
    let told = standing(&replicas, scale);
    if scale == 0 {
        return vec![Finding::not(part, State::Optional, told, format!("deploy to {slot} before it is switched to"))];
    }
    if replicas.iter().filter(|replica| replica.ready).count() < scale as usize {
        return vec![Finding::not(part, State::Missing, told, ports.preflight.look())];
    }
    let preview = format!("{part} preview");
    let answered = match ports.requests.get(Route::Preview(slot), path, within).await {
        Ok(reply) if reply.status >= 500 => {
            let found = format!("GET {path} is answered with status {}", reply.status);
            Finding::not(preview, State::Missing, found, format!("fix {slot}, or the path of `identity`"))
        }
        Ok(reply) if reply.slot().is_some_and(|served| served != slot) => {
            let found = format!("GET {path} reaches the other slot");
            Finding::not(preview, State::Missing, found, "fix the preview's selector, or its name in the platform file")
        }
        Ok(reply) => Finding::fine(preview, format!("GET {path} is answered with status {}", reply.status)),
        Err(e) => failed(&preview, &Error::port(e, ports.preflight.look())),
    };
    vec![Finding::fine(part, told), answered]
}

fn standing(replicas: &[Replica], scale: u32) -> String {
    let ready = replicas.iter().filter(|replica| replica.ready).count();
    let mut releases: Vec<_> = replicas.iter().map(|replica| replica.version.as_str()).collect();
    releases.sort_unstable();
    releases.dedup();
    let releases = if releases.is_empty() { String::new() } else { format!(", release {}", releases.join(" and ")) };
    let trouble = replicas.iter().find_map(|one| Some(format!(": {}: {}", one.name, one.trouble.as_ref()?)));
    format!("{ready} of {scale} replicas are ready{releases}{}", trouble.unwrap_or_default())
}

/// Whether the slots can be told apart by who answers; a slot that is at rest cannot be asked.
async fn identity(ports: &Ports, part: String, service: &str, asked: (&str, Duration)) -> Finding {
    for slot in Slot::ALL {
        if matches!(ports.workload.scale(slot).await, Ok(0)) {
            let hint = "a switchover asks both slots before it begins";
            return Finding::not(part, State::Optional, format!("not asked: {slot} has no replicas"), hint);
        }
    }
    let serving = ports.traffic.weights().await.ok().and_then(|weights| weights.sole());
    match tell_apart(ports, service, asked, serving).await {
        Ok(Apart::Told(found)) => Finding::fine(part, found),
        Ok(Apart::Untold { why, hint }) => Finding::not(part, State::Missing, why, hint),
        Err(e) => failed(&part, &Error::port(e, ports.preflight.look())),
    }
}

/// Whether the metrics source answers, and which series of the objective belong to which slot.
async fn series(
    ports: &Ports,
    part: String,
    objective: &Objective,
    [blue, green]: &[Matchers; 2],
    names: &SlotNames,
) -> Finding {
    let (since, source) = (Timestamp::now() - RECENT, ports.metrics.name());
    let mut told = Vec::new();
    for (side, selector) in &objective.counting.selectors {
        match ports.metrics.samples(selector, since).await {
            // A service without traffic may have none yet: that is told apart from a wrong query by a person alone.
            Ok(found) if found.is_empty() && *side != Side::Bad => {
                return unborn(part, format!("no series of {} at {source}", selector.metric));
            }
            Ok(found) => {
                let side = match side {
                    Side::Good => "good",
                    Side::Bad => "bad",
                    Side::Total => "total",
                };
                told.push(format!("{side}: {} of {}", found.len(), selector.metric));
            }
            Err(e) => return unread(part, e),
        }
    }
    let serving = ports.traffic.weights().await.ok().and_then(|weights| weights.sole());
    match Share::read(&*ports.metrics, objective, [blue, green], Timestamp::now()).await {
        Ok(share) => match share.standing(&names.service, names, serving) {
            Standing::Told(found) => Finding::fine(part, format!("{}, by {source}; {found}", told.join(", "))),
            Standing::None(found) => unborn(part, format!("{found}, at {source}")),
            Standing::Untold { why, hint } => Finding::not(part, State::Missing, why, hint),
        },
        Err(e) => unread(part, e),
    }
}

fn unborn(part: String, found: String) -> Finding {
    let hint = "there will be some once the service takes traffic, if the SLO's query names its metric and labels";
    Finding::not(part, State::Optional, found, hint)
}

fn unread(part: String, error: PortError) -> Finding {
    Finding::not(part, state(&error), error, "is the metrics source up? `metrics` of the platform file names it")
}
