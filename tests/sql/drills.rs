//! Each drill document of the scenarios does what it says, and its result has the character that is known of it.
//!
//! One of each method runs always; all of them, and twenty in a row, where `INTERLOCK_DRILLS=all`.

use serde_json::Value;

use crate::{
    figures::{Figures, show},
    stage::{Done, Stage, scenario},
};

/// What is known of a drill beforehand.
struct Known {
    drill: &'static str,
    /// Whether it runs always.
    always: bool,
    exit: i32,
    character: fn(&Figures<'_>),
}

const fn always(drill: &'static str, exit: i32, character: fn(&Figures<'_>)) -> Known {
    Known { drill, always: true, exit, character }
}

const fn at_length(drill: &'static str, exit: i32, character: fn(&Figures<'_>)) -> Known {
    Known { drill, always: false, exit, character }
}

/// Nobody else takes over, and nothing is lost.
fn same_primary(figures: &Figures<'_>) {
    assert_eq!(figures.new_primary(), figures.old_primary());
    assert_eq!((figures.lost(), figures.duplicates()), (0, 0));
}

/// Somebody else takes over.
fn moved(figures: &Figures<'_>) {
    assert_ne!(figures.new_primary(), figures.old_primary());
    assert_eq!(figures.duplicates(), 0);
    assert!(figures.outage().1 > 0.0);
}

/// Somebody else takes over, and nothing is lost.
fn moved_without_loss(figures: &Figures<'_>) {
    moved(figures);
    assert_eq!(figures.lost(), 0);
}

/// Somebody else takes over, and much is lost.
fn moved_with_loss(figures: &Figures<'_>) {
    moved(figures);
    assert!(figures.lost() > 50, "{} rows", figures.lost());
}

/// Two nodes take writes at once: by all acknowledgements the gap is no longer than by the rows that survive, and often much
/// shorter; it depends on how long the new primary takes to become one.
fn split_brain(figures: &Figures<'_>) {
    moved_with_loss(figures);
    assert!(figures.dual().is_some());
    assert!(figures.gap("durable") >= figures.gap("any"));
}

/// Somebody else takes over. The leader that wakes up may take its lock back all the same if it was about to renew it: with
/// etcd's third API, Patroni 3 writes it whoever has it by then. The drill has to notice, since what was written meanwhile is lost.
fn moved_if_patroni_lets_go(figures: &Figures<'_>) {
    if figures.new_primary() == figures.old_primary() {
        println!("the old leader has taken its lock back");
        assert!(figures.dual().is_some() && figures.lost() > 0, "{} rows", figures.lost());
    } else {
        moved(figures);
    }
}

/// The outage is as long as the fault of so many seconds at least, and the same primary goes on.
fn as_long_as_the_fault(figures: &Figures<'_>) {
    same_primary(figures);
    assert!(figures.outage().1 >= 2.9, "{:?}", figures.outage());
}

fn is_wanted(known: &Known) -> bool {
    known.always || std::env::var("INTERLOCK_DRILLS").is_ok_and(|which| which == "all")
}

fn play(stage: &Stage, known: &Known) {
    let Known { drill, exit, character, .. } = known;
    let primary = stage.until_whole(drill);
    let done = stage.drill(drill);
    let report = stage.report();
    let expected = done.code == Some(*exit) || is_unproven(&done, &report) || took_it_back(&done, &report);
    assert!(expected, "{drill}: {}\n{}", done.out, done.err);
    show(drill, &report, &stage.sheet());
    character(&Figures::of(&report));
    assert_eq!(stage.until_whole(drill), primary, "{drill} has not given the role back");
}

/// Whether rows are lost since an old leader took its role back from a newer one.
fn took_it_back(done: &Done, report: &Value) -> bool {
    let measured = &report["repetitions"][0]["measurement"];
    done.code == Some(1) && measured["dual"].is_object() && measured["old"] == measured["new"]
}

/// Whether nothing was missing but time on this machine: writers that were late prove nothing, neither way.
fn is_unproven(done: &Done, report: &Value) -> bool {
    if done.code != Some(6) {
        return false;
    }
    let reasons = report["judgement"]["reasons"].as_array().unwrap();
    let doubts = || reasons.iter().filter(|reason| reason["verdict"] != "pass");
    let busy = doubts().next().is_some() && doubts().all(|doubt| doubt["why"].as_str().unwrap().contains("too busy"));
    if busy {
        println!("this machine was too busy for a verdict: {reasons:?}");
    }
    busy
}

/// Plays those that are wanted on one cluster.
fn play_all(kind: &str, settings: &[&str], all: &[Known]) {
    let wanted: Vec<_> = all.iter().filter(|known| is_wanted(known)).collect();
    if wanted.is_empty() {
        println!("{kind} {settings:?}: all of its drills run with `make drills` only");
        return;
    }
    let stage = Stage::up(kind, settings);
    for known in wanted {
        play(&stage, known);
    }
    stage.down();
}

