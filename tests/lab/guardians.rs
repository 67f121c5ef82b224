//! Guardians that have to be able to act: without the metrics' secret, and after one of them has died.

use interlock::{guard::Outcome, process::Identity};

use crate::{
    stage::{BLUE, Cli, GREEN, Setup, Stage, until},
    traces,
};

/// A run in its bake whose metrics need a secret that no other shell has.
fn secret_bake(stage: &Stage) -> (Cli, interlock::model::RunId) {
    let before = stage.runs();
    let cli = stage.switch_with(&["--bake", "10m", "--max-bake", "20m"], &[("PROM_TOKEN", "s3cret")]);
    let run = stage.wait_for_run(&before);
    stage.wait_for_bake(&run);
    assert_eq!(stage.weights(), GREEN);
    (cli, run)
}

fn alive(stage: &Stage) -> Vec<Identity> {
    traces::guardians(&stage.runs_folder()).into_iter().filter(Identity::is_alive).collect()
}

/// Kills operator and guardian; the operator is stopped first, since one that runs would post another guardian.
pub fn kill_all(stage: &Stage, cli: Cli) {
    cli.signal(interlock::process::Signal::SIGSTOP);
    for guardian in alive(stage) {
        assert!(guardian.kill().unwrap());
    }
    cli.kill_group();
}

#[test]
fn going_back_needs_no_metrics() {
    let stage = Stage::with(Setup { prometheus: true, rate: 100, ..Setup::default() });
    let real = stage.lab().file.prometheus.expect("no `prometheus` on PATH; `make install` brings it");
    stage.write_platform(&format!("{{prometheus: {{url: 'http://{real}', bearerTokenEnv: PROM_TOKEN}}}}"));

    let (cli, run) = secret_bake(&stage);
    let aborted = stage.ask(&["switchover", "abort", "tenant"]);
    assert_eq!(aborted.code, Some(7), "{aborted:?}");
    assert_eq!(stage.weights(), BLUE);
    assert_eq!(cli.wait().code, Some(7));
    stage.is_clean(&run);

    // A guardian that was posted by hand, from a shell without the secret.
    let (cli, run) = secret_bake(&stage);
    kill_all(&stage, cli);
    assert_eq!(stage.weights(), GREEN);
    let runs = stage.runs_folder();
    let put_back = stage.ask(&["guardian", "--run", run.as_str(), "--runs", runs.to_str().unwrap()]);
    assert_eq!(put_back.code, Some(7), "{put_back:?}");
    assert_eq!(stage.weights(), BLUE);
    stage.is_clean(&run);

    // Whoever watches again has to be able to.
    let (cli, run) = secret_bake(&stage);
    kill_all(&stage, cli);
    let resumed = stage.ask(&["runs", "resume", run.as_str()]);
    assert_eq!(resumed.code, Some(2), "{resumed:?}");
    let recovered = stage.ask(&["runs", "recover", run.as_str()]);
    assert_eq!(recovered.code, Some(7), "{recovered:?}");
    assert_eq!(stage.weights(), BLUE);
    stage.is_clean(&run);
    stage.close();
}

#[test]
fn a_guardian_that_dies_is_replaced() {
    let stage = Stage::up();
    let (cli, run) = stage.bake();
    for _ in 0..2 {
        let first = alive(&stage);
        assert_eq!(first.len(), 1);
        assert!(first[0].kill().unwrap());
        until("another guardian stands by", || alive(&stage).iter().any(|guardian| *guardian != first[0]));
    }
    cli.kill_group();
    assert_eq!(stage.wait_for_end(&run), Outcome::Interrupted { why: "its operator was gone".to_owned() });
    assert_eq!(stage.weights(), BLUE);
    stage.is_clean(&run);
    stage.close();
}
