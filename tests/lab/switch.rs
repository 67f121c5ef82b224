//! Switches that nothing disturbs: no request fails, shares rise, and the old slot goes only where nothing hangs on it.

use std::time::Duration;

use interlock::{
    guard::{Entry, Mode, Outcome},
    model::{RunId, Slot},
    ports::{Traffic as _, Workload as _},
};

use crate::stage::{GREEN, Setup, Stage, until};

/// The changes that were made, in order.
fn applied(stage: &Stage, run: &RunId) -> Vec<String> {
    let stored = stage.try_load(run).unwrap();
    let applied = stored.entries.iter().filter_map(|entry| match entry {
        Entry::Applied { step } => Some(stored.plan.steps[*step].name.clone()),
        _ => None,
    });
    applied.collect()
}

fn scale(stage: &Stage, slot: Slot) -> u32 {
    stage.runtime.block_on(stage.platform().scale(slot)).unwrap()
}

#[test]
fn no_request_fails_while_shares_rise_and_the_old_slot_is_scaled_down() {
    let stage = Stage::up();
    let before = stage.runs();
    let done = stage.switch(&["--weights", "5,50,100", "--scale-down-old", "--keep-old", "1s"]).wait();
    assert_eq!(done.code, Some(0), "{done:?}");
    let run = stage.wait_for_run(&before);
    assert_eq!(stage.mode(&run), Mode::Finished(Outcome::Kept { warning: None }));
    let names = ["shift 5 % to green", "shift 50 % to green", "shift 100 % to green", "scale blue down"];
    assert_eq!(applied(&stage, &run), names);
    assert_eq!((stage.weights(), scale(&stage, Slot::Blue), scale(&stage, Slot::Green)), (GREEN, 0, 2));
    assert_eq!(stage.state(&run), "kept");
    stage.is_clean(&run);
    let report = stage.end_load();
    assert_eq!(report.failed, 0, "{:?}", report.examples);
    assert!(report.timeline.iter().map(|second| second.green).sum::<u64>() > 100);
    assert_eq!(stage.receiver.outcomes(&run), Vec::<String>::new(), "nobody is told of what went as planned");
    stage.close();
}

#[test]
fn requests_that_hang_on_the_old_slot_keep_it_and_are_named() {
    // Two requests a second take six times as long as blue is given to drain.
    let stage = Stage::with(Setup { rate: 100, fault: Some("latency=12s:share=2%"), ..Setup::default() });
    let hanging = || stage.runtime.block_on(stage.platform().in_flight(Slot::Blue, Duration::from_secs(1))).unwrap();
    until("some requests hang on blue", || hanging().older >= 2);
    let before = stage.runs();
    let done = stage.switch(&["--scale-down-old"]).wait();
    assert_eq!(done.code, Some(0), "{done:?}");
    let run = stage.wait_for_run(&before);
    let Mode::Finished(Outcome::Kept { warning: Some(warning) }) = stage.mode(&run) else {
        panic!("{:?}", stage.mode(&run));
    };
    assert!(warning.contains("still hang on blue") && warning.contains("GET /tenants/7"), "{warning}");
    assert!(done.out.contains("GET /tenants/7"), "{done:?}");
    assert_eq!(applied(&stage, &run), ["shift 100 % to green"]);
    assert_eq!((stage.weights(), scale(&stage, Slot::Blue)), (GREEN, 2));
    stage.is_clean(&run);
    let report = stage.end_load();
    assert_eq!(report.failures.status_5xx, 0, "{:?}", report.examples);
    stage.close();
}
