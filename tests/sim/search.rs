//! Searches for schedules that violate a law, and makes those that do as simple as they can be.

use std::{
    collections::BTreeMap,
    sync::{
        LazyLock, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    choices::Choices,
    diagram,
    mutants::Mutant,
    scenario::Subject,
    schedule::{Report, play},
};

/// Plays are repeated so often to make a schedule simpler.
const SHRINKS: u32 = 600;

/// What a search has found.
#[derive(Default)]
pub struct Found {
    pub schedules: u64,
    pub steps: u64,
    pub struck: BTreeMap<(&'static str, &'static str), u32>,
    pub ends: BTreeMap<String, u64>,
    /// Seeds that violate a law.
    pub bad: Vec<u64>,
    /// Lists that do.
    pub lists: Vec<Vec<u32>>,
    pub took: Duration,
}

/// The subject that `INTERLOCK_SIM_SUBJECT` names.
pub fn named() -> Option<Subject> {
    static NAMED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("INTERLOCK_SIM_SUBJECT").ok());
    let name = NAMED.as_ref()?;
    let found = Subject::ALL.into_iter().find(|subject| format!("{subject:?}") == *name);
    Some(found.unwrap_or_else(|| panic!("no subject is called {name}; there are {:?}", Subject::ALL)))
}

/// Which subject a seed is about, where none is named: most are about what is quick.
pub fn subject(seed: u64) -> Subject {
    if let Some(subject) = named() {
        return subject;
    }
    match seed % 20 {
        0 => Subject::Switchover,
        8 | 9 => Subject::Drill,
        1..=3 => Subject::Command,
        4..=7 => Subject::Pair,
        _ => Subject::Keys,
    }
}

/// Plays the schedules of many seeds on all cores, until `enough` of them were bad.
pub fn search(seeds: std::ops::Range<u64>, mutant: Mutant, enough: usize, until: Option<Instant>) -> Found {
    let (next, found) = (AtomicU64::new(seeds.start), Mutex::new(Found::default()));
    let begun = Instant::now();
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let is_over = until.is_some_and(|until| Instant::now() > until);
                    if seed >= seeds.end || is_over || found.lock().unwrap().bad.len() >= enough {
                        return;
                    }
                    let report = play(subject(seed), mutant, Choices::of_seed(seed), false);
                    let mut found = found.lock().unwrap();
                    found.schedules += 1;
                    found.steps += report.steps;
                    *found.ends.entry(report.ended).or_default() += 1;
                    for (what, count) in report.struck {
                        *found.struck.entry(what).or_default() += count;
                    }
                    if !report.violations.is_empty() {
                        found.bad.push(seed);
                    }
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap();
    found.took = begun.elapsed();
    found.bad.sort_unstable();
    found
}

/// What can go wrong in a schedule behind its last choice; and in which other ways the last thing can.
fn next_lists(subject: Subject, list: &[u32]) -> (Vec<Vec<u32>>, Vec<Vec<u32>>) {
    let Choices { taken, of, fates, .. } = play(subject, Mutant::None, Choices::of_list(list), false).choices;
    let with = |at: usize| {
        let taken = &taken;
        (1..of[at]).map(move |chosen| taken[..at].iter().copied().chain([chosen]).collect::<Vec<_>>())
    };
    let things = (list.len()..taken.len()).filter(|at| fates.contains(at)).flat_map(with).collect();
    // Where inside some work it strikes is chosen right behind it.
    let is_rest = !list.is_empty() && list.len() < taken.len() && !fates.contains(&list.len());
    let ways = if is_rest { with(list.len()).collect() } else { Vec::new() };
    (things, ways)
}

/// Plays all schedules in which one thing goes wrong, in all its ways; or also those in which two do, the first way of each.
pub fn exhaust(subject: Subject, deep: bool) -> Found {
    let begun = Instant::now();
    let singles = next_lists(subject, &[]).0;
    let mut open = singles.clone();
    for list in &singles {
        let (pairs, ways) = next_lists(subject, list);
        open.extend(ways);
        if deep {
            open.extend(pairs);
        }
    }
    let (next, found) = (AtomicU64::new(0), Mutex::new(Found::default()));
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(list) = open.get(usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap()) {
                    let report = play(subject, Mutant::None, Choices::of_list(list), false);
                    let mut found = found.lock().unwrap();
                    found.schedules += 1;
                    if !report.violations.is_empty() {
                        found.lists.push(list.clone());
                    }
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap();
    found.took = begun.elapsed();
    found
}

/// The kind of a violation: the law.
fn law(report: &Report) -> Option<String> {
    let first = report.violations.first()?;
    let (_, what) = first.split_once(": ")?;
    Some(what.split(':').next().unwrap_or_default().to_owned())
}

/// Makes a list of choices simpler while the same law is violated.
pub fn shrink(subject: Subject, mutant: Mutant, list: &[u32]) -> Vec<u32> {
    let violated = |list: &[u32]| law(&play(subject, mutant, Choices::of_list(list), false));
    let Some(wanted) = violated(list) else { return list.to_vec() };
    let mut best = list.to_vec();
    let mut plays = 0;
    let mut tries = |candidate: &[u32], best: &mut Vec<u32>| {
        plays += 1;
        let holds = plays < SHRINKS && violated(candidate).as_ref() == Some(&wanted);
        if holds {
            *best = candidate.to_vec();
        }
        holds
    };
    let mut width = best.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        while at < best.len() {
            let end = (at + width).min(best.len());
            if best[at..end].iter().any(|choice| *choice != 0) {
                let mut candidate = best.clone();
                candidate[at..end].fill(0);
                while candidate.last() == Some(&0) {
                    candidate.pop();
                }
                tries(&candidate, &mut best);
            }
            at = end;
        }
        if width == 1 {
            break;
        }
        width = width.div_ceil(2);
    }
    // Each that is left, as small as it goes.
    for at in 0..best.len() {
        for smaller in 1..best.get(at).copied().unwrap_or(0).min(4) {
            let mut candidate = best.clone();
            candidate[at] = smaller;
            if tries(&candidate, &mut best) {
                break;
            }
        }
    }
    best
}

/// A schedule that violates a law, in its simplest form, as people read it.
pub fn explain(subject: Subject, mutant: Mutant, list: &[u32], name: &str) -> String {
    let list = shrink(subject, mutant, list);
    let report = play(subject, mutant, Choices::of_list(&list), true);
    format!(
        "{name}, {subject:?}, {mutant:?}, in its simplest form:\nchoices {list:?}\n{}\n\n{}",
        report.violations.join("\n"),
        diagram::mermaid(&report.told)
    )
}

/// The same of a seed.
pub fn explain_seed(seed: u64, mutant: Mutant) -> String {
    let report = play(subject(seed), mutant, Choices::of_seed(seed), false);
    explain(subject(seed), mutant, &report.choices.taken, &format!("seed {seed}"))
}
