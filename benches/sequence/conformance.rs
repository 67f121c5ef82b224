//! Alignments: traces of 20 steps with one event in ten changed, frames of 100,000 events, and the same steps in
//! more and more branches of a `par`.
//!
//! One thread. Where `INTERLOCK_PM4PY` names a Python that has pm4py, that aligns the same traces in the same run.

use std::{
    collections::HashSet,
    hint::black_box,
    io::Write as _,
    process::{Command, Stdio},
};

use interlock::sequence::conform::align::{Aligner, Budget, Label, Steps, Tree};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use crate::{
    figures::{at_least, at_most, head, median, plain, rate},
    variants::{Variants, align_plain},
};

/// Traces a second on one core.
const BAR: f64 = 20_000.0;
/// Traces of each kind.
const TRACES: usize = 2_000;
/// Of those, how many pm4py is given.
const GIVEN: usize = 200;
/// One event in so many is changed.
const CHANGED: f64 = 0.1;

/// A tree under construction, and the same tree as pm4py's script reads it.
#[derive(Default)]
struct Model {
    steps: Steps,
    choices: usize,
}

/// A tree in both forms.
type Both = (Tree, serde_json::Value);

impl Model {
    fn step(&mut self) -> Both {
        let label = self.steps.labels.len();
        self.steps.labels.push(label as Label);
        self.steps.missing.push(1);
        (Tree::Step(label), name(label as Label).into())
    }

    fn seq(&mut self, steps: usize) -> Both {
        let children = (0..steps).map(|_| self.step()).collect();
        many("seq", children, Tree::Seq)
    }

    fn alt(&mut self, branches: Vec<Both>) -> Both {
        self.choices += 1;
        let choice = self.choices - 1;
        many("alt", branches, |branches| Tree::Alt { choice, branches })
    }
}

fn name(label: Label) -> String {
    format!("s{label}")
}

fn many(operator: &str, children: Vec<Both>, tree: impl FnOnce(Vec<Tree>) -> Tree) -> Both {
    let (trees, values): (Vec<Tree>, Vec<serde_json::Value>) = children.into_iter().unzip();
    (tree(trees), [vec![operator.into()], values].concat().into())
}

fn par(branches: Vec<Both>) -> Both {
    many("par", branches, Tree::Par)
}

fn seq(children: Vec<Both>) -> Both {
    many("seq", children, Tree::Seq)
}

/// Once or more.
fn again((body, value): Both) -> Both {
    let value = vec!["loop".into(), value, "".into()].into();
    (Tree::Loop { body: Box::new(body), least: 1, most: None }, value)
}

/// Twenty steps in a row.
fn linear() -> (Model, Both) {
    let mut model = Model::default();
    let tree = model.seq(20);
    (model, tree)
}

/// Twenty steps on the longest way: a choice, a loop, and two branches at a time.
fn mixed() -> (Model, Both) {
    let mut model = Model::default();
    let begin = model.seq(3);
    let branches = vec![model.seq(3), model.seq(2)];
    let choice = model.alt(branches);
    let repeated = again(model.seq(3));
    let branches = vec![model.seq(3), model.seq(3)];
    let parallel = par(branches);
    let end = model.seq(5);
    (model, seq(vec![begin, choice, repeated, parallel, end]))
}

/// The labels of a random run.
fn play(tree: &Tree, steps: &Steps, rng: &mut SmallRng, run: &mut Vec<Label>) {
    match tree {
        Tree::Silent => {}
        Tree::Step(step) => run.push(steps.labels[*step]),
        Tree::Seq(children) => children.iter().for_each(|child| play(child, steps, rng, run)),
        Tree::Alt { branches, .. } => play(&branches[rng.random_range(0..branches.len())], steps, rng, run),
        Tree::Loop { body, .. } => {
            play(body, steps, rng, run);
            while rng.random_bool(0.3) {
                play(body, steps, rng, run);
            }
        }
        Tree::Par(children) => {
            let mut left: Vec<std::collections::VecDeque<Label>> = Vec::new();
            for child in children {
                let mut one = Vec::new();
                play(child, steps, rng, &mut one);
                left.push(one.into());
            }
            while !left.is_empty() {
                let at = rng.random_range(0..left.len());
                match left[at].pop_front() {
                    Some(label) => run.push(label),
                    None => drop(left.swap_remove(at)),
                }
            }
        }
    }
}

/// Traces of a tree, each with about one event in ten changed: left out, doubled, exchanged, or another one.
///
/// No two are equal, unless nothing is changed in any.
fn traces(tree: &Tree, steps: &Steps, count: usize, changed: f64) -> Vec<Vec<Label>> {
    let mut rng = SmallRng::seed_from_u64(7);
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    while found.len() < count {
        let mut run = Vec::new();
        play(tree, steps, &mut rng, &mut run);
        let mut events = Vec::new();
        for label in run {
            if !rng.random_bool(changed) {
                events.push(label);
                continue;
            }
            match rng.random_range(0..4) {
                0 => {}
                1 => events.extend([label, label]),
                2 => events.insert(events.len().saturating_sub(1), label),
                _ => events.push(rng.random_range(0..=steps.labels.len() as Label)),
            }
        }
        if changed == 0.0 || seen.insert(events.clone()) {
            found.push(events);
        }
    }
    found
}

fn total(aligner: &Aligner, traces: &[Vec<Label>]) -> u64 {
    traces
        .iter()
        .filter_map(|labels| align_plain(aligner, labels, Budget::default()).ok())
        .map(|found| found.cost)
        .sum()
}

