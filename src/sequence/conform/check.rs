//! The check: a diagram, what is bound, what was observed; a verdict on each time that it was played.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{
    align::Budget,
    binding::Binding,
    compile::{self, Part, Plan, Taken},
    coverage::{Sum, coverage},
    fit::{Engine, is_otherwise},
    instances::{Candidate, Company, Played, astray, candidates, companies, never, reference, rounds, traces},
    judge::{Certainty, Tally, Walker, settle},
    observe::{Observations, Told},
    parties,
    report::{Difference, Instance, Observed, Problem, Report, Verdict},
};
use crate::sequence::{
    mermaid::sequence::{Message, Sequence, Who},
    trace::Forest,
};

/// Says whether what was observed is what a diagram says.
///
/// The order of the spans means nothing, nor do the clocks of two processes against each other. What cannot be told is
/// said to be inconclusive.
///
/// # Errors
/// Where participants or messages cannot be bound; then nothing is checked.
pub fn check(
    diagram: &Sequence,
    binding: &Binding,
    observed: &Observed,
    budget: Budget,
) -> Result<Report, Vec<Problem>> {
    let services: BTreeSet<&str> =
        observed.spans.iter().map(|span| span.resource.service.as_str()).filter(|name| !name.is_empty()).collect();
    let parties = parties::bind(diagram, binding, &services)?;
    let plan = compile::compile(diagram, binding, &parties)?;
    let forest = Forest::new(&observed.spans);
    let mut seen = Observations::new(&forest, &parties, &plan.conditions);
    let companies: Vec<(Company, Vec<Candidate>)> = companies(&seen)
        .into_iter()
        .map(|company| {
            let candidates = candidates(&company, &plan, &parties, &mut seen);
            (company, candidates)
        })
        .collect();
    let nothing = [Told::Full, Told::Delivered, Told::Nothing].map(|told| seen.nothing(told));
    let engine = Engine::new(&plan, &parties, &seen, nothing, budget);
    let messages = diagram.messages();
    let mut all = All::new(&messages, diagram, &engine, observed);
    for (company, candidates) in &companies {
        all.company(company, candidates);
    }
    Ok(all.report(&plan))
}

struct All<'a> {
    diagram: &'a Sequence,
    messages: &'a [&'a Message],
    engine: &'a Engine<'a>,
    observed: &'a Observed,
    instances: Vec<Instance>,
    used: HashSet<usize>,
    accepted: BTreeSet<usize>,
    taken: BTreeSet<(usize, usize)>,
    played: BTreeSet<usize>,
    forbidden: BTreeSet<Who>,
}

