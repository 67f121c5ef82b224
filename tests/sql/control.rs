//! The positive control: what a drill says to be lost, held against what the old primary's own log says.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::stage::Stage;

/// Where Debian keeps PostgreSQL's programs, by version.
const PROGRAMS: &str = "/usr/lib/postgresql";

/// Replication is stopped before the primary is; the host stays down for long enough to look at its disk.
const DRILL: &str = "apiVersion: interlock/v1alpha1
kind: Drill
metadata: {name: control}
database: orders
fault: {method: promote, frozen: 500ms}
objectives: {rto: 30s, rpo: {rows: 0}}
settle: 5s
";

fn until_down(stage: &Stage) {
    let begun = Instant::now();
    while !stage.run(&["lab", "host", "pg1"]).out.contains("down") {
        assert!(begun.elapsed() < Duration::from_secs(300), "its power was never cut");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Copies the log of a node; nothing works there now.
fn copy_log(stage: &Stage, node: &str, to: &Path) {
    for entry in fs::read_dir(log_of(stage, node)).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

fn log_of(stage: &Stage, node: &str) -> PathBuf {
    stage.known().folder.join(node).join("data/pg_wal")
}

/// Where the second timeline left the first, as the node that was promoted has it.
fn parted(stage: &Stage) -> String {
    let history = fs::read_to_string(log_of(stage, "pg2").join("00000002.history")).unwrap();
    history.split_whitespace().nth(1).unwrap().to_owned()
}

/// How many transactions a log says to be committed from a position on.
fn commits(log: &Path, from: &str) -> u64 {
    let mut programs: Vec<_> =
        fs::read_dir(PROGRAMS).unwrap().map(|version| version.unwrap().path().join("bin/pg_waldump")).collect();
    programs.sort();
    let mut dump = Command::new(programs.last().unwrap());
    dump.args(["--rmgr=Transaction", "--timeline=1", "--start", from, "--path"]).arg(log);
    // It ends with an error, as the log does, since its end is not a clean one.
    let said = String::from_utf8(dump.output().unwrap().stdout).unwrap();
    said.lines().filter(|line| line.contains("desc: COMMIT")).count() as u64
}

#[test]
fn as_many_rows_are_lost_as_the_old_primary_had_beyond_the_new_one() {
    let (stage, log) = (Stage::up("postgres", &[]), tempfile::tempdir().unwrap());
    let file = stage.write("control", DRILL);
    let mut operator = stage.command(&["drill", "run", &file, "--yes"]).spawn().unwrap();
    until_down(&stage);
    copy_log(&stage, "pg1", log.path());
    let code = operator.wait().unwrap().code();
    assert!(matches!(code, Some(1 | 6)), "{code:?}");
    let counted = commits(log.path(), &parted(&stage));
    let report = stage.report();
    let measured = &report["repetitions"][0]["measurement"];
    let lost = measured["fate"]["lost"]["count"].as_u64().unwrap();
    let unknown: u64 = measured["counts"]["unknown"].as_object().unwrap().values().filter_map(Value::as_u64).sum();
    println!("{lost} rows lost by the ledger, {counted} committed by the old primary's log, {unknown} never answered");
    // What was committed and never answered is no acknowledged row; each worker has one such write at most.
    assert!(lost > 50 && (lost..=lost + unknown).contains(&counted), "{lost} {counted} {unknown}");
    stage.down();
}
