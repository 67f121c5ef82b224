//! A check as programs read it.

use serde_json::{Value, json};

use super::drawn::Drawn;
use crate::sequence::conform::{Deviation, Instance, Report, SpanRef, StepState};

#[must_use]
pub fn conformance_json(drawn: &Drawn<'_>, report: &Report) -> Value {
    let (line, _) = drawn.place(crate::sequence::Span::default());
    let coverage = &report.coverage;
    json!({
        "scenario": drawn.name,
        "file": drawn.file,
        "line": line,
        "verdict": report.verdict,
        "doubts": report.doubts,
        "instances": report.instances.iter().map(|one| instance(drawn, one)).collect::<Vec<_>>(),
        "coverage": {
            "messages": coverage.messages,
            "bound": coverage.bound,
            "observed": coverage.observed,
            "branches": coverage.branches,
            "branchesTaken": coverage.branches_taken,
            "ambiguous": coverage.ambiguous,
            "uninstrumented": coverage.uninstrumented,
            "unboundSpans": coverage.unbound_spans.iter().map(|(name, count)| json!({ "name": name, "count": count }))
                .collect::<Vec<_>>(),
            "orphans": coverage.orphans,
            "broken": coverage.broken,
        },
    })
}

fn instance(drawn: &Drawn<'_>, instance: &Instance) -> Value {
    let steps = drawn.diagram.messages().into_iter().zip(&instance.steps).map(|(message, state)| {
        let (name, spans, why) = match state {
            StepState::Seen(spans) => ("seen", spans.as_slice(), None),
            StepState::Missing => ("missing", &[][..], None),
            StepState::Wrong(spans) => ("wrong", spans.as_slice(), None),
            StepState::Unobservable(why) => ("unobservable", &[][..], Some(why)),
            StepState::NotTaken => ("notTaken", &[][..], None),
            StepState::Advisory => ("advisory", &[][..], None),
        };
        let line = drawn.place(message.span).0;
        json!({ "line": line, "message": drawn.say(message), "state": name, "spans": named(spans), "why": why })
    });
    json!({
        "traces": instance.traces.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "verdict": instance.verdict,
        "doubts": instance.doubts,
        "fitness": instance.fitness(),
        "cost": instance.cost,
        "observed": instance.observed,
        "shortest": instance.shortest,
        "steps": steps.collect::<Vec<_>>(),
        "deviations": instance.deviations.iter().map(|one| deviation(drawn, one)).collect::<Vec<_>>(),
        "branches": instance.branches.iter()
            .map(|(place, taken)| json!({ "line": drawn.place(*place).0, "taken": taken })).collect::<Vec<_>>(),
    })
}

fn deviation(drawn: &Drawn<'_>, deviation: &Deviation) -> Value {
    let (line, column) = drawn.place(deviation.place);
    json!({
        "kind": deviation.kind,
        "what": deviation.what,
        "file": drawn.file,
        "line": line,
        "column": column,
        "spans": named(&deviation.spans),
    })
}

fn named(spans: &[SpanRef]) -> Vec<Value> {
    spans.iter().map(|one| json!({ "trace": one.trace.to_string(), "span": one.span.to_string() })).collect()
}
