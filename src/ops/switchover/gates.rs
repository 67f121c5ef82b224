//! The gates of a switchover: all of them are asked, so that one run tells everything that stands in the way.

use std::time::Duration;

use super::{Spec, Switch, probes, standing};
use crate::{
    guard::Gate,
    model::{Span, Timestamp, Weights},
    ports::{PortError, Replica},
};

/// The names of all gates, as `--override` takes them.
pub const GATES: [&str; 12] = [
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
    "slo",
    "budget",
];

/// What the gates have to know of the world around the platform.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Now, by the wall clock.
    pub now: Timestamp,
    /// Who holds the target, if somebody does.
    pub holder: Option<String>,
    /// Who would put things back.
    pub guardian: Guardian,
    /// Times in which nothing may be changed.
    pub freezes: Vec<Freeze>,
    /// Credentials that the operation needs.
    pub credentials: Vec<Credential>,
    /// What is known of the objectives' past.
    pub history: History,
    /// The share of the budget that has to be left, from 0 to 1.
    pub budget_floor: f64,
}

/// Who puts things back when the operator dies.
#[derive(Debug, Clone, Default)]
pub enum Guardian {
    /// A process on this machine, which is where the platform is as well.
    #[default]
    Local,
    /// One in the cluster that gives signs of life; who it is.
    InCluster(String),
    /// A process on this machine, though the platform is elsewhere: a person has accepted that.
    LocalAccepted,
    /// Nobody in the cluster; what was found there instead.
    Missing(String),
}

/// A time in which nothing may be changed.
#[derive(Debug, Clone)]
pub struct Freeze {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// Why.
    pub reason: String,
}

/// A credential, by the name of the variable that holds it. Its value is never read here.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The variable.
    pub name: String,
    /// Whether it is set.
    pub present: bool,
    /// When it expires, if that is known; an unreadable time as it was found.
    pub expires: Option<Result<Timestamp, String>>,
}

/// What is known of the objectives' past.
#[derive(Debug, Clone, Default)]
pub enum History {
    /// The source keeps none, or too little.
    #[default]
    None,
    /// The source does not answer.
    Unreachable(PortError),
    /// Objective by objective.
    Known(Vec<Past>),
}

/// The past of one objective.
#[derive(Debug, Clone)]
pub struct Past {
    /// The objective.
    pub name: String,
    /// The bad share of the last hour at the old slot, if it had requests.
    pub share: Option<f64>,
    /// The tolerated share.
    pub tolerated: f64,
    /// The share above which it is clearly not healthy.
    pub cap: f64,
    /// The share of the budget that is left, from below 0 to 1, over its window.
    pub budget_left: Option<f64>,
}

/// Asks all gates. Changes nothing.
pub async fn gates(switch: &Switch, around: &Surroundings) -> Vec<Gate> {
    let mut gates =
        vec![lock(around), freeze(around, &switch.spec), credentials(around, &switch.spec), guardian(around)];
    let read = switch.ports.traffic.weights().await;
    // Everything else would only repeat that the platform does not answer, or does not let us look.
    let (unreachable, forbidden) = match &read {
        Err(PortError::Forbidden { .. }) => (false, true),
        Err(_) => (true, false),
        Ok(_) => (false, false),
    };
    gates.push(weights(switch, read));
    if !unreachable {
        gates.push(standing::permissions(switch).await);
    }
    if !unreachable && !forbidden {
        gates.push(standing::managers(switch).await);
        let (replicas, version) = workloads(switch).await;
        gates.extend([replicas, version, smoke(switch).await, slo(&switch.spec, around), budget(&switch.spec, around)]);
    }
    gates
}

/// How long the whole operation may take.
fn longest(spec: &Spec) -> Duration {
    let shares = u32::try_from(spec.shares.len()).unwrap_or(u32::MAX);
    spec.baseline.0 * 4 + spec.max_bake.0 * shares + spec.drain.0 + spec.keep_old.0 + Duration::from_secs(60)
}

fn lock(around: &Surroundings) -> Gate {
    match &around.holder {
        None => Gate::open("lock", "nobody else is at work on it"),
        Some(holder) => {
            Gate::shut("lock", holder, "wait for it, or see `interlock runs list` and `interlock runs recover RUN`")
        }
    }
}

