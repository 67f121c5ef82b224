//! One look of a switchover: paced, with the fuses watched meanwhile, and judged.

use std::time::Duration;

use super::{
    Evidence, Switch, Watch,
    figures::{excluded, figures, passed, whole},
    fuses,
    identity::{self, Served},
    measure,
    measure::Read,
    probes, reach,
};
use crate::{
    guard::{ObserveContext, Verdict},
    model::{HumanDuration, Slot, Weights},
    operation::preconditions::percent,
    ports::{InFlight, PortError},
    slo::{self, Counts, freeze, freeze_without_baseline, judge},
};

/// How often the fuses are looked at while a look waits.
const FUSE_POLL: Duration = Duration::from_millis(200);
/// How many live requests have to be served by the new slot.
const ASKED: usize = 20;
/// How many looks may ask in vain.
const IN_VAIN: u32 = 5;
/// How long a gateway may take to do what it has accepted: Traefik takes up to 2 s.
const SETTLES: Duration = Duration::from_secs(5);
/// How many times its planned length a measurement may last where traffic is scarce.
pub(super) const PATIENCE: u32 = 4;

/// Takes one look.
pub(super) async fn observe(
    switch: &Switch,
    watch: &Watch,
    look: &ObserveContext<'_>,
    evidence: &mut Evidence,
) -> (Verdict, String) {
    fuses::remember_exits(switch, evidence).await;
    if look.first {
        evidence.served_before = served(evidence);
        evidence.in_vain = 0;
        evidence.watched_since = None;
    }
    // A watch that an earlier release has begun does not say since when: it serves from here on.
    evidence.watched_since.get_or_insert_with(|| switch.steady_now());
    if look.held {
        return held(switch, evidence).await;
    }
    match watch {
        Watch::Baseline { length } => baseline(switch, evidence, look.spent, length.0).await,
        Watch::WarmUp { requests, .. } => {
            match probes::warm_up(switch, *requests, probes::tolerated(&switch.spec, Some(evidence))).await {
                Ok(line) => (pass(), line),
                Err(why) => (Verdict::Unfit { why: format!("{} fails its warm-up: {why}", switch.spec.to) }, why),
            }
        }
        Watch::Served => asked(switch, evidence, look.spent).await,
        Watch::Drain { within } => drain(switch, evidence, look.spent, within.0).await,
        Watch::Bake { share, length, max } => {
            let weights = Weights::giving(switch.spec.to, *share);
            bake(switch, evidence, look.spent, weights, length.0, max.0).await
        }
        Watch::Keep { length } => keep(switch, evidence, look.spent, length.0).await,
    }
}

const fn pass() -> Verdict {
    Verdict::Pass { warning: None }
}

fn served(evidence: &Evidence) -> Duration {
    evidence.counted.as_ref().map_or(Duration::ZERO, |counted| counted.slo.served())
}

