//! The step between fork and program: a session of its own, and an end when the parent ends.
//!
//! Code between fork and exec needs `unsafe`; so our own binary is started instead, does here what has to be done,
//! and replaces itself by the program. Pid and start time stay the same over that.

use std::{convert::Infallible, ffi::OsString, io, os::unix::process::CommandExt, process::Command};

use nix::{
    sys::{prctl, signal::Signal},
    unistd,
};

use super::Account;

/// What `interlock child` was asked to become.
#[derive(Debug, Clone)]
pub struct ChildOptions {
    /// Whether it outlives its parent.
    pub detached: bool,
    /// The parent that it must still have, if it does not outlive it.
    pub parent: Option<i32>,
    /// Whom it runs as, if not as its parent does.
    pub account: Option<Account>,
    pub program: Vec<OsString>,
}

/// Leaves the parent's session, becomes the account, ties its life to the parent's unless detached, and becomes the program.
///
/// The signal comes when the parent's *thread* that started this one ends, see `PR_SET_PDEATHSIG` in prctl(2):
/// start children from a thread that lives as long as the process.
///
/// # Errors
/// Where the parent is gone already or the program cannot be started; on success this does not return.
pub fn become_program(options: &ChildOptions) -> io::Result<Infallible> {
    // Fails only for the leader of a group, and then there is nothing to leave.
    if let Err(e) = unistd::setsid()
        && e != nix::errno::Errno::EPERM
    {
        return Err(e.into());
    }
    if let Some(account) = &options.account {
        account.become_it()?;
    }
    // After the change of account, which takes the signal back.
    if !options.detached {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The parent may have ended before the line above.
        let parent = unistd::getppid().as_raw();
        if options.parent.is_some_and(|expected| expected != parent) {
            return Err(io::Error::other("the parent is gone"));
        }
    }
    let (program, args) = options.program.split_first().ok_or_else(|| io::Error::other("no program is named"))?;
    Err(Command::new(program).args(args).exec())
}
