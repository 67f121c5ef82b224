//! interlock's own requests: they warm up, they ask who serves, and they are the control once nobody else asks blue.

use std::time::Duration;

use futures::future::join_all;

use super::{
    Evidence, Smoke, Spec, Switch,
    identity::{self, Served},
};
use crate::{
    model::Slot,
    operation::preconditions::percent,
    ports::{PortError, Reply, Requests, Route},
    slo::{Counts, ObjectiveRule},
    stats::{clopper_pearson_lower, clopper_pearson_upper},
};

/// Probes to each slot in each look.
const PROBES: usize = 3;
/// Live requests that tell whether users are served, where none of them comes.
pub(super) const LIVE: u32 = 5;
/// How often a request of the warm-up is asked again that failed; one that fails each time fails for a reason.
const AGAIN: u32 = 2;
/// The chance at which a warm-up refuses a release that fails as often as is tolerated.
const MISJUDGED: f64 = 0.01;
/// The failing share that a warm-up tolerates where no objective says.
const UNSTATED: f64 = 0.01;
/// How many are under way at once.
pub(super) const AT_ONCE: usize = 8;
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

/// Probes the old slot, as the control of the new one. A slot without replicas is none: nothing answers for it, and that says
/// nothing of what both slots stand on.
pub(super) async fn control(switch: &Switch) -> Counts {
    let (slot, workload) = (switch.spec.from(), &switch.ports.workload);
    let probed = probe(switch, slot).await;
    // Asked afterwards, so that one that was scaled to nothing meanwhile is seen.
    let (scale, replicas) = futures::join!(workload.scale(slot), workload.replicas(slot));
    let is_gone = matches!(scale, Ok(0)) || replicas.is_ok_and(|replicas| replicas.is_empty());
    if is_gone { Counts::default() } else { probed }
}

/// Whether our own requests by the live path are answered: by the new slot, unless both slots get them.
///
/// # Errors
/// Says what came back instead.
pub(super) async fn is_served(switch: &Switch, both_live: bool) -> Result<(), String> {
    if !both_live {
        return match identity::ask_who_serves(switch, LIVE as usize).await {
            Served::Not(why) => Err(why),
            Served::New(_) | Served::Recorded(_) | Served::Untold(_) => Ok(()),
        };
    }
    match ask(switch, Route::Live, &switch.spec.identity, PATIENT).await {
        Ok(reply) if reply.status < 500 => Ok(()),
        Ok(reply) => Err(format!("a live request is answered with status {}", reply.status)),
        Err(e) => Err(format!("a live request is not answered: {e}")),
    }
}

async fn ask(switch: &Switch, route: Route, path: &str, tries: usize) -> Result<Reply, PortError> {
    patiently(&*switch.ports.requests, route, (path, switch.spec.answer_within.0), tries).await
}

/// Sends a request, at most so many times until somebody answers.
pub(super) async fn patiently(
    requests: &dyn Requests,
    route: Route,
    (path, within): (&str, Duration),
    tries: usize,
) -> Result<Reply, PortError> {
    for _ in 1..tries {
        match requests.get(route, path, within).await {
            Err(PortError::Unreachable { .. }) => {}
            answered => return answered,
        }
    }
    requests.get(route, path, within).await
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

/// Sends `count` smoke requests to the new slot; one that fails is asked again.
///
/// # Errors
/// Where one fails each time, or so many fail that the share that is tolerated is excluded.
pub(super) async fn warm_up(switch: &Switch, count: u32, tolerated: f64) -> Result<String, String> {
    let spec = &switch.spec;
    let paths: Vec<_> = spec.smoke.iter().cycle().take(count as usize).collect();
    let (mut asked, mut failed, mut first) = (0_u32, 0_u32, None);
    for batch in paths.chunks(AT_ONCE) {
        for (smoke, reply) in
            batch.iter().zip(join_all(batch.iter().map(|smoke| passes(switch, spec.to, smoke, 1))).await)
        {
            asked += 1;
            let Err(why) = reply else { continue };
            failed += 1;
            first.get_or_insert_with(|| why.clone());
            let mut passed = false;
            for _ in 0..AGAIN {
                asked += 1;
                passed = passes(switch, spec.to, smoke, 1).await.is_ok();
                if passed {
                    break;
                }
                failed += 1;
            }
            if !passed {
                return Err(format!("{why}, {} times in a row", AGAIN + 1));
            }
        }
    }
    let Some(first) = first else { return Ok(format!("{} answered {asked} requests", spec.to)) };
    let found = format!("{failed} of {asked} requests failed, such as {first}");
    if clopper_pearson_lower(failed.into(), asked.into(), MISJUDGED) > tolerated {
        return Err(format!("{found}; {} are tolerated", percent(tolerated)));
    }
    Ok(found)
}

/// The smallest failing share that a warm-up of `count` requests finds in 19 of 20 releases; `None` where it finds none.
pub(super) fn warm_up_finds(count: u32, tolerated: f64) -> Option<f64> {
    let enough = |failed: &u32| {
        let asked = count.saturating_add(*failed);
        clopper_pearson_lower((*failed).into(), asked.into(), MISJUDGED) > tolerated
    };
    let failed = (1..=count).find(enough)?;
    Some(clopper_pearson_upper(f64::from(failed - 1), count.into(), 0.05))
}

/// The bad share that a warm-up tolerates: what the strictest objective does.
pub(super) fn tolerated(spec: &Spec, evidence: Option<&Evidence>) -> f64 {
    let frozen = evidence.and_then(|evidence| evidence.counted.as_ref()).and_then(|counted| counted.slo.strictest());
    let budgets = || spec.rules.objectives.iter().map(ObjectiveRule::tolerance).min_by(f64::total_cmp);
    frozen.or_else(budgets).unwrap_or(UNSTATED)
}
