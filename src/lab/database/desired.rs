//! What a host is meant to be, kept over restarts of its agent: a host that was put out of order stays so.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    lab::state,
    model::Epoch,
    ports::{Flow, HostState},
};

/// What a host is meant to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Desired {
    /// Whether its database was made.
    pub made: bool,
    /// The state that was ordered last.
    pub state: HostState,
    /// Whether it is to send its changes on.
    pub flow: Flow,
    /// The highest epoch that has given orders.
    pub epoch: Epoch,
}

/// The file that it is kept in.
pub struct DesiredState {
    file: PathBuf,
    now: Desired,
}

impl DesiredState {
    /// Reads the file; where there is none, nothing was made or ordered yet.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn open(file: PathBuf) -> Result<Self, Error> {
        let nothing = Desired { made: false, state: HostState::Running, flow: Flow::Flowing, epoch: Epoch(0) };
        Ok(Self { now: state::read(&file)?.unwrap_or(nothing), file })
    }

    #[must_use]
    pub const fn now(&self) -> Desired {
        self.now
    }

    /// Changes it, durably.
    ///
    /// # Errors
    /// Where the file cannot be written; it stays as it was then.
    pub fn change(&mut self, change: impl FnOnce(&mut Desired)) -> Result<(), Error> {
        let mut next = self.now;
        change(&mut next);
        if next != self.now {
            state::write(&self.file, &next)?;
            self.now = next;
        }
        Ok(())
    }
}
