//! Processes that are started through our own binary: bound to their owner, and never taken for another.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use interlock::process::{Identity, Launch, Output};

const INTERLOCK: &str = env!("CARGO_BIN_EXE_interlock");

fn shell(script: &str) -> Launch {
    Launch::new(INTERLOCK, "sh").args(["-c", script]).grace(Duration::from_millis(300))
}

fn wait_for(file: &Path) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match std::fs::read_to_string(file) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => assert!(Instant::now() < deadline, "nothing in {}", file.display()),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_dropped_guard_ends_its_child_and_the_identity_outlasts_exec() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let running = shell("echo $$; exec sleep 60").output(Output::File(log.clone())).start().unwrap();
    let pid: i32 = wait_for(&log).trim().parse().unwrap();
    let identity = running.identity().clone();
    assert_eq!(identity, Identity::of(pid).unwrap());
    assert!(identity.is_alive());
    drop(running);
    assert!(!identity.is_alive());
}

#[test]
fn what_ignores_sigterm_is_killed_with_its_own_children() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let mut running = shell("trap '' TERM; sleep 60 & echo $!; wait; sleep 60; true")
        .output(Output::File(log.clone()))
        .start()
        .unwrap();
    let grandchild = Identity::of(wait_for(&log).trim().parse().unwrap()).unwrap();
    let since = Instant::now();
    let status = running.end().unwrap();
    assert!(!status.success() && since.elapsed() >= Duration::from_millis(300));
    assert!(grandchild.wait_gone(Duration::from_secs(60)));
}

#[test]
fn a_detached_process_has_a_session_of_its_own_and_ends_by_its_identity() {
    let identity = shell("exec sleep 60").start_detached().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let own = session(identity.pid);
    while session(identity.pid) != identity.pid {
        assert!(Instant::now() < deadline, "session {own}");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(identity.end(Duration::from_secs(60)).unwrap());
    assert!(!identity.is_alive());
}

/// Field 6 of `/proc/PID/stat`.
fn session(pid: i32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(3).unwrap().parse().unwrap()
}

#[test]
fn a_child_whose_parent_is_gone_does_not_start() {
    let output = Command::new(INTERLOCK).args(["child", "--parent", "1", "--", "echo", "started"]).output().unwrap();
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
}
