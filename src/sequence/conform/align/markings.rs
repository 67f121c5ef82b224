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

/// The markings of a net, each a sorted list of the states that hold a token.
///
/// The net is safe: no state ever holds two tokens, for whatever begins together ends together.
#[derive(Debug)]
pub(super) struct Markings<'a> {
    net: &'a Net,
    ids: HashMap<Rc<[u32]>, u32>,
    markings: Vec<Rc<[u32]>>,
    /// The edges of each marking in `edges`, where they are known.
    known: Vec<Option<(u32, u32)>>,
    edges: Vec<Edge>,
    waiting: BinaryHeap<Reverse<(u64, u32)>>,
}

impl<'a> Markings<'a> {
    pub fn new(net: &'a Net) -> Self {
        Self {
            net,
            ids: HashMap::new(),
            markings: Vec::new(),
            known: Vec::new(),
            edges: Vec::new(),
            waiting: BinaryHeap::new(),
        }
    }

    fn id(&mut self, mut marking: Vec<u32>, meter: &mut Meter) -> Result<u32, Exhausted> {
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

    fn explore(&mut self, state: u32, meter: &mut Meter) -> Result<(u32, u32), Exhausted> {
        let marking = Rc::clone(&self.markings[state as usize]);
        let net = self.net;
        let first = self.edges.len() as u32;
        for (at, token) in marking.iter().enumerate() {
            let without = || marking.iter().enumerate().filter(move |(other, _)| *other != at).map(|(_, token)| *token);
            let range = net.first[*token as usize] as usize..net.first[*token as usize + 1] as usize;
            for edge in &net.edges[range] {
                let (next, kind): (Vec<u32>, Kind) = match edge.kind {
                    Kind::Fork(fork) => {
                        (without().chain(net.forks[fork as usize].iter().copied()).collect(), Kind::Silent(NONE))
                    }
                    kind => (without().chain([edge.to]).collect(), kind),
                };
                let to = self.id(next, meter)?;
                self.edges.push(Edge { to, kind });
            }
            if let Some((ends, to)) = net.joins.get(token)
                && ends.iter().all(|end| marking.binary_search(end).is_ok())
            {
                let next = marking.iter().copied().filter(|token| !ends.contains(token)).chain([*to]).collect();
                let to = self.id(next, meter)?;
                self.edges.push(Edge { to, kind: Kind::Silent(NONE) });
            }
        }
        meter.hold(self.edges.len() - first as usize)?;
        let range = (first, self.edges.len() as u32);
        self.known[state as usize] = Some(range);
        Ok(range)
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
