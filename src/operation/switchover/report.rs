//! What a switchover has counted, objective by objective.

use serde::Deserialize as _;

use super::{Evidence, Spec};
use crate::{model::Weights, operation::Table, slo::progress};

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

/// Who serves, from the weights in which a run has left them; `None` where it has not touched them.
pub(super) fn serves(weights: Option<&serde_json::Value>) -> String {
    let Some(stored) = weights else { return "traffic was not touched".to_owned() };
    match Weights::deserialize(stored).map(|weights| (weights.sole(), weights)) {
        Ok((Some(slot), _)) => format!("{slot} serves all traffic"),
        Ok((None, weights)) => format!("both slots serve: {weights}"),
        Err(_) => "who serves is not known".to_owned(),
    }
}

/// A figure that may be very large or very small.
fn figure(value: f64) -> String {
    if value != 0.0 && !(0.001..1e6).contains(&value.abs()) { format!("{value:.1e}") } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_serves_is_told_of_all_that_a_run_may_leave() {
        let told =
            [None, Some(json!({"blue": 0, "green": 100})), Some(json!({"blue": 90, "green": 10})), Some(json!(null))];
        let told = told.map(|weights| serves(weights.as_ref()));
        let wanted = [
            "traffic was not touched",
            "green serves all traffic",
            "both slots serve: blue 90 %, green 10 %",
            "who serves is not known",
        ];
        assert_eq!(told, wanted);
    }
}
