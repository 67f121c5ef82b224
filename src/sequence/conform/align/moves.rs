//! Moves and choices, read back from the cells of a pass.

use super::{
    compile::Form,
    graph::{Kind, NONE},
    markings::Tokens,
    pass::{Ask, Cell, EXTRA, NEVER, START, Walk},
    search::{Input, Work},
    tree::{Alignment, Exhausted, Move, Step},
};

/// A move or a choice.
#[derive(Debug, Clone, Copy)]
enum What {
    Move(Move),
    /// As an index into the program's choices.
    Choice(u32),
}

/// What happened, and behind which event: 0 before the first.
type Item = (u32, What);

impl<'a> Work<'a> {
    /// The alignment that a pass over the whole tree found.
    pub fn alignment<F: Fn(usize, Step) -> Option<u32>>(
        &mut self,
        input: &Input<'a, F>,
        walk: Walk,
    ) -> Result<Alignment, Exhausted> {
        let cost = walk.last.map_or(0, |last| walk.cells[last as usize].cost);
        let mut items = Vec::new();
        self.items(input, input.whole(), walk, 0, &mut items)?;
        let mut found = Alignment { cost, ..Alignment::default() };
        for (event, _) in input.labels.iter().enumerate().filter(|(_, label)| **label == NONE) {
            found.cost += u64::from(input.events[event].extra);
            items.push((event as u32 + 1, What::Move(Move::Extra { event })));
        }
        items.sort_by_key(|(behind, _)| *behind);
        for (_, what) in items {
            match what {
                What::Move(one) => found.moves.push(one),
                What::Choice(one) => found.choices.push(input.program.choices[one as usize]),
            }
        }
        Ok(found)
    }

    fn items<F: Fn(usize, Step) -> Option<u32>>(
        &mut self,
        input: &Input<'a, F>,
        part: u32,
        walk: Walk,
        begun: u32,
        items: &mut Vec<Item>,
    ) -> Result<(), Exhausted> {
        let held = walk.cells.len();
        let way = way(&walk);
        drop(walk);
        self.meter.release(held);
        let seen = &input.seen[part as usize];
        let mut behind = begun;
        let mut before = 0;
        let mut tokens = match &self.program.parts[part as usize].form {
            Form::Net(net) => Some(Tokens::new(net)),
            Form::Graph(_) => None,
        };
        for cell in way {
            let taken = before;
            before = cell.at as usize;
            if cell.via == START {
                continue;
            }
            let last = cell.at.checked_sub(1).and_then(|at| seen.get(at as usize)).copied();
            if cell.via == EXTRA {
                if let Some(event) = last {
                    behind = event + 1;
                    items.push((behind, What::Move(Move::Extra { event: event as usize })));
                }
                continue;
            }
            match self.kind(part, cell.via, tokens.as_mut()) {
                Kind::Silent(NONE) | Kind::Fork(_) => {}
                Kind::Silent(choice) => items.push((behind, What::Choice(choice))),
                Kind::Step { step, .. } => match last.filter(|_| cell.at as usize > taken) {
                    Some(event) => {
                        behind = event + 1;
                        items.push((behind, What::Move(Move::Sync { event: event as usize, step: step as usize })));
                    }
                    None => items.push((behind, What::Move(Move::Missing { step: step as usize }))),
                },
                Kind::Par(par) => {
                    self.par(input, par, (part, taken, cell.at as usize), behind, items)?;
                    behind = last.filter(|_| cell.at as usize > taken).map_or(behind, |event| event + 1);
                }
            }
        }
        Ok(())
    }

    /// The moves of a `par`, which took the events between two places in the list of the part that it stands in.
    fn par<F: Fn(usize, Step) -> Option<u32>>(
        &mut self,
        input: &Input<'a, F>,
        par: u32,
        (outer, from, upto): (u32, usize, usize),
        behind: u32,
        items: &mut Vec<Item>,
    ) -> Result<(), Exhausted> {
        let first = items.len();
        let par = &input.program.pars[par as usize];
        for part in &par.parts {
            let (from, upto) = (input.place(outer, from, *part), input.place(outer, upto, *part));
            let exits = self.exits(input, *part, from)?;
            let known = (upto - from).min(exits.len() - 1);
            let seen = &input.seen[*part as usize];
            let extra = seen[from + known..upto].iter().map(|event| u64::from(input.events[*event as usize].extra));
            let limit = extra.fold(exits.get(known).copied().unwrap_or(NEVER), u64::saturating_add);
            let walk = self.walk(input, Ask { part: *part, from, upto, limit, traced: true })?;
            self.items(input, *part, walk, behind, items)?;
        }
        for event in &input.seen[outer as usize][from..upto] {
            let event = *event as usize;
            if par.owner(input.labels[event]).is_none() {
                items.push((event as u32 + 1, What::Move(Move::Extra { event })));
            }
        }
        // Operands are interleaved by the events; each keeps its own order.
        items[first..].sort_by_key(|(behind, _)| *behind);
        Ok(())
    }

    fn kind(&self, part: u32, edge: u32, tokens: Option<&mut Tokens>) -> Kind {
        match (&self.program.parts[part as usize].form, tokens) {
            (Form::Graph(graph), _) => graph.edges[edge as usize].kind,
            (Form::Net(_), Some(tokens)) => self.follow(part, edge, tokens),
            (Form::Net(_), None) => Kind::Silent(NONE),
        }
    }
}

/// The cells on the way to the last one, from the first on.
fn way(walk: &Walk) -> Vec<Cell> {
    let mut way = Vec::new();
    let mut next = walk.last;
    while let Some(cell) = next.and_then(|at| walk.cells.get(at as usize)) {
        way.push(*cell);
        next = (cell.via != START).then_some(cell.before);
    }
    way.reverse();
    way
}
