//! `interlock doctor` on a lab: what it sees when all is well, and what it names when something is not.

use interlock::process::Signal;
use serde_json::Value;

use crate::stage::{Done, Stage, until};

/// The parts and how each stands.
fn states(done: &Done) -> Vec<(String, String)> {
    let told: Value = serde_json::from_str(&done.out).unwrap_or_else(|e| panic!("{e}: {done:?}"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    told["findings"].as_array().unwrap().iter().map(|one| (text(&one["part"]), text(&one["state"]))).collect()
}

fn of<'s>(states: &'s [(String, String)], part: &str) -> &'s str {
    &states.iter().find(|(name, _)| name == part).unwrap_or_else(|| panic!("no `{part}` in {states:?}")).1
}

#[test]
fn a_lab_is_seen_part_by_part() {
    let stage = Stage::up();
    let doctor = || stage.ask(&["doctor", "-o", "json"]);
    // The first requests have to be counted.
    until("counters", || of(&states(&doctor()), "series of answered") == "fine");
    let well = doctor();
    assert_eq!(well.code, Some(0), "{well:?}");
    let well = states(&well);
    for part in ["platform file", "lab", "tenant traffic", "tenant blue", "tenant green preview", "run store", "SLOs"] {
        assert_eq!(of(&well, part), "fine", "{part}");
    }

    stage.signal("tenant-green-0", Signal::SIGSTOP);
    let mut ill = doctor();
    until("a replica to be missed", || {
        ill = doctor();
        of(&states(&ill), "lab") == "missing"
    });
    assert_eq!(ill.code, Some(4));
    stage.signal("tenant-green-0", Signal::SIGCONT);
    stage.close();
}
