//! The search for the cheapest alignment: passes with a growing limit, and what they remember of each other.

use std::{collections::HashMap, rc::Rc};

use super::{
    compile::{Form, Program},
    graph::{Kind, NONE},
    markings::{Markings, Tokens},
    pass::{Ask, States, Walk, walk},
    straight::straight,
    tree::{Alignment, Budget, Event, Exhausted, Step},
};

/// How many states are looked at for each that may be held.
const LOOKS: usize = 16;

pub(super) struct Input<'a, F> {
    pub program: &'a Program,
    pub events: &'a [Event],
    /// The dense index of each event's label; `NONE` where the tree does not have it.
    pub labels: Vec<u32>,
    /// The events whose labels occur in each part.
    pub seen: Vec<Vec<u32>>,
    pub fit: &'a F,
    /// The most that a single event costs if it is extra.
    pub most_extra: u64,
}

impl<'a, F: Fn(usize, Step) -> Option<u32>> Input<'a, F> {
    pub fn new(program: &'a Program, events: &'a [Event], fit: &'a F) -> Self {
        let dense = |event: &Event| program.labels.get(&event.label).copied().unwrap_or(NONE);
        let labels: Vec<u32> = events.iter().map(dense).collect();
        let mut seen = vec![Vec::new(); program.parts.len()];
        for (event, label) in labels.iter().enumerate() {
            for part in program.homes.get(*label as usize).into_iter().flatten() {
                seen[*part as usize].push(event as u32);
            }
        }
        let most_extra = events.iter().map(|event| u64::from(event.extra)).max().unwrap_or(0);
        Self { program, events, labels, seen, fit, most_extra }
    }

    /// The graph of the whole tree.
    pub fn whole(&self) -> u32 {
        self.program.parts.len() as u32 - 1
    }

    /// The place in the list of a part of the first event that is not before a place in the list of another part.
    pub fn place(&self, part: u32, at: usize, other: u32) -> usize {
        match self.seen[part as usize].get(at) {
            Some(event) => self.seen[other as usize].partition_point(|known| known < event),
            None => self.seen[other as usize].len(),
        }
    }
}

/// Counts what is held and what is looked at.
#[derive(Debug)]
pub(super) struct Meter {
    held: usize,
    looked: usize,
    most_held: usize,
    most_looked: usize,
}

impl Meter {
    fn new(budget: Budget) -> Self {
        Self { held: 0, looked: 0, most_held: budget.states, most_looked: budget.states.saturating_mul(LOOKS) }
    }

    pub fn look(&mut self) -> Result<(), Exhausted> {
        self.looked += 1;
        if self.looked > self.most_looked { Err(Exhausted) } else { Ok(()) }
    }

    pub fn hold(&mut self, states: usize) -> Result<(), Exhausted> {
        self.held += states;
        if self.held > self.most_held { Err(Exhausted) } else { Ok(()) }
    }

    pub fn release(&mut self, states: usize) {
        self.held = self.held.saturating_sub(states);
    }
}

/// What passes over one part use again and again.
struct Room<'a> {
    space: Spaces<'a>,
    slots: Vec<u32>,
}

enum Spaces<'a> {
    States(States<'a>),
    Markings(Markings<'a>),
}

/// What a search remembers.
pub(super) struct Work<'a> {
    pub program: &'a Program,
    pub meter: Meter,
    rooms: Vec<Option<Room<'a>>>,
    /// What the ends of parts cost, by the part and where in its list it begins.
    exits: HashMap<(u32, u32), Rc<[u64]>>,
    /// How many states those count for.
    exits_held: usize,
    limit: u64,
    /// Whether the first way through a net on which all fits may stand for all such ways.
    hasty: bool,
    /// Whether one has stood for all of them in this attempt.
    guessed: bool,
}

impl<'a> Work<'a> {
    pub fn new(program: &'a Program, budget: Budget) -> Self {
        let rooms = (0..program.parts.len()).map(|_| None).collect();
        Self {
            program,
            meter: Meter::new(budget),
            rooms,
            exits: HashMap::new(),
            exits_held: 0,
            limit: 0,
            hasty: false,
            guessed: false,
        }
    }

