//! An operator who is told to end: by signals, and by an abort from elsewhere. Things are put back.

use std::fs;

use interlock::{
    guard::{Entry, Mode, Outcome},
    process::Signal,
};

use crate::stage::{BLUE, GREEN, Stage, until};

#[test]
fn every_signal_puts_things_back() {
    let stage = Stage::up();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let (cli, run) = stage.bake();
        assert_eq!(stage.weights(), GREEN);
        cli.signal(signal);
        let done = cli.wait();
        assert_eq!(done.code, Some(7), "{signal}: {done:?}");
        assert_eq!(stage.weights(), BLUE, "{signal}");
        assert_eq!(stage.wait_for_end(&run), Outcome::Interrupted { why: signal.to_string() });
        assert_eq!(stage.state(&run), "interrupted");
        stage.is_clean(&run);
    }
    stage.close();
}

/// Its operator may have locked the target already, and has nobody yet who would put things back.
#[test]
fn a_signal_that_finds_a_run_just_beginning_ends_the_run() {
    let stage = Stage::up();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let begun = || fs::read_dir(stage.runs_folder()).into_iter().flatten().count();
        let (before, runs) = (begun(), stage.runs());
        let cli = stage.switch(&["--bake", "10m", "--max-bake", "20m"]);
        until("a run begins", || begun() > before);
        cli.signal(signal);
        let done = cli.wait();
        assert_eq!(done.code, Some(7), "{signal}: {done:?}");
        let run = stage.wait_for_run(&runs);
        assert_eq!(stage.wait_for_end(&run), Outcome::Interrupted { why: signal.to_string() });
        assert_eq!(stage.weights(), BLUE, "{signal}");
        stage.is_clean(&run);
    }
    stage.close();
}

#[test]
fn a_hangup_that_nohup_has_ignored_ends_nothing() {
    let stage = Stage::up();
    let before = stage.runs();
    let args = ["switchover", "run", "tenant", "--to", "green", "--yes", "--assume", "independent"];
    let mut cli = stage.start_under_nohup(&[&args[..], &["--bake", "10m", "--max-bake", "20m"]].concat());
    let run = stage.wait_for_run(&before);
    stage.wait_for_bake(&run);
    for _ in 0..3 {
        cli.signal(Signal::SIGHUP);
    }
    let looks = || stage.try_load(&run).unwrap().entries.len();
    let so_far = looks();
    until("it looks on", || looks() > so_far + 2);
    assert!(!cli.has_ended());
    cli.signal(Signal::SIGTERM);
    assert_eq!(cli.wait().code, Some(7));
    assert_eq!(stage.wait_for_end(&run), Outcome::Interrupted { why: "SIGTERM".to_owned() });
    stage.is_clean(&run);
    stage.close();
}

/// A pager that shows its first page, a terminal after Ctrl-S, a collector of logs that hangs.
#[test]
fn a_reader_that_stops_holds_nothing_up() {
    let stage = Stage::up();
    for (output, reads_on) in [("json", true), ("table", true), ("json", false)] {
        let before = stage.runs();
        let args = ["switchover", "run", "tenant", "--to", "green", "--yes", "--assume", "independent", "-o", output];
        let (mut cli, mut reader) = stage.start_unread(&[&args[..], &["--bake", "10m", "--max-bake", "20m"]].concat());
        let run = stage.wait_for_run(&before);
        stage.wait_for_bake(&run);
        assert_eq!(stage.weights(), GREEN);
        cli.signal(Signal::SIGTERM);
        assert_eq!(stage.wait_for_end(&run), Outcome::Interrupted { why: "SIGTERM".to_owned() }, "{output}");
        until("its target is free", || stage.is_free());
        assert_eq!(stage.weights(), BLUE);
        assert!(!cli.has_ended(), "what it has to say is not lost: it waits for its reader");
        if reads_on {
            let read = std::thread::spawn(move || std::io::read_to_string(&mut reader).unwrap());
            assert_eq!(cli.wait().code, Some(7));
            let text = read.join().unwrap();
            let recorded = text.lines().filter(|line| line.starts_with("{\"looked\"")).count();
            let looks = stage.try_load(&run).unwrap().entries;
            let looks = looks.iter().filter(|entry| matches!(entry, Entry::Observed { .. })).count();
            assert!(recorded == looks || output == "table", "{recorded} of {looks}: {text}");
            assert!(text.trim_end().lines().rev().take(2).any(|line| line.contains("head")), "{text}");
        } else {
            // Right after its run is over it does not listen yet for what ends its output.
            until("a signal ends it", || cli.has_ended() || cli.identity.signal(Signal::SIGTERM).is_err());
            assert_eq!(cli.wait().code, Some(7), "a signal ends the wait");
        }
        stage.is_clean(&run);
    }
    stage.close();
}

