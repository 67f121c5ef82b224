//! A platform that breaks under a switch: gateway, replicas, the old slot, and somebody else's hands.

use interlock::{
    guard::{Entry, Mode, Outcome},
    lab::http::{Ask, Client},
    model::{RunId, Slot, Target, Weights},
    ports::{Fence, Store as _, Traffic as _},
    process::Signal,
};

use crate::stage::{BLUE, GREEN, PATIENCE, Setup, Stage, until};

const BLUES: [&str; 2] = ["tenant-blue-0", "tenant-blue-1"];
const GREENS: [&str; 2] = ["tenant-green-0", "tenant-green-1"];

#[test]
fn the_slot_that_served_is_named_once_behind_the_gateway() {
    let stage = Stage::with(Setup::default());
    let live = Client::new(stage.lab().file.gateway, None);
    let answer = stage.runtime.block_on(live.ask(Ask::get("/tenants/7"), PATIENCE)).unwrap();
    // Replicas name it as well, for those who ask them directly.
    let named: Vec<_> = answer.headers.get_all("x-lab-slot").iter().collect();
    assert_eq!(named, ["blue"]);
    assert_eq!(answer.headers.get_all("x-lab-version").iter().count(), 1);
    stage.close();
}

fn looks(stage: &Stage, run: &RunId) -> usize {
    let stored = stage.try_load(run).unwrap();
    stored.entries.iter().filter(|entry| matches!(entry, Entry::Observed { .. })).count()
}

#[test]
fn a_gateway_that_is_killed_comes_back_with_the_same_weights() {
    let stage = Stage::up();
    let before = stage.runs();
    let cli = stage.switch(&["--bake", "4s", "--max-bake", "30s"]);
    let run = stage.wait_for_run(&before);
    stage.wait_for_bake(&run);
    stage.signal("gateway", Signal::SIGKILL);
    until("the gateway is back", || {
        stage.part("gateway").exits == 1 && stage.runtime.block_on(stage.platform().weights()).is_ok()
    });
    let outcome = stage.wait_for_end(&run);
    let done = cli.wait();
    println!("after the gateway was killed: {outcome}");
    match outcome {
        Outcome::Kept { .. } => assert_eq!((done.code, stage.weights()), (Some(0), GREEN), "{done:?}"),
        Outcome::RolledBack { .. } => assert_eq!((done.code, stage.weights()), (Some(1), BLUE), "{done:?}"),
        other => panic!("{other}: {done:?}"),
    }
    stage.is_clean(&run);
    stage.close();
}

#[test]
fn one_killed_replica_of_two_ends_no_run_and_both_do() {
    let stage = Stage::up();
    let (cli, run) = stage.bake();
    stage.signal(GREENS[0], Signal::SIGKILL);
    until("it is back", || stage.part(GREENS[0]).exits == 1 && stage.part(GREENS[0]).ready);
    let then = looks(&stage, &run);
    until("the run goes on", || looks(&stage, &run) > then + 5);
    assert_eq!((stage.mode(&run), stage.weights()), (Mode::Forward, GREEN));

    stage.signal(GREENS[1], Signal::SIGKILL);
    let done = cli.wait();
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.out.contains("2 of 2 processes of green exited"), "{done:?}");
    assert_eq!(stage.weights(), BLUE);
    assert_eq!(stage.receiver.outcomes(&run), ["rolled-back"]);
    stage.is_clean(&run);
    stage.close();
}

/// A run whose green has crashed while blue was dead as well: stuck, with everything still on green.
fn stuck_on_green(stage: &Stage) -> RunId {
    let (cli, run) = stage.bake();
    BLUES.iter().for_each(|name| stage.signal(name, Signal::SIGSTOP));
    until("blue is dead", || BLUES.iter().all(|name| !stage.part(name).ready));
    GREENS.iter().for_each(|name| stage.signal(name, Signal::SIGKILL));
    let done = cli.wait();
    assert_eq!(done.code, Some(5), "{done:?}");
    assert!(done.out.contains("no replica of blue is ready"), "{done:?}");
    assert_eq!(stage.weights(), GREEN, "a dead slot gets no traffic");
    assert_eq!(stage.state(&run), "stuck");
    assert_eq!(stage.receiver.outcomes(&run), ["stuck"]);
    assert!(!stage.is_free());
    run
}