#[test]
fn plain_streaming() {
    play_all(
        "postgres",
        &[],
        &[
            always("postgres-promote", 0, moved),
            always("postgres-promote-frozen", 1, moved_with_loss),
            always("postgres-switchover", 0, moved_without_loss),
            always("postgres-partition", 0, as_long_as_the_fault),
            always("postgres-pause", 0, as_long_as_the_fault),
        ],
    );
}

#[test]
fn plain_streaming_with_a_synchronous_standby() {
    play_all("postgres", &["synchronous=on"], &[at_length("postgres-promote-synchronous", 0, moved_without_loss)]);
}

#[test]
fn plain_streaming_whose_disk_can_be_stalled() {
    play_all("postgres", &["stallable=on"], &[at_length("postgres-stall", 0, as_long_as_the_fault)]);
}

/// A document that nobody plays is known to nobody.
#[test]
fn every_document_is_played() {
    let played = include_str!("drills.rs");
    for entry in std::fs::read_dir(scenario("interlock").parent().unwrap()).unwrap() {
        let name = entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(name == "interlock" || played.contains(&format!("\"{name}\"")), "{name} is not played");
    }
}

#[test]
fn patroni() {
    play_all(
        "patroni",
        &[],
        &[
            always("patroni-switchover", 0, moved_without_loss),
            always("patroni-kill-host", 0, moved),
            always("patroni-kill-manager", 1, split_brain),
            at_length("patroni-kill-host-frozen", 1, moved_with_loss),
            at_length("patroni-pause-host", 0, moved_if_patroni_lets_go),
            at_length("patroni-partition-host", 0, moved),
            at_length("patroni-pause-etcd", 0, |figures| assert_eq!(figures.lost(), 0)),
            at_length("patroni-pause-etcd-briefly", 0, same_primary),
        ],
    );
}

#[test]
fn patroni_with_a_synchronous_standby() {
    play_all(
        "patroni",
        &["synchronous=on"],
        &[
            at_length("patroni-kill-host-synchronous", 0, moved_without_loss),
            at_length("patroni-kill-manager-synchronous", 0, moved_without_loss),
        ],
    );
}

#[test]
fn patroni_that_waits_for_the_old_leader() {
    let settings = ["primary_start_timeout=300"];
    play_all("patroni", &settings, &[at_length("patroni-kill-database", 0, same_primary)]);
}

#[test]
fn patroni_that_does_not_wait_for_the_old_leader() {
    let settings = ["primary_start_timeout=0"];
    play_all("patroni", &settings, &[at_length("patroni-kill-database-failover", 0, moved)]);
}

#[test]
fn patroni_with_its_defaults() {
    let settings = ["ttl=30", "loop_wait=10", "retry_timeout=10"];
    play_all(
        "patroni",
        &settings,
        &[at_length("patroni-kill-host-defaults", 0, |figures| {
            moved(figures);
            assert!(figures.outage().1 > 10.0, "{:?}", figures.outage());
        })],
    );
}

#[test]
fn patroni_in_failsafe_mode() {
    play_all("patroni", &["failsafe_mode=on"], &[at_length("patroni-pause-etcd-failsafe", 0, same_primary)]);
}

#[test]
fn mariadb() {
    play_all(
        "mariadb",
        &[],
        &[
            always("mariadb-promote", 0, moved),
            at_length("mariadb-promote-frozen", 1, moved_with_loss),
            at_length("mariadb-switchover", 0, moved_without_loss),
        ],
    );
}

/// A drill that is repeated tells how its lengths are spread, and leaves a whole cluster each time: each repetition begins
/// only with one.
#[test]
fn repeated() {
    let times = if std::env::var("INTERLOCK_DRILLS").is_ok_and(|which| which == "all") { 20 } else { 2 };
    let stage = Stage::up("postgres", &[]);
    let text = std::fs::read_to_string(scenario("postgres-promote")).unwrap();
    let file = stage.write("repeated", &format!("{text}repetitions: {times}\nbaseline: 1s\n"));
    let done = stage.run(&["drill", "run", &file, "--yes"]);
    let report: Value = stage.report();
    assert!(done.code == Some(0) || is_unproven(&done, &report), "{}\n{}", done.out, done.err);
    show("postgres-promote, repeated", &report, &stage.sheet());
    assert_eq!(report["repetitions"].as_array().unwrap().len(), times);
    assert_eq!(report["spread"]["outage"]["count"], times);
    assert!(report["spread"]["outage"]["worstUs"].as_u64() >= report["spread"]["outage"]["medianUs"].as_u64());
    assert_eq!(stage.until_whole("postgres-promote"), "pg1");
    stage.down();
}