async fn baseline(switch: &Switch, evidence: &mut Evidence, spent: Duration, length: Duration) -> (Verdict, String) {
    let begun = switch.ports.clock.now();
    switch.ports.clock.sleep(switch.spec.look.0).await;
    let elapsed = switch.ports.clock.now().since(&begun);
    let reading = measure::Reading {
        elapsed,
        control: Counts::default(),
        switched: false,
        both_live: false,
        watched_since: None,
    };
    let read = measure::read(switch, evidence, reading).await;
    let spent = spent + elapsed;
    if let Read::Fresh { rate, .. } = read {
        // The first counts of a source only say where counting begins.
        evidence.expected_rate =
            Some(evidence.expected_rate.filter(|known| *known > 0.0).map_or(rate, |known| (known + rate) / 2.0));
    }
    let Some(counted) = &mut evidence.counted else { return (Verdict::Wait, String::new()) };
    let (total, bad) =
        counted.slo.baselines().fold((0, 0), |(t, b), (counts, _)| (t.max(counts.total), b + counts.bad));
    let line = format!("{total} requests, {bad} bad; {}", passed(spent, length));
    if spent < length {
        return (Verdict::Wait, line);
    }
    if let Some(late) = measure::late(switch, counted, switch.spec.from()) {
        let verdict = if spent < length * PATIENCE { Verdict::Wait } else { Verdict::NoData { why: late.clone() } };
        return (verdict, format!("{line}; {late}"));
    }
    match (freeze(&switch.spec.rules, &mut counted.slo), read) {
        (Ok(()), _) => {
            let more = counted.slo.tolerated_more(&switch.spec.rules);
            let more = more.map(|(name, p0)| {
                format!(
                    "; {} is seen to be worse than {name} allows, so {} are tolerated",
                    switch.spec.from(),
                    percent(p0)
                )
            });
            let mut line = line + more.collect::<String>().as_str();
            // Over all that was counted: single looks are uneven, and before the first sample nothing was.
            let rate = Some(total as f64 / counted.lasted().unwrap_or(spent).as_secs_f64());
            let rate = rate.filter(|rate| rate.is_finite() && *rate > 0.0);
            let length = (switch.spec.look.0, switch.spec.max_bake.0);
            let weight = switch.spec.shares.first().copied().unwrap_or(100);
            let users = rate.map(|rate| reach::Users { rate, weight });
            if let Some(reach) = users.and_then(|users| reach::told(&switch.spec.rules, &counted.slo, users, length)) {
                line.push_str(&format!("; {reach}"));
            }
            (pass(), line)
        }
        (Err(refusal @ slo::BaselineRefusal::NotHealthy { .. }), _) => {
            (Verdict::Unfit { why: refusal.to_string() }, line)
        }
        (Err(_), _) if spent < length * PATIENCE => (Verdict::Wait, line),
        (Err(_), Read::Silent(why)) => (Verdict::NoData { why }, line),
        // It is silent still, and only not yet for another deadline: what is missing is the source, not the traffic.
        (Err(_), Read::Pending) if !counted.slo.blind().is_zero() => {
            (Verdict::NoData { why: measure::silence(switch, counted) }, line)
        }
        (Err(refusal @ slo::BaselineRefusal::NoTraffic { .. }), _) => {
            let (from, service) = (switch.spec.from(), &switch.spec.service);
            let why = format!(
                "{refusal}; does {from} take traffic, and are these its series? `interlock doctor` asks the source; \
                 services.{service}.selectors of the platform file pick them"
            );
            (Verdict::Unfit { why }, line)
        }
        (Err(refusal), _) => {
            let why =
                format!("{refusal}; measure for longer with --baseline, or go without: --override slo --reason TEXT");
            (Verdict::Unfit { why }, line)
        }
    }
}

/// What is true of every look while the new slot takes traffic.
struct Ground {
    read: Read,
    elapsed: Duration,
    /// Why nothing can be said of the new slot's health now, though counts may have come.
    doubt: Option<String>,
}

/// Waits for one interval with the fuses watched, and reads everything that every such look reads.
async fn stand(switch: &Switch, evidence: &mut Evidence, expected: Weights) -> Result<Ground, Verdict> {
    let begun = switch.ports.clock.now();
    let (blown, control, new) =
        futures::join!(pace(switch, evidence), probes::control(switch), probes::probe(switch, switch.spec.to));
    let breach = |why: String| Verdict::Breach { why };
    if let Some(why) = blown.or_else(|| fuses::dead(switch, evidence, new, control)) {
        return Err(breach(why));
    }
    if let Ok(found) = switch.ports.traffic.weights().await
        && found != expected
    {
        return Err(breach(format!("someone else has set the weights to {found}, where interlock had set {expected}")));
    }
    let elapsed = switch.ports.clock.now().since(&begun);
    if switch.spec.objectives.is_empty() {
        return Ok(Ground { read: Read::Pending, elapsed, doubt: None });
    }
    let (both_live, watched_since) = (expected.sole().is_none(), evidence.watched_since);
    let reading = measure::Reading { elapsed, control, switched: true, both_live, watched_since };
    ensure_frozen(switch, evidence);
    let read = measure::read(switch, evidence, reading).await;
    let late = evidence.counted.as_ref().and_then(|counted| measure::late(switch, counted, switch.spec.to));
    let paused = fuses::missing_traffic(switch, evidence, &read);
    if let Some(why) = &paused {
        // Users who pause and users who cannot get through look alike from here, so our own live requests tell.
        evidence.asked_live = probes::LIVE;
        probes::is_served(switch, both_live).await.map_err(|failed| breach(format!("{why}; {failed}")))?;
    }
    let paused = paused.map(|why| format!("{why}; our own live requests are answered"));
    // Between two scrapes nothing is known that would end a pause.
    let paused = paused.or_else(|| fuses::is_quiet(evidence).then(|| "users stay away so far".to_owned()));
    // A breach counts in whatever step it shows, also while the old slot drains.
    match evidence.counted.as_ref().map(|counted| judge(&switch.spec.rules, &counted.slo, Duration::MAX)) {
        Some(slo::Verdict::Breach { why, .. }) => Err(breach(why)),
        _ => Ok(Ground { read, elapsed, doubt: paused.or(late) }),
    }
}

