//! One pass over events, column by column: how cheaply each state is reached with so many events taken.
//!
//! Nothing dearer than a limit is kept. With the limit 0 this is a replay that follows what fits and nothing else.

use std::{cmp::Reverse, collections::BinaryHeap, ops::Range};

use super::{
    graph::{Edge, Graph, Kind, NONE},
    search::{Input, Meter, Work},
    tree::{Exhausted, Step},
};

/// How a state was reached: by an event that is extra.
pub(super) const EXTRA: u32 = NONE;
/// How a state was reached: it is the beginning.
pub(super) const START: u32 = NONE - 1;
/// Dearer than everything.
pub(super) const NEVER: u64 = u64::MAX;

/// The states that a pass goes through.
pub(super) trait Space {
    /// The first state, and the last.
    fn ends(&mut self, meter: &mut Meter) -> Result<(u32, u32), Exhausted>;
    fn edges(&mut self, state: u32, meter: &mut Meter) -> Result<Range<usize>, Exhausted>;
    fn edge(&self, at: usize) -> Edge;
    /// Puts a state that was reached at a cost in the queue.
    fn later(&mut self, state: u32, cost: u64);
    /// Takes the next state from the queue, with a cost that it may since have been reached below.
    fn next(&mut self) -> Option<(u32, u64)>;
    /// How many steps there may be to the end at most; `NONE` for any number.
    fn longest(&self, state: u32) -> u32;
    /// Whether there is a `par` among the edges.
    fn leaps(&self) -> bool;
}

/// A state that was reached with so many events taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub cost: u64,
    pub state: u32,
    /// The cell that it was reached from, where the way is kept.
    pub before: u32,
    /// The edge, or `EXTRA`, or `START`.
    pub via: u32,
    /// How many events of the part are taken.
    pub at: u32,
}

/// What a pass is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask {
    pub part: u32,
    /// Events of the part, by their places in its list.
    pub from: usize,
    pub upto: usize,
    /// What is dearer is left out.
    pub limit: u64,
    /// Whether the way is kept. If not, the pass ends where it cannot gain any more by further events.
    pub traced: bool,
}

/// What came of a pass.
#[derive(Debug)]
pub(super) struct Walk {
    /// All cells, where the way was asked for.
    pub cells: Vec<Cell>,
    /// The cell at the very end.
    pub last: Option<u32>,
    /// What the end costs with 0, 1, 2 and more events taken. Behind its last entry, further events are extra.
    pub exits: Vec<u64>,
    /// The last column with a cell in it.
    pub reached: usize,
}

/// A state that a `par` leads to in a later column.
type Leap = Reverse<(usize, u64, u32, u32, u32)>;

/// Cells, of which those of the current column can be found by their states.
struct Columns<'a> {
    cells: Vec<Cell>,
    base: usize,
    at: usize,
    slots: &'a mut Vec<u32>,
    limit: u64,
}

impl Columns<'_> {
    /// Whether the state is reached more cheaply than before.
    fn offer(&mut self, state: u32, cost: u64, before: u32, via: u32) -> bool {
        if cost > self.limit {
            return false;
        }
        if self.slots.len() <= state as usize {
            self.slots.resize(state as usize + 1, 0);
        }
        let cell = Cell { cost, state, before, via, at: self.at as u32 };
        let slot = &mut self.slots[state as usize];
        match self.cells.get_mut(*slot as usize) {
            // A slot of an older column may lead anywhere; to the same state in this column only where it is this one.
            Some(known) if *slot as usize >= self.base && known.state == state => {
                if cost < known.cost {
                    *known = cell;
                    return true;
                }
                false
            }
            _ => {
                *slot = self.cells.len() as u32;
                self.cells.push(cell);
                true
            }
        }
    }

    fn cost(&self, state: u32) -> u64 {
        let slot = self.slots.get(state as usize).copied().unwrap_or(0) as usize;
        let known = self.cells.get(slot).filter(|cell| slot >= self.base && cell.state == state);
        known.map_or(NEVER, |cell| cell.cost)
    }
}

