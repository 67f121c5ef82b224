//! `interlock drill`: a document in, a plan out; the guard does the rest.

use std::{path::PathBuf, sync::Arc};

use clap::Subcommand;

use super::{
    Global,
    context::block_on,
    operation::{self, GateArgs, RunArgs, Wanted},
};
use crate::{
    app::{self, Prepared, Session},
    document::{self, only},
    error::{Error, Exit},
    guard::Stored,
    operation::drill,
    report,
};

/// Take a database's primary away, and measure what is lost and for how long nobody can write
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the plan and every gate's answer; changes nothing
    Plan(Args),
    /// Ask the gates, take the primary away, measure, and bring everything back
    Run {
        #[command(flatten)]
        measured: Measured,
        #[command(flatten)]
        run: RunArgs,
    },
}

/// Which drill, and how
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The drill document
    file: PathBuf,
    #[command(flatten)]
    gates: GateArgs,
}

/// Which drill, and where its figures go
#[derive(Debug, clap::Args)]
pub struct Measured {
    #[command(flatten)]
    args: Args,
    /// Write what was measured there, for a Prometheus that reads text files
    #[arg(long, value_name = "FILE")]
    metrics_file: Option<PathBuf>,
}

impl Command {
    pub fn run(self, global: &Global) -> Result<Exit, Error> {
        block_on(async {
            match self {
                Self::Plan(args) => operation::plan(global, &args).await,
                Self::Run { measured, run } => operation::run(global, &measured, &run).await,
            }
        })
    }
}

impl Wanted for Args {
    async fn prepare(&self, session: Arc<Session>) -> Result<Prepared, Error> {
        let drill = app::drill(&session, &read(&self.file)?).await?;
        Prepared::ask(session, drill, self.gates.choices()).await
    }
}

impl Wanted for Measured {
    async fn prepare(&self, session: Arc<Session>) -> Result<Prepared, Error> {
        self.args.prepare(session).await
    }

    fn over(&self, stored: &Stored) {
        if let (Some(file), Some(text)) = (&self.metrics_file, drill::metrics(stored)) {
            write(file, &text);
        }
    }
}

/// The drill is over; that its figures cannot be written changes nothing about how it ended.
fn write(file: &std::path::Path, text: &str) {
    // A reader never sees half of it.
    let temporary = file.with_extension("tmp");
    let written = std::fs::write(&temporary, text).and_then(|()| std::fs::rename(&temporary, file));
    if let Err(e) = written {
        report::remark(&format!("! {} cannot be written: {e}", file.display()));
    }
}

fn read(file: &std::path::Path) -> Result<document::Drill, Error> {
    let name = file.display().to_string();
    let text = document::read_file(file, "name a document of `kind: Drill`")?;
    let document = only(&name, &text)?;
    let drill: document::Drill = document.parse()?;
    drill.check(&document)?;
    Ok(drill)
}
