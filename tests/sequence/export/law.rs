//! The law of export: the drawing of a trace holds for that trace, and a self-test of it finds the check strong.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::{
    grower::random,
    spans::{Trace, lint_clean},
};
use interlock::{
    model::trace::{Kind, Span, TraceId},
    sequence::{
        conform::{Binding, Observed, Report, Verdict, align::Budget, check},
        export::export,
        mermaid::sequence::Sequence,
        selftest::{mutants, score},
    },
};

pub fn verified(diagram: &Sequence, spans: Vec<Span>) -> Report {
    let observed = Observed { spans, ..Observed::default() };
    check(diagram, &Binding::default(), &observed, Budget::default()).unwrap()
}

/// What may be in doubt although all that was drawn happened: a span that should be there is not.
const NOT_TOLD: &[&str] = &["told nothing of a call to it", "nothing says whom it went to"];

/// Draws a trace and holds it against the drawing.
pub fn law(trace: &Trace, what: &str) -> (String, Sequence, Report) {
    let text = export(&trace.spans).unwrap();
    let diagram = lint_clean(&text);
    let report = verified(&diagram, trace.spans.clone());
    let doubts = report.instances.iter().flat_map(|one| &one.doubts).chain(&report.doubts);
    let told = doubts.clone().all(|doubt| NOT_TOLD.iter().any(|known| doubt.contains(known)));
    let holds = report.verdict == Verdict::Pass || (report.verdict == Verdict::Inconclusive && told);
    if !holds {
        let spans: Vec<String> = trace
            .spans
            .iter()
            .map(|s| {
                let parent = s.parent.map_or("-".to_owned(), |parent| parent.to_string());
                let (start, end) = (s.start / 1_000_000, s.end / 1_000_000);
                let service = &s.resource.service;
                format!(
                    "{} < {parent} {:?} {service}: {} {start}-{end} {:?} {:?}",
                    s.id, s.kind, s.name, s.status, s.attributes.0
                )
            })
            .collect();
        let deviations: Vec<&String> =
            report.instances.iter().flat_map(|one| &one.deviations).map(|d| &d.what).collect();
        panic!(
            "{what}: {:?}\n{deviations:#?}\n{:#?}\n{text}\n{}",
            report.verdict,
            doubts.collect::<Vec<_>>(),
            spans.join("\n")
        );
    }
    (text, diagram, report)
}

/// Whether a service works on behind one of its replies while it is at work elsewhere, too: no picture tells which of both
/// does what follows.
fn is_ambiguous(trace: &Trace) -> bool {
    let serves = |span: &Span| span.parent.is_none() || matches!(span.kind, Kind::Server | Kind::Consumer);
    trace.spans.iter().filter(|span| span.kind == Kind::Server && span.parent.is_some()).any(|served| {
        let alike = |other: &&Span| serves(other) && other.resource.service == served.resource.service;
        let late =
            |other: &Span| other.resource.service == served.resource.service && other.start.max(other.end) > served.end;
        let mut beneath = vec![served.id];
        let mut works_on = false;
        while let Some(id) = beneath.pop() {
            for child in trace.spans.iter().filter(|child| child.parent == Some(id)) {
                works_on |= late(child);
                beneath.push(child.id);
            }
        }
        works_on && trace.spans.iter().filter(alike).count() > 1
    })
}

