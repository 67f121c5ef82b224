//! Small trees against a reference that writes out every run and compares each with the events.

use std::collections::BTreeSet;

use interlock::sequence::conform::align::{Aligner, Budget, Choice, Event, Step, Steps, Tree};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::{
    check::{run, sound},
    random::Trees,
};

/// Trees with more runs than this are left out.
const RUNS: usize = 4_000;
const EVENTS: usize = 5;

type Language = BTreeSet<Vec<Step>>;

/// All runs that can matter for so many events; none where they are too many.
///
/// With `taken`, only those on which each choice takes a branch that stands there.
fn language(tree: &Tree, taken: Option<&[Choice]>) -> Option<Language> {
    let one = |run: Vec<Step>| Some(Language::from([run]));
    match tree {
        Tree::Silent => one(vec![]),
        Tree::Step(step) => one(vec![*step]),
        Tree::Seq(children) => children.iter().try_fold(Language::from([vec![]]), |all, child| {
            product(&all, &language(child, taken)?, |a, b| vec![[a, b].concat()])
        }),
        Tree::Par(children) => children
            .iter()
            .try_fold(Language::from([vec![]]), |all, child| product(&all, &language(child, taken)?, shuffles)),
        Tree::Alt { choice, branches } => {
            let mut all = Language::new();
            for (branch, tree) in branches.iter().enumerate() {
                if taken.is_none_or(|taken| taken.contains(&Choice { choice: *choice, branch })) {
                    all.extend(language(tree, taken)?);
                }
            }
            (all.len() <= RUNS).then_some(all)
        }
        Tree::Loop { body, least, most } => {
            let body = language(body, taken)?;
            // More repetitions than events never make it cheaper, but for those that have to be.
            let enough = (*least).max(EVENTS as u32);
            let most = most.map_or(enough, |most| most.min(enough));
            let (mut all, mut now) = (Language::new(), Language::from([vec![]]));
            for times in 0..=most {
                if times >= *least {
                    all.extend(now.iter().cloned());
                }
                now = product(&now, &body, |a, b| vec![[a, b].concat()])?;
                if all.len() > RUNS {
                    return None;
                }
            }
            Some(all)
        }
    }
}

fn product(a: &Language, b: &Language, both: impl Fn(&[Step], &[Step]) -> Vec<Vec<Step>>) -> Option<Language> {
    let mut all = Language::new();
    for a in a {
        for b in b {
            if a.len() + b.len() > 14 {
                return None;
            }
            all.extend(both(a, b));
            if all.len() > RUNS {
                return None;
            }
        }
    }
    Some(all)
}

fn shuffles(a: &[Step], b: &[Step]) -> Vec<Vec<Step>> {
    let (Some((x, rest_a)), Some((y, rest_b))) = (a.split_first(), b.split_first()) else {
        return vec![[a, b].concat()];
    };
    let after = |first: Step, rest: Vec<Vec<Step>>| rest.into_iter().map(move |run| [vec![first], run].concat());
    after(*x, shuffles(rest_a, b)).chain(after(*y, shuffles(a, rest_b))).collect()
}

/// The edit distance between events and one run.
fn distance(run: &[Step], events: &[Event], steps: &Steps, fit: &impl Fn(usize, Step) -> Option<u32>) -> u64 {
    let missing = |step: &Step| u64::from(steps.missing[*step]);
    let mut row: Vec<u64> = vec![0];
    for step in run {
        row.push(row[row.len() - 1] + missing(step));
    }
    for (at, event) in events.iter().enumerate() {
        let mut next = vec![row[0] + u64::from(event.extra)];
        for (i, step) in run.iter().enumerate() {
            let mut best = (row[i + 1] + u64::from(event.extra)).min(next[i] + missing(step));
            if steps.labels[*step] == event.label
                && let Some(cost) = fit(at, *step)
            {
                best = best.min(row[i] + u64::from(cost));
            }
            next.push(best);
        }
        row = next;
    }
    row[run.len()]
}

