//! The fragments and boxes that are open while a diagram is read.

use super::tree::{Fragment, Item, Operand, Operator, Sequence, Text};
use crate::sequence::Span;

/// How deeply fragments may be nested; what is nested more deeply is read as if it stood in the deepest.
pub(super) const DEEPEST: usize = 128;

/// Something that an `end` closes.
#[derive(Debug)]
pub(super) enum Open {
    /// A fragment, with the operand that is being read last.
    Fragment(Fragment),
    Box(usize, Span),
    /// A fragment beyond the bound.
    TooDeep(Operator),
}

/// Everything that is open, the innermost last.
#[derive(Debug, Default)]
pub(super) struct Stack {
    open: Vec<Open>,
    /// Which of them are fragments with a node of their own.
    nodes: Vec<usize>,
}

impl Stack {
    pub(super) const fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The box that is being filled.
    pub(super) fn in_box(&self) -> Option<usize> {
        match self.open.last() {
            Some(Open::Box(index, _)) => Some(*index),
            _ => None,
        }
    }

    /// Opens a box, which ends at `keyword` as yet.
    pub(super) fn open_box(&mut self, index: usize, keyword: Span) {
        self.open.push(Open::Box(index, keyword));
    }

    /// Opens a fragment; answers false where it is nested too deeply for a node of its own.
    pub(super) fn open_fragment(&mut self, operator: Operator, keyword: Span, label: Text) -> bool {
        if self.nodes.len() >= DEEPEST {
            self.open.push(Open::TooDeep(operator));
            return false;
        }
        self.nodes.push(self.open.len());
        let operands = vec![Operand { label, items: Vec::new(), keyword }];
        self.open.push(Open::Fragment(Fragment { operator, operands, span: keyword }));
        true
    }

    /// Begins another operand of the innermost fragment.
    pub(super) fn divide(&mut self, keyword: Span, label: Text) {
        if let Some(Open::Fragment(fragment)) = self.open.last_mut() {
            fragment.operands.push(Operand { label, items: Vec::new(), keyword });
        }
    }

    /// Adds a step to the innermost fragment, or to the diagram.
    pub(super) fn add(&mut self, tree: &mut Sequence, item: Item) {
        let inner = self.nodes.last().and_then(|index| self.open.get_mut(*index));
        match inner {
            Some(Open::Fragment(Fragment { operands, .. })) => {
                if let Some(operand) = operands.last_mut() {
                    operand.items.push(item);
                }
            }
            _ => tree.items.push(item),
        }
    }

    /// Closes the innermost; answers where it began, and the keyword it began with.
    pub(super) fn close(&mut self, tree: &mut Sequence, end: usize) -> Option<(Span, &'static str)> {
        match self.open.pop()? {
            Open::Fragment(mut fragment) => {
                self.nodes.pop();
                let keyword = fragment.span;
                let word = fragment.operator.word();
                fragment.span = Span::new(keyword.start, end);
                self.add(tree, Item::Fragment(fragment));
                Some((keyword, word))
            }
            Open::Box(index, keyword) => {
                if let Some(grouping) = tree.boxes.get_mut(index) {
                    grouping.span.end = end;
                }
                Some((keyword, "box"))
            }
            Open::TooDeep(operator) => Some((Span::new(end, end), operator.word())),
        }
    }

    /// The operator of the innermost, where it is a fragment.
    pub(super) fn operator(&self) -> Option<Operator> {
        match self.open.last()? {
            Open::Fragment(fragment) => Some(fragment.operator),
            Open::TooDeep(operator) => Some(*operator),
            Open::Box(..) => None,
        }
    }
}
