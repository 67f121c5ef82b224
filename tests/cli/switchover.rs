//! `interlock switchover` where there is no lab: nothing is touched, and it says what to do.

use crate::{interlock, platform};

#[cfg(feature = "lab")]
const PLAN: [&str; 5] = ["switchover", "plan", "tenant", "--to", "green"];

#[cfg(feature = "lab")]
#[test]
fn without_a_lab_it_says_how_to_start_one() {
    let (_guard, folder) = platform();
    insta::assert_snapshot!(interlock(&folder, &PLAN).told(&folder), @r"
    exit 4
    -- out
    -- err
      x no lab in [folder]/.interlock/lab
      help: start one with `interlock lab up`, or say where it is: --folder of `interlock lab`, or
            target.lab.folder in the platform file
    ");
    for args in [
        &["switchover", "run", "tenant", "--to", "green", "--yes"][..],
        &["switchover", "run", "tenant", "--to", "green", "--dry-run"],
        &["switchover", "status", "tenant"],
        &["switchover", "plan", "tenant", "--to", "green", "--output", "json"],
        &["lab", "status"],
        &["slo", "status"],
    ] {
        let said = interlock(&folder, args);
        assert_eq!((said.code, said.out.as_str()), (4, ""), "{args:?}: {}", said.err);
        assert!(said.err.contains("interlock lab up"), "{args:?}: {}", said.err);
    }
    assert!(!folder.join(".interlock").exists(), "something was touched");
}

#[cfg(feature = "lab")]
#[test]
fn an_override_needs_a_gate_that_there_is_and_a_reason() {
    let (_guard, folder) = platform();
    let with = |more: &[&str]| interlock(&folder, &[&PLAN[..], more].concat());
    insta::assert_snapshot!(with(&["--override", "freze", "--reason", "incident 42"]).told(&folder), @r"
exit 2
-- out
-- err
  x no gate is called `freze`
  help: the gates are lock, freeze, credentials, guardian, weights, permissions, managers,
        replicas, version, smoke, identity, series, slo, budget
");
    assert_eq!(with(&["--override", "freeze"]).code, 2);
    assert_eq!(with(&["--override", "freeze", "--reason", ""]).code, 2);
    // Past these the platform is asked, and there is none.
    assert_eq!(with(&["--override", "freeze", "--reason", "incident 42"]).code, 4);
}

#[test]
fn without_a_terminal_nothing_begins_without_yes() {
    let (_guard, folder) = platform();
    let said = interlock(&folder, &["switchover", "run", "tenant", "--to", "green"]);
    insta::assert_snapshot!(said.told(&folder), @r"
    exit 2
    -- out
    -- err
      x there is no terminal to confirm on
      help: read what it would do (`plan`, or --dry-run), then run it with --yes
    ");
}
