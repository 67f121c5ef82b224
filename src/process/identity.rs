//! What the system says of one process, and signals that reach no other: a reused pid is never mistaken for it.

use std::{
    fs, io,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::signal::{self, Signal},
    unistd::Pid,
};

use crate::model::Identity;

/// How often a wait looks whether a process is still there.
const LOOK: Duration = Duration::from_millis(10);

impl Identity {
    /// Reads the identity of this process.
    ///
    /// # Errors
    /// Where `/proc` cannot be read.
    pub fn current() -> io::Result<Self> {
        Self::of(nix::unistd::getpid().as_raw())
    }

    /// Reads the identity of the process that has `pid` now.
    ///
    /// # Errors
    /// Where there is no such process or `/proc` cannot be read.
    pub fn of(pid: i32) -> io::Result<Self> {
        let Stat { start_ticks, .. } = stat(pid)?;
        Ok(Self { pid, start_ticks, boot_id: boot_id()? })
    }

    /// Whether this very process still runs; one that has ended and was not yet waited for does not.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let same = stat(self.pid).is_ok_and(|s| s.start_ticks == self.start_ticks && !matches!(s.state, 'Z' | 'X'));
        same && boot_id().is_ok_and(|id| id == self.boot_id)
    }

    /// Sends a signal if this very process still runs; says whether it did.
    ///
    /// Between the look and the signal lies a gap of microseconds in which a process that is not our child could end
    /// and its pid be given away; the kernel hands out pids in a circle, so this takes a full turn within the gap.
    ///
    /// # Errors
    /// Where the system refuses the signal.
    pub fn signal(&self, signal: Signal) -> io::Result<bool> {
        if !self.is_alive() {
            return Ok(false);
        }
        match signal::kill(Pid::from_raw(self.pid), signal) {
            Ok(()) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// Ends the process at once, and with it what it has started in its group, if it leads one; says whether it did.
    ///
    /// # Errors
    /// Where the system refuses the signal.
    pub fn kill(&self) -> io::Result<bool> {
        let pid = Pid::from_raw(self.pid);
        if self.is_alive() && nix::unistd::getpgid(Some(pid)) == Ok(pid) {
            match signal::killpg(pid, Signal::SIGKILL) {
                Ok(()) => return Ok(true),
                Err(Errno::ESRCH) => return Ok(false),
                Err(e) => return Err(e.into()),
            }
        }
        self.signal(Signal::SIGKILL)
    }

    /// Waits until the process is gone, at most `within`; says whether it is.
    #[must_use]
    pub fn wait_gone(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        while self.is_alive() {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        true
    }

    /// Ends the process: SIGTERM, a wait of `grace`, then SIGKILL and a wait of two seconds; says whether it is gone.
    ///
    /// # Errors
    /// Where the system refuses a signal.
    pub fn end(&self, grace: Duration) -> io::Result<bool> {
        if !self.signal(Signal::SIGTERM)? || self.wait_gone(grace) {
            return Ok(true);
        }
        self.kill()?;
        Ok(self.wait_gone(Duration::from_secs(2)))
    }
}

/// What the system says of a process, see proc(5).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// `R`, `S`, `T` and so on.
    pub state: char,
    pub parent: i32,
    pub group: i32,
    /// Whether it has a controlling terminal.
    pub terminal: bool,
    /// When it started, in clock ticks since the boot.
    pub start_ticks: u64,
}

/// Reads what the system says of a process.
pub(super) fn stat(pid: i32) -> io::Result<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_stat(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat is odd")))
}

/// The name in field 2 may hold blanks and parentheses: what follows the last `)` begins with field 3.
fn parse_stat(text: &str) -> Option<Stat> {
    let mut fields = text.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let terminal = fields.nth(7 - 6)? != "0";
    let start_ticks = fields.nth(22 - 7 - 1)?.parse().ok()?;
    Some(Stat { state, parent, group, terminal, start_ticks })
}

pub(super) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_parentheses_do_not_shift_the_fields() {
        let text = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 100 200";
        let read = Stat { state: 'S', parent: 1, group: 7, terminal: false, start_ticks: 4242 };
        assert_eq!(parse_stat(text), Some(read));
    }

    #[test]
    fn a_reused_pid_is_another_process() {
        let me = Identity::current().unwrap();
        assert!(me.is_alive());
        let earlier = Identity { start_ticks: me.start_ticks - 1, ..me.clone() };
        assert!(!earlier.is_alive());
        assert!(!earlier.signal(Signal::SIGKILL).unwrap());
        assert!(!Identity { boot_id: "another".into(), ..me }.is_alive());
    }
}
