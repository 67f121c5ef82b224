//! States of a net that lead to the same: whichever of them a token stands in, the same may follow at the same cost.

use std::collections::HashMap;

use super::{
    compile::{Compiler, Net},
    graph::{Edge, Kind, NONE},
    tree::Tree,
};

/// What two states have in common that lead to the same.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    /// The end of all operands, or of those of one fork.
    End(Option<u32>),
    /// The head of a loop: the class of its operand, and its place in it.
    Head(u32, u32),
    /// What happens next, and what that leads to.
    Edges(Vec<(Next, u32)>),
}

#[derive(PartialEq, Eq, Hash)]
enum Next {
    /// A step, by its letter.
    Step(u32),
    Silent(u32),
    Fork(u32),
}

impl Net {
    /// One of the states that lead to the same for each state, where what is silent is passed over. `operands` are the first state
    /// of each operand, the state behind its last one, and its class if others may be of it.
    pub(super) fn merged(&self, operands: &[(u32, u32, Option<u32>)]) -> Vec<u32> {
        let states = self.first.len() - 1;
        let mut lowest: HashMap<Key, u32> = HashMap::new();
        let mut merged = vec![NONE; states];
        let mut ends: Vec<(u32, Key)> = self.ends.iter().map(|end| (*end, Key::End(None))).collect();
        ends.extend(
            self.joins.iter().flat_map(|(first, (ends, _))| ends.iter().map(|end| (*end, Key::End(Some(*first))))),
        );
        for (end, key) in ends {
            merged[end as usize] = *lowest.entry(key).or_insert(end);
        }
        let mut open = vec![false; states];
        for start in 0..states as u32 {
            let mut stack = vec![(start, 0)];
            while let Some((state, next)) = stack.pop() {
                let at = state as usize;
                let edges = &self.edges[self.first[at] as usize..self.first[at + 1] as usize];
                if next == 0 {
                    if merged[at] != NONE {
                        continue;
                    }
                    if std::mem::replace(&mut open[at], true) {
                        // Only the head of a loop is met again before all that it leads to is known.
                        let operand = operands.partition_point(|(_, end, _)| *end <= state);
                        let key = match operands.get(operand) {
                            Some((first, _, Some(class))) => Key::Head(*class, state - first),
                            _ => Key::Head(NONE, state),
                        };
                        merged[at] = *lowest.entry(key).or_insert(state);
                        continue;
                    }
                }
                if let Some(edge) = edges.get(next) {
                    stack.push((state, next + 1));
                    if !matches!(edge.kind, Kind::Fork(_)) {
                        stack.push((edge.to, 0));
                    }
                    continue;
                }
                if let (NONE, [Edge { to, kind: Kind::Silent(NONE) }]) = (merged[at], edges) {
                    merged[at] = merged[*to as usize];
                } else if merged[at] == NONE {
                    let after = |(edge, letter): (&Edge, &u32)| match edge.kind {
                        Kind::Step { .. } => (Next::Step(*letter), merged[edge.to as usize]),
                        Kind::Silent(choice) => (Next::Silent(choice), merged[edge.to as usize]),
                        Kind::Fork(begun) | Kind::Par(begun) => (Next::Fork(begun), NONE),
                    };
                    let letters = &self.letters[self.first[at] as usize..];
                    let key = Key::Edges(edges.iter().zip(letters).map(after).collect());
                    merged[at] = *lowest.entry(key).or_insert(state);
                }
            }
        }
        merged
    }

    /// For each edge the letter of its step: those of one class are the same.
    pub(super) fn letters(&self, classes: &[u32]) -> Vec<u32> {
        let mut known: HashMap<(u32, u32, u32), u32> = HashMap::new();
        let mut letter = |edge: &Edge| match edge.kind {
            Kind::Step { step, label, missing } => {
                let class = classes.get(step as usize).copied().unwrap_or(NONE - step);
                let next = known.len() as u32;
                *known.entry((label, class, missing)).or_insert(next)
            }
            _ => NONE,
        };
        self.edges.iter().map(&mut letter).collect()
    }
}

impl Net {
    /// The only thing that a token may do, where that is a step: its letter, and where it leads to.
    fn only_step(&self, mut state: u32) -> Option<(u32, u32)> {
        loop {
            let (first, end) = (self.first[state as usize] as usize, self.first[state as usize + 1] as usize);
            match &self.edges[first..end] {
                [Edge { to, kind: Kind::Step { .. } }] => {
                    return Some((self.letters[first], self.merged[*to as usize]));
                }
                [Edge { to, kind: Kind::Silent(NONE) }] => state = self.merged[*to as usize],
                _ => return None,
            }
        }
    }

    /// What a token does without a choice and without a step, so that nothing is lost if it is done at once.
    pub(super) fn sole(&self, state: u32) -> Option<Edge> {
        match &self.edges[self.first[state as usize] as usize..self.first[state as usize + 1] as usize] {
            [edge] if matches!(edge.kind, Kind::Silent(NONE) | Kind::Fork(_)) => Some(*edge),
            _ => None,
        }
    }

    fn is_end(&self, state: u32) -> bool {
        self.first[state as usize] == self.first[state as usize + 1]
    }

    /// Whether a token has to wait for another one, which may do all that it may do, and goes on after that.
    ///
    /// Let the one have `uv` to do, and the other `uvw`. If the first takes the next event, what is left is `v` and `uvw`;
    /// if the other one takes it, `uv` and `vw`. Whatever the former does, the latter does as well by the same events: each
    /// acts for the other until both have come as far, when both are the same.
    pub(super) fn waits(&self, token: u32, other: u32) -> bool {
        let (mut one, mut two) = (token, other);
        let mut steps = 0;
        while let Some((letter, to)) = self.only_step(one) {
            match self.only_step(two) {
                Some((other, next)) if other == letter => (one, two) = (to, next),
                _ => return false,
            }
            steps += 1;
        }
        // What waits for the end of the one may not wait for less than the end of the other.
        let within = |(first, end): &(u32, u32)| (*first..*end).contains(&other);
        steps > 0 && self.is_end(one) && self.scopes.get(&one).is_none_or(within)
    }
}

impl Compiler<'_> {
    /// What an operand has in common with all that stand for it; none where more than one token moves through it, or where
    /// its choices are to be told from those of others.
    pub(super) fn class(&self, tree: &Tree) -> Option<String> {
        match tree {
            Tree::Silent => Some("-".to_owned()),
            Tree::Step(step) => {
                let class = self.alike.get(*step).copied().unwrap_or(u32::MAX - *step as u32);
                Some(format!("{:?}/{class}", self.steps.labels.get(*step)))
            }
            Tree::Seq(all) => {
                let all: Option<Vec<String>> = all.iter().map(|tree| self.class(tree)).collect();
                Some(format!("({})", all?.join(" ")))
            }
            Tree::Loop { body, least, most } => Some(format!("{}*{least}..{most:?}", self.class(body)?)),
            Tree::Alt { .. } | Tree::Par(_) => None,
        }
    }
}
