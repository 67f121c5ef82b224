//! A drill whose operator is killed: its guardian releases what is frozen, brings back what is down, and gives the role back.

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;

use crate::stage::Stage;

/// Short, and with every kind of change in it.
const DRILL: &str = "apiVersion: interlock/v1alpha1
kind: Drill
metadata: {name: cut}
database: orders
fault: {method: METHOD, frozen: 300ms}
objectives: {rto: 30s, rpo: {rows: 100000}}
writer: {rate: 100, perNode: 20, workers: 2}
baseline: 500ms
settle: 300ms
";

/// How long after an intent a cut falls amid its effect, in milliseconds: a statement is sent within the first.
const AMID: [u64; 3] = [1, 20, 200];

/// Where an uncut run may be cut: at its records, and amid the effects that no epoch holds back.
struct Cuts {
    /// After something was captured, which leaves a change that may follow; before something is applied, which leaves an effect
    /// without its record.
    records: Vec<String>,
    /// After an intent, and while what was intended is under way.
    effects: Vec<String>,
}

fn cuts(stage: &Stage) -> Cuts {
    let shown = stage.run(&["runs", "show", &stage.newest(), "--output", "json"]);
    let records: Vec<Value> = serde_json::from_str(&shown.out).unwrap();
    let mut cuts = Cuts { records: Vec::new(), effects: Vec::new() };
    for (record, nth) in records.iter().zip(1..) {
        match &record["entry"] {
            entry if entry.get("captured").is_some() => cuts.records.push(format!("after:{nth}")),
            entry if entry.get("applied").is_some() => cuts.records.push(format!("before:{nth}")),
            entry if entry.get("intended").is_some() => {
                cuts.effects.push(format!("after:{nth}"));
                cuts.effects.extend(AMID.map(|millis| format!("amid:{nth}:{millis}")));
            }
            _ => {}
        }
    }
    cuts
}

/// So many of the cuts, unless all of them are asked for.
fn sample(mut cuts: Vec<String>, size: usize) -> Vec<String> {
    let all =
        std::env::var_os("INTERLOCK_SOAK").is_some() || std::env::var("INTERLOCK_DRILLS").is_ok_and(|w| w == "all");
    if all || cuts.len() <= size {
        return cuts;
    }
    let seed = std::env::var("INTERLOCK_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(rand::random::<u64>);
    eprintln!("a sample of {size} of {} cuts, INTERLOCK_SEED={seed}", cuts.len());
    let mut chance = StdRng::seed_from_u64(seed);
    (0..size).map(|_| cuts.remove(chance.random_range(0..cuts.len()))).collect()
}

/// Kills the operator at `size` of the changes of a drill and amid as many of its effects, one after the other; each time the
/// guardian makes the cluster whole.
fn killed_at(kind: &str, method: &str, size: usize) {
    if cfg!(not(feature = "cut-points")) {
        panic!("this build has no cut points; build with --features cut-points");
    }
    let stage = Stage::up(kind, &[]);
    let file = stage.write("cut", &DRILL.replace("METHOD", method));
    let primary = stage.until_open(&file);
    let arguments = ["drill", "run", file.as_str(), "--yes"];
    let uncut = stage.run(&arguments);
    // 6: a machine that is too busy for a verdict; the drill went through all the same.
    assert!(matches!(uncut.code, Some(0 | 6)), "{}\n{}", uncut.out, uncut.err);
    let cuts = cuts(&stage);
    assert!(cuts.records.len() >= 12 && cuts.effects.len() >= 8, "{:?} {:?}", cuts.records, cuts.effects);
    let (mut killed, mut tried) = (0, 0);
    for cut in sample(cuts.records, size).into_iter().chain(sample(cuts.effects, size)) {
        let operator = stage.command(&arguments).env("INTERLOCK_CUT", &cut).output().unwrap();
        // The number of looks differs from run to run, so that the last cuts may lie beyond the end; and an effect may be over
        // before it is cut.
        assert!(matches!(operator.status.code(), None | Some(0 | 6)), "{cut}: {operator:?}");
        tried += 1;
        killed += usize::from(operator.status.code().is_none());
        stage.until_free();
        println!("{cut}: put back");
        assert_eq!(stage.until_open(&file), primary, "{cut}: the role was not given back");
        let verified = stage.run(&["runs", "verify"]);
        assert_eq!(verified.code, Some(0), "{cut}: {verified:?}");
    }
    assert!(killed * 2 > tried, "of {tried} operators that were to be killed {killed} were");
    stage.down();
}

#[test]
fn at_any_change_plain_streaming_is_made_whole_again() {
    killed_at("postgres", "promote", 3);
}

#[test]
fn at_any_change_patroni_is_made_whole_again() {
    killed_at("patroni", "kill", 2);
}

#[test]
fn at_any_change_mariadb_is_made_whole_again() {
    killed_at("mariadb", "promote", 2);
}

#[test]
fn a_paused_host_is_released_when_its_operator_dies() {
    let stage = Stage::up("postgres", &[]);
    let text = "apiVersion: interlock/v1alpha1
kind: Drill
metadata: {name: paused}
database: orders
fault: {method: pause, for: 5m}
objectives: {rto: 10s}
limit: 10m
baseline: 500ms
";
    let file = stage.write("paused", text);
    let mut operator = stage.command(&["drill", "run", &file, "--yes"]).spawn().unwrap();
    let paused = || stage.run(&["lab", "host", "pg1"]).out.contains("paused");
    let begun = std::time::Instant::now();
    while !paused() {
        assert!(begun.elapsed() < std::time::Duration::from_secs(300), "it was never paused");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    operator.kill().unwrap();
    operator.wait().unwrap();
    stage.until_free();
    assert!(stage.run(&["lab", "host", "pg1"]).out.contains("running"));
    assert_eq!(stage.until_open(&file), "pg1");
    stage.down();
}
