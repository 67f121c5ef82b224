//! What is long or deep is aligned, what is too much is given up, and what was aligned before is looked up.

use interlock::sequence::conform::align::{Aligner, Budget, Event, Exhausted, Label, Steps, Tree};

use super::{
    check::Model,
    variants::{Variants, align_plain},
};

fn numbered(count: u32) -> (Tree, Steps) {
    let steps = Steps { labels: (0..count).collect(), missing: vec![1; count as usize] };
    (Tree::Seq((0..count as usize).map(Tree::Step).collect()), steps)
}

#[test]
fn a_sequence_of_a_hundred_thousand_steps_is_aligned() {
    let (tree, steps) = numbered(100_000);
    let aligner = Aligner::new(&tree, &steps);
    assert_eq!(aligner.shortest(), 100_000);
    let mut labels: Vec<Label> = (0..100_000).collect();
    let budget = Budget { states: 100_100 };
    assert_eq!(align_plain(&aligner, &labels, budget).unwrap().cost, 0, "what fits takes one state for each event");
    labels.remove(70_000);
    labels.insert(30_000, 5);
    assert_eq!(align_plain(&aligner, &labels, Budget::default()).unwrap().cost, 2);
    assert_eq!(align_plain(&aligner, &labels, budget), Err(Exhausted));
}

#[test]
fn a_hundred_thousand_events_of_a_loop_are_aligned() {
    let mut model = Model::default();
    let par = Tree::Par(vec![model.seq("bc"), model.step('d')]);
    let branches = vec![model.step('e'), model.seq("fg"), Tree::Silent];
    let choice = model.alt(branches);
    let body = Tree::Seq(vec![model.step('a'), par, choice, model.step('h')]);
    let tree = Tree::Loop { body: Box::new(body), least: 0, most: None };
    let aligner = Aligner::new(&tree, &model.steps);
    let frame: Vec<Label> = "abdcehadbcfghabcdh".chars().map(|letter| letter as Label).collect();
    let mut labels: Vec<Label> = frame.iter().copied().cycle().take(18 * 5_556).collect();
    assert_eq!(align_plain(&aligner, &labels, Budget::default()).unwrap().cost, 0);
    // Every fortieth event is changed for one that the tree does not have, which leaves its step missing.
    for label in labels.iter_mut().step_by(40) {
        *label = 0;
    }
    let found = align_plain(&aligner, &labels, Budget::default()).unwrap();
    assert!(found.cost > 2_501 && found.cost <= 2 * 2_501, "{}", found.cost);
}

#[test]
fn a_tree_of_128_levels_is_aligned() {
    let mut model = Model::default();
    let mut tree = model.step('z');
    let mut fitting = "z".to_owned();
    for level in 0..127 {
        let letter = char::from_u32(1_000 + level).unwrap();
        let step = model.step(letter);
        fitting = match level % 4 {
            0 => format!("{letter}{fitting}"),
            3 => fitting,
            _ => format!("{fitting}{letter}"),
        };
        tree = match level % 4 {
            0 => Tree::Seq(vec![step, tree]),
            1 => Tree::Par(vec![tree, step]),
            2 => Tree::Loop { body: Box::new(Tree::Seq(vec![tree, step])), least: 1, most: Some(1) },
            _ => model.alt(vec![step, tree]),
        };
    }
    let (cost, _, choices) = model.aligned(&tree, &fitting);
    assert_eq!((cost, choices.len()), (0, 31));
    assert!(choices.iter().all(|choice| choice.branch == 1));
    assert_eq!(model.cost(&tree, &fitting.replace('z', "yy")), 3);
}

#[test]
fn loops_in_loops_are_aligned() {
    let mut model = Model::default();
    let mut tree = model.step('a');
    for _ in 0..60 {
        let branches = vec![Tree::Silent, model.step('b')];
        let more = model.alt(branches);
        tree = Tree::Loop { body: Box::new(Tree::Seq(vec![tree, more])), least: 0, most: None };
    }
    assert_eq!(model.cost(&tree, &"ab".repeat(50)), 0);
    assert_eq!(model.cost(&tree, &"az".repeat(20)), 20);
}

