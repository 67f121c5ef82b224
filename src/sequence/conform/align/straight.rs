//! A way through a net on which everything fits, sought depth first.
//!
//! A pass looks at every way that fits as well. Where many operands share labels there are very many of those, and a trace that
//! fits has one that is found soon.

use std::collections::{HashMap, HashSet};

use super::{
    graph::{Edge, Kind, NONE},
    markings::Markings,
    pass::{Ask, Cell, EXTRA, NEVER, START, Space, Walk},
    search::{Input, Work},
    tree::{Exhausted, Step},
};

/// How many places are looked at before this is left to a pass.
const MOST: usize = 1 << 16;

/// Where the way may go on: the state, how many events are taken there, and the edge.
type Next = (u32, usize, u32);

/// A place on the way, with what is left to try from it; the last is tried first.
struct Place {
    state: u32,
    at: usize,
    via: u32,
    left: Vec<Next>,
}

/// How many events fit each step: the fewer, the less is lost if the step takes one of them.
struct Rarity<'i, 'a, F> {
    input: &'i Input<'a, F>,
    part: u32,
    known: HashMap<u32, usize>,
}

impl<F: Fn(usize, Step) -> Option<u32>> Rarity<'_, '_, F> {
    fn of(&mut self, step: u32) -> usize {
        let seen = &self.input.seen[self.part as usize];
        let fits = |event: &&u32| (self.input.fit)(**event as usize, step as usize).is_some();
        *self.known.entry(step).or_insert_with(|| seen.iter().filter(fits).count())
    }
}

/// A way that costs nothing from the beginning of a net to its end with all of the events taken; `None` where there is none, or
/// it was not found soon. What it says of the net's end is true of that place only.
pub(super) fn straight<'a, F: Fn(usize, Step) -> Option<u32>>(
    input: &Input<'a, F>,
    work: &mut Work<'a>,
    space: &mut Markings<'a>,
    ask: Ask,
) -> Result<Option<Walk>, Exhausted> {
    let (start, end) = space.ends(&mut work.meter)?;
    let mut rarity = Rarity { input, part: ask.part, known: HashMap::new() };
    let mut seen = HashSet::from([(start, ask.from)]);
    let left = ways(&mut rarity, work, space, (start, ask.from), ask.upto)?;
    let mut way = vec![Place { state: start, at: ask.from, via: START, left }];
    while let Some(place) = way.last_mut() {
        if place.state == end && place.at == ask.upto {
            return Ok(Some(walked(&way, ask)));
        }
        let Some((state, at, via)) = place.left.pop() else {
            way.pop();
            continue;
        };
        if seen.len() == MOST {
            return Ok(None);
        }
        if seen.insert((state, at)) {
            work.meter.look()?;
            let left = ways(&mut rarity, work, space, (state, at), ask.upto)?;
            way.push(Place { state, at, via, left });
        }
    }
    Ok(None)
}

/// Where it may go on at no cost: what is to be tried first stands last.
fn ways<'a, F: Fn(usize, Step) -> Option<u32>>(
    rarity: &mut Rarity<'_, 'a, F>,
    work: &mut Work<'a>,
    space: &mut Markings<'a>,
    (state, at): (u32, usize),
    upto: usize,
) -> Result<Vec<Next>, Exhausted> {
    let input = rarity.input;
    let event = input.seen[rarity.part as usize][..upto].get(at).map(|event| *event as usize);
    let (mut taking, mut silent) = (Vec::new(), Vec::new());
    if event.is_some_and(|event| input.events[event].extra == 0) {
        silent.push((state, at + 1, EXTRA));
    }
    for via in space.edges(state, &mut work.meter)? {
        let Edge { to, kind } = space.edge(via);
        match kind {
            Kind::Silent(_) | Kind::Step { missing: 0, .. } => silent.push((to, at, via as u32)),
            _ => {}
        }
        let (Kind::Step { step, label, .. }, Some(event)) = (kind, event) else { continue };
        if label != NONE && label == input.labels[event] && (input.fit)(event, step as usize) == Some(0) {
            taking.push((step, (to, at + 1, via as u32)));
        }
    }
    if taking.len() > 1 {
        taking.sort_by_key(|(step, _)| rarity.of(*step));
    }
    // The first of those that are as rare, since operands are drawn in the order in which they begin.
    let mut ways: Vec<Next> = taking.into_iter().map(|(_, next)| next).chain(silent).collect();
    ways.reverse();
    Ok(ways)
}

fn walked(way: &[Place], ask: Ask) -> Walk {
    let cells: Vec<Cell> = (0..)
        .zip(way)
        .map(|(index, place): (u32, _)| Cell {
            cost: 0,
            state: place.state,
            before: index.wrapping_sub(1),
            via: place.via,
            at: place.at as u32,
        })
        .collect();
    let mut exits = vec![NEVER; ask.upto - ask.from];
    exits.push(0);
    Walk { last: Some(cells.len() as u32 - 1), cells, exits, reached: ask.upto }
}
