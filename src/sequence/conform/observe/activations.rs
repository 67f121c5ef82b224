//! Activations: what each participant did while it was called, with the spans that show it.

use std::collections::HashMap;

use super::{
    super::{compile::Condition, parties::Parties},
    calls::{Calls, Raw},
    facts::{Judge, Named, failed, named, status},
    variant::{Head, Mark, Point, Sight, Source, Told, Variant, VariantId},
};
use crate::{
    model::trace::{Kind, Span},
    sequence::{
        mermaid::sequence::Who,
        trace::{Fault, Forest},
    },
};

pub(in super::super) type ActivationId = usize;

/// What a participant did while it was called.
#[derive(Debug, Clone)]
pub(in super::super) struct Activation {
    pub variant: VariantId,
    /// The span that it begins with; none for what several spans make up.
    pub root: Option<usize>,
    /// The spans of its sights.
    pub saw: Vec<Saw>,
}

/// The spans of a sight.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Saw {
    /// The caller's span; for an arrival, the called one's.
    pub node: usize,
    /// Where the work of those begins whom it reached, and what they did.
    pub heads: Vec<(usize, ActivationId)>,
    /// The same as one activation.
    pub through: Option<ActivationId>,
}

/// A point with its time; whether it is tied to the one before it, where that is not told by the time.
struct Timed {
    time: u64,
    sight: usize,
    head: Option<usize>,
    mark: Mark,
    tied: Option<bool>,
}

/// All activations.
pub(in super::super) struct Observations<'a> {
    pub forest: &'a Forest<'a>,
    /// The participant that each span is of.
    pub who: Vec<Option<Who>>,
    /// Spans that work begins with, and nobody who is bound has called for.
    pub entries: Vec<usize>,
    pub variants: Vec<Variant>,
    /// Calls between participants beneath each variant.
    pub below: Vec<u64>,
    pub activations: Vec<Activation>,
    /// Work that goes back to itself and was cut.
    pub cut: usize,
    /// Participants whose consumers are told apart from no producer, so that what is handed to them cannot be followed.
    pub unlinked: Vec<Who>,
    calls: Calls,
    judge: Judge<'a>,
    parties: &'a Parties,
    known: HashMap<Variant, VariantId>,
    of_root: Vec<Option<ActivationId>>,
}

impl<'a> Observations<'a> {
    pub fn new(forest: &'a Forest<'a>, parties: &'a Parties, conditions: &'a [Condition]) -> Self {
        let calls = Calls::new(forest, |service| parties.of_service(service));
        let mut unlinked: Vec<Who> = calls
            .entries
            .iter()
            .filter(|at| forest.nodes[**at].span.kind == Kind::Consumer)
            .filter_map(|at| calls.who[*at])
            .collect();
        unlinked.sort_unstable();
        unlinked.dedup();
        let mut all = Self {
            forest,
            who: calls.who.clone(),
            entries: calls.entries.clone(),
            variants: Vec::new(),
            below: Vec::new(),
            activations: Vec::new(),
            cut: 0,
            unlinked,
            calls,
            judge: Judge::new(conditions),
            parties,
            known: HashMap::new(),
            of_root: vec![None; forest.nodes.len()],
        };
        all.build();
        all
    }

    /// Makes the activations of all spans that work begins with, the called ones before their callers.
    fn build(&mut self) {
        let mut raw: HashMap<usize, Vec<Raw>> = HashMap::new();
        let mut entered = vec![false; self.forest.nodes.len()];
        let roots: Vec<usize> = (0..self.forest.nodes.len()).filter(|at| self.calls.root[*at]).collect();
        for start in roots {
            let mut stack = vec![(start, false)];
            while let Some((at, ready)) = stack.pop() {
                if ready {
                    let calls = raw.remove(&at).unwrap_or_default();
                    self.of_root[at] = Some(self.activation(Some(at), &calls, Told::Full));
                } else if !entered[at] {
                    entered[at] = true;
                    let calls = self.calls.from(self.forest, at);
                    stack.push((at, true));
                    stack.extend(calls.iter().flat_map(|call| &call.heads).rev().map(|head| (*head, false)));
                    raw.insert(at, calls);
                }
            }
        }
    }