/// Runs the part.
pub fn run() -> bool {
    head();
    let mut reached = true;
    for (kind, (model, (tree, value))) in [("linear", linear()), ("mixed", mixed())] {
        let aligner = Aligner::new(&tree, &model.steps);
        let noisy = traces(&tree, &model.steps, TRACES, CHANGED);
        let time = median(|| _ = black_box(total(&aligner, &noisy)));
        let what = format!("{kind}, 20 steps, 10 % noise, all variants unique");
        reached &= at_least(&what, rate(TRACES, time), BAR, "traces/s");
        let fitting = traces(&tree, &model.steps, TRACES, 0.0);
        let time = median(|| _ = black_box(total(&aligner, &fitting)));
        plain(&format!("{kind}, without noise"), rate(TRACES, time), "traces/s");
        reached &= cached(kind, &aligner, &noisy);
        pm4py(kind, &value, &aligner, &noisy[..GIVEN]);
    }
    reached &= branches();
    reached &= frames();
    reached
}

/// A hundred variants, a thousand times over.
fn cached(kind: &str, aligner: &Aligner, traces: &[Vec<Label>]) -> bool {
    let times = 100;
    let variants = &traces[..100];
    let time = median(|| {
        let mut known = Variants::new(aligner, Budget::default(), Variants::MOST);
        for labels in std::iter::repeat_n(variants, times).flatten() {
            drop(black_box(known.align(labels)));
        }
    });
    at_least(&format!("{kind}, 100 variants {times} times each"), rate(100 * times, time), 10.0 * BAR, "traces/s")
}

/// The same 24 steps in more and more branches. As one state space they would have 25, 169, 729, ... 65,536 states.
fn branches() -> bool {
    const STEPS: usize = 24;
    let mut two = None;
    let mut reached = true;
    for count in [1, 2, 3, 4, 6, 8] {
        let mut model = Model::default();
        let (tree, _) = par((0..count).map(|_| model.seq(STEPS / count)).collect());
        let aligner = Aligner::new(&tree, &model.steps);
        let noisy = traces(&tree, &model.steps, TRACES, CHANGED);
        let time = median(|| _ = black_box(total(&aligner, &noisy)));
        let each = time.as_secs_f64() * 1e6 / TRACES as f64;
        let what = format!("{STEPS} steps in {count} branches of a par, 10 % noise");
        if count == 1 {
            plain(&what, each, "us/trace");
            continue;
        }
        // Each branch more adds less than its share of what two take.
        let two = *two.get_or_insert(each);
        reached &= at_most(&what, each, two * count as f64 / 2.0, "us/trace");
    }
    reached
}

fn frames() -> bool {
    let mut model = Model::default();
    let begin = model.seq(2);
    let branches = vec![model.seq(2), model.seq(1)];
    let parallel = par(branches);
    let branches = vec![model.seq(2), model.seq(1)];
    let choice = model.alt(branches);
    let (tree, _) = again(seq(vec![begin, parallel, choice]));
    let aligner = Aligner::new(&tree, &model.steps);
    let mut rng = SmallRng::seed_from_u64(5);
    let mut frame = Vec::new();
    while frame.len() < 100_000 {
        play(&tree, &model.steps, &mut rng, &mut frame);
    }
    frame.truncate(100_000);
    let mut reached = true;
    let mut measure = |what: &str, frame: &[Label], bar: f64| {
        let mut cost = None;
        let time =
            median(|| cost = black_box(align_plain(&aligner, frame, Budget::default()).ok().map(|found| found.cost)));
        let shown = cost.map_or_else(|| "budget used up".to_owned(), |cost| format!("cost {cost}"));
        let what = format!("loop of par and alt, 100,000 events, {what} ({shown})");
        reached &= at_most(&what, time.as_secs_f64() * 1e3, bar, "ms") && cost.is_some();
    };
    measure("as drawn", &frame, 500.0);
    for label in &mut frame {
        if rng.random_bool(CHANGED) {
            *label = rng.random_range(0..=model.steps.labels.len() as Label);
        }
    }
    measure("10 % noise", &frame, 2_000.0);
    reached
}

/// What pm4py takes for the same traces, and whether it finds the same costs.
fn pm4py(kind: &str, tree: &serde_json::Value, aligner: &Aligner, traces: &[Vec<Label>]) {
    let Some(python) = std::env::var_os("INTERLOCK_PM4PY") else {
        println!("{kind}, pm4py: not measured; INTERLOCK_PM4PY names no Python that has it");
        return;
    };
    let words = |labels: &Vec<Label>| labels.iter().map(|label| name(*label)).collect::<Vec<_>>().join(" ");
    let case = serde_json::json!({ "tree": tree, "traces": traces.iter().map(words).collect::<Vec<_>>() });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sequence/oracle/alignments.py");
    let answer = || -> Option<serde_json::Value> {
        let mut child = Command::new(&python)
            .args([script, "--time"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        child.stdin.take()?.write_all(case.to_string().as_bytes()).ok()?;
        let said = String::from_utf8(child.wait_with_output().ok()?.stdout).ok()?;
        serde_json::from_str(said.lines().last()?).ok()
    };
    match answer() {
        Some(said) => {
            let seconds = said["seconds"].as_f64().unwrap_or(f64::NAN);
            let version = said["pm4py"].as_str().unwrap_or("?");
            plain(
                &format!("{kind}, pm4py {version}, {GIVEN} of the same traces"),
                traces.len() as f64 / seconds,
                "traces/s",
            );
            let (theirs, ours) = (said["cost"].as_u64(), total(aligner, traces));
            println!("{kind}, sum of their costs: pm4py {theirs:?}, ours {ours}");
        }
        None => println!("{kind}, pm4py: {} gave no answer", python.display()),
    }
}
