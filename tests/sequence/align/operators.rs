//! What each operator means for what fits, what is missing, and what is extra.

use interlock::sequence::conform::align::{Aligner, Budget, Choice, Event, Move, Steps, Tree};

use super::check::Model;

fn repeat(body: Tree, least: u32, most: Option<u32>) -> Tree {
    Tree::Loop { body: Box::new(body), least, most }
}

fn taken(choice: usize, branch: usize) -> Choice {
    Choice { choice, branch }
}

#[test]
fn nothing_takes_every_event_for_extra() {
    let model = Model::default();
    assert_eq!(model.aligned(&Tree::Silent, ""), (0, String::new(), vec![]));
    assert_eq!(model.aligned(&Tree::Silent, "ab"), (2, "+a +b".to_owned(), vec![]));
    for empty in [Tree::Seq(vec![]), Tree::Par(vec![]), Tree::Alt { choice: 0, branches: vec![] }] {
        assert_eq!(model.cost(&empty, "ab"), 2, "{empty:?}");
    }
}

#[test]
fn a_sequence_wants_its_steps_in_their_order() {
    let mut model = Model::default();
    let tree = model.seq("abc");
    assert_eq!(model.aligned(&tree, "abc"), (0, "a b c".to_owned(), vec![]));
    assert_eq!(model.aligned(&tree, "abzc"), (1, "a b +z c".to_owned(), vec![]));
    assert_eq!(model.aligned(&tree, "ac"), (1, "a -b c".to_owned(), vec![]));
    assert_eq!(model.aligned(&tree, "aabc").0, 1);
    assert_eq!(model.cost(&tree, "acb"), 2);
    assert_eq!(model.aligned(&tree, ""), (3, "-a -b -c".to_owned(), vec![]));
    assert_eq!(Aligner::new(&tree, &model.steps).shortest(), 3);
}

#[test]
fn one_branch_is_taken_and_said() {
    let mut model = Model::default();
    let branches = vec![model.seq("ab"), model.seq("cde"), Tree::Silent];
    let tree = model.alt(branches);
    assert_eq!(model.aligned(&tree, "ab"), (0, "a b".to_owned(), vec![taken(0, 0)]));
    assert_eq!(model.aligned(&tree, "ce"), (1, "c -d e".to_owned(), vec![taken(0, 1)]));
    assert_eq!(model.aligned(&tree, ""), (0, String::new(), vec![taken(0, 2)]));
    assert_eq!(model.cost(&tree, "abcde"), 2, "only one of them is taken");
    assert_eq!(Aligner::new(&tree, &model.steps).shortest(), 0);
}

#[test]
fn choices_are_said_in_the_order_in_which_they_are_made() {
    let mut model = Model::default();
    let branches = vec![model.step('a'), model.step('b')];
    let tree = repeat(model.alt(branches), 0, None);
    let (cost, _, choices) = model.aligned(&tree, "abba");
    assert_eq!((cost, choices), (0, vec![taken(0, 0), taken(0, 1), taken(0, 1), taken(0, 0)]));
}

#[test]
fn operands_are_interleaved_in_any_way() {
    let mut model = Model::default();
    let tree = Tree::Par(vec![model.seq("ab"), model.seq("cd"), model.step('e')]);
    for fine in ["abcde", "cdeab", "acbde", "ecabd", "caebd"] {
        assert_eq!(model.cost(&tree, fine), 0, "{fine}");
    }
    assert_eq!(model.cost(&tree, "bacde"), 2, "operands keep their own order");
    assert_eq!(model.aligned(&tree, "cazb"), (3, "-e c -d a +z b".to_owned(), vec![]));
    assert_eq!(Aligner::new(&tree, &model.steps).shortest(), 5);
}

#[test]
fn operands_with_a_label_in_common_are_interleaved_as_well() {
    let mut model = Model::default();
    let tree = Tree::Par(vec![model.seq("ab"), model.seq("ac"), model.seq("xy")]);
    for fine in ["aabc", "abac", "acab", "aacb"] {
        assert_eq!(model.cost(&tree, &format!("x{fine}y")), 0, "{fine}");
    }
    assert_eq!(model.cost(&tree, "xyabc"), 1, "the second `a` is missing");
    assert_eq!(model.cost(&tree, "bcaaxy"), 4);
    assert_eq!(model.cost(&tree, "xaybzac"), 1);
}