impl<'a> All<'a> {
    fn new(messages: &'a [&'a Message], diagram: &'a Sequence, engine: &'a Engine<'a>, observed: &'a Observed) -> Self {
        let called = |who: Who| messages.iter().any(|m| m.from == who || m.to == who);
        let forbidden = (0..diagram.participants.len()).filter(|who| !called(*who)).collect();
        Self {
            diagram,
            messages,
            engine,
            observed,
            instances: Vec::new(),
            used: HashSet::new(),
            accepted: BTreeSet::new(),
            taken: BTreeSet::new(),
            played: BTreeSet::new(),
            forbidden,
        }
    }

    fn company(&mut self, company: &Company, candidates: &[Candidate]) {
        let rounds = rounds(company, candidates, self.engine);
        let accepted: BTreeSet<usize> =
            rounds.iter().flatten().flat_map(|played| played.roots.iter().copied()).collect();
        let never = never(self.observed, &company.traces);
        let certainty = Certainty { never, astray: astray(company, &accepted, self.engine.seen) };
        for round in rounds.iter().filter(|round| !round.is_empty()) {
            self.instance(round, &certainty);
        }
        self.accepted.extend(accepted);
    }

    fn instance(&mut self, round: &[Played], certainty: &Certainty) {
        let mut walker = Walker {
            engine: self.engine,
            diagram: self.diagram,
            messages: self.messages,
            certainty,
            tally: Tally::new(self.messages.len()),
        };
        let mut open = Vec::new();
        for played in round {
            self.played.insert(played.part);
            open.extend(play(&mut walker, played));
        }
        settle(&mut walker);
        for (replies, played) in open {
            answer(&mut walker, replies, played);
        }
        let forest = self.engine.seen.forest;
        let traces = traces(round, walker.tally.used.iter().copied(), forest);
        for trace in &traces {
            self.touched(&mut walker.tally, forest.of_trace(*trace));
        }
        let mut tally = walker.tally;
        doubts(&mut tally, certainty, &traces, self.engine, self.diagram);
        let mut branches = BTreeSet::new();
        for made in tally.made.iter().filter(|made| made.shown) {
            match made.taken {
                Taken::Operand(at) => {
                    self.taken.insert((made.fragment, at));
                    branches.insert((made.fragment, Some(at)));
                }
                Taken::None => drop(branches.insert((made.fragment, None))),
                Taken::Within => {}
            }
        }
        let place = |fragment: usize| self.engine.plan.fragments.get(fragment).map(|p| p.span).unwrap_or_default();
        tally.deviations.sort_by(|a, b| {
            (a.place.start, a.message, a.kind, &a.spans).cmp(&(b.place.start, b.message, b.kind, &b.spans))
        });
        let verdict = match (tally.deviations.is_empty(), tally.doubts.is_empty()) {
            (false, _) => Verdict::Fail,
            (true, false) => Verdict::Inconclusive,
            (true, true) => Verdict::Pass,
        };
        self.used.extend(tally.used.iter().copied());
        self.instances.push(Instance {
            traces,
            verdict,
            steps: tally.steps(self.engine.plan),
            doubts: tally.doubts.into_iter().collect(),
            deviations: tally.deviations,
            cost: tally.cost,
            observed: tally.observed,
            shortest: tally.shortest,
            branches: branches.into_iter().map(|(fragment, at)| (place(fragment), at)).collect(),
        });
    }

    /// Participants that are declared and called by nobody.
    fn touched(&self, tally: &mut Tally, nodes: std::ops::Range<usize>) {
        let mut touched: BTreeMap<Who, Vec<usize>> = BTreeMap::new();
        for at in nodes {
            let whom = self.engine.seen.touches(at);
            for who in whom.into_iter().flatten().filter(|who| self.forbidden.contains(who)) {
                touched.entry(who).or_default().push(at);
            }
        }
        for (who, nodes) in touched {
            let Some(participant) = self.diagram.participants.get(who) else { continue };
            let place = participant.declared.unwrap_or(participant.first);
            let spans = nodes.iter().map(|at| reference(self.engine.seen.forest, *at)).collect();
            let what = format!("`{}` was called; the diagram declares it and draws no call to it", participant.id);
            tally.deviates(Difference::Forbidden, None, place, spans, what);
        }
    }

    fn report(self, plan: &Plan) -> Report {
        let mut doubts = Vec::new();
        if self.instances.is_empty() {
            doubts.push("no trace begins as the diagram does".to_owned());
        }
        let mut verdict = self.instances.iter().map(|i| i.verdict).max().unwrap_or(Verdict::Vacuous);
        for (at, part) in plan.parts.iter().enumerate() {
            let (Part::Sent { message, required, .. } | Part::Own { message, required, .. }) = part;
            if *required && !self.played.contains(&at) && !self.instances.is_empty() {
                let drawn = self.messages.get(*message);
                let (from, to) = drawn.map_or(("", ""), |m| (self.diagram.id(m.from), self.diagram.id(m.to)));
                let text = drawn.map_or("", |m| m.text.text.as_str());
                doubts.push(format!("no trace begins with `{from}` calling `{to}`: {text}"));
                verdict = verdict.max(Verdict::Inconclusive);
            }
        }
        let sum = Sum {
            diagram: self.diagram,
            plan,
            parties: self.engine.parties,
            seen: self.engine.seen,
            instances: &self.instances,
            used: self.used,
            accepted: self.accepted,
            taken: self.taken,
        };
        let coverage = coverage(&sum);
        Report { verdict, doubts, instances: self.instances, coverage }
    }
}

