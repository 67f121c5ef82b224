//! The commands of `interlock sequence`.

use clap::Subcommand;

use super::lint;
#[cfg(feature = "otlp")]
use super::{export, selftest, verify};
use crate::{
    cli::Global,
    error::{Error, Exit},
};

/// Read the diagrams in documents, check what they say, and hold traces against them
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check diagrams, links, paths and identifiers in Markdown documents
    Lint(lint::Args),
    #[cfg(feature = "otlp")]
    Verify(verify::Args),
    #[cfg(feature = "otlp")]
    Export(export::Args),
    #[cfg(feature = "otlp")]
    Selftest(selftest::Args),
}

impl Command {
    /// Runs the command.
    ///
    /// # Errors
    /// Where documents, scenarios or traces cannot be read.
    pub fn run(self, global: &Global) -> Result<Exit, Error> {
        match self {
            Self::Lint(args) => args.run(global),
            #[cfg(feature = "otlp")]
            Self::Verify(args) => args.run(global),
            #[cfg(feature = "otlp")]
            Self::Export(args) => args.run(global),
            #[cfg(feature = "otlp")]
            Self::Selftest(args) => args.run(global),
        }
    }
}