#[test]
fn a_second_signal_does_not_abandon_the_way_back() {
    let stage = Stage::up();
    let (cli, run) = stage.bake();
    // While blue does not answer, nothing is sent there, and the way back is tried again and again.
    stage.signal("tenant-blue-0", Signal::SIGSTOP);
    stage.signal("tenant-blue-1", Signal::SIGSTOP);
    until("blue is not ready", || ["tenant-blue-0", "tenant-blue-1"].iter().all(|name| !stage.part(name).ready));
    cli.signal(Signal::SIGINT);
    until("it is on its way back", || {
        stage.try_load(&run).unwrap().entries.iter().any(|entry| matches!(entry, Entry::Interrupted { .. }))
    });
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        cli.signal(signal);
    }
    stage.signal("tenant-blue-0", Signal::SIGCONT);
    stage.signal("tenant-blue-1", Signal::SIGCONT);
    let done = cli.wait();
    assert_eq!(done.code, Some(7), "{done:?}");
    assert_eq!(stage.weights(), BLUE);
    stage.is_clean(&run);
    stage.close();
}

#[test]
fn an_abort_from_elsewhere_ends_a_live_run_and_its_operator() {
    let stage = Stage::up();
    let (cli, run) = stage.bake();
    let abort = stage.ask(&["switchover", "abort", "tenant"]);
    assert_eq!(abort.code, Some(7), "{abort:?}");
    assert_eq!(stage.weights(), BLUE);
    let done = cli.wait();
    assert_eq!(done.code, Some(7), "{done:?}");
    assert!(done.out.contains("aborted by"), "{done:?}");
    let before = stage.records(&run).len();
    stage.is_clean(&run);
    assert_eq!(stage.records(&run).len(), before, "nobody wrote after the end");
    let again = stage.ask(&["switchover", "abort", "tenant"]);
    assert_eq!(again.code, Some(2), "{again:?}");
    stage.close();
}

#[test]
fn aborts_at_the_same_time_all_say_what_came_of_the_run() {
    let stage = Stage::up();
    for _ in 0..3 {
        let (cli, run) = stage.bake();
        let aborts: Vec<_> = (0..4).map(|_| stage.start(&["runs", "abort", run.as_str()], &[])).collect();
        for done in aborts.into_iter().map(crate::command::Cli::wait) {
            // One that has not even begun when the run is over is told so.
            let too_late = done.code == Some(2) && done.err.contains("is over");
            assert!(too_late || (done.code == Some(7) && done.out.contains("aborted by")), "{done:?}");
        }
        assert_eq!(cli.wait().code, Some(7));
        assert_eq!(stage.weights(), BLUE);
        stage.is_clean(&run);
    }
    stage.close();
}

#[test]
fn an_operator_whom_nobody_hears_any_more_goes_on() {
    let stage = Stage::up();
    let args = ["switchover", "run", "tenant", "--to", "green", "--yes", "--assume", "independent"];
    let done = stage.start_unheard(&args).wait();
    assert_eq!((done.code, stage.weights()), (Some(0), GREEN));
    let run = stage.runs().pop().unwrap();
    assert_eq!(stage.mode(&run), Mode::Finished(Outcome::Kept { warning: None }));
    stage.is_clean(&run);
    stage.close();
}
