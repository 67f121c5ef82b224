//! `interlock sequence verify`: a diagram and traces in, a verdict out.

use std::path::PathBuf;

use super::{
    collect::TraceArgs,
    target::{Target, What},
};
use crate::{
    cli::Global,
    error::{Error, Exit},
    report::{self, Drawn, Format},
    sequence::conform::{Report, Verdict, align::Budget, check, check_states},
};

/// Hold traces against a diagram: is what happened what the document says?
///
/// Participants are bound to services by name, or as a scenario says. docs/conformance.md explains what is compared.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 PASS; 1 FAIL; 2 invalid input; 4 traces cannot be received; \
                        6 INCONCLUSIVE, or VACUOUS: nothing happened that the diagram speaks of.")]
pub struct Args {
    /// A scenario (*.yaml), or a document and the anchor above its diagram
    #[arg(value_name = "SCENARIO|DOCUMENT[#ANCHOR]")]
    what: String,
    #[command(flatten)]
    traces: TraceArgs,
    /// Write a JUnit report there
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the diagram there, with what was found drawn into it
    #[arg(long, value_name = "FILE")]
    mermaid: Option<PathBuf>,
}

impl Args {
    /// Collects traces, compares them, and says what was found.
    ///
    /// # Errors
    /// Where the scenario or the traces cannot be read or bound.
    pub fn run(self, global: &Global) -> Result<Exit, Error> {
        let target = Target::read(&self.what)?;
        match &target.what {
            What::Messages(diagram, binding) => {
                let observed = self.traces.collect()?;
                let found = check(diagram, binding, &observed, Budget::default());
                let found = found.map_err(|problems| target.unbound(&problems))?;
                self.told(&target.drawn(diagram), &found, global)
            }
            What::States(diagram, source) => {
                if self.junit.is_some() || self.mermaid.is_some() {
                    let what = "--junit and --mermaid are for sequence diagrams, and the scenario is of states";
                    return Err(Error::usage(what, "use `--output json`"));
                }
                let found = check_states(diagram, source, &self.traces.collect()?);
                let drawn = target.drawn(diagram);
                match global.output {
                    Format::Json => report::print(&report::states_json(&drawn, &found)),
                    Format::Table => report::say(report::states(&drawn, &found).trim_end()),
                }
                Ok(exit(found.verdict))
            }
        }
    }

    fn told(&self, drawn: &Drawn<'_>, found: &Report, global: &Global) -> Result<Exit, Error> {
        if let Some(file) = &self.junit {
            super::write(file, &report::junit(drawn, found))?;
        }
        if let Some(file) = &self.mermaid {
            let text = report::annotated(drawn, found).ok_or_else(|| {
                let what = "mermaid does not draw this diagram as it stands, so nothing can be drawn into it";
                Error::usage(what, "`interlock sequence lint --strict` says why")
            })?;
            super::write(file, &text)?;
        }
        match global.output {
            Format::Json => report::print(&report::conformance_json(drawn, found)),
            Format::Table => report::say(report::conformance(drawn, found, super::lint::plain()).trim_end()),
        }
        Ok(exit(found.verdict))
    }
}

/// The exit code of a verdict.
const fn exit(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Pass => Exit::Kept,
        Verdict::Fail => Exit::RolledBack,
        Verdict::Inconclusive | Verdict::Vacuous => Exit::Held,
    }
}
