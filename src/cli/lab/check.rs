//! `interlock lab check`: what is wrong with services that are scripts.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::show;
use crate::{
    error::{Error, Exit, Fault},
    lab::script::{Checked, check},
    report::{Format, plain_wanted, render},
};

#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// The folder with the scripts
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Checks the scripts of a folder.
///
/// # Errors
/// Where the folder cannot be read.
pub(super) fn run(args: &CheckArgs, output: Format) -> Result<Exit, Error> {
    let checked = check(&args.folder)?;
    match output {
        Format::Json => show::json(&document(&checked))?,
        Format::Table => show::print(text(&checked).trim_end())?,
    }
    Ok(if checked.findings.is_empty() { Exit::Kept } else { Exit::Invalid })
}

fn text(checked: &Checked) -> String {
    let plain = plain_wanted();
    let shown = checked.findings.iter().map(|fault| render(&Error::from(fault.clone()), plain));
    let Checked { services, routes, defects, findings } = checked;
    let parts = [(services.len(), "service"), (*routes, "route"), (*defects, "defect")];
    let counts = parts.map(|(count, what)| counted(count, what)).join(", ");
    let closing = match findings.len() {
        0 => format!("{counts}: nothing is wrong"),
        more => format!("{counts}: {}", counted(more, "finding")),
    };
    shown.chain([closing]).collect::<Vec<_>>().join("\n")
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn document(checked: &Checked) -> Value {
    let finding = |Fault { place, what, hint, .. }: &Fault| json!({ "file": place.file, "line": place.line, "column": place.column, "what": what, "hint": hint });
    json!({
        "services": checked.services.iter().map(|service| &service.name).collect::<Vec<_>>(),
        "routes": checked.routes,
        "defects": checked.defects,
        "findings": checked.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}
