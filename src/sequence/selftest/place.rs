//! Which messages of a diagram have to happen, how often, and in which order: what makes a change relevant.

use crate::sequence::mermaid::sequence::{Item, Operator, Sequence};

/// How a message stands among the fragments around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    /// It may be absent, or stands in a branch beside others.
    pub optional: bool,
    /// It may happen again.
    pub repeated: bool,
    /// The operand of the innermost `par` around it, which has no order with other operands.
    pub parallel: Option<usize>,
}

/// The places of all messages, in the order of `Sequence::messages`.
pub(super) fn places(diagram: &Sequence) -> Vec<Place> {
    let mut found = Vec::new();
    let mut operands = 0;
    walk(&diagram.items, Place::default(), &mut operands, &mut found);
    found
}

fn walk(items: &[Item], place: Place, operands: &mut usize, found: &mut Vec<Place>) {
    for item in items {
        match item {
            Item::Message(_) => found.push(place),
            Item::Fragment(fragment) => {
                for (i, operand) in fragment.operands.iter().enumerate() {
                    let mut inner = place;
                    match fragment.operator {
                        Operator::Loop => (inner.optional, inner.repeated) = (true, true),
                        Operator::Opt | Operator::Break | Operator::Alt => inner.optional = true,
                        Operator::Critical => inner.optional |= i > 0,
                        Operator::Par | Operator::ParOver => {
                            *operands += 1;
                            inner.parallel = Some(*operands);
                        }
                        Operator::Rect => {}
                    }
                    walk(&operand.items, inner, operands, found);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sequence::mermaid::{Diagram, Mode, parse};

    #[test]
    fn fragments_tell_what_has_to_happen() {
        let text = "sequenceDiagram\n A->>B: one\n loop often\n  A->>B: two\n end\n par\n  A->>B: three\n and\n  A->>B: four\n end\n";
        let Diagram::Sequence(diagram) = parse(text, Mode::Strict).diagram else { panic!() };
        let found = places(&diagram);
        assert_eq!(found[0], Place::default());
        assert!(found[1].optional && found[1].repeated);
        assert!(found[2].parallel.is_some() && found[2].parallel != found[3].parallel);
    }
}
