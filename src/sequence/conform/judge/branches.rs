//! Whether all who took part in a choice took the same branch.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    tally::{Made, Tally},
    walk::Walker,
};
use crate::sequence::conform::{
    compile::{FrameId, Taken},
    observe::ActivationId,
    report::{Difference, SpanRef},
};

/// Finds choices that were made otherwise by one participant than by another, and settles those that only seem to be.
pub(in super::super) fn settle(walker: &mut Walker<'_>) {
    let fragments: BTreeSet<usize> = walker.tally.made.iter().map(|made| made.fragment).collect();
    for fragment in fragments {
        let repeated = walker.engine.plan.fragments.get(fragment).is_some_and(|place| place.repeated);
        let made: Vec<Made> = walker.tally.made.iter().filter(|made| made.fragment == fragment).copied().collect();
        let several = made.iter().any(|one| made.iter().any(|other| one.taken != other.taken));
        if repeated || !several || entered_again(&walker.tally, &made) {
            continue;
        }
        one(walker, fragment, &made);
    }
}

/// Whether a frame was entered several times, so that each time may have gone its own way.
fn entered_again(tally: &Tally, made: &[Made]) -> bool {
    made.iter().any(|one| tally.entered.iter().filter(|(frame, _)| *frame == one.frame).count() > 1)
}

fn one(walker: &mut Walker<'_>, fragment: usize, made: &[Made]) {
    // Of ways that cost the same, the one that was seen.
    let (shown, others): (Vec<&Made>, Vec<&Made>) = made.iter().partition(|one| one.shown);
    let options: Vec<Taken> = shown.into_iter().chain(others).map(|one| one.taken).collect();
    let free: u64 = made.iter().map(|one| walker.cost(one.frame, one.activation)).sum();
    let mut best: Option<(u64, Taken)> = None;
    for taken in options {
        let Some(cost) = made.iter().map(|one| walker.settled(one, fragment, taken)).sum::<Option<u64>>() else {
            continue;
        };
        if best.is_none_or(|(known, _)| cost < known) {
            best = Some((cost, taken));
        }
    }
    if let Some((cost, taken)) = best
        && cost == free
    {
        for one in walker.tally.made.iter_mut().filter(|one| one.fragment == fragment) {
            one.taken = taken;
        }
        return;
    }
    walker.tally.cost += best.map_or(1, |(cost, _)| cost.saturating_sub(free)).max(1);
    let mut spans: Vec<SpanRef> = Vec::new();
    let mut ways: Vec<String> = Vec::new();
    for one in made {
        let activation = walker.engine.seen.activations.get(one.activation);
        spans.extend(activation.and_then(|a| a.root).map(|root| walker.span(root)));
        let owner = walker.engine.plan.frames.get(one.frame).map_or("", |frame| walker.name(frame.owner));
        ways.push(match one.taken {
            Taken::Operand(at) => format!("`{owner}` took branch {}", at + 1),
            Taken::None | Taken::Within => format!("`{owner}` took none"),
        });
    }
    ways.dedup();
    let place = walker.engine.plan.fragments.get(fragment).map(|place| place.span).unwrap_or_default();
    walker.tally.deviates(Difference::MixedBranch, None, place, spans, ways.join(", "));
}

impl Walker<'_> {
    fn cost(&self, frame: FrameId, activation: ActivationId) -> u64 {
        let variant = self.engine.seen.activations.get(activation).map(|a| a.variant);
        variant.map_or(0, |variant| self.engine.fitted(frame, variant).cost)
    }

    /// What a frame costs where a fragment went a certain way; none where it cannot go that way.
    fn settled(&self, made: &Made, fragment: usize, taken: Taken) -> Option<u64> {
        if made.taken == taken {
            return Some(self.cost(made.frame, made.activation));
        }
        let mut settled = BTreeMap::new();
        let mut goes = false;
        for (id, choosing) in self.engine.plan.choices.iter().enumerate() {
            if (choosing.frame, choosing.fragment) != (made.frame, fragment) {
                continue;
            }
            let at = |wanted: Taken| choosing.branches.iter().position(|branch| *branch == wanted);
            if let Some(branch) = at(taken) {
                settled.insert(id, branch);
                goes = true;
            } else if let Some(branch) = at(Taken::Within) {
                settled.insert(id, branch);
            }
        }
        let variant = self.engine.seen.activations.get(made.activation)?.variant;
        if goes { self.engine.settled(made.frame, variant, &settled) } else { None }
    }
}
