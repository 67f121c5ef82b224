//! How many of the changes the check has noticed.

use std::collections::BTreeMap;

use super::mutate::{Mutant, Mutation};
use crate::sequence::conform::Verdict;

/// A change that the check has not noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Survivor {
    /// In which way traces were changed.
    pub mutation: Mutation,
    /// The message whose spans were changed, as an index into `Sequence::messages`.
    pub message: usize,
    /// What the check said instead of FAIL.
    pub verdict: Verdict,
}

/// The outcome of a self-test.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Score {
    /// Changes made, and changes noticed, by their way.
    pub by_mutation: BTreeMap<Mutation, (usize, usize)>,
    /// What was not noticed, each once.
    pub survivors: Vec<Survivor>,
}

/// Checks every mutant; the check kills it where it says FAIL.
pub fn score(mutants: &[Mutant], mut check: impl FnMut(&Mutant) -> Verdict) -> Score {
    let mut score = Score::default();
    for mutant in mutants {
        let verdict = check(mutant);
        let (made, killed) = score.by_mutation.entry(mutant.mutation).or_default();
        *made += 1;
        if verdict == Verdict::Fail {
            *killed += 1;
            continue;
        }
        let survivor = Survivor { mutation: mutant.mutation, message: mutant.message, verdict };
        if !score.survivors.contains(&survivor) {
            score.survivors.push(survivor);
        }
    }
    score.survivors.sort();
    score
}

impl Score {
    /// Changes made.
    #[must_use]
    pub fn made(&self) -> usize {
        self.by_mutation.values().map(|(made, _)| made).sum()
    }

    /// Changes noticed.
    #[must_use]
    pub fn killed(&self) -> usize {
        self.by_mutation.values().map(|(_, killed)| killed).sum()
    }

    /// Whether the check notices too little: less than 95 of 100 changes, or there was nothing to change.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        self.made() == 0 || self.killed() * 100 < self.made() * 95
    }
}