#[test]
fn the_drawing_of_any_trace_holds_for_it() {
    let mut ambiguous = 0;
    let (mut verdicts, mut kinds) = (BTreeMap::new(), BTreeMap::new());
    let (mut made, mut killed) = (0, 0);
    for seed in 0..1_500 {
        let trace = random(seed);
        // A call of which nothing says whom it went to, and nothing else, is nothing that a sequence could be of.
        let names_nobody = |span: &Span| span.kind == Kind::Internal || span.attributes.get("db.system.name").is_none();
        let one = trace.spans.iter().all(|span| span.resource == trace.spans[0].resource && names_nobody(span));
        if one && trace.spans[0].kind == Kind::Client {
            continue;
        }
        if is_ambiguous(&trace) {
            ambiguous += 1;
            continue;
        }
        let (_, diagram, report) = law(&trace, &format!("seed {seed}"));
        *verdicts.entry(report.verdict).or_insert(0) += 1;
        for span in &trace.spans {
            *kinds.entry(span.kind).or_insert(0) += 1;
        }
        if seed % 25 == 0 && report.verdict == Verdict::Pass && trace.spans.len() < 40 {
            let traces: Vec<TraceId> = report.instances.iter().flat_map(|one| one.traces.clone()).collect();
            for instance in &report.instances {
                let own: Vec<Span> = trace.spans.iter().filter(|span| traces.contains(&span.trace)).cloned().collect();
                let all = mutants(&diagram, &Binding::default(), instance, &own);
                let found = score(&all, |mutant| verified(&diagram, mutant.spans.clone()).verdict);
                assert_eq!(found.made(), found.killed() + found.survivors.len(), "each change is noticed, or named");
                made += found.made();
                killed += found.killed();
            }
        }
    }
    assert!(kinds.values().all(|count| *count > 100) && kinds.len() == 6, "{kinds:?}");
    assert!(ambiguous < 300, "{ambiguous}");
    assert!(verdicts[&Verdict::Pass] > 1_000, "{verdicts:?}");
    assert!(made > 200 && killed * 100 >= made * 60, "{killed} of {made} changes are noticed");
}

/// Many that are called at once, as a page asks for its products: so much is held that a small budget suffices.
#[test]
fn many_operands_that_are_alike_are_verified_with_a_small_budget() {
    let mut trace = Trace::default();
    let root = trace.add("front", Kind::Server, "GET /", None, (0, 10_000));
    for group in 0..3 {
        for product in 0..14 {
            let at = 1_000 * group + 10 * product;
            let asked = trace.call(("front", root), "catalog", "GET /product", (at, at + 500));
            for step in 0..2 {
                let call = trace.add(
                    "catalog",
                    Kind::Client,
                    "SELECT",
                    Some(asked),
                    (at + 1 + 20 * step, at + 10 + 20 * step),
                );
                trace.peer(call, "db.system.name", "postgresql");
            }
            trace.call(("catalog", asked), "flags", "Flags/Get", (at + 100, at + 200));
        }
    }
    let text = export(&trace.spans).unwrap();
    let diagram = lint_clean(&text);
    let observed = Observed { spans: trace.spans.clone(), ..Observed::default() };
    let report = check(&diagram, &Binding::default(), &observed, Budget { states: 20_000 }).unwrap();
    assert_eq!(
        report.verdict,
        Verdict::Pass,
        "{:?}",
        report.instances.iter().map(|one| &one.doubts).collect::<Vec<_>>()
    );
}

/// A page of many parts that are asked for at once: each does some of the same things, in an order of its own.
fn page(seed: u64, parts: u64) -> Trace {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut trace = Trace::default();
    let root = trace.add("front", Kind::Server, "GET /", None, (0, 100_000));
    for part in 0..parts {
        let at = 10 * part + rng.random_range(0..10);
        let asked = trace.call(("front", root), "page", "GET /part", (at, at + 50_000));
        let mut now = at + 1;
        for _ in 0..rng.random_range(2..6) {
            let (to, name) =
                [("stock", "GET /stock"), ("price", "GET /price"), ("flags", "Flags/Get"), ("text", "GET /text")]
                    [rng.random_range(0..4)];
            let length = rng.random_range(20..200);
            let called = trace.call(("page", asked), to, name, (now, now + length));
            if rng.random_bool(0.4) {
                let row = trace.add(to, Kind::Client, "SELECT", Some(called), (now + 1, now + length - 1));
                trace.peer(row, "db.system.name", "postgresql");
            }
            now += length + rng.random_range(1..100);
        }
    }
    trace
}

#[test]
fn the_drawing_of_many_things_at_once_holds_for_them() {
    for seed in 0..12 {
        let (_, _, report) = law(&page(seed, 14), &format!("page {seed}"));
        assert_eq!(report.verdict, Verdict::Pass);
    }
}
