//! A check for people: the diagram's steps with ticks and crosses, what differs and where, and how much was seen.

use std::fmt::Write as _;

use super::drawn::{Drawn, alike};
use crate::sequence::conform::{Coverage, Deviation, Instance, Report, SpanRef, StepState};

/// How many deviations of one instance are told in full.
const TOLD: usize = 20;
/// How many kinds of instances are told in full.
const KINDS: usize = 5;

/// The report for people; `plain` leaves out what is not ASCII.
#[must_use]
pub fn conformance(drawn: &Drawn<'_>, report: &Report, plain: bool) -> String {
    let mut text = String::new();
    let messages = drawn.diagram.messages().len();
    let (file, line) = (&drawn.file, drawn.place(crate::sequence::Span::default()).0);
    let played = counted(report.instances.len(), "time");
    let _ = writeln!(text, "{}: {} in {file}:{line}, played {played}", drawn.name, counted(messages, "message"));
    let mut groups = alike(&report.instances);
    // What needs attention comes last, where the eye is when the command ends.
    groups.sort_by_key(|(instance, _)| instance.verdict);
    let left_out = groups.len().saturating_sub(KINDS);
    for (instance, count) in groups.iter().skip(left_out) {
        played_so(&mut text, drawn, instance, *count, plain);
    }
    if left_out > 0 {
        let _ = writeln!(text, "\n{left_out} other ways in which it was played are left out");
    }
    seen(&mut text, &report.coverage);
    for doubt in &report.doubts {
        let _ = writeln!(text, "in doubt: {doubt}");
    }
    let _ = writeln!(text, "{}", report.verdict.word());
    text
}

fn played_so(text: &mut String, drawn: &Drawn<'_>, instance: &Instance, count: usize, plain: bool) {
    let traces: Vec<String> = instance.traces.iter().take(3).map(ToString::to_string).collect();
    let more = if instance.traces.len() > 3 { ", ..." } else { "" };
    let times = if count == 1 { String::new() } else { format!("{count} times like this, such as ") };
    let _ = writeln!(text, "\n{times}trace {}{more}: {}", traces.join(", "), instance.verdict.word());
    for (message, state) in drawn.diagram.messages().iter().zip(&instance.steps) {
        let (mark, remark) = standing(state, plain);
        let line = drawn.place(message.span).0;
        let _ = writeln!(text, "  {mark} {line:>4}  {}{remark}", drawn.say(message));
    }
    for deviation in instance.deviations.iter().take(TOLD) {
        differs(text, drawn, deviation);
    }
    if instance.deviations.len() > TOLD {
        let _ = writeln!(text, "\n  and {} more", instance.deviations.len() - TOLD);
    }
    for doubt in &instance.doubts {
        let _ = writeln!(text, "\n  in doubt: {doubt}");
    }
    let Instance { cost, observed, shortest, .. } = instance;
    let _ = writeln!(
        text,
        "\n  fitness {:.3}: {cost} of {} moves differ ({observed} observed, {shortest} on the shortest path)",
        instance.fitness(),
        observed + shortest
    );
}

/// How a step stands: its mark, and what is to be said of it.
fn standing(state: &StepState, plain: bool) -> (&'static str, String) {
    let [tick, cross, unknown] = if plain { ["ok ", "BAD", "?  "] } else { ["\u{2713}", "\u{2717}", "?"] };
    let blank = if plain { "-  " } else { "-" };
    match state {
        StepState::Seen(spans) if spans.len() > 1 => (tick, format!("   ({} times)", spans.len())),
        StepState::Seen(_) => (tick, String::new()),
        StepState::Missing => (cross, "   missing".to_owned()),
        StepState::Wrong(_) => (cross, "   not as drawn".to_owned()),
        StepState::Unobservable(why) => (unknown, format!("   {why}")),
        StepState::NotTaken => (blank, "   branch not taken".to_owned()),
        StepState::Advisory => (blank, "   not bound to a span".to_owned()),
    }
}

fn differs(text: &mut String, drawn: &Drawn<'_>, deviation: &Deviation) {
    let _ = writeln!(text, "\n  {}: {}", deviation.kind.word(), deviation.what);
    let _ = writeln!(text, "    at {}", drawn.cite(deviation.place));
    if !deviation.spans.is_empty() {
        let _ = writeln!(text, "    {}", spans(&deviation.spans));
    }
}

/// Spans by their ids, the trace of the first.
pub(super) fn spans(spans: &[SpanRef]) -> String {
    let ids: Vec<String> = spans.iter().take(4).map(|one| one.span.to_string()).collect();
    let more = if spans.len() > 4 { format!(" and {} more", spans.len() - 4) } else { String::new() };
    let trace = spans.first().map(|one| format!(" of trace {}", one.trace)).unwrap_or_default();
    format!("span {}{more}{trace}", ids.join(", "))
}

fn seen(text: &mut String, coverage: &Coverage) {
    let Coverage { messages, bound, observed, branches, branches_taken, orphans, broken, .. } = coverage;
    let taken = if *branches == 0 { String::new() } else { format!("; branches taken {branches_taken} of {branches}") };
    let _ = writeln!(text, "\nbound {bound} of {messages} messages, seen {observed}{taken}");
    if *orphans > 0 || *broken > 0 {
        let _ = writeln!(text, "spans without their parent: {orphans}; spans that break the rules of traces: {broken}");
    }
    let listed = |what: &str, names: &[String]| match names {
        [] => String::new(),
        names => format!("{what}: {}\n", names.join("; ")),
    };
    text.push_str(&listed("told apart by order alone", &coverage.ambiguous));
    text.push_str(&listed("without any spans", &coverage.uninstrumented));
    let unbound: Vec<String> =
        coverage.unbound_spans.iter().map(|(name, count)| format!("{count} of {name}")).collect();
    text.push_str(&listed("spans that the diagram does not speak of", &unbound));
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
