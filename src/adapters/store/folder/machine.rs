//! The machine under a run store: who we are there, who else lives, and threads for work that blocks.

use std::io;

use crate::{error::Error, journal::Owner};

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
    /// Looks for the process of an owner.
    fn look_for(&self, owner: &Owner) -> Sight;
    /// Does blocking work on a thread of its own. It goes on where nobody waits for it any more, but keeps nobody from
    /// ending: neither the runtime nor the process.
    ///
    /// # Errors
    /// Where the system gives no thread.
    fn spawn(&self, work: Work) -> io::Result<()>;
}

/// This machine.
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

    fn spawn(&self, work: Work) -> io::Result<()> {
        std::thread::Builder::new().name("run store".to_owned()).spawn(work).map(drop)
    }
}
