//! Whether an event may be a step, and what is known of what followed from it.

use super::{
    engine::Engine,
    events::{Aim, Does, Happened},
};
use crate::sequence::conform::{
    compile::{FrameId, StepInfo, StepKind},
    observe::{Sight, Source, Told, VariantId},
};

/// What is known of the work that a call began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Body {
    /// What was done, to be held against the frame.
    Done {
        frame: FrameId,
        variant: VariantId,
    },
    /// Nobody told, though the called one tells elsewhere.
    Unheard {
        frame: FrameId,
    },
    /// The call failed before anybody took it.
    Refused {
        frame: FrameId,
    },
    Nothing,
}

/// How an event is a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Fit {
    pub body: Body,
    /// Whether it ended otherwise than is drawn.
    pub otherwise: bool,
}

/// Whether an end is another one than the status that was drawn.
pub(in super::super) fn is_otherwise(expected: Option<u16>, status: Option<u16>, failed: bool) -> bool {
    match (expected, status) {
        (None, _) => false,
        (Some(expected), Some(status)) => expected != status,
        // Where no status is told, all that can be known is whether it was an error.
        (Some(500..), None) => !failed,
        (Some(400..), None) => false,
        (Some(_), None) => failed,
    }
}

impl Engine<'_> {
    /// How an event is a step of a frame; none where it is not.
    pub(in super::super) fn fit(&self, event: &Happened, sight: &Sight, step: &StepInfo) -> Option<Fit> {
        let head = event.head.and_then(|at| sight.heads.get(at));
        let (status, failed) = sight.ended(event.head);
        match (event.does, &step.kind) {
            (Does::Own(condition), StepKind::Own { .. }) => {
                (step.condition == Some(condition)).then_some(Fit { body: Body::Nothing, otherwise: false })
            }
            (Does::Return, StepKind::Return { to, status: expected, .. }) => {
                let otherwise = is_otherwise(*expected, status, failed);
                self.may_be(event, sight, *to).then_some(Fit { body: Body::Nothing, otherwise })
            }
            (Does::Call, StepKind::Call { to, frame, lost, status: expected }) => {
                let met = head.map_or(&sight.met, |h| &h.met);
                // What somebody in between was asked for is not told by whom that called.
                let unknown = event.head.is_none() && sight.source == Source::Arrival;
                let meets = step.condition.is_none_or(|condition| unknown || met.contains(&condition));
                if !meets || !self.may_be(event, sight, *to) {
                    return None;
                }
                if step.ignored {
                    return Some(Fit { body: Body::Nothing, otherwise: false });
                }
                let reached = !sight.heads.is_empty();
                let otherwise = is_otherwise(*expected, status, failed) || (*lost && (reached || !failed));
                let body = match (head, sight.through) {
                    (Some(head), _) => Body::Done { frame: *frame, variant: head.variant },
                    (None, Some(variant)) => Body::Done { frame: *frame, variant },
                    (None, None) if *lost => Body::Nothing,
                    // With a status, somebody took it and answered.
                    (None, None) if self.parties.is_seen(*to) && failed && status.is_none() => {
                        Body::Refused { frame: *frame }
                    }
                    (None, None) if self.parties.is_seen(*to) => Body::Unheard { frame: *frame },
                    (None, None) => {
                        let told = if sight.source == Source::Send { Told::Delivered } else { Told::Nothing };
                        Body::Done { frame: *frame, variant: self.nothing(told) }
                    }
                };
                Some(Fit { body, otherwise })
            }
            _ => None,
        }
    }

    /// Whether a call may have gone to a participant.
    fn may_be(&self, event: &Happened, sight: &Sight, to: usize) -> bool {
        match event.aim {
            Aim::At(who) => who == to,
            Aim::Anyone => {
                self.parties.may_be_nameless(to) && !((sight.store || sight.strange) && self.parties.is_seen(to))
            }
            Aim::Stranger => false,
        }
    }

    pub(super) fn fit_cost(&self, event: &Happened, sight: &Sight, step: &StepInfo) -> Option<u32> {
        let fit = self.fit(event, sight, step)?;
        let body = match fit.body {
            Body::Done { frame, variant } => self.fitted(frame, variant).cost,
            Body::Refused { frame } => self.shortest(frame, Told::Full).max(1),
            Body::Unheard { .. } | Body::Nothing => 0,
        };
        Some(u32::try_from(body).unwrap_or(u32::MAX / 4).min(u32::MAX / 4) + u32::from(fit.otherwise))
    }
}
