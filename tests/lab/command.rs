//! The real binary as a child: signalled, waited for, and what it said.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Child,
    time::{Duration, Instant},
};

use interlock::process::{Identity, Signal};

/// Ten times what the slowest awaited thing takes.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// What a command said in the end.
#[derive(Debug)]
pub struct Done {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// A command that was started.
pub struct Cli {
    child: Child,
    pub identity: Identity,
    out: PathBuf,
    err: PathBuf,
}

impl Cli {
    pub const fn new(child: Child, identity: Identity, out: PathBuf, err: PathBuf) -> Self {
        Self { child, identity, out, err }
    }

    pub fn signal(&self, signal: Signal) {
        assert!(self.identity.signal(signal).unwrap(), "it has ended: {}", text(&self.err));
    }

    /// Kills it and its whole group, as a terminal that is torn down does at worst.
    pub fn kill_group(mut self) {
        self.identity.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Done {
        let ended = within(PATIENCE, || self.has_ended());
        if !ended {
            self.identity.kill().unwrap();
        }
        let status = self.child.wait().unwrap();
        let done = Done { code: status.code(), out: text(&self.out), err: text(&self.err) };
        assert!(ended, "it did not end: {done:?}");
        done
    }
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// Nothing outlives a test that fails.
impl Drop for Cli {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.identity.kill();
            let _ = self.child.wait();
        }
    }
}

/// Looks until it is so; says whether it came to be.
pub fn within(time: Duration, mut so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + time;
    while !so() {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// Looks until it is so.
pub fn until(what: &str, so: impl FnMut() -> bool) {
    assert!(within(PATIENCE, so), "waited in vain for {what}");
}
