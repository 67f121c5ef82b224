//! What puts a switchover back at once: exits, lost replicas, hanging requests, traffic that cannot get through. Outside of alpha.
//!
//! A port that does not answer blows no fuse: not seeing is not failing.

use std::time::Duration;

use super::{Evidence, Switch, measure::Read};
use crate::ports::{InFlight, Replica};

/// How long too few replicas may be unready before that blows the fuse.
const UNREADY: Duration = Duration::from_secs(2);
/// How long traffic may be too low before that blows the fuse.
const QUIET: Duration = Duration::from_secs(10);
/// Below this expected rate, in requests per second, chance alone makes pauses.
const EXPECTABLE: f64 = 5.0;
/// Looks in a row in which the new slot fails all probes while the old one passes them.
const DEAD_LOOKS: u32 = 3;

/// Looks at the new slot's processes and requests; says which fuse has blown.
pub(super) async fn check(switch: &Switch, evidence: &mut Evidence, elapsed: Duration) -> Option<String> {
    let (spec, ports) = (&switch.spec, &switch.ports);
    let (replicas, in_flight) =
        futures::join!(ports.workload.replicas(spec.to), ports.traffic.in_flight(spec.to, spec.fuses.in_flight_age.0));
    let lost = replicas.ok().and_then(|replicas| lost(switch, evidence, &replicas, elapsed));
    lost.or_else(|| in_flight.ok().and_then(|in_flight| hanging(switch, &in_flight)))
}

/// Notes how often the new slot's replicas had exited before the run.
pub(super) async fn remember_exits(switch: &Switch, evidence: &mut Evidence) {
    if evidence.exits_before.is_none()
        && let Ok(replicas) = switch.ports.workload.replicas(switch.spec.to).await
    {
        evidence.exits_before = Some(replicas.into_iter().map(|replica| (replica.name, replica.exits)).collect());
    }
}

fn lost(switch: &Switch, evidence: &mut Evidence, replicas: &[Replica], elapsed: Duration) -> Option<String> {
    let (fuses, slot) = (&switch.spec.fuses, switch.spec.to);
    let before = evidence.exits_before.clone().unwrap_or_default();
    let exits = |replica: &Replica| replica.exits.saturating_sub(before.get(&replica.name).copied().unwrap_or(0));
    let all: u64 = replicas.iter().map(exits).sum();
    let exited = replicas.iter().filter(|replica| exits(replica) > 0).count();
    let count = replicas.len().max(1) as f64;
    if all >= fuses.exits || exited as f64 / count > fuses.replicas_lost {
        return Some(format!("{exited} of {} processes of {slot} exited, {all} times in all", replicas.len()));
    }
    let unready = replicas.iter().filter(|replica| !replica.ready).count();
    if replicas.is_empty() || unready as f64 / count > fuses.replicas_lost {
        evidence.unready += elapsed;
    } else {
        evidence.unready = Duration::ZERO;
    }
    (evidence.unready > UNREADY).then(|| format!("{unready} of {} replicas of {slot} are not ready", replicas.len()))
}

fn hanging(switch: &Switch, in_flight: &InFlight) -> Option<String> {
    let (fuses, slot) = (&switch.spec.fuses, switch.spec.to);
    (in_flight.older >= fuses.hanging).then(|| {
        let example = in_flight.examples.first().map(|e| format!(", such as {e}")).unwrap_or_default();
        format!("{} requests have hung on {slot} for more than {}{example}", in_flight.older, fuses.in_flight_age)
    })
}

/// Whether far less traffic arrives than before the switch; judged on fresh counts only. Whether that is a pause of the
/// users or a fault, our own live requests tell.
pub(super) fn missing_traffic(switch: &Switch, evidence: &mut Evidence, read: &Read) -> Option<String> {
    let Read::Fresh { rate, lasted } = read else { return None };
    let expected = evidence.expected_rate.filter(|rate| *rate >= EXPECTABLE)?;
    let ours = f64::from(std::mem::take(&mut evidence.asked_live)) / lasted.as_secs_f64().max(0.001);
    let rate = (rate - ours).max(0.0);
    if rate / expected >= switch.spec.fuses.traffic_floor {
        evidence.quiet = Duration::ZERO;
        return None;
    }
    evidence.quiet += *lasted;
    is_quiet(evidence)
        .then(|| format!("{rate:.1} requests/s arrive at both slots together, where {expected:.0} were expected"))
}

/// Whether traffic has been missing for too long, as far as the counts tell that have come.
pub(super) fn is_quiet(evidence: &Evidence) -> bool {
    evidence.quiet > QUIET
}

/// Whether our own probes find the new slot dead and the old one alive; this sees without any metrics.
pub(super) fn dead(
    switch: &Switch,
    evidence: &mut Evidence,
    new: crate::slo::Counts,
    old: crate::slo::Counts,
) -> Option<String> {
    let only_new_fails = new.total > 0 && new.bad == new.total && old.total > 0 && old.bad == 0;
    evidence.dead_looks = if only_new_fails { evidence.dead_looks + 1 } else { 0 };
    (evidence.dead_looks >= DEAD_LOOKS).then(|| {
        let (new, old) = (switch.spec.to, switch.spec.from());
        format!("{new} failed all our probes in {DEAD_LOOKS} looks in a row, while {old} passed them")
    })
}