/// Without a measured baseline the tolerances are those of the documents.
fn ensure_frozen(switch: &Switch, evidence: &mut Evidence) {
    let start = switch.ports.clock.now().wall;
    let counted = evidence.counted.get_or_insert_with(|| super::evidence::Counted::begin(&switch.spec, start));
    if !counted.slo.is_frozen() {
        freeze_without_baseline(&switch.spec.rules, &mut counted.slo);
    }
}

/// Waits for one interval; ends at once when a fuse blows.
async fn pace(switch: &Switch, evidence: &mut Evidence) -> Option<String> {
    let clock = &switch.ports.clock;
    let begun = clock.now();
    let mut last = begun;
    loop {
        let now = clock.now();
        if let Some(why) = fuses::check(switch, evidence, now.since(&last)).await {
            return Some(why);
        }
        last = now;
        let left = switch.spec.look.0.saturating_sub(clock.now().since(&begun));
        if left.is_zero() {
            return None;
        }
        clock.sleep(left.min(FUSE_POLL)).await;
    }
}

async fn asked(switch: &Switch, evidence: &mut Evidence, spent: Duration) -> (Verdict, String) {
    let (last, why) = match identity::ask_who_serves(switch, ASKED).await {
        Served::New(found) => return (pass(), found),
        Served::Recorded(found) if spent >= SETTLES => return (pass(), found),
        Served::Recorded(found) => (None, found),
        Served::Not(why) => (Some(Verdict::Breach { why: why.clone() }), why),
        Served::Untold(why) => {
            let why = format!("who serves cannot be told, which weighs nothing: {why}");
            (Some(Verdict::Pass { warning: Some(why.clone()) }), why)
        }
    };
    evidence.in_vain += u32::from(last.is_some());
    if let Some(last) = last.filter(|_| evidence.in_vain >= IN_VAIN) {
        return (last, why);
    }
    match stand(switch, evidence, Weights::all(switch.spec.to)).await {
        Ok(_) => (Verdict::Wait, why),
        Err(breach) => (breach, why),
    }
}

/// What keeps a slot from being drained, for people.
fn left(slot: Slot, in_flight: &InFlight) -> String {
    let mut told = Vec::new();
    if in_flight.count > 0 {
        let (count, oldest, examples) =
            (in_flight.count, HumanDuration(whole(in_flight.oldest)), in_flight.examples.join("; "));
        told.push(format!("{count} requests still hang on {slot}, the oldest for {oldest}: {examples}"));
    }
    if in_flight.connections > 0 {
        let (count, clients) = (in_flight.connections, in_flight.clients.join(", "));
        told.push(format!("clients keep {count} connections to {slot} open, which no selector moves: {clients}"));
    }
    told.join("; ")
}