/// Runs a pass.
pub(super) fn walk<'a, S: Space, F: Fn(usize, Step) -> Option<u32>>(
    input: &Input<'a, F>,
    work: &mut Work<'a>,
    space: &mut S,
    slots: &mut Vec<u32>,
    ask: Ask,
) -> Result<Walk, Exhausted> {
    let seen = &input.seen[ask.part as usize];
    let (start, end) = space.ends(&mut work.meter)?;
    let mut columns = Columns { cells: Vec::new(), base: 0, at: ask.from, slots, limit: ask.limit };
    let mut leaps: BinaryHeap<Leap> = BinaryHeap::new();
    let mut exits: Vec<u64> = Vec::new();
    let mut gain = Gain { all: input.program.parts[ask.part as usize].shortest, best: 0, each: input.most_extra };
    let mut reached = ask.from;
    for at in ask.from..=ask.upto {
        columns.at = at;
        let mut exit = NEVER;
        if at == ask.from {
            columns.offer(start, 0, NONE, START);
            space.later(start, 0);
        } else {
            let event = seen[at - 1] as usize;
            let (label, extra) = (input.labels[event], u64::from(input.events[event].extra));
            if !ask.traced {
                columns.cells.drain(..columns.base);
                columns.base = 0;
            }
            let old = columns.base..columns.cells.len();
            columns.base = columns.cells.len();
            let useful = |cell: &Cell, space: &S| ask.traced || gain.may_grow(cell.cost, space.longest(cell.state));
            // Events that are extra come first, so that a cell is only reached otherwise where that is cheaper.
            for from in old.clone() {
                let cell = columns.cells[from];
                if useful(&cell, &*space) && columns.offer(cell.state, cell.cost + extra, from as u32, EXTRA) {
                    space.later(cell.state, cell.cost + extra);
                }
            }
            for from in old {
                let cell = columns.cells[from];
                if !useful(&cell, &*space) {
                    continue;
                }
                for via in space.edges(cell.state, &mut work.meter)? {
                    let Edge { to, kind } = space.edge(via);
                    let Kind::Step { step, label: wanted, .. } = kind else { continue };
                    if wanted != label {
                        continue;
                    }
                    let Some(cost) = (input.fit)(event, step as usize) else { continue };
                    let cost = cell.cost + u64::from(cost);
                    if columns.offer(to, cost, from as u32, via as u32) {
                        space.later(to, cost);
                    }
                }
            }
            gain.all = gain.all.saturating_add(extra);
            // The end can be reached before the event, also where its cell was left out.
            exit = exits.last().map_or(NEVER, |before| before.saturating_add(extra));
        }
        while let Some(Reverse((to, cost, state, before, via))) = leaps.peek().copied().filter(|leap| leap.0.0 == at) {
            debug_assert_eq!(to, at, "a leap ends where it is looked for");
            leaps.pop();
            work.meter.release(1);
            if columns.offer(state, cost, before, via) {
                space.later(state, cost);
            }
        }
        close(input, work, space, &mut columns)?;
        if columns.cells.len() > columns.base {
            reached = at;
        }
        exit = exit.min(columns.cost(end));
        exits.push(exit);
        gain.best = gain.best.max(gain.all.saturating_sub(exit));
        if space.leaps() {
            leap(input, work, space, &columns, ask, &mut leaps)?;
        }
        if ask.traced {
            work.meter.hold(columns.cells.len() - columns.base)?;
        }
        if columns.cells.len() == columns.base && leaps.is_empty() {
            break;
        }
    }
    work.meter.release(leaps.len());
    let slot = columns.slots.get(end as usize).copied().unwrap_or(0);
    let there = |cell: &Cell| cell.state == end && cell.at as usize == ask.upto;
    let last = columns.cells.get(slot as usize).filter(|cell| there(cell)).map(|_| slot);
    let cells = std::mem::take(&mut columns.cells);
    Ok(Walk { cells, last, exits, reached })
}

/// How much the end costs less than if every event were extra and every step missing.
struct Gain {
    /// What it costs if every event is extra and every step is missing.
    all: u64,
    /// The most that was gained with any number of events.
    best: u64,
    /// The most that a single event can cost.
    each: u64,
}

