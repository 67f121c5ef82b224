//! The machine under a run store: who we are there, who else lives, and threads for work that blocks.

use std::{io, time::Duration};

use nix::sys::signal::Signal;

use crate::{error::Error, journal::Owner};

/// How long a process that was killed may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(2);

/// Blocking work, to be done once.
pub type Work = Box<dyn FnOnce() + Send>;

/// What a machine can tell of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// Its machine has our name.
    pub same_host: bool,
    /// Its machine has not been started again since, so that its boot clock is ours.
    pub same_boot: bool,
    /// Its process can be asked from here: on this machine, since this boot, and among the processes that we see.
    pub here: bool,
    /// A process that has its pid and its beginning runs here.
    pub alive: bool,
}

/// Processes and threads, as a store that lies on one machine needs them.
pub trait Machine: Send + Sync {
    /// This process.
    ///
    /// # Errors
    /// Where the system does not say when it started, so that nobody could tell it from a later one.
    fn owner(&self) -> Result<Owner, Error>;
    fn look_for(&self, owner: &Owner) -> Sight;
    /// Ends the process of an owner at once, if it is here; says whether it did.
    ///
    /// # Errors
    /// Where the system refuses that.
    fn end(&self, owner: &Owner) -> io::Result<bool>;
    /// Does blocking work on a thread of its own. It goes on where nobody waits for it any more, but keeps nobody from
    /// ending: neither the runtime nor the process.
    ///
    /// # Errors
    /// Where the system gives no thread.
    fn spawn(&self, work: Work) -> io::Result<()>;
}

#[derive(Debug, Clone, Copy, Default)]
pub struct ThisMachine;

impl Machine for ThisMachine {
    fn owner(&self) -> Result<Owner, Error> {
        Owner::current()
    }

    fn look_for(&self, owner: &Owner) -> Sight {
        Sight {
            same_host: owner.is_of_this_host(),
            same_boot: owner.is_of_this_boot(),
            here: owner.is_here(),
            alive: owner.process.is_alive(),
        }
    }

    fn end(&self, owner: &Owner) -> io::Result<bool> {
        // Never another process that has its pid by now, nor one of the same pid elsewhere. Whatever else is in its group, such as
        // the other end of a pipe, is none of ours.
        Ok(owner.is_here() && owner.process.signal(Signal::SIGKILL)? && owner.process.wait_gone(GONE_WITHIN))
    }

    fn spawn(&self, work: Work) -> io::Result<()> {
        std::thread::Builder::new().name("run store".to_owned()).spawn(work).map(drop)
    }
}