async fn drain(switch: &Switch, evidence: &mut Evidence, spent: Duration, within: Duration) -> (Verdict, String) {
    let old = switch.spec.from();
    let line = match switch.ports.traffic.in_flight(old, Duration::ZERO).await {
        Ok(in_flight) if in_flight.count == 0 && in_flight.connections == 0 => {
            return (pass(), format!("nothing is in flight on {old}"));
        }
        Ok(in_flight) => left(old, &in_flight),
        Err(e) => {
            let line = format!("what {old} has in flight cannot be seen: {e}");
            if matches!(e, PortError::NotFound { .. }) {
                // Nothing tells it, and waiting for it would not change that.
                return (Verdict::Pass { warning: Some(format!("{old} stays as it is: {line}")) }, line);
            }
            line
        }
    };
    if spent >= within {
        let warning = format!("{old} stays as it is: after {} {line}", HumanDuration(within));
        return (Verdict::Pass { warning: Some(warning) }, line);
    }
    match stand(switch, evidence, Weights::all(switch.spec.to)).await {
        Ok(_) => (Verdict::Wait, line),
        Err(breach) => (breach, line),
    }
}

async fn bake(
    switch: &Switch,
    evidence: &mut Evidence,
    spent: Duration,
    weights: Weights,
    length: Duration,
    max: Duration,
) -> (Verdict, String) {
    let ground = match stand(switch, evidence, weights).await {
        Ok(ground) => ground,
        Err(verdict) => return (verdict, figures(&switch.spec, evidence)),
    };
    let spent = spent + ground.elapsed;
    let left = HumanDuration(whole(max.saturating_sub(spent)));
    let figures = figures(&switch.spec, evidence);
    let Some(counted) = &evidence.counted else {
        // No objective decides: the fuses and the clock do, and the gate has said so.
        let verdict = if spent >= length { pass() } else { Verdict::Wait };
        return (verdict, format!("no SLO decides; {}", passed(spent, length)));
    };
    let before = evidence.served_before;
    let verdict = judge(&switch.spec.rules, &counted.slo, before + length).since(before);
    let awaited = match (&verdict, &ground.read) {
        (_, Read::Silent(why) | Read::Absent(why)) => why.clone(),
        _ if ground.doubt.is_some() => ground.doubt.clone().unwrap_or_default(),
        // Silent before, and nothing new since: what is missing is the source, not the time.
        (slo::Verdict::Gathering { .. }, Read::Pending) if !counted.slo.blind().is_zero() => {
            measure::silence(switch, counted)
        }
        (slo::Verdict::Gathering { why: slo::Wanting::Bake { .. } }, _) => {
            let is_unseen = counted.new.iter().all(|tally| tally.newest().is_none());
            let unseen = if is_unseen { format!(", no series of {} so far", switch.spec.to) } else { String::new() };
            format!("{} served{unseen}", passed(counted.slo.served().saturating_sub(before), length))
        }
        _ => verdict.to_string(),
    };
    if matches!(verdict, slo::Verdict::Healthy { .. }) && ground.doubt.is_none() {
        return (pass(), format!("{awaited}; {figures}"));
    }
    let line = format!("{awaited}; {figures}; at most {left} more");
    match verdict {
        slo::Verdict::Breach { why, .. } => (Verdict::Breach { why }, line),
        _ if spent >= max => {
            (Verdict::NoData { why: format!("{awaited}; {}", excluded(&switch.spec, &counted.slo)) }, line)
        }
        _ => (Verdict::Wait, line),
    }
}

async fn keep(switch: &Switch, evidence: &mut Evidence, spent: Duration, length: Duration) -> (Verdict, String) {
    let weights = Weights::all(switch.spec.to);
    match stand(switch, evidence, weights).await {
        Err(breach) => (breach, figures(&switch.spec, evidence)),
        Ok(ground) => {
            let spent = spent + ground.elapsed;
            let line = format!("{}; {}", passed(spent, length), figures(&switch.spec, evidence));
            (if spent >= length { pass() } else { Verdict::Wait }, line)
        }
    }
}

/// A held run: only what acts at once counts.
async fn held(switch: &Switch, evidence: &mut Evidence) -> (Verdict, String) {
    let (blown, control, new) =
        futures::join!(pace(switch, evidence), probes::control(switch), probes::probe(switch, switch.spec.to));
    let line = "held; the fuses and our own probes still act".to_owned();
    match blown.or_else(|| fuses::dead(switch, evidence, new, control)) {
        Some(why) => (Verdict::Breach { why }, line),
        None => (Verdict::Wait, line),
    }
}
