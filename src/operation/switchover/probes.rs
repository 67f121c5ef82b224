//! interlock's own requests: they warm up, they ask who serves, and they are the control once nobody else asks blue.

use std::time::Duration;

use futures::future::join_all;

use super::{Smoke, Switch};
use crate::{
    model::Slot,
    ports::{PortError, Reply, Route},
    slo::Counts,
};

/// Probes to each slot in each look.
const PROBES: usize = 3;
/// How long a probe may take.
const WITHIN: Duration = Duration::from_secs(1);
/// How many are under way at once.
const AT_ONCE: usize = 8;
/// How often a gate asks where nobody answers: one request that is lost on a busy machine says nothing of a slot. An answer is
/// taken as it is.
pub(super) const PATIENT: usize = 5;

/// Probes one slot through the preview path.
pub(super) async fn probe(switch: &Switch, slot: Slot) -> Counts {
    let smoke = &switch.spec.smoke;
    let one = |at: usize| async move {
        match smoke.get(at % smoke.len().max(1)) {
            Some(smoke) => passes(switch, slot, smoke, 1).await.is_ok(),
            None => passes(switch, slot, &Smoke { path: switch.spec.identity.clone(), status: None }, 1).await.is_ok(),
        }
    };
    let passed = join_all((0..PROBES).map(one)).await;
    Counts::new(passed.len() as u64, passed.iter().filter(|ok| !**ok).count() as u64)
}

/// Sends a request, at most so many times until somebody answers.
async fn ask(switch: &Switch, route: Route, path: &str, tries: usize) -> Result<Reply, PortError> {
    for _ in 1..tries {
        match switch.ports.requests.get(route, path, WITHIN).await {
            Err(PortError::Unreachable { .. }) => {}
            answered => return answered,
        }
    }
    switch.ports.requests.get(route, path, WITHIN).await
}

/// Sends one smoke request to a slot, at most so many times until somebody answers.
///
/// # Errors
/// Says what came back instead.
pub(super) async fn passes(switch: &Switch, slot: Slot, smoke: &Smoke, tries: usize) -> Result<(), String> {
    match ask(switch, Route::Preview(slot), &smoke.path, tries).await {
        Ok(reply) if smoke.passes(reply.status) => Ok(()),
        Ok(reply) => Err(format!("{} on {slot} answers with status {}", smoke.path, reply.status)),
        Err(e) => Err(format!("{} on {slot}: {e}", smoke.path)),
    }
}

/// Sends one request by the live path, whoever serves, at most [`PATIENT`] times.
///
/// # Errors
/// Where none answers.
pub(super) async fn live(switch: &Switch) -> Result<(), PortError> {
    ask(switch, Route::Live, &switch.spec.identity, PATIENT).await.map(drop)
}

/// Sends `count` smoke requests to the new slot and says the first failure.
pub(super) async fn warm_up(switch: &Switch, count: u32) -> Result<(), String> {
    let spec = &switch.spec;
    let paths: Vec<_> = spec.smoke.iter().cycle().take(count as usize).collect();
    for batch in paths.chunks(AT_ONCE) {
        let replies = join_all(batch.iter().map(|smoke| passes(switch, spec.to, smoke, 1))).await;
        replies.into_iter().collect::<Result<(), _>>()?;
    }
    Ok(())
}

/// Asks `count` times by the live path who serves; counts the answers that are not the new slot's.
pub(super) async fn ask_who_serves(switch: &Switch, count: usize) -> Result<(), String> {
    let spec = &switch.spec;
    let ask = |_| switch.ports.requests.get(Route::Live, &spec.identity, WITHIN);
    let mut wrong = Vec::new();
    for batch in (0..count).collect::<Vec<_>>().chunks(AT_ONCE) {
        for reply in join_all(batch.iter().map(ask)).await {
            match reply {
                Ok(reply) if reply.slot == Some(spec.to) => {}
                Ok(reply) => wrong.push(reply.slot.map_or_else(
                    || format!("status {} that names no slot", reply.status),
                    |slot| format!("an answer of {slot}"),
                )),
                Err(e) => wrong.push(e.to_string()),
            }
        }
    }
    match wrong.first() {
        None => Ok(()),
        Some(first) => Err(format!("{} of {count} live requests were not served by {}: {first}", wrong.len(), spec.to)),
    }
}
