//! `interlock rehearsal`: the demonstration operation goes the way of every run.

use crate::{interlock, platform};

#[test]
fn a_rehearsal_is_planned_run_and_listed() {
    let (_guard, folder) = platform();
    let planned = interlock(&folder, &["rehearsal", "plan", "friday"]);
    assert_eq!(planned.code, 0, "{}", planned.err);
    assert!(planned.out.contains("wait for 1s") && planned.out.contains("guardian"), "{}", planned.out);
    let ran = interlock(&folder, &["rehearsal", "run", "friday", "--length", "300ms", "--yes"]);
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    let listed = interlock(&folder, &["runs", "list"]);
    assert!(listed.out.contains("rehearsal of friday") && listed.out.contains("kept"), "{}", listed.out);
}
