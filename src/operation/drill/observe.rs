//! One look of a drill: what is awaited of the writers and of the cluster, and in the end the verdict.

use std::time::Duration;

use super::{
    Cycle, Drill, Evidence, Watch,
    ledger::{self, Mark},
    operation::Present,
    record::WriterSpec,
    users,
    verdict::{summary, together, told},
};
use crate::{
    guard::{ObserveContext, Verdict},
    model::HumanDuration,
};

/// How long one look takes where there is nothing to see sooner.
const LOOK: Duration = Duration::from_millis(500);
/// How often writers and cluster are looked at within it.
const POLL: Duration = Duration::from_millis(50);

/// Takes one look.
pub(super) async fn observe(
    drill: &Drill,
    watch: &Watch,
    look: &ObserveContext<'_>,
    evidence: &mut Evidence,
) -> (Verdict, String) {
    let begun = drill.ports.clock.now();
    let (verdict, line) = match watch {
        Watch::Baseline { length } => baseline(drill, look, length.0, evidence.cycles.len() + 1).await,
        Watch::Hold { length } => hold(drill, look.spent, length.0).await,
        Watch::Outage { settle, within } => outage(drill, look.spent, settle.0, within.0).await,
        Watch::Whole { within } => whole(drill, look.spent, within.0).await,
        Watch::Quiet => quiet(drill).await,
        Watch::Measure => measure(drill, evidence).await,
        Watch::Judge => judge(drill, evidence),
    };
    let elapsed = drill.ports.clock.now().since(&begun);
    match (users::suffer(drill, evidence, elapsed).await, watch) {
        // What was measured stands; the users' suffering is over.
        (_, Watch::Judge) | (Ok(()), _) => (verdict, line),
        (Err(worse), _) => (worse, line),
    }
}

fn pass(line: String) -> (Verdict, String) {
    (Verdict::Pass { warning: None }, line)
}

/// Another process has begun the writing, and what it knew is gone with it.
fn orphaned() -> (Verdict, String) {
    let why = "the writers ended with the process that began them, so nothing can be measured".to_owned();
    (Verdict::NoData { why: why.clone() }, why)
}

async fn baseline(drill: &Drill, look: &ObserveContext<'_>, length: Duration, nth: usize) -> (Verdict, String) {
    if look.first
        && let Err(why) = begin(drill, nth).await
    {
        return (Verdict::Breach { why: why.clone() }, why);
    }
    let left = length.saturating_sub(look.spent);
    drill.ports.clock.sleep(left.min(LOOK)).await;
    let present = drill.present.lock().await;
    let Some(recorder) = &present.recorder else { return orphaned() };
    let progress = recorder.progress();
    let line = format!("{} writes acknowledged", progress.acknowledged);
    if left > LOOK {
        return (Verdict::Wait, line);
    }
    if progress.acknowledged == 0 {
        let why = format!("no write was acknowledged within {}, without any fault", HumanDuration(length));
        return (Verdict::Breach { why }, line);
    }
    recorder.mark(Mark::BaselineEnded);
    pass(line)
}

/// Notes how the cluster stands, and begins to write.
async fn begin(drill: &Drill, nth: usize) -> Result<(), String> {
    let spec = &drill.spec;
    let before = drill.ports.database.topology().await;
    before.is_whole(spec.require.lag)?;
    let writer = WriterSpec {
        per_node: (spec.writer.per_node > 0).then(|| f64::from(spec.writer.per_node)),
        workers: usize::try_from(spec.writer.workers).unwrap_or(usize::MAX),
        ..WriterSpec::new(f64::from(spec.writer.rate))
    };
    let ledger = spec.ledger_of(nth);
    let begun = drill.ports.writers.begin(drill.ports.database.clone(), writer, &ledger).await;
    let recorder = begun.map_err(|e| e.to_string())?;
    *drill.present.lock().await =
        Present { recorder: Some(recorder), before: Some(before), unharmed: true, ..Present::default() };
    Ok(())
}

async fn hold(drill: &Drill, spent: Duration, length: Duration) -> (Verdict, String) {
    let left = length.saturating_sub(spent);
    drill.ports.clock.sleep(left.min(LOOK)).await;
    let Some(line) = progress(drill).await else { return orphaned() };
    if left > LOOK { (Verdict::Wait, line) } else { pass(line) }
}