fn revive_blue(stage: &Stage) {
    BLUES.iter().for_each(|name| stage.signal(name, Signal::SIGCONT));
    stage.settle();
}

#[test]
fn a_dead_old_slot_gets_no_traffic_until_it_lives_again() {
    let stage = Stage::up();
    let run = stuck_on_green(&stage);
    let still = stage.ask(&["runs", "recover", run.as_str()]);
    assert_eq!((still.code, stage.weights()), (Some(5), GREEN), "{still:?}");
    revive_blue(&stage);
    let recovered = stage.ask(&["runs", "recover", run.as_str()]);
    assert_eq!(recovered.code, Some(1), "{recovered:?}");
    assert_eq!(stage.weights(), BLUE);
    assert_eq!(stage.state(&run), "rolled-back");
    stage.is_clean(&run);
    stage.close();
}

#[test]
fn a_person_settles_a_stuck_run_by_hand() {
    let stage = Stage::up();
    let run = stuck_on_green(&stage);
    let records = stage.records(&run).len();
    revive_blue(&stage);
    let refused = stage.switch(&["--to", "blue"]).wait();
    assert_eq!(refused.code, Some(3), "the target is still locked: {refused:?}");
    let resolved =
        stage.ask(&["runs", "resolve", run.as_str(), "--as", "kept", "--reason", "green was mended in place"]);
    assert_eq!(resolved.code, Some(0), "{resolved:?}");
    assert_eq!((stage.state(&run).as_str(), stage.weights()), ("kept", GREEN));
    assert!(stage.records(&run).len() > records, "who settled it is in the journal");
    stage.is_clean(&run);
    let back = stage.switch(&["--to", "blue"]).wait();
    assert_eq!((back.code, stage.weights()), (Some(0), BLUE), "{back:?}");
    stage.close();
}

#[test]
fn weights_that_somebody_else_has_set_are_left_alone() {
    let stage = Stage::up();
    let (cli, run) = stage.bake();
    let target = Target::parse("tenant").unwrap();
    let epoch = stage.runtime.block_on(stage.store().lock(&target)).unwrap().unwrap().epoch;
    let theirs = Weights::giving(Slot::Green, 40);
    let fence = Fence { epoch, from: GREEN };
    let set = stage.platform().set_weights(&theirs, &fence);
    stage.runtime.block_on(set).unwrap();
    let done = cli.wait();
    assert_eq!(done.code, Some(5), "{done:?}");
    assert!(done.out.contains("found blue 60 %, green 40 %"), "{done:?}");
    assert_eq!(stage.weights(), theirs);
    assert_eq!(stage.state(&run), "stuck");
    assert_eq!(stage.receiver.outcomes(&run), ["stuck"]);
    let again = stage.ask(&["runs", "recover", run.as_str()]);
    assert_eq!((again.code, stage.weights()), (Some(5), theirs), "{again:?}");
    let resolved = stage.ask(&["runs", "resolve", run.as_str(), "--as", "undone", "--reason", "they know why"]);
    assert_eq!((resolved.code, stage.weights()), (Some(0), theirs), "{resolved:?}");
    stage.is_clean(&run);
    stage.close();
}

#[test]
fn a_receiver_that_refuses_changes_no_outcome_and_is_recorded() {
    let stage = Stage::up();
    let (cli, run) = stage.bake();
    stage.receiver.refuse();
    GREENS.iter().for_each(|name| stage.signal(name, Signal::SIGKILL));
    let done = cli.wait();
    assert_eq!((done.code, stage.weights()), (Some(1), BLUE), "{done:?}");
    let told = |entry: &Entry| match entry {
        Entry::Notified { failed, .. } => Some(failed.clone()),
        _ => None,
    };
    let told: Vec<_> = stage.try_load(&run).unwrap().entries.iter().filter_map(told).collect();
    assert!(matches!(&told[..], [Some(why)] if why.contains("500")), "{told:?}");
    stage.is_clean(&run);
    // What the receiver's address keeps secret is searched for here as well.
    stage.close();
}