#[test]
fn operands_with_labels_in_common_may_have_operands_themselves() {
    let mut model = Model::default();
    let inner = Tree::Par(vec![model.seq("ab"), model.seq("cd")]);
    let left = Tree::Seq(vec![model.step('s'), inner, model.step('t')]);
    let right = repeat(model.seq("ac"), 0, None);
    let tree = Tree::Par(vec![left, right]);
    for fine in ["sabcdt", "scdabt", "sacbdt", "sacacbdt", "acscadbtac"] {
        assert_eq!(model.cost(&tree, fine), 0, "{fine}");
    }
    assert_eq!(model.cost(&tree, "sabct"), 1);
    assert_eq!(model.cost(&tree, "abcdst"), 2);
}

#[test]
fn what_comes_before_and_behind_operands_stays_outside() {
    let mut model = Model::default();
    let par = Tree::Par(vec![model.seq("ab"), model.seq("cd")]);
    let tree = Tree::Seq(vec![model.step('a'), par, model.step('d')]);
    assert_eq!(model.cost(&tree, "aacbdd"), 0);
    assert_eq!(model.cost(&tree, "acabdd"), 0);
    assert_eq!(model.aligned(&tree, "acbdd").0, 1);
    assert_eq!(model.cost(&tree, "aacdbd"), 0);
    assert_eq!(model.cost(&tree, "daacbda"), 3);
}

#[test]
fn repetitions_are_counted() {
    let mut model = Model::default();
    let body = model.seq("ab");
    let any = repeat(body.clone(), 0, None);
    for fine in ["", "ab", "ababab"] {
        assert_eq!(model.cost(&any, fine), 0, "{fine}");
    }
    assert_eq!(model.cost(&any, "aba"), 1);
    let some = repeat(body.clone(), 2, Some(3));
    assert_eq!(Aligner::new(&some, &model.steps).shortest(), 4);
    for (letters, cost) in [("", 4), ("ab", 2), ("abab", 0), ("ababab", 0), ("abababab", 2), ("aabb", 2), ("ababa", 1)]
    {
        assert_eq!(model.cost(&some, letters), cost, "{letters}");
    }
    assert_eq!(model.cost(&repeat(body.clone(), 0, Some(0)), "ab"), 2);
    assert_eq!(model.cost(&repeat(body, 3, Some(1)), "ababab"), 0, "at least counts for more");
}

#[test]
fn a_bound_that_is_not_drawn_out_holds_all_the_same() {
    let mut model = Model::default();
    let tree = repeat(model.step('a'), 1, Some(1_000_000));
    assert_eq!(model.cost(&tree, &"a".repeat(5_000)), 0);
    assert_eq!(model.cost(&tree, ""), 1);
    let low = repeat(model.step('a'), 0, Some(300));
    assert_eq!(model.cost(&low, &"a".repeat(310)), 10);
}

#[test]
fn loops_of_what_may_be_nothing_end() {
    let mut model = Model::default();
    let branches = vec![Tree::Silent, model.step('a'), repeat(model.step('b'), 0, None)];
    let inner = model.alt(branches);
    let tree = repeat(repeat(inner, 0, None), 0, None);
    assert_eq!(model.cost(&tree, "abba"), 0);
    assert_eq!(model.cost(&tree, "abzba"), 1);
    assert_eq!(model.cost(&repeat(Tree::Silent, 2, None), "a"), 1);
}

#[test]
fn loops_of_operands_are_cut_where_each_ends() {
    let mut model = Model::default();
    let par = Tree::Par(vec![model.seq("ab"), model.step('c')]);
    let tree = repeat(Tree::Seq(vec![par, model.step('d')]), 0, None);
    assert_eq!(model.cost(&tree, "acbdcabdabcd"), 0);
    assert_eq!(model.cost(&tree, "acbdcbdabcd"), 1);
    assert_eq!(model.cost(&tree, "acbacbd"), 1, "a `d` is missing");
}

#[test]
fn costs_are_those_that_were_given() {
    let steps = Steps { labels: vec![1, 2, 2, 3], missing: vec![5, 7, 1, 0] };
    let tree = Tree::Seq(vec![Tree::Step(0), Tree::Step(1), Tree::Step(2), Tree::Step(3)]);
    let aligner = Aligner::new(&tree, &steps);
    assert_eq!(aligner.shortest(), 13);
    let event = |label, extra| Event { label, extra };
    let events = [event(1, 1), event(2, 4), event(9, 0)];
    // The second step fits nothing, the first one not quite.
    let fit = |_: usize, step: usize| match step {
        0 => Some(2),
        1 => None,
        _ => Some(0),
    };
    let found = aligner.align(&events, &fit, Budget::default()).unwrap();
    let moves = vec![
        Move::Sync { event: 0, step: 0 },
        Move::Missing { step: 1 },
        Move::Sync { event: 1, step: 2 },
        Move::Missing { step: 3 },
        Move::Extra { event: 2 },
    ];
    assert_eq!(found.cost, 9);
    assert_eq!(found.moves, moves);
}