type Replies<'a> = (&'a [(usize, Option<u16>)], usize);

/// Holds one part against its frame; gives the replies to its stimulus, and the span that ends with them.
fn play<'a>(walker: &mut Walker<'a>, played: &Played) -> Option<Replies<'a>> {
    let engine = walker.engine;
    let part = engine.plan.parts.get(played.part)?;
    let variant = engine.seen.activations.get(played.activation)?.variant;
    let (Part::Sent { frame, message, .. } | Part::Own { frame, message, .. }) = part;
    let fitted = engine.fitted(*frame, variant);
    walker.tally.cost += fitted.cost;
    walker.tally.observed += fitted.observed;
    walker.tally.shortest += fitted.shortest;
    let root = engine.seen.activations.get(played.activation).and_then(|a| a.root);
    let mut open = None;
    if let Part::Sent { to, replies, .. } = part {
        walker.tally.observed += 1;
        walker.tally.shortest += 1;
        match root {
            Some(root) => {
                let span = reference(engine.seen.forest, root);
                walker.tally.seen(*message, span);
                open = Some((replies.as_slice(), root));
            }
            None => {
                let why = format!(
                    "`{}` has no instrumentation: what only it could tell is not known",
                    walker.diagram.id(*to)
                );
                for message in std::iter::once(message).chain(replies.iter().map(|(reply, _)| reply)) {
                    walker.tally.unobservable(*message, &why);
                }
            }
        }
    }
    walker.frame(*frame, played.activation, *message);
    open
}

/// The reply to a stimulus is the end of the span that it began; where several are drawn, the one that fits.
fn answer(walker: &mut Walker<'_>, replies: &[(usize, Option<u16>)], root: usize) {
    let engine = walker.engine;
    let (status, failed) = engine.seen.ended(root);
    let span = reference(engine.seen.forest, root);
    let taken = |message: usize| {
        let path = engine.plan.paths.get(message).map_or(&[][..], Vec::as_slice);
        path.iter().all(|(fragment, operand)| {
            let mut made = walker.tally.made.iter().filter(|made| made.fragment == *fragment && made.shown).peekable();
            made.peek().is_none() || made.any(|made| made.taken == Taken::Operand(*operand))
        })
    };
    let mut fits: Vec<(bool, bool, bool, usize)> = replies
        .iter()
        .map(|(message, expected)| {
            (is_otherwise(*expected, status, failed), !taken(*message), expected.is_none(), *message)
        })
        .collect();
    fits.sort_unstable();
    match fits.first() {
        Some((false, _, _, message)) => walker.tally.seen(*message, span),
        Some((true, _, _, message)) => {
            let ended = match status {
                Some(status) => format!("with status {status}"),
                None if failed => "with an error".to_owned(),
                None => "without an error".to_owned(),
            };
            let expected = replies.iter().find(|(at, _)| at == message).and_then(|(_, expected)| *expected);
            let drawn = expected.map_or_else(String::new, |expected| format!("; {expected} is drawn"));
            walker.tally.cost += 1;
            walker.differs(Difference::WrongOutcome, *message, vec![span], format!("the call ended {ended}{drawn}"));
        }
        None => {}
    }
}

/// What an instance leaves in doubt as a whole.
fn doubts(
    tally: &mut Tally,
    certainty: &Certainty,
    traces: &[crate::model::trace::TraceId],
    engine: &Engine<'_>,
    diagram: &Sequence,
) {
    tally.doubts.extend(certainty.never.clone());
    let forest = engine.seen.forest;
    let broken = traces
        .iter()
        .flat_map(|trace| forest.of_trace(*trace))
        .filter(|at| engine.seen.who[*at].is_some() && forest.nodes[*at].fault.is_some())
        .count();
    if broken > 0 {
        tally.doubts.insert(format!("spans break the rules of traces: {broken}"));
    }
    for who in &certainty.astray {
        tally.doubts.insert(format!("spans of `{}` have lost their places in the trace", diagram.id(*who)));
    }
}
