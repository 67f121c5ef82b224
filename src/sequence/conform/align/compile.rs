//! Compiles a tree: every operand of a `par` becomes a graph of its own, or shares a net with those it has labels in common
//! with.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    graph::{Draft, Graph, Kind, NONE},
    tree::{Choice, Label, Steps, Tree},
};

/// How many edges there may be over all graphs; a tree that needs more is never aligned.
const MOST_EDGES: usize = 1 << 20;
/// How many edges the repetitions of a loop with an upper bound may take, if they are drawn one by one.
const UNROLLED: usize = 1 << 14;

/// A compiled tree.
#[derive(Debug, Default)]
pub(super) struct Program {
    /// The graph of the whole tree comes last; those of operands stand before the graph that they are operands in.
    pub parts: Vec<Part>,
    pub pars: Vec<Par>,
    pub choices: Vec<Choice>,
    /// Labels of the tree, and their dense indices.
    pub labels: HashMap<Label, u32>,
    /// The parts that each label occurs in.
    pub homes: Vec<Vec<u32>>,
    /// The cost of the cheapest run.
    pub shortest: u64,
    /// The smallest cost above zero of a step that is missing.
    pub unit: Option<u32>,
    /// Sequences of more events than this one cannot be aligned: some loop's upper bound may matter, and is not drawn.
    pub most_events: usize,
    /// Whether the tree needs more edges than there may be.
    pub too_large: bool,
}

/// Something that is aligned by itself.
#[derive(Debug)]
pub(super) struct Part {
    pub form: Form,
    /// The cost of its cheapest run.
    pub shortest: u64,
}

#[derive(Debug)]
pub(super) enum Form {
    Graph(Graph),
    Net(Net),
}

/// Operands that share labels: tokens that move through one graph.
#[derive(Debug, Default)]
pub(super) struct Net {
    pub first: Vec<u32>,
    pub edges: Vec<super::graph::Edge>,
    pub starts: Vec<u32>,
    pub ends: Vec<u32>,
    pub forks: Vec<Vec<u32>>,
    /// States that become one state when all of them are reached, by the lowest of them.
    pub joins: BTreeMap<u32, (Vec<u32>, u32)>,
    /// For each state one that leads to the same; tokens stand in these only.
    pub merged: Vec<u32>,
    /// For each edge the letter of its step.
    pub letters: Vec<u32>,
    /// By the lowest end of a fork's operands, the first of their states and the one behind the last.
    pub scopes: HashMap<u32, (u32, u32)>,
}

/// A `par`, as parts that have no label in common.
#[derive(Debug)]
pub(super) struct Par {
    pub parts: Vec<u32>,
    /// Labels, in order, and whose they are as an index into `parts`.
    pub owner: Vec<(u32, u32)>,
    pub shortest: u64,
    pub longest: u32,
}

impl Par {
    pub fn owner(&self, label: u32) -> Option<usize> {
        self.owner.binary_search_by_key(&label, |(known, _)| *known).ok().map(|at| self.owner[at].1 as usize)
    }
}

pub(super) struct Compiler<'a> {
    pub(super) steps: &'a Steps,
    /// Steps of one class fit the same events at the same cost; each is its own class where none are given.
    pub(super) alike: &'a [u32],
    program: Program,
    /// The `par` of each place in the tree: the copies of a loop's body share it.
    known: HashMap<*const Tree, u32>,
    edges: usize,
}

/// Where edges are drawn, and whether in a net.
struct Sheet {
    draft: Draft,
    net: Option<Net>,
}

pub(super) fn compile(tree: &Tree, steps: &Steps, alike: &[u32]) -> Program {
    let mut compiler = Compiler {
        steps,
        alike,
        program: Program { most_events: usize::MAX, ..Program::default() },
        known: HashMap::new(),
        edges: 0,
    };
    compiler.program.unit = steps.missing.iter().copied().filter(|cost| *cost > 0).min();
    compiler.program.shortest = cheapest(tree, steps);
    compiler.graph(tree);
    compiler.homes();
    compiler.program
}

