//! Fragments that say less than they seem to.

use crate::sequence::{
    Code, Diagnostic,
    mermaid::sequence::{Fragment, Item, Operator, Sequence, each},
};

pub(super) fn check(sequence: &Sequence) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    each(&sequence.items, &mut |item| {
        if let Item::Fragment(fragment) = item {
            found.extend(one(fragment));
        }
    });
    found
}

fn one(fragment: &Fragment) -> Option<Diagnostic> {
    let first = fragment.operands.first()?;
    let alone = fragment.operands.len() == 1;
    let (code, what, fix) = match fragment.operator {
        _ if fragment.operands.iter().all(|operand| operand.items.is_empty()) => (
            Code::Empty,
            format!("nothing stands in this `{}`", fragment.operator.word()),
            "draw what happens in it, or remove it",
        ),
        Operator::Par | Operator::ParOver if alone => (
            Code::SingleParallel,
            "this `par` has one operand: its messages keep their order".to_owned(),
            "begin each further branch with `and`",
        ),
        Operator::Alt if alone => (
            Code::NoElse,
            "this `alt` has no `else`: its messages may be absent".to_owned(),
            "write `opt`, or add the other branch with `else`",
        ),
        _ => return None,
    };
    Some(Diagnostic::new(code, first.keyword, what, fix))
}
