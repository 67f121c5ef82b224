//! The gates of a switchover: all of them are asked, so that one run tells everything that stands in the way.

use std::{collections::BTreeSet, time::Duration};

use super::{Spec, Switch, identity, probes, share, standing};
use crate::{
    guard::Gate,
    model::Weights,
    operation::preconditions::{self, Facts, History, Past, percent},
    ports::{PortError, Replica},
};

/// The names of all gates, as `--override` takes them.
pub const GATES: [&str; 14] = [
    "lock",
    "freeze",
    "credentials",
    "guardian",
    "weights",
    "permissions",
    "managers",
    "replicas",
    "version",
    "smoke",
    "identity",
    "series",
    "slo",
    "budget",
];

/// Asks all gates; one that cannot be asked is in the answer as well. Changes nothing.
pub(super) async fn gates(switch: &Switch, facts: &Facts) -> Vec<Gate> {
    let mut gates = vec![
        preconditions::lock(facts),
        preconditions::freeze(facts, longest(&switch.spec)),
        preconditions::credentials(facts, longest(&switch.spec)),
        preconditions::guardian(facts),
    ];
    let read = switch.ports.traffic.weights().await;
    let (answers, lets_look) = (!matches!(read, Err(ref e) if !is_forbidden(e)), read.is_ok());
    let found = read.as_ref().ok().copied();
    gates.push(weights(switch, read));
    // What stands behind these would only repeat that the platform does not answer, or does not let us look.
    if answers {
        gates.push(standing::permissions(switch).await);
    } else {
        gates.push(Gate::not_asked("permissions", "the platform has to answer first: see `weights`"));
    }
    if lets_look {
        gates.push(standing::managers(switch).await);
        let (replicas, version) = workloads(switch).await;
        gates.extend([replicas, version, smoke(switch).await, identity::gate(switch, found).await]);
    } else {
        let why = if answers { "it has to be allowed to look first" } else { "the platform has to answer first" };
        let not_asked = |name| Gate::not_asked(name, format!("{why}: see `weights`"));
        gates.extend(["managers", "replicas", "version", "smoke", "identity"].map(not_asked));
    }
    gates.extend([share::gate(switch).await, slo(&switch.spec, facts), budget(&switch.spec, facts)]);
    gates
}

const fn is_forbidden(error: &PortError) -> bool {
    matches!(error, PortError::Forbidden { .. })
}

/// How long the whole operation may take.
fn longest(spec: &Spec) -> Duration {
    let shares = u32::try_from(spec.shares.len()).unwrap_or(u32::MAX);
    spec.baseline.0 * 4 + spec.max_bake.0 * shares + spec.drain.0 + spec.keep_old.0 + Duration::from_secs(60)
}

fn weights(switch: &Switch, read: Result<Weights, PortError>) -> Gate {
    let (from, to) = (switch.spec.from(), switch.spec.to);
    match read {
        Err(e) => Gate::failed("weights", &e, switch.ports.preflight.look()),
        Ok(found) if found == Weights::all(from) => Gate::open("weights", found.to_string()),
        Ok(found) if found == Weights::all(to) => {
            Gate::shut("weights", format!("{to} serves already"), format!("did you mean --to {from}?"))
        }
        Ok(found) => Gate::shut(
            "weights",
            format!("traffic is shared: {found}"),
            format!("someone is in the middle of a change; it begins from {from} alone"),
        ),
    }
}

async fn workloads(switch: &Switch) -> (Gate, Gate) {
    let workload = &switch.ports.workload;
    let (old_slot, new_slot) = (switch.spec.from(), switch.spec.to);
    let asked = futures::try_join!(workload.replicas(old_slot), workload.replicas(new_slot), workload.scale(new_slot));
    match asked {
        Err(e) => {
            let failed = |name| Gate::failed(name, &e, switch.ports.preflight.look());
            (failed("replicas"), failed("version"))
        }
        Ok((old, new, scale)) => (replicas(switch, &new, scale), version(switch, &old, &new)),
    }
}