    /// The activation that begins with a span.
    pub fn of_root(&self, at: usize) -> Option<ActivationId> {
        self.of_root.get(at).copied().flatten()
    }

    /// The conditions that a span meets by itself.
    pub fn met(&mut self, at: usize) -> Vec<usize> {
        self.judge.met(&[self.forest.nodes[at].span])
    }

    /// The participant that a caller's span names, or that it is of.
    pub fn touches(&self, at: usize) -> [Option<Who>; 2] {
        let span = self.forest.nodes[at].span;
        let calls = matches!(span.kind, Kind::Client | Kind::Producer);
        [self.who[at], if calls { named(span, self.parties).peer } else { None }]
    }

    /// How a span ended: with which status of HTTP, and whether with an error.
    pub fn ended(&self, at: usize) -> (Option<u16>, bool) {
        let span = self.forest.nodes[at].span;
        (status(span), failed(span))
    }

    /// One activation of what several spans of one participant begin, where nothing encloses them.
    pub fn together(&mut self, roots: &[usize]) -> ActivationId {
        let calls: Vec<Raw> = roots.iter().flat_map(|root| self.calls.from(self.forest, *root)).collect();
        self.activation(None, &calls, Told::Full)
    }

    /// What somebody did who cannot tell it, by those whom it reached.
    pub fn through(&mut self, heads: &[usize], told: Told) -> ActivationId {
        let calls: Vec<Raw> = heads.iter().map(|head| Raw::arrival(*head)).collect();
        self.activation(None, &calls, told)
    }

    /// Nothing was done, by one of whom so much is known.
    pub fn nothing(&mut self, told: Told) -> VariantId {
        self.intern(Variant { told, ordered: true, sights: Vec::new(), points: Vec::new() })
    }

    fn activation(&mut self, root: Option<usize>, calls: &[Raw], told: Told) -> ActivationId {
        let mut sights = Vec::with_capacity(calls.len());
        let mut saw = Vec::with_capacity(calls.len());
        for call in calls {
            let (sight, spans) = self.sight(call);
            sights.push(sight);
            saw.push(spans);
        }
        let (points, ordered) = self.points(calls, &saw);
        let variant = self.intern(Variant { told, ordered: ordered && told == Told::Full, sights, points });
        self.activations.push(Activation { variant, root, saw });
        self.activations.len() - 1
    }

    fn intern(&mut self, variant: Variant) -> VariantId {
        if let Some(known) = self.known.get(&variant) {
            return *known;
        }
        let below = variant.sights.iter().map(|sight| self.calls_in(sight)).sum();
        self.known.insert(variant.clone(), self.variants.len());
        self.variants.push(variant);
        self.below.push(below);
        self.variants.len() - 1
    }

    fn calls_in(&self, sight: &Sight) -> u64 {
        if sight.heads.is_empty() {
            return u64::from(sight.peer.is_some() && sight.source != Source::Own);
        }
        sight.heads.iter().map(|head| 1 + self.below.get(head.variant).copied().unwrap_or_default()).sum()
    }

    /// Whom a call names: by its span, or else by that of the library that made it.
    fn names(&self, call: &Raw) -> Named {
        let names = named(self.forest.nodes[call.node].span, self.parties);
        let inner =
            || self.calls.inner(self.forest, call.node).map(|at| named(self.forest.nodes[at].span, self.parties));
        if names == Named::default() { inner().unwrap_or_default() } else { names }
    }

