//! `interlock completions` and `interlock man`: what packagers and shells want.

use std::{io::Write as _, path::PathBuf};

use clap::CommandFactory as _;

use super::Cli;
use crate::error::{Error, Exit};

/// Print the completion script of a shell
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

impl Completions {
    pub fn run(self) -> Result<Exit, Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "interlock", &mut script);
        // A pager that was closed is no failure.
        let _ = std::io::stdout().lock().write_all(&script);
        Ok(Exit::Kept)
    }
}

/// Write a manual page for each command
#[derive(Debug, clap::Args)]
pub struct Man {
    /// The folder to write to
    folder: PathBuf,
}

impl Man {
    pub fn run(self) -> Result<Exit, Error> {
        let failed = |e: std::io::Error| Error::Store {
            place: self.folder.display().to_string(),
            why: e.to_string(),
            hint: "name a folder that can be written".to_owned(),
        };
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        clap_mangen::generate_to(Cli::command(), &self.folder).map_err(failed)?;
        Ok(Exit::Kept)
    }
}
