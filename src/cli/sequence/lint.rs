//! `interlock sequence lint`: files and folders in, findings out.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
};

use super::{
    baseline,
    sources::{Sources, collect},
    target::Target,
};
use crate::{
    cli::Global,
    error::{Error, Exit},
    report::{self, Format},
    sequence::{
        Code, Diagnostic, Lines, Severity, Span,
        lint::{Finding, Source, lint},
        mermaid::Mode,
    },
};

/// Check diagrams, links, paths and identifiers in Markdown documents, and whether scenarios fit their diagrams
///
/// Diagrams are read as they were meant: faults are repaired, and each repair is said. docs/sequence-diagrams.md explains
/// every code.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 no errors; 1 errors, or what --deny names; 2 a file is not there.")]
pub struct Args {
    /// Documents, or folders that are searched for *.md, *.mdx, *.markdown, *.mmd, *.mermaid and scenarios (*.yaml)
    #[arg(required = true, value_name = "FILE|FOLDER")]
    paths: Vec<PathBuf>,
    /// Reject what mermaid 11 rejects, and repair nothing
    #[arg(long)]
    strict: bool,
    /// Fail on these as well as on errors
    #[arg(long, short = 'D', value_enum, value_name = "WHAT")]
    deny: Option<Deny>,
    /// The folder that links with a leading slash count from, and whose pages need no ending; the common generators of sites
    /// are recognized without it
    #[arg(long, value_name = "FOLDER")]
    site_root: Option<PathBuf>,
    /// Leave out findings of this code, such as IL-SEQ-040; may be given several times
    #[arg(long, value_name = "CODE")]
    allow: Vec<Code>,
    /// Leave out the findings that this file names, and say how many
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write all findings there, for `--baseline`
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    write_baseline: Option<PathBuf>,
    /// Write the findings there as SARIF 2.1.0, too
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
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
    /// Where a document is not there, or a file cannot be read or written that was named.
    pub fn run(self, global: &Global) -> Result<Exit, Error> {
        if let Some(root) = self.site_root.as_ref().filter(|root| !root.is_dir()) {
            let what = format!("there is no folder `{}`", root.display());
            return Err(Error::usage(what, "name the folder that the site's links count from"));
        }
        let (read, unread) = collect(&self.paths)?;
        let (scenarios, mut sources): (Vec<_>, Vec<_>) = read.into_iter().partition(is_yaml);
        let mode = if self.strict { Mode::Strict } else { Mode::Lenient };
        let mut found = lint(&sources, &Sources { site: self.site_root.clone() }, mode);
        found.summary.files += scenarios.len() + unread.len();
        for one in unread {
            found.add(Finding { document: sources.len(), diagnostic: one.diagnostic });
            sources.push(one.source);
        }
        for scenario in scenarios {
            if let Some(diagnostic) = misfit(&scenario) {
                found.add(Finding { document: sources.len(), diagnostic });
            }
            sources.push(scenario);
        }
        found.retain(|finding| !self.allow.contains(&finding.diagnostic.code));
        if let Some(file) = &self.write_baseline {
            super::write(file, &baseline::written(&found, &sources)?)?;
        }
        let known = match &self.baseline {
            Some(file) => baseline::leave_out(file, &mut found, &sources)?,
            None => 0,
        };
        if let Some(file) = &self.sarif {
            let text = report::sarif(&found, &sources).map_err(|e| Error::usage(e.to_string(), "report this"))?;
            super::write(file, &text)?;
        }
        let github = self.github || std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| !value.is_empty());
        let text = match global.output {
            Format::Json => {
                report::findings_json(&found, &sources).map_err(|e| Error::usage(e.to_string(), "report this"))?
            }
            Format::Table if github => report::annotations(&found, &sources),
            Format::Table => report::findings(&found, &sources, plain()),
        };
        report::say(text.trim_end_matches('\n'));
        if known > 0 {
            report::remark(&format!("{known} findings are in the baseline and are left out"));
        }
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

fn is_yaml(source: &Source) -> bool {
    source.path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml")
}

/// Why a scenario does not fit its diagram.
fn misfit(scenario: &Source) -> Option<Diagnostic> {
    let error = Target::read(&scenario.path.display().to_string()).err()?;
    let (place, what) = match &error {
        Error::Document(fault) if Path::new(&fault.place.file) == scenario.path => {
            (Lines::new(&scenario.text).offset(fault.place.line, fault.place.column), fault.what.clone())
        }
        other => (0, other.to_string()),
    };
    Some(Diagnostic::new(Code::Scenario, Span::new(place, place + 1), what, error.hint()))
}

pub(super) fn plain() -> bool {
    !std::io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
