//! `interlock sequence export`: traces in, a diagram out.

use std::path::PathBuf;

use super::collect::TraceArgs;
use crate::{
    cli::Global,
    error::{Error, Exit},
    model::trace::TraceId,
    report::{self, Format},
    sequence::export::export,
};

/// Draw traces as a Mermaid sequence diagram
///
/// The same traces give the same text, whatever their order. What is drawn is lint-clean, and verifies against them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 drawn; 2 invalid input, or nothing to draw.")]
pub struct Args {
    #[command(flatten)]
    traces: TraceArgs,
    /// Only these traces, by their ids
    #[arg(long, value_name = "ID", value_parser = trace_id)]
    trace: Vec<TraceId>,
    /// Write the diagram there, not to standard output
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

fn trace_id(text: &str) -> Result<TraceId, String> {
    TraceId::parse(text).ok_or_else(|| "a trace id has 32 hexadecimal digits, not all of them 0".to_owned())
}

impl Args {
    /// Draws what was collected.
    ///
    /// # Errors
    /// Where traces cannot be read, or there are none.
    pub fn run(self, global: &Global) -> Result<Exit, Error> {
        let mut spans = self.traces.collect()?.spans;
        if !self.trace.is_empty() {
            spans.retain(|span| self.trace.contains(&span.trace));
        }
        if spans.is_empty() {
            return Err(Error::usage("there are no spans to draw", "name other traces, or listen for longer"));
        }
        let text = export(&spans).map_err(|e| Error::usage(e.to_string(), "choose fewer traces with `--trace`"))?;
        match (&self.to, global.output) {
            (Some(file), _) => super::write(file, &text)?,
            (None, Format::Json) => report::print(&serde_json::json!({ "diagram": text })),
            (None, Format::Table) => report::say(text.trim_end()),
        }
        Ok(Exit::Kept)
    }
}