/// Compares with the reference until so many trees were compared; with `alike`, of trees with operands of which it is known
/// which steps stand for each other.
fn compare(seed: u64, wanted: usize, labels: u32, dearest: u32, alike: bool) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let (mut compared, mut costs) = (0, BTreeSet::new());
    while compared < wanted {
        let mut trees = Trees { rng: &mut rng, steps: Steps::default(), choices: 0, labels, dearest };
        let tree = match alike {
            true => Tree::Seq(vec![Tree::Par(vec![trees.tree(2), trees.tree(2), trees.tree(1)]), trees.tree(1)]),
            false => trees.tree(3),
        };
        let Some(language) = language(&tree, None) else { continue };
        let events = trees.events(EVENTS);
        let steps = trees.steps;
        let salt: usize = rng.random_range(0..1_000);
        // With costs, some events do not fit some steps of their label, or do not fit them well.
        let classes: Vec<u32> =
            steps.labels.iter().zip(&steps.missing).map(|(label, missing)| label * 8 + missing).collect();
        let fit = |event: usize, step: usize| {
            let step = if alike { classes[step] as usize } else { step };
            match (dearest, (event * 7 + step * 13 + salt) % 5) {
                (1, _) => Some(0),
                (_, 0) => None,
                (_, worse) => Some(worse as u32 / 2),
            }
        };
        let aligner = match alike {
            true => Aligner::with_classes(&tree, &steps, &classes),
            false => Aligner::new(&tree, &steps),
        };
        let found = aligner.align(&events, &fit, Budget::default()).unwrap();
        let best = language.iter().map(|run| distance(run, &events, &steps, &fit)).min().unwrap();
        assert_eq!(found.cost, best, "{tree:?} {steps:?} {events:?}: {found:?}");
        let shortest = language.iter().map(|run| run.iter().map(|step| u64::from(steps.missing[*step])).sum()).min();
        assert_eq!(Some(aligner.shortest()), shortest, "{tree:?} {steps:?}");
        sound(&found, &events, &steps, &fit);
        assert!(language.contains(&run(&found)), "{tree:?} {events:?}: {found:?} is no run");
        let said = self::language(&tree, Some(&found.choices)).unwrap();
        assert!(said.contains(&run(&found)), "{tree:?} {events:?}: {found:?} does not say its choices");
        costs.insert(best);
        compared += 1;
    }
    assert!(costs.len() > 5, "costs of many kinds: {costs:?}");
}

#[test]
fn the_cost_is_the_least_over_all_runs() {
    compare(1, 1_000, 8, 1, false);
}

#[test]
fn the_cost_is_the_least_where_steps_share_labels() {
    compare(2, 1_000, 2, 1, false);
    compare(3, 500, 4, 1, false);
}

#[test]
fn the_cost_is_the_least_with_other_costs_and_fits() {
    compare(4, 1_000, 8, 4, false);
    compare(5, 1_000, 3, 4, false);
}

/// What is left out because another token may as well do it leaves out no alignment that costs less.
#[test]
fn the_cost_is_the_least_where_operands_are_alike() {
    compare(7, 400, 1, 1, true);
    compare(8, 400, 2, 1, true);
    compare(9, 400, 2, 2, true);
}

/// The same tree, but the operands of each `par` have a label in common, on a branch that costs too much to be taken.
fn together(tree: &Tree, steps: &mut Steps) -> Tree {
    let all = |trees: &[Tree], steps: &mut Steps| trees.iter().map(|tree| together(tree, steps)).collect();
    match tree {
        Tree::Silent | Tree::Step(_) => tree.clone(),
        Tree::Seq(children) => Tree::Seq(all(children, steps)),
        Tree::Alt { choice, branches } => Tree::Alt { choice: *choice, branches: all(branches, steps) },
        Tree::Loop { body, least, most } => {
            Tree::Loop { body: Box::new(together(body, steps)), least: *least, most: *most }
        }
        Tree::Par(children) => {
            let joined = |child: &Tree| {
                let child = together(child, steps);
                steps.labels.push(999);
                steps.missing.push(1_000_000);
                Tree::Alt { choice: 999, branches: vec![child, Tree::Step(steps.labels.len() - 1)] }
            };
            Tree::Par(children.iter().map(joined).collect())
        }
    }
}

#[test]
fn operands_apart_cost_what_they_cost_together() {
    let mut rng = SmallRng::seed_from_u64(6);
    let (mut compared, mut dear) = (0, 0);
    while compared < 400 {
        let mut trees = Trees { rng: &mut rng, steps: Steps::default(), choices: 0, labels: 40, dearest: 1 };
        let tree = trees.tree(5);
        if trees.steps.labels.len() < 8 || trees.steps.labels.len() > 40 {
            continue;
        }
        // Half of the events are those of the steps in some order, so that much fits.
        let mut events = trees.events(10);
        let steps = trees.steps;
        events.extend(steps.labels.iter().take(16).map(|label| Event { label: *label, extra: 1 }));
        let mut shared = steps.clone();
        let joined = together(&tree, &mut shared);
        let budget = Budget { states: 200_000 };
        let Ok(slow) = Aligner::new(&joined, &shared).align(&events, &|_, _| Some(0), budget) else { continue };
        let fast = Aligner::new(&tree, &steps).align(&events, &|_, _| Some(0), budget).unwrap();
        assert_eq!(fast.cost, slow.cost, "{tree:?} {steps:?} {events:?}");
        sound(&fast, &events, &steps, &|_, _| Some(0));
        sound(&slow, &events, &shared, &|_, _| Some(0));
        compared += 1;
        dear += usize::from(fast.cost > 5);
    }
    assert!(dear > 100, "{dear}");
}
