//! Metrics that are lost in every way: nothing is kept on them, nothing is rolled back on them.

use interlock::{
    guard::{Mode, Outcome},
    model::{RunId, Slot, Weights},
    process::Signal,
};

use crate::{
    servers::{Spoil, Spoiler},
    stage::{BLUE, Cli, GREEN, Setup, Stage, until},
};

const MISSING: &str = "no `prometheus` on PATH; `make install` brings the package of that name";

/// A lab with a real Prometheus behind a gate that can spoil its answers.
pub fn spoiled_stage() -> (Stage, Spoiler) {
    let stage = Stage::with(Setup { prometheus: true, rate: 100, ..Setup::default() });
    let real = stage.lab().file.prometheus.expect(MISSING);
    let spoiler = stage.runtime.block_on(Spoiler::start(real));
    stage.write_platform(&format!("{{prometheus: {{url: 'http://{}', timeout: 500ms}}}}", spoiler.address));
    (stage, spoiler)
}

/// Starts a switch, and loses the metrics as soon as traffic has moved.
pub fn lose(stage: &Stage, to: Slot, lose: impl FnOnce()) -> (Cli, RunId) {
    let before = stage.runs();
    let cli = stage.switch(&["--to", to.name(), "--bake", "3s", "--max-bake", "6s"]);
    let run = stage.wait_for_run(&before);
    until("traffic has moved", || stage.weights() == Weights::all(to));
    lose();
    (cli, run)
}

/// What has to be so where the metrics went after the shift: held, with everything warm.
pub fn is_held(stage: &Stage, cli: Cli, run: &RunId, to: Slot, how: &str) {
    let done = cli.wait();
    assert_eq!(done.code, Some(6), "{how}: {done:?}");
    assert!(done.out.contains("interlock runs resume"), "{how}: {done:?}");
    assert_eq!(stage.weights(), Weights::all(to), "{how}");
    assert_eq!(stage.state(run), "held", "{how}");
    assert_eq!(stage.receiver.outcomes(run), ["held"], "{how}");
    assert!(matches!(stage.mode(run), Mode::Held { declared: true, .. }), "{how}: {:?}", stage.mode(run));
    assert!(!stage.is_free(), "{how}: a held run keeps its lock");
    for name in ["tenant-blue-0", "tenant-blue-1", "tenant-green-0", "tenant-green-1"] {
        assert!(stage.part(name).ready, "{how}: {name} is kept warm");
    }
    let recovered = stage.ask(&["runs", "recover", run.as_str()]);
    assert_eq!(recovered.code, Some(3), "{how}: only a person decides: {recovered:?}");
}

/// Loses metrics in these ways, one after the other, and takes turns in what the person decides.
fn holds_on(ways: &[Spoil]) {
    let (stage, spoiler) = spoiled_stage();
    let mut serves = Slot::Blue;
    for (at, spoil) in ways.iter().enumerate() {
        let (to, how) = (serves.other(), format!("{spoil:?}"));
        let (cli, run) = lose(&stage, to, || spoiler.set(*spoil));
        is_held(&stage, cli, &run, to, &how);
        let (decision, code, state) = if at % 2 == 0 { ("--undo", 1, "rolled-back") } else { ("--keep", 0, "kept") };
        let resumed = stage.ask(&["runs", "resume", run.as_str(), decision]);
        assert_eq!(resumed.code, Some(code), "{how}: {resumed:?}");
        assert_eq!(stage.state(&run), state, "{how}");
        if decision == "--keep" {
            serves = to;
        }
        assert_eq!(stage.weights(), Weights::all(serves), "{how}");
        stage.is_clean(&run);
        spoiler.set(Spoil::No);
    }
    let report = stage.end_load();
    assert_eq!(report.failed, 0, "{:?}", report.examples);
    stage.close();
}

#[test]
fn metrics_that_answer_late_or_not_at_all_hold() {
    holds_on(&[Spoil::Slow, Spoil::Broken, Spoil::Empty]);
}

#[test]
fn metrics_that_answer_nonsense_hold() {
    holds_on(&[Spoil::Nan, Spoil::Stale, Spoil::Unordered]);
}

#[test]
fn a_held_run_still_has_its_fuses() {
    let (stage, spoiler) = spoiled_stage();
    let (cli, run) = lose(&stage, Slot::Green, || spoiler.set(Spoil::Broken));
    is_held(&stage, cli, &run, Slot::Green, "before the crash");
    stage.signal("tenant-green-0", Signal::SIGKILL);
    stage.signal("tenant-green-1", Signal::SIGKILL);
    let Outcome::RolledBack { why } = stage.wait_for_end(&run) else { panic!("{:?}", stage.mode(&run)) };
    assert!(why.contains("processes of green exited"), "{why}");
    assert_eq!(stage.weights(), BLUE);
    assert_eq!(stage.receiver.outcomes(&run), ["held", "rolled-back"]);
    assert_eq!(stage.state(&run), "rolled-back");
    stage.is_clean(&run);
    stage.close();
}

#[test]
fn a_prometheus_that_stands_still_holds_and_can_be_watched_again() {
    let stage = Stage::with(Setup { prometheus: true, rate: 100, ..Setup::default() });
    assert!(stage.lab().file.prometheus.is_some(), "{MISSING}");
    stage.write_platform("{lab: {source: prometheus}}");
    let (cli, run) = lose(&stage, Slot::Green, || stage.signal("prometheus", Signal::SIGSTOP));
    is_held(&stage, cli, &run, Slot::Green, "stopped");
    stage.signal("prometheus", Signal::SIGCONT);
    stage.settle();
    let resumed = stage.ask(&["runs", "resume", run.as_str(), "--watch"]);
    assert_eq!((resumed.code, stage.weights()), (Some(0), GREEN), "{resumed:?}");
    stage.is_clean(&run);
    stage.close();
}

#[test]
fn a_source_that_cannot_be_reached_before_the_start_touches_nothing() {
    let (stage, spoiler) = spoiled_stage();
    for spoil in [Spoil::Broken, Spoil::Slow] {
        spoiler.set(spoil);
        let done = stage.switch(&[]).wait();
        assert_eq!(done.code, Some(4), "{spoil:?}: {done:?}");
    }
    stage.write_platform("{prometheus: {url: 'http://127.0.0.1:9', timeout: 500ms}}");
    let done = stage.switch(&[]).wait();
    assert_eq!(done.code, Some(4), "{done:?}");
    assert_eq!((stage.weights(), stage.runs()), (BLUE, vec![]));
    assert!(stage.is_free());
    stage.close();
}
