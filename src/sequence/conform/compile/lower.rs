//! From fragments to process trees: what each operator means in one frame.

use super::{
    super::align::Tree,
    frames::{Drawn, Item},
    plan::{Choosing, FrameId, Taken},
};
use crate::sequence::mermaid::sequence::Operator;

/// How many breaks of one loop are looked at.
const BREAKS: usize = 4;

struct Lower<'a> {
    frame: FrameId,
    drawn: &'a [Drawn],
    choices: &'a mut Vec<Choosing>,
}

/// The tree of a list of steps and fragments.
pub(super) fn lower(items: &[Item], frame: FrameId, drawn: &[Drawn], choices: &mut Vec<Choosing>) -> Tree {
    Lower { frame, drawn, choices }.list(items)
}

impl Lower<'_> {
    fn list(&mut self, items: &[Item]) -> Tree {
        let mut all = Vec::new();
        for (at, item) in items.iter().enumerate() {
            match item {
                Item::Step(step) => all.push(Tree::Step(*step)),
                Item::Fragment { fragment, operands } => {
                    let Some(drawn) = self.drawn.get(*fragment) else { continue };
                    let rest = items.get(at + 1..).unwrap_or_default();
                    if drawn.operator == Operator::Break {
                        let body = self.operands(operands).pop().unwrap_or(Tree::Silent);
                        let rest = self.list(rest);
                        all.push(self.choose(*fragment, vec![(Taken::Operand(0), body), (Taken::None, rest)]));
                        return seq(all);
                    }
                    if !drawn.early.is_empty() {
                        let end = match drawn.until.get(&self.frame) {
                            Some(step) => rest.iter().position(|item| matches!(item, Item::Step(s) if s == step)),
                            None => rest.len().checked_sub(1),
                        };
                        let instead = end.map_or(0, |end| end + 1);
                        let (skipped, behind) = rest.split_at(instead);
                        all.push(self.early(*fragment, operands, skipped));
                        all.push(self.list(behind));
                        return seq(all);
                    }
                    all.push(self.fragment(*fragment, operands));
                }
            }
        }
        seq(all)
    }

    fn operands(&mut self, operands: &[Vec<Item>]) -> Vec<Tree> {
        operands.iter().map(|items| self.list(items)).collect()
    }

    fn fragment(&mut self, fragment: usize, operands: &[Vec<Item>]) -> Tree {
        let drawn = &self.drawn[fragment];
        match drawn.operator {
            Operator::Alt | Operator::Opt => {
                let mut branches = self.branches(operands);
                if operands.len() == 1 {
                    branches.push((Taken::None, Tree::Silent));
                }
                self.choose(fragment, branches)
            }
            Operator::Par | Operator::ParOver => {
                let mut all: Vec<Tree> = self.operands(operands).into_iter().filter(|t| *t != Tree::Silent).collect();
                if all.len() > 1 { Tree::Par(all) } else { all.pop().unwrap_or(Tree::Silent) }
            }
            Operator::Critical => {
                let mut branches = self.branches(operands);
                let body = if branches.is_empty() { Tree::Silent } else { branches.remove(0).1 };
                branches.insert(0, (Taken::None, Tree::Silent));
                let exception = self.choose(fragment, branches);
                seq(vec![body, exception])
            }
            Operator::Loop => self.repeated(operands.first().map_or(&[], Vec::as_slice), drawn.bounds),
            Operator::Break | Operator::Rect => seq(self.operands(operands)),
        }
    }

    fn branches(&mut self, operands: &[Vec<Item>]) -> Vec<(Taken, Tree)> {
        self.operands(operands).into_iter().enumerate().map(|(at, tree)| (Taken::Operand(at), tree)).collect()
    }

    /// Operands that return early leave out what the others go on with.
    fn early(&mut self, fragment: usize, operands: &[Vec<Item>], skipped: &[Item]) -> Tree {
        let early = &self.drawn[fragment].early;
        let mut others = self.branches(operands);
        if operands.len() == 1 {
            others.push((Taken::None, Tree::Silent));
        }
        let returning = |taken: &Taken| matches!(taken, Taken::Operand(at) if early.contains(at));
        let mut branches: Vec<(Taken, Tree)> = others.extract_if(.., |(taken, _)| returning(taken)).collect();
        let skipped = self.list(skipped);
        if others.len() > 1 {
            let inner = self.choose(fragment, others);
            branches.push((Taken::Within, seq(vec![inner, skipped])));
        } else if let Some((taken, tree)) = others.pop() {
            branches.push((taken, seq(vec![tree, skipped])));
        }
        self.choose(fragment, branches)
    }

    /// A loop; a `break` right in it ends it in the middle of a round.
    fn repeated(&mut self, items: &[Item], (least, most): (u32, Option<u32>)) -> Tree {
        let is_break = |item: &Item| {
            matches!(item, Item::Fragment { fragment, .. }
                if self.drawn.get(*fragment).is_some_and(|d| d.operator == Operator::Break))
        };
        // Each break doubles the rounds that there may be; where there are many, the others leave their round only.
        let breaks = items.iter().filter(|item| is_break(item)).count();
        let Some(at) = items.iter().position(is_break).filter(|_| breaks <= BREAKS) else {
            return again(self.list(items), least, most);
        };
        let Some(Item::Fragment { fragment: leaving, operands }) = items.get(at) else { return Tree::Silent };
        let (leaving, operands) = (*leaving, operands.clone());
        let mut round: Vec<Item> = items.to_vec();
        round.remove(at);
        let whole = self.repeated(&round, (least, most));
        let rounds = self.repeated(&round, (0, most.map(|most| most.saturating_sub(1))));
        let before = self.list(items.get(..at).unwrap_or_default());
        let body = seq(self.operands(&operands));
        let left = seq(vec![rounds, before, body]);
        self.choose(leaving, vec![(Taken::Operand(0), left), (Taken::None, whole)])
    }

    fn choose(&mut self, fragment: usize, branches: Vec<(Taken, Tree)>) -> Tree {
        if branches.iter().all(|(_, tree)| *tree == Tree::Silent) {
            return Tree::Silent;
        }
        let (taken, branches): (Vec<Taken>, Vec<Tree>) = branches.into_iter().unzip();
        self.choices.push(Choosing { frame: self.frame, fragment, branches: taken });
        Tree::Alt { choice: self.choices.len() - 1, branches }
    }
}

fn again(body: Tree, least: u32, most: Option<u32>) -> Tree {
    match body {
        Tree::Silent => Tree::Silent,
        body => Tree::Loop { body: Box::new(body), least, most },
    }
}

/// One after the other, without what is silent.
pub(super) fn seq(trees: Vec<Tree>) -> Tree {
    let mut all = Vec::new();
    for tree in trees {
        match tree {
            Tree::Silent => {}
            Tree::Seq(inner) => all.extend(inner),
            other => all.push(other),
        }
    }
    if all.len() > 1 { Tree::Seq(all) } else { all.pop().unwrap_or(Tree::Silent) }
}
