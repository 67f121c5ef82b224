//! Operators and guardians that are cut by SIGKILL at a journal write: blue serves again, or green was kept.

use std::io::Write as _;

use interlock::{
    guard::{Mode, Outcome},
    model::{RunId, Slot, Weights},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::stage::{BLUE, GREEN, Stage, within};

/// How many cuts are made unless all of them are asked for.
const SAMPLE: usize = 16;
/// The shortest switch there is; the promise is not measured before, for nothing is touched then.
const SHORT: [&str; 10] =
    ["--bake", "300ms", "--max-bake", "5s", "--warm-up", "2", "--override", "slo", "--reason", "cuts"];

fn needs_cut_points() {
    if cfg!(not(feature = "cut-points")) {
        panic!("this build has no cut points; build with --features cut-points");
    }
}

/// All of `cuts` where `INTERLOCK_SOAK` is set, else a sample; first and last are always in it.
fn sample(cuts: Vec<String>, size: usize) -> Vec<String> {
    if std::env::var_os("INTERLOCK_SOAK").is_some() || cuts.len() <= size {
        return cuts;
    }
    let seed = std::env::var("INTERLOCK_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(rand::random::<u64>);
    let _ = writeln!(std::io::stderr(), "a sample of {size} of {} cuts, INTERLOCK_SEED={seed}", cuts.len());
    let mut chance = StdRng::seed_from_u64(seed);
    let mut rest = cuts;
    let (first, last) = (rest.remove(0), rest.pop());
    let mut chosen: Vec<_> = (2..size).map(|_| rest.remove(chance.random_range(0..rest.len()))).collect();
    chosen.insert(0, first);
    chosen.extend(last);
    chosen
}

fn switch(stage: &Stage, to: Slot, env: &[(&str, &str)]) -> crate::stage::Done {
    stage.switch_with(&[&SHORT[..], &["--to", to.name()]].concat(), env).wait()
}

/// One whole run, uncut; says how many records its operator writes.
fn whole(stage: &Stage, to: Slot) -> usize {
    let before = stage.runs();
    let done = switch(stage, to, &[]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let run = stage.wait_for_run(&before);
    stage.is_clean(&run);
    stage.records(&run).len()
}

/// Waits for the guardian, or recovers by hand where none was posted yet or it was cut as well.
fn heal(stage: &Stage, run: &RunId, told: &str) {
    let guarded = || crate::traces::guardians(&stage.runs_folder()).iter().any(interlock::process::Identity::is_alive);
    let over = || within(std::time::Duration::from_secs(60), || stage.is_free() || !guarded());
    assert!(over(), "{told}: the guardian does not come to an end");
    if !stage.is_free() {
        let recovered = stage.ask(&["runs", "recover", run.as_str()]);
        assert!(matches!(recovered.code, Some(0 | 7)), "{told}: {recovered:?}");
    }
}

/// Checks what is true after any cut, and says who serves.
fn check(stage: &Stage, run: &RunId, from: Slot, told: &str) -> Slot {
    stage.is_clean(run);
    match stage.try_load(run).map(|stored| stored.mode()) {
        // Cut before its plan was durable: it never began.
        None => assert_eq!((stage.weights(), stage.records(run).len()), (Weights::all(from), 0), "{told}"),
        Some(Mode::Finished(Outcome::Interrupted { .. })) => {
            assert_eq!(stage.weights(), Weights::all(from), "{told}");
            assert_eq!(stage.state(run), "interrupted", "{told}");
        }
        Some(Mode::Finished(Outcome::Kept { .. })) => {
            assert_eq!(stage.weights(), Weights::all(from.other()), "{told}");
            assert_eq!(stage.state(run), "kept", "{told}");
            return from.other();
        }
        other => panic!("{told}: {other:?}"),
    }
    from
}

#[test]
fn an_operator_that_is_cut_at_any_record_leaves_nothing_broken() {
    needs_cut_points();
    let stage = Stage::up();
    let records = whole(&stage, Slot::Green);
    let mut serves = Slot::Green;
    let cuts = (1..=records).flat_map(|at| ["before", "after"].map(|place| format!("{place}:{at}"))).collect();
    for cut in sample(cuts, SAMPLE) {
        let before = stage.runs();
        let done = switch(&stage, serves.other(), &[("INTERLOCK_CUT", &cut)]);
        let run = stage.wait_for_run(&before);
        // The number of looks differs from run to run, so the last cuts may lie beyond the end.
        if done.code.is_some() {
            assert_eq!(done.code, Some(0), "{cut}: {done:?}");
        }
        heal(&stage, &run, &cut);
        serves = check(&stage, &run, serves, &cut);
    }
    let report = stage.end_load();
    assert_eq!(report.failed, 0, "{:?}", report.examples);
    stage.close();
}

#[test]
fn a_guardian_that_is_cut_is_followed_by_a_person() {
    needs_cut_points();
    let stage = Stage::up();
    // The guardian writes: owned, undone, finished, notified.
    let cuts = (1..=4).flat_map(|at| ["before", "after"].map(|place| format!("{place}:{at}"))).collect();
    for cut in sample(cuts, 5) {
        let before = stage.runs();
        let args = [&SHORT[4..], &["--bake", "10m", "--max-bake", "20m"]].concat();
        let cli = stage.switch_with(&args, &[("INTERLOCK_GUARDIAN_CUT", &cut)]);
        let run = stage.wait_for_run(&before);
        stage.wait_for_bake(&run);
        assert_eq!(stage.weights(), GREEN, "{cut}");
        cli.kill_group();
        heal(&stage, &run, &cut);
        assert_eq!(check(&stage, &run, Slot::Blue, &cut), Slot::Blue);
        assert_eq!(stage.weights(), BLUE);
    }
    stage.close();
}
