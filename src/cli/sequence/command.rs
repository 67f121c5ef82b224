//! The commands of `interlock sequence`.

use clap::Subcommand;

use super::lint;
use crate::{
    cli::Global,
    error::{Error, Exit},
};

/// Read the diagrams in documents, and check what they say
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check diagrams, links, paths and identifiers in Markdown documents
    Lint(lint::Args),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// Where a document cannot be read.
    pub fn run(self, global: &Global) -> Result<Exit, Error> {
        match self {
            Self::Lint(args) => args.run(global),
        }
    }
}
