//! What single messages become: steps of frames, stimuli, replies.

use super::{
    super::texts,
    plan::{Condition, FrameId, Meaning, Part, StepInfo, StepKind},
    state::{Open, State, Waits},
    walk::Walk,
};
use crate::sequence::mermaid::sequence::{Head, Message, Operator};

impl<'a> Walk<'a> {
    pub fn own(&mut self, index: usize, message: &'a Message, state: &State) {
        if self.is_ignored(index) {
            return;
        }
        let operation = self.expected(index).and_then(|e| e.operation.clone());
        let required = operation.is_some();
        let Some(frame) = self.acts_in(message.from, state) else { return };
        let condition = operation.map_or_else(|| Condition::Called(texts::plain(&message.text.text)), Condition::Named);
        let condition = Some(self.condition(condition));
        let step = StepInfo { message: index, kind: StepKind::Own { required }, condition, ignored: false };
        self.place(frame, Some(step), index);
        if required {
            self.begins(frame, index);
        }
        self.plan.meanings[index] = if required { Meaning::Bound } else { Meaning::Optional };
    }

    /// A frame that nobody opened is a part of its own, once something stands in it that can be seen.
    fn begins(&mut self, frame: FrameId, message: usize) {
        let known =
            self.plan.parts.iter().any(|part| matches!(part, Part::Own { frame: other, .. } if *other == frame));
        if self.tops.values().any(|top| *top == frame) && !known {
            self.plan.parts.push(Part::Own { frame, message, required: self.path.is_empty() });
        }
    }

    /// Where a diagram shows nothing but what participants do by themselves, that is what there is to see.
    pub fn only_own(&mut self) {
        if !self.plan.parts.is_empty() {
            return;
        }
        for frame in self.tops.values() {
            let first = self.drafts.get(*frame).and_then(|draft| draft.placements.first());
            if let Some(message) = first.map(|placement| placement.message) {
                self.plan.parts.push(Part::Own { frame: *frame, message, required: false });
            }
        }
    }

    pub fn call(&mut self, index: usize, message: &'a Message, state: &mut State) {
        let condition = self.call_condition(index, &message.text.text);
        let ignored = self.is_ignored(index);
        let caller = self.acts_in(message.from, state);
        let depth = caller.and_then(|frame| self.drafts.get(frame)).map_or(0, |draft| draft.depth) + 1;
        let (from, to) = (message.from, message.to);
        if !ignored {
            self.plan.meanings[index] = Meaning::Bound;
        }
        let waits = match caller {
            Some(caller) => {
                self.begins(caller, index);
                Waits::Frame(caller)
            }
            None => Waits::Part(self.plan.parts.len()),
        };
        let frame = self.open_frame(to, depth, Some(message));
        match waits {
            Waits::Frame(caller) => {
                let lost = message.arrow.head == Head::Cross;
                let kind = StepKind::Call { to, frame, lost, status: None };
                self.place(caller, Some(StepInfo { message: index, kind, condition, ignored }), index);
            }
            Waits::Part(_) => {
                let required = self.path.is_empty() && !ignored;
                self.plan.parts.push(Part::Sent {
                    message: index,
                    to,
                    frame,
                    condition,
                    replies: Vec::new(),
                    required,
                });
            }
        }
        let handed = message.arrow.is_async();
        state.begin(Open { from, to, message: index, frame, waits, handed, aside: false });
    }

    pub fn reply(&mut self, index: usize, message: &'a Message, state: &mut State, at: usize) {
        let Some(open) = state.open.get(at).copied() else { return };
        state.end(at);
        self.replies.entry(open.message).or_default().push(index);
        let ignored = self.is_ignored(index) || self.is_ignored(open.message);
        // The called one may go on only where this reply was not the one that was given.
        let answer = StepInfo { message: index, kind: StepKind::Answer, condition: None, ignored: false };
        self.place(open.frame, (!ignored).then_some(answer), index);
        if ignored {
            return;
        }
        self.plan.meanings[index] = Meaning::Bound;
        let said = |at: usize| self.expected(at).and_then(|e| e.status);
        let status = said(index).or_else(|| said(open.message)).or_else(|| texts::status(&message.text.text));
        match open.waits {
            Waits::Frame(caller) => {
                let step = self.returned(caller, index, open, open.message, status);
                for (fragment, operands) in self.partly.remove(&(open.message, open.frame)).unwrap_or_default() {
                    if self.path.iter().any(|seg| seg.fragment == fragment) {
                        continue;
                    }
                    self.drawn[fragment].early.extend(operands);
                    self.drawn[fragment].until.extend(step.map(|step| (caller, step)));
                }
            }
            Waits::Part(part) => {
                if let Some(Part::Sent { replies, .. }) = self.plan.parts.get_mut(part) {
                    replies.push((index, status));
                }
                for (fragment, operands) in self.partly.remove(&(open.message, open.frame)).unwrap_or_default() {
                    self.drawn[fragment].early.extend(operands);
                }
            }
        }
    }

    fn returned(
        &mut self,
        caller: FrameId,
        index: usize,
        open: Open,
        call: usize,
        status: Option<u16>,
    ) -> Option<usize> {
        let optional = self.may_be_absent(call);
        let kind = StepKind::Return { to: open.to, call, status, optional };
        self.place(caller, Some(StepInfo { message: index, kind, condition: None, ignored: false }), index)
    }

    /// Whether a call stands in a branch that this place is not in, so that it may not have happened.
    fn may_be_absent(&self, call: usize) -> bool {
        let Some(path) = self.paths.get(call) else { return false };
        let shared = path.iter().zip(&self.path).take_while(|(a, b)| a == b).count();
        path.iter().skip(shared).any(|seg| {
            let operator = self.drawn.get(seg.fragment).map(|drawn| drawn.operator);
            !matches!(operator, Some(Operator::Par | Operator::ParOver | Operator::Rect))
        })
    }

    /// A second reply with one call drawn: the call was made again.
    pub fn again(&mut self, index: usize, message: &'a Message, first: Open) {
        let Waits::Frame(caller) = first.waits else { return };
        if self.is_ignored(index) {
            return;
        }
        let text = self.messages.get(first.message).map_or("", |m| &m.text.text);
        let condition = match self.expected(index) {
            Some(e) if e.operation.is_some() => self.call_condition(index, ""),
            _ => self.call_condition(first.message, text),
        };
        let status = self.expected(index).and_then(|e| e.status).or_else(|| texts::status(&message.text.text));
        let kind = StepKind::Call { to: first.to, frame: first.frame, lost: false, status: None };
        self.place(caller, Some(StepInfo { message: index, kind, condition, ignored: false }), index);
        self.returned(caller, index, first, index, status);
        self.replies.entry(index).or_default().push(index);
        self.plan.meanings[index] = Meaning::Bound;
    }

    /// Where no reply is drawn, the status that a call has to end with is asked of the call itself.
    pub fn unanswered(&mut self) {
        let said = |message: usize| self.expected.get(&message).and_then(|e| e.status);
        for step in self.drafts.iter_mut().flat_map(|draft| &mut draft.steps) {
            if let StepKind::Call { status, .. } = &mut step.kind
                && !self.replies.contains_key(&step.message)
            {
                *status = said(step.message);
            }
        }
        for part in &mut self.plan.parts {
            if let Part::Sent { message, replies, .. } = part
                && replies.is_empty()
                && let Some(status) = said(*message)
            {
                replies.push((*message, Some(status)));
            }
        }
    }
}
