//! The events of a frame: what a participant did, as far as it concerns whom the diagram draws.

use std::collections::BTreeSet;

use super::super::{
    align::Label,
    compile::Frame,
    observe::{Mark, Sight, Source, Variant},
    parties::Parties,
};
use crate::sequence::mermaid::sequence::Who;

/// Whom a call went to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) enum Aim {
    At(Who),
    /// Nothing names it, and nobody there told.
    Anyone,
    /// Somebody whom the diagram does not draw.
    Stranger,
}

/// What kind of event it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Does {
    Call,
    /// A call ends.
    Return,
    /// Something within the participant that meets this condition.
    Own(usize),
}

/// An event of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Happened {
    pub does: Does,
    pub aim: Aim,
    /// The sight of the variant.
    pub sight: usize,
    /// The one of those whom it reached that is meant; none where all are, or nobody was reached.
    pub head: Option<usize>,
    /// What it costs where the diagram does not draw it.
    pub extra: u32,
    /// Whether it is at the same time as the one before it.
    pub tied: bool,
}

/// The events of a frame, in the order of the participant's clock.
pub(super) fn events(frame: &Frame, variant: &Variant, below: &[u64], parties: &Parties) -> Vec<Happened> {
    let aims: Vec<Vec<(Aim, Option<usize>)>> = variant.sights.iter().map(|sight| aims(frame, sight, parties)).collect();
    let mut found: Vec<Happened> = Vec::new();
    let mut broken = true;
    for point in &variant.points {
        let Some(sight) = variant.sights.get(point.sight) else { continue };
        // What is left out between two events must not make them look as if they were apart, nor tied.
        broken |= !point.tied;
        let mut push = |does: Does, aim: Aim, head: Option<usize>, extra: u64| {
            let extra = u32::try_from(extra).unwrap_or(u32::MAX / 4);
            let tied = !std::mem::take(&mut broken);
            found.push(Happened { does, aim, sight: point.sight, head, extra, tied });
        };
        if sight.source == Source::Own {
            if let Some(condition) = sight.met.iter().find(|met| frame.own.contains(met)) {
                push(Does::Own(*condition), Aim::Anyone, None, 1);
            }
            continue;
        }
        let several = sight.heads.len() > 1;
        for (aim, head) in aims.get(point.sight).into_iter().flatten() {
            if several && *head != point.head {
                continue;
            }
            if point.mark == Mark::Begin {
                push(Does::Call, *aim, *head, extra(sight, *aim, *head, below));
                continue;
            }
            match aim {
                Aim::At(who) => {
                    if let Some(all) = frame.returns.get(who) {
                        push(Does::Return, *aim, *head, u64::from(*all));
                    }
                }
                Aim::Anyone if !frame.returns.is_empty() => push(Does::Return, *aim, *head, 0),
                Aim::Anyone | Aim::Stranger => {}
            }
        }
    }
    found
}

fn extra(sight: &Sight, aim: Aim, head: Option<usize>, below: &[u64]) -> u64 {
    let beneath = |at: usize| sight.heads.get(at).and_then(|h| below.get(h.variant)).copied().unwrap_or_default();
    match (aim, head) {
        (Aim::Anyone | Aim::Stranger, _) => 0,
        (Aim::At(_), Some(head)) => 1 + beneath(head),
        (Aim::At(_), None) => 1 + (0..sight.heads.len()).map(|head| 1 + beneath(head)).sum::<u64>(),
    }
}

/// Whom a call went to, as the frame's diagram can tell it: several where one span reached several.
fn aims(frame: &Frame, sight: &Sight, parties: &Parties) -> Vec<(Aim, Option<usize>)> {
    if sight.source == Source::Own {
        return Vec::new();
    }
    // Whom the caller names without that one telling anything itself.
    let named = sight.peer.filter(|who| !parties.is_seen(*who));
    if sight.heads.is_empty() {
        let aim = match sight.peer {
            Some(who) => Aim::At(who),
            None if sight.elsewhere => Aim::Stranger,
            None => Aim::Anyone,
        };
        return vec![(aim, None)];
    }
    if let Some(who) = named.filter(|who| frame.targets.contains(who)) {
        return vec![(Aim::At(who), None)];
    }
    let mut between: BTreeSet<Who> = BTreeSet::new();
    let mut found = Vec::new();
    for (at, head) in sight.heads.iter().enumerate() {
        let through = match frame.reach.get(&head.who) {
            _ if sight.through.is_none() || frame.targets.contains(&head.who) => None,
            Some(between) => Some(*between),
            None => named,
        };
        match through {
            Some(who) if between.insert(who) => found.push((Aim::At(who), None)),
            Some(_) => {}
            None => found.push((Aim::At(head.who), Some(at))),
        }
    }
    found
}

/// Whether any step may be meant by one of the events, so that labels by participant say too much.
pub(super) fn is_loose(events: &[Happened]) -> bool {
    events.iter().any(|event| event.aim == Aim::Anyone && !matches!(event.does, Does::Own(_)))
}

pub(super) fn label(to: Who, returns: bool, loose: bool) -> Label {
    let base = if loose { 0 } else { 2 * (Label::try_from(to).unwrap_or(u32::MAX / 8) + 1) };
    base + Label::from(returns)
}

/// The label of what a participant does by itself; far above those of calls.
pub(super) fn own_label(condition: usize) -> Label {
    u32::MAX / 2 + Label::try_from(condition).unwrap_or_default()
}

/// The label of the end of the call that a frame was opened by, which no event has: where it lies is told by times.
pub(super) const fn answer_label() -> Label {
    u32::MAX - 1
}

pub(super) fn event_label(event: &Happened, loose: bool) -> Label {
    match (event.does, event.aim) {
        (Does::Own(condition), _) => own_label(condition),
        (_, Aim::Stranger) => u32::MAX,
        (does, Aim::At(who)) => label(who, does == Does::Return, loose),
        (does, Aim::Anyone) => label(0, does == Does::Return, true),
    }
}