#[test]
fn what_needs_more_than_the_budget_is_given_up() {
    let mut model = Model::default();
    // Twelve operands of four steps that share their labels: 5^12 markings.
    let tree = Tree::Par((0..12).map(|_| model.seq("abab")).collect());
    let aligner = Aligner::new(&tree, &model.steps);
    assert_eq!(aligner.shortest(), 48);
    let labels: Vec<Label> = "ba".repeat(24).chars().map(|letter| letter as Label).collect();
    assert_eq!(align_plain(&aligner, &labels, Budget { states: 20_000 }), Err(Exhausted));
    assert_eq!(
        align_plain(&Aligner::new(&model.seq("abc"), &model.steps), &[1; 50], Budget { states: 10 }),
        Err(Exhausted)
    );
}

#[test]
fn the_least_budget_that_suffices_gives_what_any_larger_one_gives() {
    let mut model = Model::default();
    let par = Tree::Par(vec![model.seq("abc"), model.seq("cad"), model.seq("xy")]);
    let tree = Tree::Seq(vec![model.step('s'), par, model.step('t')]);
    let aligner = Aligner::new(&tree, &model.steps);
    let labels: Vec<Label> = "xscabadyct".chars().map(|letter| letter as Label).collect();
    let full = align_plain(&aligner, &labels, Budget::default()).unwrap();
    let mut given_up = 0;
    for states in 0..2_000 {
        match align_plain(&aligner, &labels, Budget { states }) {
            Ok(found) => assert_eq!(found, full, "{states}"),
            Err(Exhausted) => given_up += 1,
        }
    }
    assert!(given_up > 10 && given_up < 1_900, "{given_up}");
}

#[test]
fn a_loop_with_bounds_that_nobody_could_draw_out_is_given_up() {
    let mut model = Model::default();
    let body = Box::new(model.seq("ab"));
    let huge = Tree::Loop { body, least: 4_000_000_000, most: None };
    let aligner = Aligner::new(&huge, &model.steps);
    assert_eq!(aligner.shortest(), 8_000_000_000);
    assert_eq!(align_plain(&aligner, &[1], Budget::default()), Err(Exhausted));
    let most = Tree::Loop { body: Box::new(model.step('a')), least: 0, most: Some(100_000) };
    let aligner = Aligner::new(&most, &model.steps);
    let labels = vec!['a' as Label; 100_001];
    assert_eq!(align_plain(&aligner, &labels, Budget::default()), Err(Exhausted), "the bound might matter");
    assert_eq!(align_plain(&aligner, &labels[1..], Budget::default()).unwrap().cost, 0);
}

#[test]
fn equal_sequences_are_looked_up() {
    let mut model = Model::default();
    let tree = model.seq("abc");
    let aligner = Aligner::new(&tree, &model.steps);
    let mut variants = Variants::new(&aligner, Budget::default(), Variants::MOST);
    assert!(variants.is_empty());
    let labels = |letters: &str| letters.chars().map(|letter| letter as Label).collect::<Vec<_>>();
    let first = variants.align(&labels("abc")).unwrap();
    let again = variants.align(&labels("abc")).unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &again));
    assert_eq!(variants.align(&labels("ab")).unwrap().cost, 1);
    assert_eq!(variants.len(), 2);
    let mut few = Variants::new(&aligner, Budget::default(), 20);
    for letters in ["abc", "ab", "a", "abc"] {
        assert_eq!(few.align(&labels(letters)).unwrap().cost, 3 - letters.len() as u64);
    }
    assert_eq!(few.len(), 1, "there is room for one");
}

/// So many copies of the same steps beside each other, and the classes by which they are known for the same.
fn copies(letters: &str, count: usize) -> (Tree, Model, Vec<u32>) {
    let mut model = Model::default();
    let tree = Tree::Par((0..count).map(|_| model.seq(letters)).collect());
    let classes = (0..count).flat_map(|_| letters.chars().map(|letter| letter as u32)).collect();
    (tree, model, classes)
}

/// Operands of a `par` that stand for each other are not tried in every order: the states that are held grow with a power of
/// their number, and not with all of their subsets.
#[test]
fn operands_that_are_alike_cost_a_few_states() {
    let (tree, model, classes) = copies("abcd", 14);
    let labels: Vec<Label> = ["a".repeat(14), "bc".repeat(7), "b".repeat(7), "c".repeat(7), "d".repeat(14)]
        .concat()
        .chars()
        .map(|c| c as Label)
        .collect();
    let budget = Budget { states: 100_000 };
    let aligner = Aligner::with_classes(&tree, &model.steps, &classes);
    let found = align_plain(&aligner, &labels, budget).unwrap();
    assert_eq!(found.cost, 0);
    let mut steps = super::check::run(&found);
    steps.sort_unstable();
    assert_eq!(steps, (0..14 * 4).collect::<Vec<_>>(), "each step of each operand, once");
}