/// The cost of the cheapest run.
fn cheapest(tree: &Tree, steps: &Steps) -> u64 {
    let sum = |trees: &[Tree]| trees.iter().fold(0u64, |sum, t| sum.saturating_add(cheapest(t, steps)));
    match tree {
        Tree::Silent => 0,
        Tree::Step(step) => steps.missing.get(*step).map_or(0, |cost| u64::from(*cost)),
        Tree::Seq(children) | Tree::Par(children) => sum(children),
        Tree::Alt { branches, .. } => branches.iter().map(|branch| cheapest(branch, steps)).min().unwrap_or(0),
        Tree::Loop { body, least, .. } => cheapest(body, steps).saturating_mul(u64::from(*least)),
    }
}

/// The operands of a `par`, with those of operands that are `par`s themselves; what does nothing is left out.
fn operands<'a>(children: &'a [Tree], found: &mut Vec<&'a Tree>) {
    for child in children {
        match child {
            Tree::Silent => {}
            Tree::Par(inner) => operands(inner, found),
            other => found.push(other),
        }
    }
}

impl Compiler<'_> {
    fn label(&mut self, step: usize) -> u32 {
        let next = self.program.labels.len() as u32;
        match self.steps.labels.get(step) {
            Some(label) => *self.program.labels.entry(*label).or_insert(next),
            None => NONE,
        }
    }

    fn alphabet(&mut self, tree: &Tree, found: &mut BTreeSet<u32>) {
        match tree {
            Tree::Silent => {}
            Tree::Step(step) => {
                found.insert(self.label(*step));
            }
            Tree::Seq(children) | Tree::Par(children) | Tree::Alt { branches: children, .. } => {
                children.iter().for_each(|child| self.alphabet(child, found));
            }
            // What never happens has no labels, as it has no edges.
            Tree::Loop { least: 0, most: Some(0), .. } => {}
            Tree::Loop { body, .. } => self.alphabet(body, found),
        }
    }

    fn graph(&mut self, tree: &Tree) -> u32 {
        let mut sheet = Sheet { draft: Draft::default(), net: None };
        let (start, end) = (sheet.draft.state(), sheet.draft.state());
        self.draw(&mut sheet, tree, start, end);
        let pars = &self.program.pars;
        let graph = Graph::new(&sheet.draft, start, end, |par| pars[par as usize].longest);
        self.part(Form::Graph(graph), cheapest(tree, self.steps))
    }

    fn net(&mut self, trees: &[&Tree]) -> u32 {
        let mut sheet = Sheet { draft: Draft::default(), net: Some(Net::default()) };
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        let mut classes: HashMap<String, u32> = HashMap::new();
        let mut operands = Vec::new();
        for tree in trees {
            let (start, end) = (sheet.draft.state(), sheet.draft.state());
            self.draw(&mut sheet, tree, start, end);
            starts.push(start);
            ends.push(end);
            let class = self.class(tree).map(|key| {
                let next = classes.len() as u32;
                *classes.entry(key).or_insert(next)
            });
            operands.push((start, sheet.draft.states, class));
        }
        let (first, edges) = sheet.draft.by_state();
        let mut net = Net { first, edges, starts, ends, ..sheet.net.unwrap_or_default() };
        net.letters = net.letters(self.alike);
        net.merged = net.merged(&operands);
        let shortest = trees.iter().fold(0u64, |sum, tree| sum.saturating_add(cheapest(tree, self.steps)));
        self.part(Form::Net(net), shortest)
    }

    fn part(&mut self, form: Form, shortest: u64) -> u32 {
        self.program.parts.push(Part { form, shortest });
        self.program.parts.len() as u32 - 1
    }

    fn edge(&mut self, sheet: &mut Sheet, from: u32, to: u32, kind: Kind) {
        sheet.draft.edge(from, to, kind);
        self.edges += 1;
        self.program.too_large |= self.edges > MOST_EDGES;
    }

    /// Draws a tree between two states.
    fn draw(&mut self, sheet: &mut Sheet, tree: &Tree, from: u32, to: u32) {
        if self.program.too_large {
            return;
        }
        match tree {
            Tree::Silent => self.edge(sheet, from, to, Kind::Silent(NONE)),
            Tree::Step(step) => {
                let missing = self.steps.missing.get(*step).copied().unwrap_or(0);
                let kind = Kind::Step { step: *step as u32, label: self.label(*step), missing };
                self.edge(sheet, from, to, kind);
            }
            Tree::Seq(children) => {
                let Some((last, children)) = children.split_last() else {
                    return self.edge(sheet, from, to, Kind::Silent(NONE));
                };
                let mut at = from;
                for child in children {
                    let next = sheet.draft.state();
                    self.draw(sheet, child, at, next);
                    at = next;
                }
                self.draw(sheet, last, at, to);
            }
            Tree::Alt { choice, branches } => {
                if branches.is_empty() {
                    self.edge(sheet, from, to, Kind::Silent(NONE));
                }
                for (branch, tree) in branches.iter().enumerate() {
                    let taken = self.program.choices.len() as u32;
                    self.program.choices.push(Choice { choice: *choice, branch });
                    let at = sheet.draft.state();
                    self.edge(sheet, from, at, Kind::Silent(taken));
                    self.draw(sheet, tree, at, to);
                }
            }
            Tree::Par(children) => {
                let mut found = Vec::new();
                operands(children, &mut found);
                match found.as_slice() {
                    [] => self.edge(sheet, from, to, Kind::Silent(NONE)),
                    [one] => self.draw(sheet, one, from, to),
                    several if sheet.net.is_some() => self.fork(sheet, several, from, to),
                    several => {
                        let par = match self.known.get(&std::ptr::from_ref(tree)) {
                            Some(par) => *par,
                            None => self.par(tree, several),
                        };
                        self.edge(sheet, from, to, Kind::Par(par));
                    }
                }
            }
            Tree::Loop { body, least, most } => self.repeat(sheet, body, *least, *most, (from, to)),
        }
    }

    fn repeat(&mut self, sheet: &mut Sheet, body: &Tree, least: u32, most: Option<u32>, (from, to): (u32, u32)) {
        let mut at = from;
        for _ in 0..least {
            if self.program.too_large {
                return;
            }
            let next = sheet.draft.state();
            self.draw(sheet, body, at, next);
            at = next;
        }
        if let Some(most) = most {
            let before = self.edges;
            for done in least..most {
                let taken = self.edges - before;
                let each = taken / (done - least).max(1) as usize;
                if self.program.too_large || taken + each > UNROLLED || each * (most - done) as usize > UNROLLED {
                    // No cheapest run has more repetitions than events, or than it has to: with no more events than the
                    // bound, the bound does not matter.
                    self.program.most_events = self.program.most_events.min(most as usize);
                    return self.forever(sheet, body, at, to);
                }
                self.edge(sheet, at, to, Kind::Silent(NONE));
                let next = sheet.draft.state();
                self.draw(sheet, body, at, next);
                at = next;
            }
            return self.edge(sheet, at, to, Kind::Silent(NONE));
        }
        self.forever(sheet, body, at, to);
    }

    /// Any number of repetitions; the way out is drawn last, as `Graph` wants it.
    fn forever(&mut self, sheet: &mut Sheet, body: &Tree, from: u32, to: u32) {
        let head = sheet.draft.state();
        self.edge(sheet, from, head, Kind::Silent(NONE));
        self.draw(sheet, body, head, head);
        self.edge(sheet, head, to, Kind::Silent(NONE));
    }

    /// In a net, operands are tokens that begin together and end together.
    fn fork(&mut self, sheet: &mut Sheet, operands: &[&Tree], from: u32, to: u32) {
        // A fork is all that there is to do where it stands, also at the head of a loop.
        let before = sheet.draft.state();
        self.edge(sheet, from, before, Kind::Silent(NONE));
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        let first = sheet.draft.states;
        for tree in operands {
            let (start, end) = (sheet.draft.state(), sheet.draft.state());
            self.draw(sheet, tree, start, end);
            starts.push(start);
            ends.push(end);
        }
        let Some(net) = &mut sheet.net else { return };
        let fork = net.forks.len() as u32;
        net.forks.push(starts);
        if let Some(lowest) = ends.first().copied() {
            net.joins.insert(lowest, (ends, to));
            net.scopes.insert(lowest, (first, sheet.draft.states));
        }
        // Where it leads to is said by the fork.
        sheet.draft.edges.push((before, super::graph::Edge { to: before, kind: Kind::Fork(fork) }));
    }

    fn par(&mut self, tree: &Tree, operands: &[&Tree]) -> u32 {
        // Operands with a label in common belong together, and with whom those have labels in common.
        let mut group: Vec<usize> = (0..operands.len()).collect();
        let mut first_with: BTreeMap<u32, usize> = BTreeMap::new();
        for (at, operand) in operands.iter().enumerate() {
            let mut alphabet = BTreeSet::new();
            self.alphabet(operand, &mut alphabet);
            for label in alphabet {
                let other = *first_with.entry(label).or_insert(at);
                let (a, b) = (root(&mut group, at), root(&mut group, other));
                group[a.max(b)] = a.min(b);
            }
        }
        let mut groups: BTreeMap<usize, Vec<&Tree>> = BTreeMap::new();
        for (at, operand) in operands.iter().enumerate() {
            groups.entry(root(&mut group, at)).or_default().push(operand);
        }
        let place: BTreeMap<usize, u32> = groups.keys().copied().zip(0..).collect();
        let owner = first_with
            .into_iter()
            .map(|(label, at)| (label, place.get(&root(&mut group, at)).copied().unwrap_or(0)))
            .collect();
        let parts: Vec<u32> = groups
            .values()
            .map(|trees| match trees.as_slice() {
                [one] => self.graph(one),
                several => self.net(several),
            })
            .collect();
        let of = |part: &u32| &self.program.parts[*part as usize];
        let shortest = parts.iter().fold(0u64, |sum, part| sum.saturating_add(of(part).shortest));
        let longest = parts.iter().fold(0u32, |sum, part| {
            sum.saturating_add(match &of(part).form {
                Form::Graph(graph) => graph.longest[graph.start as usize],
                Form::Net(_) => NONE,
            })
        });
        self.program.pars.push(Par { parts, owner, shortest, longest });
        let par = self.program.pars.len() as u32 - 1;
        self.known.insert(std::ptr::from_ref(tree), par);
        par
    }

    fn homes(&mut self) {
        self.program.homes = vec![Vec::new(); self.program.labels.len()];
        for (at, part) in self.program.parts.iter().enumerate() {
            let (edges, pars) = match &part.form {
                Form::Graph(graph) => (&graph.edges, true),
                Form::Net(net) => (&net.edges, false),
            };
            let mut labels = BTreeSet::new();
            for edge in edges {
                match edge.kind {
                    Kind::Step { label, .. } if label != NONE => _ = labels.insert(label),
                    Kind::Par(par) if pars => {
                        labels.extend(self.program.pars[par as usize].owner.iter().map(|(label, _)| *label));
                    }
                    _ => {}
                }
            }
            for label in labels.into_iter().filter(|label| *label != NONE) {
                self.program.homes[label as usize].push(at as u32);
            }
        }
    }
}

fn root(group: &mut [usize], mut at: usize) -> usize {
    while group[at] != at {
        group[at] = group[group[at]];
        at = group[at];
    }
    at
}