/// How the writers stand, for people.
async fn progress(drill: &Drill) -> Option<String> {
    let present = drill.present.lock().await;
    let progress = present.recorder.as_ref()?.progress();
    Some(match progress.since_last {
        Some(since) if Duration::from(since) > LOOK => {
            format!("{} writes acknowledged, none for {since}", progress.acknowledged)
        }
        _ => format!("{} writes acknowledged", progress.acknowledged),
    })
}

async fn outage(drill: &Drill, spent: Duration, settle: Duration, within: Duration) -> (Verdict, String) {
    let begun = drill.ports.clock.now();
    loop {
        let steady = match &drill.present.lock().await.recorder {
            Some(recorder) => Duration::from(recorder.progress().steady),
            None => return orphaned(),
        };
        let elapsed = drill.ports.clock.now().since(&begun);
        // Acknowledgements from before the fault do not count.
        if steady.min(spent + elapsed) >= settle {
            return pass(format!("writes are acknowledged again, for {} without a gap", HumanDuration(settle)));
        }
        if elapsed >= LOOK {
            break;
        }
        drill.ports.clock.sleep(POLL).await;
    }
    let Some(line) = progress(drill).await else { return orphaned() };
    if spent >= within {
        let topology = drill.ports.database.topology().await;
        let roles = topology.primary().map_or_else(|why| why, |node| format!("{} takes writes", node.name));
        let why = format!("the failover has not completed within {}: {roles}; {line}", HumanDuration(within));
        return (Verdict::Breach { why }, line);
    }
    (Verdict::Wait, line)
}

async fn whole(drill: &Drill, spent: Duration, within: Duration) -> (Verdict, String) {
    let begun = drill.ports.clock.now();
    loop {
        let topology = drill.ports.database.topology().await;
        let missing = match topology.is_whole(drill.spec.require.lag) {
            Ok(()) => {
                let primary = topology.primary().map(|node| node.name.clone()).unwrap_or_default();
                return pass(format!("{primary} takes writes, all others follow it"));
            }
            Err(missing) => missing,
        };
        if spent >= within {
            let why = format!("the cluster is not whole after {}: {missing}", HumanDuration(within));
            return (Verdict::Breach { why }, missing);
        }
        if drill.ports.clock.now().since(&begun) >= LOOK {
            return (Verdict::Wait, missing);
        }
        drill.ports.clock.sleep(POLL).await;
    }
}

async fn quiet(drill: &Drill) -> (Verdict, String) {
    let Some(recorder) = drill.present.lock().await.recorder.take() else { return orphaned() };
    let records = recorder.stop().await;
    let line = format!("{} writes in all", records.attempts.len());
    drill.present.lock().await.records = Some(records);
    pass(line)
}

async fn measure(drill: &Drill, evidence: &mut Evidence) -> (Verdict, String) {
    let mut present = drill.present.lock().await;
    let Some(mut records) = present.records.take() else { return orphaned() };
    drill.ports.writers.read_back(&*drill.ports.database, &mut records, drill.spec.limit.0).await;
    let measurement = match ledger::measure(&records) {
        Ok(measurement) => measurement,
        Err(flaw) => return (Verdict::NoData { why: flaw.to_string() }, flaw.to_string()),
    };
    let after = drill.ports.database.topology().await;
    let line = summary(&measurement);
    evidence.cycles.push(Cycle {
        measurement,
        rejoin_ms: present.rejoin.map(|rejoin| u64::try_from(rejoin.as_millis()).unwrap_or(u64::MAX)),
        before: present.before.take().unwrap_or_else(|| after.clone()),
        after,
    });
    pass(line)
}

fn judge(drill: &Drill, evidence: &mut Evidence) -> (Verdict, String) {
    let judgement = together(&evidence.cycles, &drill.spec.objectives);
    let why = told(&judgement);
    let verdict = match judgement.verdict {
        ledger::Verdict::Pass => Verdict::Pass { warning: None },
        ledger::Verdict::Fail => Verdict::Breach { why: why.clone() },
        ledger::Verdict::NotProven => Verdict::NoData { why: why.clone() },
    };
    evidence.judgement = Some(judgement);
    (verdict, why)
}