fn replicas(switch: &Switch, new: &[Replica], scale: u32) -> Gate {
    let slot = switch.spec.to;
    let ready = new.iter().filter(|replica| replica.ready).count();
    let trouble = new.iter().find_map(|replica| Some(format!(" ({}: {})", replica.name, replica.trouble.as_ref()?)));
    let found = format!("{ready} of {scale} replicas of {slot} are ready{}", trouble.unwrap_or_default());
    if scale > 0 && ready == scale as usize && new.len() == scale as usize {
        Gate::open("replicas", found)
    } else {
        Gate::shut("replicas", found, format!("deploy {slot} in full and wait until it is ready"))
    }
}

fn version(switch: &Switch, old: &[Replica], new: &[Replica]) -> Gate {
    let (old_slot, new_slot) = (switch.spec.from(), switch.spec.to);
    let of = |replicas: &[Replica]| {
        let mut versions: Vec<_> = replicas.iter().map(|replica| replica.version.clone()).collect();
        versions.sort();
        versions.dedup();
        versions
    };
    let (old, new) = (of(old), of(new));
    match (old.as_slice(), new.as_slice()) {
        ([old], [new]) if old != new => Gate::open("version", format!("{old} on {old_slot}, {new} on {new_slot}")),
        ([old], [new]) if old == new => Gate::shut(
            "version",
            format!("both slots run {old}"),
            format!("deploy the new release to {new_slot} first"),
        ),
        (_, [_, _, ..]) => Gate::shut(
            "version",
            format!("{new_slot} runs several releases: {}", new.join(", ")),
            "let the deployment finish",
        ),
        _ => Gate::shut("version", format!("{old_slot}: {old:?}, {new_slot}: {new:?}"), "let the deployment finish"),
    }
}

async fn smoke(switch: &Switch) -> Gate {
    let spec = &switch.spec;
    // Whether the new slot serves can only be asked there: a run that finds nobody would move traffic and put it back.
    if let Err(e) = probes::live(switch).await {
        return Gate::failed(
            "smoke",
            &e,
            "the live path has to answer: does its address in the platform file lead there?",
        );
    }
    for smoke in &spec.smoke {
        if let Err(why) = probes::passes(switch, spec.to, smoke, probes::PATIENT).await {
            return Gate::shut("smoke", why, format!("fix {} before it gets traffic", spec.to));
        }
    }
    Gate::open("smoke", format!("{} requests pass on {} through the preview path", spec.smoke.len(), spec.to))
}

fn slo(spec: &Spec, facts: &Facts) -> Gate {
    if spec.objectives.is_empty() {
        let hint = format!("name SLOs under services.{}.slos of the platform file", spec.service);
        return Gate::shut("slo", "no SLO says what healthy means here, only the fuses would act", hint);
    }
    let measured = format!("{} is measured for {} at run, before anything is touched", spec.from(), spec.baseline);
    match &facts.history {
        History::None => Gate::later("slo", format!("no history here: {measured}")),
        History::Unreachable(e) => Gate::unasked("slo", e, "is the metrics source up? `interlock slo status` asks it"),
        History::Known(pasts) => {
            let told = |past: &Past| match past.share {
                Some(share) => format!("{} {} bad of {} tolerated", past.name, percent(share), percent(past.tolerated)),
                None => format!("{} without requests", past.name),
            };
            let ill = |past: &&Past| past.share.is_some_and(|share| share > past.cap);
            match pasts.iter().find(ill) {
                Some(past) => {
                    Gate::shut("slo", format!("{} is not healthy: {}", spec.from(), told(past)), "fix it first")
                }
                None => {
                    let remarks: BTreeSet<&String> = pasts.iter().flat_map(|past| &past.remarks).collect();
                    let remarks = remarks.into_iter().map(|remark| format!("; {remark}")).collect::<String>();
                    Gate::open("slo", pasts.iter().map(told).collect::<Vec<_>>().join(", ") + remarks.as_str())
                }
            }
        }
    }
}

fn budget(spec: &Spec, facts: &Facts) -> Gate {
    if spec.objectives.is_empty() { Gate::open("budget", "no SLO, no budget") } else { preconditions::budget(facts) }
}
