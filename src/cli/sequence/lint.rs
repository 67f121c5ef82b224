//! `interlock sequence lint`: files and folders in, findings out.

use std::{io::IsTerminal as _, path::PathBuf};

use super::shelf::{Shelf, collect};
use crate::{
    cli::Global,
    error::{Error, Exit},
    report::{self, Format},
    sequence::{Severity, lint::lint, mermaid::Mode},
};

/// Check diagrams, links, paths and identifiers in Markdown documents
///
/// Diagrams are read as they were meant: faults are repaired, and each repair is said. docs/sequence-diagrams.md explains
/// every code.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 no errors; 1 errors, or what --deny names; 2 a file is not there or cannot be read."
)]
pub struct Args {
    /// Documents, or folders that are searched for *.md, *.markdown, *.mmd and *.mermaid
    #[arg(required = true, value_name = "FILE|FOLDER")]
    paths: Vec<PathBuf>,
    /// Reject what mermaid 11 rejects, and repair nothing
    #[arg(long)]
    strict: bool,
    /// Fail on these as well as on errors
    #[arg(long, short = 'D', value_enum, value_name = "WHAT")]
    deny: Option<Deny>,
    /// Write findings as annotations of GitHub; so it is done where GITHUB_ACTIONS is set, too
    #[arg(long)]
    github: bool,
}

/// What fails beside errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Deny {
    /// Warnings.
    Warnings,
    /// Warnings and notes.
    Notes,
}

impl Args {
    /// Lints the documents and says what was found.
    ///
    /// # Errors
    /// Where a document is not there or is no text.
    pub fn run(self, global: &Global) -> Result<Exit, Error> {
        let sources = collect(&self.paths)?;
        let mode = if self.strict { Mode::Strict } else { Mode::Lenient };
        let found = lint(&sources, &Shelf, mode);
        let github = self.github || std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| !value.is_empty());
        let text = match global.output {
            Format::Json => {
                report::findings_json(&found, &sources).map_err(|e| Error::usage(e.to_string(), "report this"))?
            }
            Format::Table if github => report::annotations(&found, &sources),
            Format::Table => report::findings(&found, &sources, plain()),
        };
        report::say(text.trim_end_matches('\n'));
        let worst = found.findings.iter().map(|finding| finding.diagnostic.severity()).max();
        Ok(if worst >= Some(self.fails_from()) { Exit::RolledBack } else { Exit::Kept })
    }

    const fn fails_from(&self) -> Severity {
        match self.deny {
            None => Severity::Error,
            Some(Deny::Warnings) => Severity::Warning,
            Some(Deny::Notes) => Severity::Note,
        }
    }
}

fn plain() -> bool {
    !std::io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
