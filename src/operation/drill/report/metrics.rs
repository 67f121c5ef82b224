//! What a drill has measured, in the text format of Prometheus.

use std::fmt::Write as _;

use super::distribution::upper;
use crate::{
    guard::{Mode, Outcome, Stored},
    operation::{
        drill::{Cycle, Drill, ledger::Micros},
        found, spec,
    },
};

/// The metrics of a drill: of several repetitions the worst; `None` where nothing was measured.
#[must_use]
pub fn metrics(stored: &Stored) -> Option<String> {
    let (spec, evidence) = (spec::<Drill>(&stored.plan).ok()?, found::<Drill>(&stored.entries));
    let labels = format!("drill=\"{}\",database=\"{}\",method=\"{}\"", spec.name, spec.database, spec.method);
    let worst = |pick: fn(&Cycle) -> Micros| evidence.cycles.iter().map(pick).max();
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, values: &[(&str, f64)]| {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (more, value) in values {
            let _ = writeln!(text, "{name}{{{labels}{more}}} {value}");
        }
    };
    gauge(
        "sql_failover_duration_seconds",
        "Bounds of the time in which nobody could write.",
        &[
            (",bound=\"lower\"", worst(|cycle| cycle.measurement.outage.lower())?.secs()),
            (",bound=\"upper\"", worst(|cycle| upper(&cycle.measurement))?.secs()),
        ],
    );
    let lost: Option<u64> = evidence.cycles.iter().map(|cycle| Some(cycle.measurement.fate.as_ref()?.lost.count)).sum();
    if let Some(lost) = lost {
        #[expect(clippy::cast_precision_loss, reason = "2^53 rows are out of reach")]
        gauge("sql_failover_lost_rows", "Acknowledged rows that are gone.", &[("", lost as f64)]);
    }
    let passed = matches!(stored.mode(), Mode::Finished(Outcome::Kept { .. }));
    gauge("sql_failover_passed", "Whether the drill's promises were kept.", &[("", f64::from(u8::from(passed)))]);
    Some(text)
}
