//! Who serves: by what answers say of it, and where they say nothing by what the platform has on record.

use std::{collections::BTreeSet, time::Duration};

use futures::future::join_all;

use super::{Ports, Switch, probes};
use crate::{
    guard::Gate,
    model::{Slot, Weights},
    ports::{PortError, Reply, Requests, Route, Routed},
};

/// How many answers of each slot have to agree before they say anything.
const ASKED: usize = 3;

/// How the slots are told apart by who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Apart {
    /// They can be; what tells them apart.
    Told(String),
    /// They cannot be.
    Untold {
        /// Why.
        why: String,
        /// What to write.
        hint: String,
    },
}

/// Asks both previews who they are, and the live path who serves, which has to be `serving` if that is known; an answer may take
/// `within`. Changes nothing.
///
/// # Errors
/// Where one of them does not answer.
pub async fn tell_apart(
    ports: &Ports,
    service: &str,
    (path, within): (&str, Duration),
    serving: Option<Slot>,
) -> Result<Apart, PortError> {
    let (requests, field) = (&*ports.requests, ports.requests.field());
    let mut said = Vec::new();
    for slot in Slot::ALL {
        said.push(names(requests, Route::Preview(slot), (path, within)).await?);
    }
    let live = match serving {
        Some(_) => Some(names(requests, Route::Live, (path, within)).await?),
        None => None,
    };
    for (slot, names) in Slot::ALL.into_iter().zip(&said) {
        if names.contains(&Some(slot.other().to_string())) {
            let why = format!("{} answers for the preview of {slot}", slot.other());
            let hint = "correct the preview's selector, or its name in the platform file".to_owned();
            return Ok(Apart::Untold { why, hint });
        }
    }
    let why = match (sole(&said[0]), sole(&said[1])) {
        (Some(blue), Some(green)) if blue != green => match (serving, live) {
            (Some(slot), Some(live)) => {
                let (own, other) = if slot == Slot::Blue { (blue, green) } else { (green, blue) };
                match sole(&live) {
                    Some(name) if name == own => return Ok(Apart::Told(format!("{field}: {}", pair(blue, green)))),
                    Some(name) if name == other => {
                        let why =
                            format!("live requests are answered by {}, and {slot} is to have them all", slot.other());
                        let hint = "does the live path's address lead to this service, and to nothing else?".to_owned();
                        return Ok(Apart::Untold { why, hint });
                    }
                    _ => format!(
                        "{field} says {} by the previews, and {} by the live path",
                        pair(blue, green),
                        told(&live)
                    ),
                }
            }
            _ => return Ok(Apart::Told(format!("{field}: {}", pair(blue, green)))),
        },
        (Some(same), Some(_)) => format!("both slots say `{same}` in {field}"),
        _ => format!("blue says {} in {field}, and green {}", told(&said[0]), told(&said[1])),
    };
    Ok(match ports.traffic.routed().await {
        Ok(Routed::To { slot, by }) if serving.is_none_or(|serving| serving == slot) => {
            Apart::Told(format!("answers do not tell ({why}); instead: {by}"))
        }
        Ok(Routed::To { slot, by }) => untold(service, path, format!("{why}; {slot} takes live requests: {by}")),
        Ok(Routed::Unknown { why: record }) => untold(service, path, format!("{why}; {record}")),
        Err(e) => untold(service, path, format!("{why}; {e}")),
    })
}

fn untold(service: &str, path: &str, why: String) -> Apart {
    let hint = format!(
        "let answers name their slot, as `x-slot: blue` or by a text that all replicas of one slot share, such as a release, and say \
         where: services.{service}.identity: {{path: {path}, header: NAME}} or {{path: {path}, body: /FIELD}}"
    );
    Apart::Untold { why, hint }
}

/// What several answers say of who gave them.
async fn names(
    requests: &dyn Requests,
    route: Route,
    asked: (&str, Duration),
) -> Result<BTreeSet<Option<String>>, PortError> {
    let mut names = BTreeSet::new();
    for _ in 0..ASKED {
        names.insert(probes::patiently(requests, route, asked, probes::PATIENT).await?.by);
    }
    Ok(names)
}

/// The one name that all answers say.
fn sole(names: &BTreeSet<Option<String>>) -> Option<&str> {
    match names.first() {
        Some(Some(name)) if names.len() == 1 => Some(name),
        _ => None,
    }
}

