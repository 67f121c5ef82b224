//! What differs between the programs that a host can run.

use std::{io, path::PathBuf, time::Duration};

use async_trait::async_trait;

use super::holder::Sort;
use crate::process::{Launch, Signal};

/// The programs of one host. Calls come one after another.
#[async_trait]
pub trait Engine: Send + Sync {
    /// Whether a manager starts the database.
    fn is_managed(&self) -> bool {
        false
    }

    /// What the agent starts: the manager where there is one, else the database.
    ///
    /// # Errors
    /// Where the program is missing.
    fn main(&self) -> io::Result<Launch>;

    /// The file that names the database's first process, where it has more than one.
    fn pid_file(&self) -> Option<PathBuf> {
        None
    }

    /// The files by which the database keeps another one from its data and its sockets.
    fn locks(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Makes the host's data, from empty folders to a database that runs and takes part.
    ///
    /// # Errors
    /// Where that fails, or takes too long; with what the tools said.
    async fn make(&self, power: &dyn Power) -> io::Result<()>;

    /// Whether its database takes connections.
    async fn serves(&self) -> bool;

    /// The signal that ends its database once everything was sent on; none where its manager would only start it again.
    fn clean_end(&self) -> Option<Signal> {
        None
    }

    /// The processes that send changes on, where stopping them stops the flow.
    fn senders(&self) -> Option<Sort> {
        None
    }

    /// The processes that fetch changes, where these reach others past the host's own network.
    fn receivers(&self) -> Option<Sort> {
        None
    }

    /// Starts the database as a follower of `primary`; says how. What did not help a moment ago is not tried `again`.
    ///
    /// # Errors
    /// Where that fails; with what the tools said.
    async fn follow(&self, primary: &str, again: bool, power: &dyn Power) -> io::Result<String>;
}

/// What an engine may do with its host's processes.
#[async_trait]
pub trait Power: Send + Sync {
    /// Starts what [`Engine::main`] names, and waits until the database takes connections.
    ///
    /// # Errors
    /// Where it cannot be started, ends, or takes longer than `within`.
    async fn start(&self, within: Duration) -> io::Result<()>;
    /// Starts what does not run, and waits until it does.
    ///
    /// # Errors
    /// Where it cannot be started, or takes too long.
    async fn ensure(&self) -> io::Result<()>;
    /// Kills everything.
    ///
    /// # Errors
    /// Where the system refuses.
    async fn end(&self) -> io::Result<()>;
    /// Whether the database's first process is there.
    fn runs(&self) -> bool;
}