/// The same where the events do not fit: what follows the `par` begins before all of its operands have ended. Were every
/// distribution of the events over the operands tried, two million states would not suffice.
#[test]
fn operands_that_are_alike_cost_a_few_states_where_events_do_not_fit() {
    let (par, mut model, mut classes) = copies("crcrcrcr", 14);
    let tree = Tree::Seq(vec![par, model.seq("cr")]);
    classes.extend("cr".chars().map(|letter| letter as u32));
    let labels: Vec<Label> = ["c".repeat(10), "rc".repeat(46), "rrrrr".to_owned(), "c".to_owned(), "rrrrrr".to_owned()]
        .concat()
        .chars()
        .map(|c| c as Label)
        .collect();
    let budget = Budget { states: 10_000 };
    assert_eq!(align_plain(&Aligner::new(&tree, &model.steps), &labels, budget), Err(Exhausted));
    let aligner = Aligner::with_classes(&tree, &model.steps, &classes);
    let found = align_plain(&aligner, &labels, budget).unwrap();
    assert_eq!(found.cost, 2);
    let mut steps = super::check::run(&found);
    steps.sort_unstable();
    assert_eq!(steps, (0..14 * 8 + 2).collect::<Vec<_>>(), "each step of each operand, once");
}

/// A `par` within operands of a `par`, as work is drawn that spans of one name tell of.
#[test]
fn operands_within_operands_cost_a_few_states() {
    let mut model = Model::default();
    let mut tree = model.seq("ww");
    for _ in 0..6 {
        let operands = vec![model.step('w'), Tree::Seq(vec![model.step('w'), tree]), model.seq("ww")];
        tree = Tree::Par(operands);
        tree = Tree::Seq(vec![model.step('w'), tree]);
    }
    let operands = vec![tree, model.seq("ww")];
    let tree = Tree::Par(operands);
    let count = model.steps.labels.len();
    let aligner = Aligner::with_classes(&tree, &model.steps, &vec![0; count]);
    let found = align_plain(&aligner, &vec!['w' as Label; count], Budget { states: 20_000 }).unwrap();
    assert_eq!((found.cost, super::check::run(&found).len()), (0, count));
}

/// Of several orders the one that fits best is found, and the first of those that fit as well.
#[test]
fn the_order_that_fits_best_is_taken() {
    let mut model = Model::default();
    let tree = model.seq("abcd");
    let aligner = Aligner::new(&tree, &model.steps);
    let events: Vec<Event> = "abdc".chars().map(|letter| Event { label: letter as Label, extra: 1 }).collect();
    let aligned = |orders: &[Vec<usize>]| {
        aligner.align_any(&events, orders, &|_, _| Some(0), Budget::default()).map(|(at, found)| (at, found.cost))
    };
    assert_eq!(aligned(&[vec![0, 1, 2, 3], vec![0, 1, 3, 2], vec![0, 1, 3, 2]]), Ok((1, 0)));
    assert_eq!(aligned(&[vec![1, 0, 2, 3], vec![0, 1, 2, 3], vec![1, 0, 3, 2]]), Ok((1, 2)));
    assert_eq!(aligned(&[]), Err(Exhausted));
}

#[test]
fn operands_that_are_alike_are_aligned_as_cheaply_as_others() {
    for letters in ["ab", "aba", "abc"] {
        for count in [2, 3] {
            let (tree, model, classes) = copies(letters, count);
            let (plain, alike) =
                (Aligner::new(&tree, &model.steps), Aligner::with_classes(&tree, &model.steps, &classes));
            for number in 0..1_024_u32 {
                let labels: Vec<Label> =
                    (0..6).map(|at| ['a', 'b', 'c', 'x'][(number >> (2 * at) & 3) as usize] as Label).collect();
                let cost = |aligner: &Aligner| align_plain(aligner, &labels, Budget::default()).unwrap().cost;
                assert_eq!(cost(&alike), cost(&plain), "{letters} {count} {labels:?}");
            }
        }
    }
}