    /// The cheapest alignment of any of the inputs, which are the same events in several orders; and which of them it is of.
    ///
    /// All are tried at a limit before any is tried at a higher one: an order that does not fit would take many states to
    /// say how badly, where another fits.
    pub fn search<F: Fn(usize, Step) -> Option<u32>>(
        &mut self,
        inputs: &[Input<'a, F>],
    ) -> Result<(usize, Alignment), Exhausted> {
        let Some(first) = inputs.first() else { return Err(Exhausted) };
        let whole = first.whole();
        let seen = &first.seen[whole as usize];
        if self.program.too_large || seen.len() > self.program.most_events || seen.len() >= NONE as usize - 1 {
            return Err(Exhausted);
        }
        let extras = seen.iter().map(|event| u64::from(first.events[*event as usize].extra));
        // Everything is extra, and everything is missing: that is a way, so nothing dearer has to be looked at.
        let most = extras.clone().fold(self.program.shortest, u64::saturating_add);
        let cheapest = extras.filter(|cost| *cost > 0).min();
        let unit = cheapest.into_iter().chain(self.program.unit.map(u64::from)).min().unwrap_or(1);
        let nets = self.program.parts.iter().any(|part| matches!(part.form, Form::Net(_)));
        let mut limit = 0;
        loop {
            let mut best: Option<(u64, usize, Alignment)> = None;
            let mut reached = 0;
            for (at, input) in inputs.iter().enumerate() {
                // Of those that cost the same the first is taken.
                self.limit = match best {
                    Some((0, ..)) => break,
                    Some((known, ..)) => limit.min(known - 1),
                    None => limit,
                };
                self.hasty = true;
                let (mut found, mut came) = self.attempt(input)?;
                if found.is_none() && self.guessed {
                    self.hasty = false;
                    (found, came) = self.attempt(input)?;
                }
                reached = reached.max(came);
                best = found.map(|(cost, found)| (cost, at, found)).or(best);
            }
            if let Some((_, at, best)) = best {
                return Ok((at, best));
            }
            if limit >= most {
                // Not reached: at that limit there is a way.
                return Err(Exhausted);
            }
            limit = next_limit(limit, unit, reached, seen.len(), nets).min(most);
        }
    }

    /// A pass over the whole tree at the limit: what it found, with its cost, and how far it came.
    fn attempt<F: Fn(usize, Step) -> Option<u32>>(
        &mut self,
        input: &Input<'a, F>,
    ) -> Result<(Option<(u64, Alignment)>, usize), Exhausted> {
        self.guessed = false;
        self.meter.looked = 0;
        let upto = input.seen[input.whole() as usize].len();
        let ask = Ask { part: input.whole(), from: 0, upto, limit: self.limit, traced: true };
        let walk = self.walk(input, ask)?;
        let reached = walk.reached;
        let found = match walk.last {
            Some(last) => Some((walk.cells[last as usize].cost, self.alignment(input, walk)?)),
            None => {
                self.meter.release(walk.cells.len());
                None
            }
        };
        self.meter.release(self.exits_held);
        self.exits.clear();
        self.exits_held = 0;
        Ok((found, reached))
    }

    /// The first way through a net on which all fits, if that is enough.
    fn straight<F: Fn(usize, Step) -> Option<u32>>(
        &mut self,
        input: &Input<'a, F>,
        space: &mut Markings<'a>,
        ask: Ask,
    ) -> Result<Option<Walk>, Exhausted> {
        if ask.limit > 0 || !(ask.traced || self.hasty) {
            return Ok(None);
        }
        let found = straight(input, self, space, ask)?;
        if let (Some(walk), true) = (&found, ask.traced) {
            self.meter.hold(walk.cells.len())?;
        }
        self.guessed |= found.is_some() && !ask.traced;
        Ok(found)
    }

    /// Runs a pass over a part.
    pub fn walk<F: Fn(usize, Step) -> Option<u32>>(
        &mut self,
        input: &Input<'a, F>,
        ask: Ask,
    ) -> Result<Walk, Exhausted> {
        let program = self.program;
        // Parts within a part are others than itself, so its room is never asked for while it is taken.
        let mut room = self.rooms[ask.part as usize].take().unwrap_or_else(|| Room {
            space: match &program.parts[ask.part as usize].form {
                Form::Graph(graph) => Spaces::States(States::new(graph)),
                Form::Net(net) => Spaces::Markings(Markings::new(net)),
            },
            slots: Vec::new(),
        });
        let found = match &mut room.space {
            Spaces::States(space) => walk(input, self, space, &mut room.slots, ask),
            Spaces::Markings(space) => match self.straight(input, space, ask) {
                Ok(None) => walk(input, self, space, &mut room.slots, ask),
                Ok(Some(found)) => Ok(found),
                Err(exhausted) => Err(exhausted),
            },
        };
        self.rooms[ask.part as usize] = Some(room);
        found
    }

    /// What the end of a part costs with so many events taken from a place on; see [`Walk::exits`].
    pub fn exits<F: Fn(usize, Step) -> Option<u32>>(
        &mut self,
        input: &Input<'a, F>,
        part: u32,
        from: usize,
    ) -> Result<Rc<[u64]>, Exhausted> {
        if let Some(known) = self.exits.get(&(part, from as u32)) {
            return Ok(Rc::clone(known));
        }
        let upto = input.seen[part as usize].len();
        let found = self.walk(input, Ask { part, from, upto, limit: self.limit, traced: false })?;
        let held = found.exits.len().div_ceil(2) + 1;
        self.meter.hold(held)?;
        self.exits_held += held;
        let exits: Rc<[u64]> = found.exits.into();
        self.exits.insert((part, from as u32), Rc::clone(&exits));
        Ok(exits)
    }

    /// What an edge between markings stands for, for the tokens that have come so far.
    pub fn follow(&self, part: u32, edge: u32, tokens: &mut Tokens) -> Kind {
        match self.rooms[part as usize].as_ref().map(|room| &room.space) {
            Some(Spaces::Markings(space)) => tokens.follow(space, edge),
            _ => Kind::Silent(NONE),
        }
    }
}

/// The limit of the next pass: at least twice this one, and more where this one did not come far. With operands that share
/// labels, the states grow with a power of the limit, so that it grows slowly.
fn next_limit(limit: u64, unit: u64, reached: usize, all: usize, nets: bool) -> u64 {
    if nets {
        return limit.saturating_add(limit / 4).saturating_add(unit);
    }
    let twice = limit.saturating_mul(2).saturating_add(unit);
    let rate = (all as u64).saturating_mul(limit.saturating_add(unit)) / (reached.max(1) as u64);
    // Where it failed at the first events, the rate says little: no more than eight times as much at once.
    twice.max(rate.saturating_add(rate / 4).min(twice.saturating_mul(4)))
}