    fn sight(&mut self, call: &Raw) -> (Sight, Saw) {
        let span = self.forest.nodes[call.node].span;
        let mut heads = Vec::new();
        let mut saw = Saw { node: call.node, heads: Vec::new(), through: None };
        for head in &call.heads {
            // Not yet there only where work goes back to itself.
            let (Some(activation), Some(who)) = (self.of_root(*head), self.calls.who[*head]) else {
                self.cut += 1;
                continue;
            };
            let served: &Span = self.forest.nodes[*head].span;
            heads.push(Head {
                who,
                variant: self.activations[activation].variant,
                met: self.judge.met(&[span, served]),
                status: status(served),
                failed: failed(served),
            });
            saw.heads.push((*head, activation));
        }
        let mut through = None;
        if !heads.is_empty() && call.source != Source::Arrival {
            let told = if call.source == Source::Send { Told::Delivered } else { Told::Nothing };
            let nodes: Vec<usize> = saw.heads.iter().map(|(node, _)| *node).collect();
            let id = self.through(&nodes, told);
            through = Some(self.activations[id].variant);
            saw.through = Some(id);
        }
        let own = call.source == Source::Own;
        let names = if own || call.source == Source::Arrival { Default::default() } else { self.names(call) };
        let sight = Sight {
            source: call.source,
            peer: names.peer,
            elsewhere: names.elsewhere,
            store: names.store,
            strange: call.strange,
            met: self.judge.met(&[span]),
            status: if own { None } else { status(span) },
            failed: !own && failed(span),
            heads,
            through,
        };
        (sight, saw)
    }

    /// The points in time of calls, by the clock of the one process that saw them all.
    fn points(&self, calls: &[Raw], saw: &[Saw]) -> (Vec<Point>, bool) {
        let mut ordered = true;
        let mut times = Vec::new();
        let mut process = None;
        for (sight, call) in calls.iter().enumerate() {
            let node = &self.forest.nodes[call.node];
            let same = process.get_or_insert(&node.span.resource);
            let same = std::sync::Arc::ptr_eq(same, &node.span.resource) || *same == &node.span.resource;
            ordered &= same && call.source != Source::Arrival && node.fault != Some(Fault::EndsBeforeStart);
            let (start, end) = (node.span.start, node.span.end.max(node.span.start));
            let at = |time: u64, mark: Mark| Timed { time, sight, head: None, mark, tied: None };
            times.push(at(start, Mark::Begin));
            if call.source == Source::Own {
                continue;
            }
            let (first, last) = saw.get(sight).map(|saw| self.heads(saw, sight)).unwrap_or_default();
            times.extend(first.into_iter().map(|timed| Timed { time: start, ..timed }));
            times.extend(last.into_iter().map(|timed| Timed { time: end, ..timed }));
            times.push(at(end, Mark::End));
        }
        if ordered {
            // Of a span that takes no time, the end comes behind its begin; the order of what is tied is tried both ways.
            times.sort_by_key(|timed| (timed.time, timed.sight));
        }
        let mut before = None;
        let points = times
            .into_iter()
            .map(|Timed { time, sight, head, mark, tied }| {
                let same = before.replace(time) == Some(time);
                Point { sight, head, mark, tied: tied.unwrap_or(same) && ordered }
            })
            .collect();
        (points, ordered)
    }

    /// The begins and ends of several whom one span reached: those when it begins, and those when it ends.
    ///
    /// Where one process served all of them, its clock tells their order; else no clock does, and every order is tried.
    fn heads(&self, saw: &Saw, sight: usize) -> (Vec<Timed>, Vec<Timed>) {
        if saw.heads.len() < 2 {
            return Default::default();
        }
        let spans: Vec<&Span> = saw.heads.iter().map(|(node, _)| self.forest.nodes[*node].span).collect();
        let one = spans.windows(2).all(|pair| pair[0].resource == pair[1].resource);
        let mut all = Vec::new();
        for (head, span) in spans.iter().enumerate() {
            // Without a clock that both have, each ends before the next begins, as far as an order has to be given.
            let (start, end) = if one { (span.start, span.end.max(span.start)) } else { (span.start, span.start) };
            for (time, mark) in [(start, Mark::Begin), (end, Mark::End)] {
                all.push(Timed { time, sight, head: Some(head), mark, tied: Some(!one) });
            }
        }
        all.sort_by_key(|timed| (timed.time, timed.head));
        let mut before = None;
        for timed in &mut all {
            timed.tied = Some(!one || before == Some(timed.time));
            before = Some(timed.time);
        }
        let begun = all.iter().rposition(|timed| timed.mark == Mark::Begin).map_or(0, |at| at + 1);
        let last = if one { all.split_off(begun) } else { Vec::new() };
        (all, last)
    }
}
