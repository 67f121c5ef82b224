//! The report of one drill for people: the promise, the verdict, the figures, and what happened when.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    figures::{figures, outage},
    json::json,
    timeline::timeline,
};
use crate::{
    guard::Stored,
    journal::Record,
    model::HumanDuration,
    operation::{
        Part, Report,
        drill::{
            Cycle, Evidence, Spec,
            keys::Key,
            ledger::{Basis, Measurement, Objectives},
        },
    },
    ports::Unit,
};

/// The whole report.
pub fn report(spec: &Spec, evidence: &Evidence, stored: &Stored, records: &[Record]) -> Report {
    Report { parts: parts(spec, evidence, stored, records), json: json(spec, evidence, stored, records) }
}

fn parts(spec: &Spec, evidence: &Evidence, stored: &Stored, records: &[Record]) -> Vec<Part> {
    let mut text = format!("{}\n{}\n", stored.plan.title, promise(&spec.objectives));
    if let Some(adr) = &spec.adr {
        let _ = writeln!(text, "decided in {adr}");
    }
    text.push_str(&verdict(stored, evidence));
    let Some(last) = evidence.cycles.last() else {
        text.push_str("nothing was measured");
        return vec![Part::Text(text)];
    };
    let mut below = worth(last);
    let _ = writeln!(below, "\nfrom the fault on{}:", if evidence.cycles.len() > 1 { ", last repetition" } else { "" });
    for happened in timeline(stored, records, last) {
        let _ = writeln!(below, "{:>+10.3} s  {}", happened.at, happened.what);
    }
    let _ = writeln!(below, "\nledger: {}", spec.ledger.display());
    if let Some(runbook) = &spec.runbook {
        let _ = writeln!(below, "runbook: {runbook}");
    }
    vec![Part::Text(text), Part::Table(figures(&evidence.cycles)), Part::Text(below.trim_end().to_owned())]
}

fn promise(asked: &Objectives) -> String {
    let rto = asked.rto.map(|rto| format!("nobody is unable to write for longer than {rto}"));
    let rows = asked.rpo_rows.map(|rows| format!("at most {rows} acknowledged rows are lost"));
    let time = asked.rpo_time.map(|time| format!("at most what was acknowledged within {time} is lost"));
    format!("promised: {}", [rto, rows, time].into_iter().flatten().collect::<Vec<_>>().join("; "))
}

fn verdict(stored: &Stored, evidence: &Evidence) -> String {
    let mut text = match stored.mode() {
        crate::guard::Mode::Finished(outcome) => format!("ended: {outcome}\n"),
        _ => "not over yet\n".to_owned(),
    };
    for reason in evidence.judgement.iter().flat_map(|judgement| &judgement.reasons) {
        let _ = writeln!(text, "  {:<10}  {}", reason.verdict.word(), reason.why);
    }
    text
}

/// What the figures of the last repetition are worth.
fn worth(cycle: &Cycle) -> String {
    let Measurement { resolution, risk, slots, unit, counts, .. } = &cycle.measurement;
    let mut text = format!(
        "outage {}; nothing finer than {} is claimed (two periods are {}, the worst gap without a fault was {})\n",
        outage(&cycle.measurement),
        resolution.limit(),
        resolution.periods,
        resolution.baseline
    );
    let basis = match risk.basis {
        Basis::Positions => "by the positions of the nodes",
        Basis::Time => "acknowledged within a second before the fault, or after it",
    };
    let bound = risk.bound() * 100.0;
    let _ =
        writeln!(text, "rows at risk: {} ({basis}); if none is lost, at most {bound:.2} % of such rows are", risk.rows);
    if let Some(fate) = cycle.measurement.fate.as_ref().filter(|fate| fate.lost.count > 0) {
        let _ = writeln!(text, "lost: {} rows, within {}", fate.lost.count, fate.lost_within);
    }
    if let Some(overhang) = cycle.measurement.overhang {
        let unit = match unit {
            Unit::Bytes => "bytes of log",
            Unit::Transactions => "transactions",
        };
        let _ = writeln!(text, "the old primary was polled {overhang} {unit} beyond where the new history begins");
    }
    if counts.warned > 0 {
        let notices: Vec<_> = counts.notices.iter().map(|(notice, count)| format!("{count} times: {notice}")).collect();
        let _ = writeln!(text, "acknowledged with a remark: {}", notices.join("; "));
    }
    let missed: Vec<_> = slots
        .iter()
        .map(|slot| {
            let whose = slot.node.as_deref().unwrap_or("routed");
            format!("{whose} {:.2} % ({:.2} %) of {}", slot.missed() * 100.0, slot.share() * 100.0, slot.due)
        })
        .collect();
    let _ = writeln!(text, "slots missed (without the drill to explain it): {}", missed.join(", "));
    for trouble in &cycle.measurement.troubles {
        let _ = writeln!(text, "! {trouble}");
    }
    if let Some(rejoin) = cycle.rejoin_ms {
        let span = HumanDuration(std::time::Duration::from_millis(rejoin));
        let _ = writeln!(text, "the old primary followed again after {span}");
    }
    text
}

/// Which node takes writes, from the values in which a run has left the keys that it has touched.
pub fn serves(spec: &Spec, left: &BTreeMap<String, serde_json::Value>) -> String {
    let primary = &spec.primary;
    match left.get(&Key::Primary.to_string()).map(|stored| stored.as_str()) {
        _ if left.values().any(serde_json::Value::is_null) => "which node takes writes is not known".to_owned(),
        None => format!("{primary} takes writes, as before"),
        Some(Some(node)) if node == primary => format!("{primary} takes writes, as before"),
        Some(_) => format!("another node than {primary} takes writes"),
    }
}