fn freeze(around: &Surroundings, spec: &Spec) -> Gate {
    let end = around.now.checked_add(longest(spec)).unwrap_or(Timestamp::MAX);
    match around.freezes.iter().find(|freeze| freeze.from < end && around.now < freeze.to) {
        None => Gate::open("freeze", "no freeze window in the way"),
        Some(Freeze { from, to, reason }) => {
            Gate::shut("freeze", format!("{from} to {to}: {reason}"), format!("wait until {to}"))
        }
    }
}

fn credentials(around: &Surroundings, spec: &Spec) -> Gate {
    let end = around.now.checked_add(longest(spec)).unwrap_or(Timestamp::MAX);
    for credential in &around.credentials {
        let name = &credential.name;
        if !credential.present {
            return Gate::shut("credentials", format!("{name} is not set"), format!("export {name}"));
        }
        match &credential.expires {
            Some(Ok(expires)) if *expires < end => {
                let why = format!("{name} expires at {expires}, and the operation may last until {end:.0}");
                return Gate::shut("credentials", why, "renew it, or shorten the bake");
            }
            Some(Err(found)) => {
                let why = format!("when {name} expires is given as `{found}`, which is no time");
                return Gate::shut("credentials", why, "write it like 2026-12-24T00:00:00Z");
            }
            _ => {}
        }
    }
    Gate::open(
        "credentials",
        match around.credentials.len() {
            0 => "none are needed".to_owned(),
            count => format!("{count} set, and valid for long enough"),
        },
    )
}

fn guardian(around: &Surroundings) -> Gate {
    match &around.guardian {
        Guardian::Local => Gate::open("guardian", "a process on this machine, as the platform is"),
        Guardian::InCluster(who) => Gate::open("guardian", format!("in the cluster: {who}")),
        Guardian::LocalAccepted => Gate::open(
            "guardian",
            "a process on this machine only, as --accept-local-guardian says; it does not survive the machine",
        ),
        Guardian::Missing(found) => Gate::shut(
            "guardian",
            format!("nobody in the cluster would put things back: {found}"),
            "`kubectl apply -k manifests/guardian`, or make do with this machine: --accept-local-guardian",
        ),
    }
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
        if let Err(why) = probes::passes(switch, spec.to, smoke).await {
            return Gate::shut("smoke", why, format!("mend {} before it gets traffic", spec.to));
        }
    }
    Gate::open("smoke", format!("{} requests pass on {} through the preview path", spec.smoke.len(), spec.to))
}

fn slo(spec: &Spec, around: &Surroundings) -> Gate {
    if spec.objectives.is_empty() {
        let mend = format!("name SLOs under services.{}.slos of the platform file", spec.service);
        return Gate::shut("slo", "no SLO says what healthy means here, only the fuses would act", mend);
    }
    let measured = format!("{} is measured for {} at run, before anything is touched", spec.from(), spec.baseline);
    match &around.history {
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
                    Gate::shut("slo", format!("{} is not healthy: {}", spec.from(), told(past)), "mend it first")
                }
                None => Gate::open("slo", pasts.iter().map(told).collect::<Vec<_>>().join(", ")),
            }
        }
    }
}

fn budget(spec: &Spec, around: &Surroundings) -> Gate {
    if spec.objectives.is_empty() {
        return Gate::open("budget", "no SLO, no budget");
    }
    match &around.history {
        History::None => Gate::open("budget", "no history here: what is spent of the error budget is not known"),
        History::Unreachable(e) => {
            Gate::unasked("budget", e, "is the metrics source up? `interlock slo status` asks it")
        }
        History::Known(pasts) => {
            let left = pasts.iter().filter_map(|past| Some((&past.name, past.budget_left?)));
            match left.min_by(|a, b| a.1.total_cmp(&b.1)) {
                None => Gate::open("budget", "nothing was counted in the window yet"),
                Some((name, left)) if left < around.budget_floor => Gate::shut(
                    "budget",
                    format!(
                        "{name} has {} of its error budget left, {} are wanted",
                        percent(left),
                        percent(around.budget_floor)
                    ),
                    "wait until the budget recovers; defaults.budgetFloor sets how much has to be left",
                ),
                Some((name, left)) => Gate::open("budget", format!("{} left, least at {name}", percent(left))),
            }
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// The longest time that a switchover with these settings may take, for plans.
#[must_use]
pub fn at_most(spec: &Spec) -> Span {
    Span(longest(spec))
}
