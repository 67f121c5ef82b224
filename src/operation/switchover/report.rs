//! What a switchover has counted, objective by objective.

use super::{Evidence, Spec};
use crate::{operation::Table, slo::progress};

/// The last evidence; `None` where nothing was counted.
pub(super) fn figures(spec: &Spec, evidence: &Evidence) -> Option<Table> {
    let counted = evidence.counted.as_ref()?;
    let share = |share: f64| format!("{:.3} %", share * 100.0);
    let rows = progress(&spec.rules, &counted.slo).into_iter().map(|p| {
        vec![
            p.name,
            p.total.to_string(),
            p.bad.to_string(),
            share(p.share),
            p.p0.map(share).unwrap_or_default(),
            share(p.upper),
            figure(p.e_value),
            figure(p.bound),
        ]
    });
    let head = ["objective", "requests", "bad", "share", "tolerated", "excluded above", "evidence", "bound"];
    Some(Table { head: head.map(str::to_owned).into(), rows: rows.collect(), figures_from: 1 })
}

/// A figure that may be very large or very small.
fn figure(value: f64) -> String {
    if value != 0.0 && !(0.001..1e6).contains(&value.abs()) { format!("{value:.1e}") } else { format!("{value:.2}") }
}
