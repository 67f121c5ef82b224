//! Owners that die, sleep, or are two: exactly one acts, and traffic goes back to blue.

use interlock::{
    guard::{Entry, Outcome, Role},
    journal::Record,
    model::Epoch,
    process::Signal,
};

use crate::stage::{BLUE, GREEN, Stage, until};

#[test]
fn the_guardian_puts_back_what_a_killed_terminal_leaves() {
    let stage = Stage::up();
    let (cli, run) = stage.bake();
    assert_eq!(stage.weights(), GREEN);
    cli.kill_group();
    assert_eq!(stage.wait_for_end(&run), Outcome::Interrupted { why: "its operator was gone".to_owned() });
    assert_eq!(stage.weights(), BLUE);
    assert_eq!(stage.state(&run), "interrupted");
    assert_eq!(stage.receiver.outcomes(&run), ["interrupted"], "who put it back unasked says so");
    stage.is_clean(&run);
    let report = stage.end_load();
    assert_eq!(report.failed, 0, "{:?}", report.examples);
    stage.close();
}

#[test]
fn an_operator_who_slept_while_it_was_superseded_does_nothing_more() {
    let stage = Stage::up();
    let (cli, run) = stage.bake();
    cli.signal(Signal::SIGSTOP);
    assert_eq!(stage.wait_for_end(&run), Outcome::Interrupted { why: "its operator was gone".to_owned() });
    assert_eq!(stage.weights(), BLUE);
    let of_first = |record: &&Record| record.epoch == Epoch(1);
    let before = stage.records(&run);
    cli.signal(Signal::SIGCONT);
    let done = cli.wait();
    assert_eq!(done.code, Some(7), "{done:?}");
    let after = stage.records(&run);
    assert_eq!(after.iter().filter(of_first).count(), before.iter().filter(of_first).count());
    assert_eq!(after.len(), before.len());
    assert_eq!(after.last().unwrap().epoch, Epoch(2));
    assert_eq!(stage.weights(), BLUE);
    stage.is_clean(&run);
    stage.close();
}

#[test]
fn of_two_operators_one_proceeds_and_the_other_is_told_who_holds_it() {
    let stage = Stage::up();
    let args = ["--bake", "10m", "--max-bake", "20m"];
    let (mut first, mut second) = (stage.switch(&args), stage.switch(&args));
    let mut loser_is_first = false;
    until("one of them gives way", || {
        loser_is_first = first.has_ended();
        loser_is_first || second.has_ended()
    });
    let (loser, winner) = if loser_is_first { (first, second) } else { (second, first) };
    let refused = loser.wait();
    // Not before: until it is refused the loser has a run as well, which has not begun.
    let run = stage.wait_for_run(&[]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.err.contains(run.as_str()), "{refused:?}");
    assert_eq!(stage.runs(), std::slice::from_ref(&run), "the loser left no run");

    stage.wait_for_bake(&run);
    assert_eq!(stage.weights(), GREEN);
    // One that comes later is refused by the gate, and told the same.
    let third = stage.switch(&args).wait();
    assert_eq!(third.code, Some(3), "{third:?}");
    assert!(third.err.contains(run.as_str()), "{third:?}");
    // Nor can anybody recover it from under an owner who is alive.
    let recovered = stage.ask(&["runs", "recover", run.as_str()]);
    assert_eq!(recovered.code, Some(3), "{recovered:?}");
    winner.signal(Signal::SIGTERM);
    let done = winner.wait();
    assert_eq!(done.code, Some(7), "{done:?}");
    assert_eq!(stage.weights(), BLUE);
    stage.is_clean(&run);
    stage.close();
}

#[test]
fn a_run_without_operator_and_guardian_is_recovered_by_a_person() {
    let stage = Stage::up();
    let (cli, run) = stage.bake();
    let guardian = crate::traces::guardians(&stage.runs_folder()).pop().unwrap();
    // One that runs would post another guardian.
    cli.signal(Signal::SIGSTOP);
    assert!(guardian.kill().unwrap());
    cli.kill_group();
    assert_eq!(stage.state(&run), "abandoned");
    assert_eq!(stage.weights(), GREEN);
    let recovered = stage.ask(&["runs", "recover", run.as_str()]);
    assert_eq!(recovered.code, Some(7), "{recovered:?}");
    assert_eq!(stage.weights(), BLUE);
    let roles = stage.try_load(&run).unwrap().entries;
    let roles = roles.iter().filter_map(|entry| match entry {
        Entry::Owned { role, .. } => Some(*role),
        _ => None,
    });
    assert_eq!(roles.collect::<Vec<_>>(), [Role::Operator, Role::Recover]);
    stage.is_clean(&run);
    stage.close();
}
