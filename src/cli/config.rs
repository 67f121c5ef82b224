//! `interlock config`: which instances run on which configuration.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::{Global, context::block_on};
use crate::{
    app::Snapshot,
    document::{Loaded, nearest},
    error::{Error, Exit},
    operation::reload::Verified,
    report::{self, Format, Style},
};

/// See which instances run on which configuration
#[derive(Debug, Subcommand)]
pub enum Command {
    Verify(Verify),
}

impl Command {
    /// # Errors
    /// Where the platform file makes no sense, or nobody knows whom to ask.
    pub fn run(self, global: &Global) -> Result<Exit, Error> {
        match self {
            Self::Verify(verify) => verify.run(global),
        }
    }
}

/// Ask every instance what it runs on, and hold that against what is desired; changes nothing
///
/// docs/config.md says how instances are asked, and what that proves.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 all run on what is desired; 1 some do not; 2 invalid input; \
                        4 no instance answers; 6 some cannot tell.")]
pub struct Verify {
    /// Names of configurations; all of them when left out
    configs: Vec<String>,
    /// Write a JUnit report there, a test case for each instance
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write how many instances stand how there, for Prometheus' textfile collector
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
}

impl Verify {
    fn run(self, global: &Global) -> Result<Exit, Error> {
        let loaded = global.load()?;
        let names = self.names(&loaded)?;
        let snapshot = Snapshot::of(&loaded)?;
        let all = block_on(ask(&snapshot, &names))?;
        match global.output {
            Format::Json => report::print(&all),
            Format::Table => report::say(&report::configs(&all, Style::stdout())),
        }
        if let Some(file) = &self.junit {
            write(file, &report::configs_junit(&all))?;
        }
        if let Some(file) = &self.metrics {
            write(file, &report::configs_metrics(&all))?;
        }
        Ok(Verified::exit(&all))
    }

    fn names(&self, loaded: &Loaded) -> Result<Vec<String>, Error> {
        let known = &loaded.platform.configs;
        if known.is_empty() {
            let hint = "declare one under `configs` of the platform file; docs/config.md shows how";
            return Err(Error::usage("the platform has no configurations", hint));
        }
        if let Some(name) = self.configs.iter().find(|name| !known.contains_key(*name)) {
            let names: Vec<_> = known.keys().map(String::as_str).collect();
            let hint = match nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", names.join(", ")),
            };
            return Err(Error::usage(format!("the platform has no configuration `{name}`"), hint));
        }
        Ok(if self.configs.is_empty() { known.keys().cloned().collect() } else { self.configs.clone() })
    }
}

async fn ask(snapshot: &Snapshot, names: &[String]) -> Result<Vec<Verified>, Error> {
    let mut all = Vec::new();
    for name in names {
        all.push(snapshot.verify_config(name, &snapshot.platform.configs[name]).await?);
    }
    Ok(all)
}

/// Whoever reads the file meanwhile sees the old one or the new one.
fn write(file: &Path, text: &str) -> Result<(), Error> {
    let beside = PathBuf::from(format!("{}.new", file.display()));
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, file));
    written
        .map_err(|e| Error::usage(format!("cannot write `{}`: {e}", file.display()), "name a file that can be written"))
}