impl Gain {
    /// Whether there may be a way from a cell to the end that gains more than is gained already.
    ///
    /// Ways that gain no more are not needed: the end can as well be reached earlier, and what follows be extra there.
    fn may_grow(&self, cost: u64, steps: u32) -> bool {
        let more = self.each.saturating_mul(u64::from(steps));
        steps == NONE || self.all.saturating_add(more) > self.best.saturating_add(cost)
    }
}

/// Follows, within a column, what happens without an event.
fn close<S: Space, F: Fn(usize, Step) -> Option<u32>>(
    input: &Input<'_, F>,
    work: &mut Work<'_>,
    space: &mut S,
    columns: &mut Columns<'_>,
) -> Result<(), Exhausted> {
    while let Some((state, queued)) = space.next() {
        let cost = columns.cost(state);
        if cost < queued {
            continue;
        }
        work.meter.look()?;
        let from = columns.slots[state as usize];
        for via in space.edges(state, &mut work.meter)? {
            let Edge { to, kind } = space.edge(via);
            let cost = cost.saturating_add(match kind {
                Kind::Silent(_) => 0,
                Kind::Step { missing, .. } => u64::from(missing),
                Kind::Par(par) => input.program.pars[par as usize].shortest,
                Kind::Fork(_) => continue,
            });
            if columns.offer(to, cost, from, via as u32) {
                space.later(to, cost);
            }
        }
    }
    Ok(())
}

/// Where the `par`s that begin in a column lead to.
fn leap<'a, S: Space, F: Fn(usize, Step) -> Option<u32>>(
    input: &Input<'a, F>,
    work: &mut Work<'a>,
    space: &mut S,
    columns: &Columns<'_>,
    ask: Ask,
    leaps: &mut BinaryHeap<Leap>,
) -> Result<(), Exhausted> {
    for (from, cell) in columns.cells.iter().enumerate().skip(columns.base) {
        // An event that is extra before a `par` may as well be extra in it.
        if cell.via == EXTRA {
            continue;
        }
        for via in space.edges(cell.state, &mut work.meter)? {
            let Edge { to, kind: Kind::Par(par) } = space.edge(via) else { continue };
            let within = Ask { from: columns.at, limit: ask.limit - cell.cost, ..ask };
            let found = work.through(input, par, within)?;
            work.meter.hold(found.len())?;
            for (at, cost) in found {
                leaps.push(Reverse((at, cell.cost + cost, to, from as u32, via as u32)));
            }
        }
    }
    Ok(())
}

/// The states of a graph; those that wait stand in a set of bits, and the lowest is taken first.
#[derive(Debug)]
pub(super) struct States<'a> {
    graph: &'a Graph,
    waiting: Vec<u64>,
    /// No word below this one has a bit.
    low: usize,
    /// No word from this one on has a bit.
    high: usize,
}

impl<'a> States<'a> {
    pub fn new(graph: &'a Graph) -> Self {
        Self { graph, waiting: vec![0; graph.longest.len().div_ceil(64)], low: 0, high: 0 }
    }
}

impl Space for States<'_> {
    fn ends(&mut self, _: &mut Meter) -> Result<(u32, u32), Exhausted> {
        Ok((self.graph.start, self.graph.end))
    }

    fn edges(&mut self, state: u32, _: &mut Meter) -> Result<Range<usize>, Exhausted> {
        Ok(self.graph.first[state as usize] as usize..self.graph.first[state as usize + 1] as usize)
    }

    fn edge(&self, at: usize) -> Edge {
        self.graph.edges[at]
    }

    fn later(&mut self, state: u32, _: u64) {
        let word = state as usize / 64;
        self.waiting[word] |= 1 << (state % 64);
        self.low = if self.high == 0 { word } else { self.low.min(word) };
        self.high = self.high.max(word + 1);
    }

    fn next(&mut self) -> Option<(u32, u64)> {
        while self.low < self.high {
            let word = &mut self.waiting[self.low];
            if *word != 0 {
                let bit = word.trailing_zeros();
                *word &= *word - 1;
                return Some((self.low as u32 * 64 + bit, 0));
            }
            self.low += 1;
        }
        (self.low, self.high) = (0, 0);
        None
    }

    fn longest(&self, state: u32) -> u32 {
        self.graph.longest[state as usize]
    }

    fn leaps(&self) -> bool {
        self.graph.leaps
    }
}
