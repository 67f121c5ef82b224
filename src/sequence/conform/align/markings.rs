//! Operands of a `par` that share labels, as the markings of a net; found as they are needed.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    ops::Range,
    rc::Rc,
};

use super::{
    compile::Net,
    graph::{Edge, Kind, NONE},
    pass::Space,
    search::Meter,
    tree::Exhausted,
};

/// The markings of a net, each a sorted list of the states that hold a token, with those that lead to the same as one state.
#[derive(Debug)]
pub(super) struct Markings<'a> {
    net: &'a Net,
    ids: HashMap<Rc<[u32]>, u32>,
    markings: Vec<Rc<[u32]>>,
    /// The edges of each marking in `edges`, where they are known.
    known: Vec<Option<(u32, u32)>>,
    edges: Vec<Edge>,
    /// For each edge, the state whose token moves, and which of the edges that leave it is taken.
    moved: Vec<(u32, u32)>,
    waiting: BinaryHeap<Reverse<(u64, u32)>>,
    /// Which token waits for which other one, as far as it is known.
    waits: HashMap<(u32, u32), bool>,
}

impl<'a> Markings<'a> {
    pub fn new(net: &'a Net) -> Self {
        Self {
            net,
            ids: HashMap::new(),
            markings: Vec::new(),
            known: Vec::new(),
            edges: Vec::new(),
            moved: Vec::new(),
            waiting: BinaryHeap::new(),
            waits: HashMap::new(),
        }
    }

    fn id(&mut self, mut marking: Vec<u32>, meter: &mut Meter) -> Result<u32, Exhausted> {
        settle(self.net, &mut marking);
        for token in &mut marking {
            *token = self.net.merged[*token as usize];
        }
        marking.sort_unstable();
        if let Some(id) = self.ids.get(marking.as_slice()) {
            return Ok(*id);
        }
        // A budget is in states of a few dozen bytes; a marking takes more.
        meter.hold(2 + marking.len() / 8)?;
        let id = self.markings.len() as u32;
        let marking: Rc<[u32]> = marking.into();
        self.ids.insert(Rc::clone(&marking), id);
        self.markings.push(marking);
        self.known.push(None);
        Ok(id)
    }

    /// Whether a token waits for another one; remembered.
    fn waits(&mut self, token: u32, other: u32) -> bool {
        let net = self.net;
        *self.waits.entry((token, other)).or_insert_with(|| net.waits(token, other))
    }

    fn explore(&mut self, state: u32, meter: &mut Meter) -> Result<(u32, u32), Exhausted> {
        let marking = Rc::clone(&self.markings[state as usize]);
        let net = self.net;
        let first = self.edges.len() as u32;
        for (at, token) in marking.iter().enumerate() {
            // Tokens that stand in one state would lead to the same.
            if at > 0 && marking[at - 1] == *token {
                continue;
            }
            if marking.iter().any(|other| other != token && self.waits(*token, *other)) {
                continue;
            }
            let without = || marking.iter().enumerate().filter(move |(other, _)| *other != at).map(|(_, token)| *token);
            let range = net.first[*token as usize] as usize..net.first[*token as usize + 1] as usize;
            for (out, edge) in (0..).zip(&net.edges[range]) {
                let to = self.id(without().chain([edge.to]).collect(), meter)?;
                self.edges.push(Edge { to, kind: edge.kind });
                self.moved.push((*token, out));
            }
        }
        meter.hold(self.edges.len() - first as usize)?;
        let range = (first, self.edges.len() as u32);
        self.known[state as usize] = Some(range);
        Ok(range)
    }
}

/// Does all that may be done without a choice and without a step: it costs nothing, and nothing is lost by it.
fn settle(net: &Net, tokens: &mut Vec<u32>) {
    let mut at = 0;
    while let Some(token) = tokens.get(at).copied() {
        match net.sole(token) {
            Some(Edge { kind: Kind::Fork(fork), .. }) => {
                tokens.swap_remove(at);
                tokens.extend(&net.forks[fork as usize]);
            }
            Some(edge) => tokens[at] = edge.to,
            None => {
                at += 1;
                let Some((ends, to)) = net.joins.get(&net.merged[token as usize]) else { continue };
                let end = |token: &u32| ends.contains(token);
                if tokens.iter().filter(|token| end(token)).count() == ends.len() {
                    tokens.retain(|token| !end(token));
                    tokens.push(*to);
                    at = 0;
                }
            }
        }
    }
}

/// The tokens of a net, each in the very state that it stands in: by them is told whose step an edge between markings is.
#[derive(Debug)]
pub(super) struct Tokens(Vec<u32>);

impl Tokens {
    pub fn new(net: &Net) -> Self {
        let mut tokens = net.starts.clone();
        settle(net, &mut tokens);
        Self(tokens)
    }

    /// Goes along an edge between markings; says what it is for the token that moves.
    pub fn follow(&mut self, markings: &Markings<'_>, edge: u32) -> Kind {
        let net = markings.net;
        let Some((state, out)) = markings.moved.get(edge as usize) else { return Kind::Silent(NONE) };
        // The lowest of them all, so that operands are taken in their order.
        let standing = self.0.iter().enumerate().filter(|(_, token)| net.merged[**token as usize] == *state);
        let Some((at, token)) = standing.min_by_key(|(_, token)| **token) else { return Kind::Silent(NONE) };
        let edge = net.edges[(net.first[*token as usize] + out) as usize];
        self.0[at] = edge.to;
        settle(net, &mut self.0);
        edge.kind
    }
}

impl Space for Markings<'_> {
    fn ends(&mut self, meter: &mut Meter) -> Result<(u32, u32), Exhausted> {
        // What waited when a budget was used up is of no use any more.
        self.waiting.clear();
        let (starts, ends) = (self.net.starts.clone(), self.net.ends.clone());
        Ok((self.id(starts, meter)?, self.id(ends, meter)?))
    }

    fn edges(&mut self, state: u32, meter: &mut Meter) -> Result<Range<usize>, Exhausted> {
        let (first, end) = match self.known[state as usize] {
            Some(range) => range,
            None => self.explore(state, meter)?,
        };
        Ok(first as usize..end as usize)
    }

    fn edge(&self, at: usize) -> Edge {
        self.edges[at]
    }

    fn later(&mut self, state: u32, cost: u64) {
        self.waiting.push(Reverse((cost, state)));
    }

    fn next(&mut self) -> Option<(u32, u64)> {
        // The cheapest first: then each is looked at once.
        self.waiting.pop().map(|Reverse((cost, state))| (state, cost))
    }

    fn longest(&self, _: u32) -> u32 {
        NONE
    }

    fn leaps(&self) -> bool {
        false
    }
}