fn told(names: &BTreeSet<Option<String>>) -> String {
    let all: Vec<_> =
        names.iter().map(|name| name.as_ref().map_or("nothing".to_owned(), |name| format!("`{name}`"))).collect();
    all.join(" and ")
}

fn pair(blue: &str, green: &str) -> String {
    if (blue, green) == (Slot::Blue.name(), Slot::Green.name()) {
        return "`blue` and `green`".to_owned();
    }
    format!("`{blue}` of blue, `{green}` of green")
}

/// Whether the slots can be told apart by who answers.
pub(super) async fn gate(switch: &Switch, weights: Option<Weights>) -> Gate {
    let (spec, name) = (&switch.spec, "identity");
    // Where traffic is not as it should be, another gate says so.
    let serving = weights.and_then(|weights| weights.sole()).filter(|slot| *slot == spec.from());
    match tell_apart(&switch.ports, &spec.service, (&spec.identity, spec.answer_within.0), serving).await {
        Ok(Apart::Told(found)) => Gate::open(name, found),
        Ok(Apart::Untold { why, hint }) => Gate::shut(
            name,
            format!("who serves cannot be told: {why}"),
            format!("{hint}; without it, that is never checked"),
        ),
        Err(e) => Gate::failed(name, &e, switch.ports.preflight.look()),
    }
}

/// Who answers live requests, as far as that can be told. What cannot be told weighs nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Served {
    /// The new slot; what says so.
    New(String),
    /// The new slot, by what the platform has on record; what says so.
    Recorded(String),
    /// Some of them are not answered, or by the old slot.
    Not(String),
    /// It cannot be told; why.
    Untold(String),
}

/// Asks `count` times by the live path who serves.
pub(super) async fn ask_who_serves(switch: &Switch, count: usize) -> Served {
    let (spec, requests) = (&switch.spec, &*switch.ports.requests);
    let within = spec.answer_within.0;
    let mut replies = Vec::new();
    for batch in (0..count).collect::<Vec<_>>().chunks(probes::AT_ONCE) {
        replies.extend(join_all(batch.iter().map(|_| requests.get(Route::Live, &spec.identity, within))).await);
    }
    let named =
        |reply: &Result<Reply, PortError>| matches!(reply, Ok(reply) if reply.by.is_some() && reply.slot().is_none());
    // A name that is no slot's is known by what the previews say now.
    let (new, old) = if replies.iter().any(named) {
        (
            previewed(requests, spec.to, (&spec.identity, within)).await,
            previewed(requests, spec.from(), (&spec.identity, within)).await,
        )
    } else {
        (None, None)
    };
    let (mut wrong, mut untold) = (Vec::new(), Vec::new());
    for reply in replies {
        match reply {
            Err(e) => wrong.push(e.to_string()),
            Ok(reply) if reply.status >= 500 => wrong.push(format!("status {}", reply.status)),
            Ok(reply) => match (reply.slot(), reply.by) {
                (Some(slot), _) if slot == spec.to => {}
                (Some(slot), _) => wrong.push(format!("an answer of {slot}")),
                (None, Some(name)) if new != old && Some(&name) == new.as_ref() => {}
                (None, Some(name)) if new != old && Some(&name) == old.as_ref() => {
                    wrong.push(format!("an answer of {} (`{name}`)", spec.from()));
                }
                (None, Some(name)) => untold.push(format!("`{name}`, which tells no slot")),
                (None, None) => untold.push(format!("status {} that names no slot", reply.status)),
            },
        }
    }
    if let Some(first) = wrong.first() {
        return Served::Not(format!(
            "{} of {count} live requests were not served by {}: {first}",
            wrong.len(),
            spec.to
        ));
    }
    let Some(first) = untold.first() else {
        return Served::New(format!("{count} of {count} live requests were served by {}", spec.to));
    };
    let why = format!("{} of {count} live requests were answered with {first}", untold.len());
    match switch.ports.traffic.routed().await {
        Ok(Routed::To { slot, by }) if slot == spec.to => Served::Recorded(format!("{why}; {by}")),
        Ok(Routed::To { slot, by }) => Served::Untold(format!("{why}; {slot} is said to serve: {by}")),
        Ok(Routed::Unknown { why: record }) => Served::Untold(format!("{why}; {record}")),
        Err(e) => Served::Untold(format!("{why}; {e}")),
    }
}

/// What one answer of a slot's preview says of who gave it.
async fn previewed(requests: &dyn Requests, slot: Slot, (path, within): (&str, Duration)) -> Option<String> {
    requests.get(Route::Preview(slot), path, within).await.ok()?.by
}
