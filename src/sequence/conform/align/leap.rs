//! A `par` as one long edge: where it leads to from a place among the events, and at what cost.

use std::rc::Rc;

use super::{
    pass::{Ask, NEVER},
    search::{Input, Work},
    tree::{Exhausted, Step},
};

/// One operand on the way, or several that share labels.
struct Runner {
    /// What its end costs with so many events taken.
    exits: Rc<[u64]>,
    taken: usize,
    cost: u64,
}

impl Runner {
    /// Whether more events may change more than that they are extra.
    fn is_open(&self) -> bool {
        self.taken + 1 < self.exits.len()
    }

    /// Takes one more event; says whether the end is cheaper than if the event were extra behind it.
    fn take(&mut self, extra: u64) -> bool {
        self.taken += 1;
        let extended = self.cost.saturating_add(extra);
        // At a limit a pass ends as well: what stands behind it is dearer than the limit, or is as said here.
        self.cost = self.exits.get(self.taken).copied().unwrap_or(extended);
        self.cost < extended
    }
}

impl<'a> Work<'a> {
    /// The places of the part's list that a `par` leads to from `ask.from`, and the costs.
    ///
    /// An alignment with operands that share no label is the sum of the alignments of each with the events that have its
    /// labels; all other events are extra. Places are left out that are reached as cheaply by leaving the `par` earlier and
    /// taking the events after that for extra.
    pub fn through<F: Fn(usize, Step) -> Option<u32>>(
        &mut self,
        input: &Input<'a, F>,
        par: u32,
        ask: Ask,
    ) -> Result<Vec<(usize, u64)>, Exhausted> {
        let par = &input.program.pars[par as usize];
        let mut runners = Vec::with_capacity(par.parts.len());
        for part in &par.parts {
            let exits = self.exits(input, *part, input.place(ask.part, ask.from, *part))?;
            let cost = exits.first().copied().unwrap_or(NEVER);
            runners.push(Runner { exits, taken: 0, cost });
        }
        let mut open = runners.iter().filter(|runner| runner.is_open()).count();
        let mut never = runners.iter().filter(|runner| runner.cost == NEVER).count();
        // What is not NEVER is below the limit, and so is far from overflowing.
        let mut cost: u64 = runners.iter().map(|runner| runner.cost).filter(|cost| *cost != NEVER).sum();
        let mut loose = 0u64;
        let mut found = Vec::new();
        for (at, event) in input.seen[ask.part as usize].iter().enumerate().take(ask.upto).skip(ask.from) {
            if open == 0 || loose > ask.limit {
                break;
            }
            self.meter.look()?;
            let event = *event as usize;
            let extra = u64::from(input.events[event].extra);
            let Some(owner) = par.owner(input.labels[event]) else {
                loose += extra;
                continue;
            };
            let runner = &mut runners[owner];
            let (before, was_open) = (runner.cost, runner.is_open());
            let cheaper = runner.take(extra);
            open -= usize::from(was_open && !runner.is_open());
            if before == NEVER {
                never -= 1
            } else {
                cost -= before
            }
            if runner.cost == NEVER {
                never += 1
            } else {
                cost += runner.cost
            }
            if cheaper && never == 0 && cost + loose <= ask.limit {
                found.push((at + 1, cost + loose));
            }
        }
        Ok(found)
    }
}
