//! `interlock rehearsal`: a run that changes nothing.

use std::sync::Arc;

use clap::Subcommand;

use super::{
    Global,
    context::block_on,
    operation::{self, GateArgs, RunArgs, Wanted},
};
use crate::{
    app::{self, Prepared, Session},
    error::{Error, Exit},
    model::Span,
    operation::rehearsal::{Rehearsal, Spec},
};

/// See gates, journal and guardian at work; changes nothing
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the plan and every gate's answer
    Plan(Args),
    /// Ask the gates, wait, and end
    Run {
        #[command(flatten)]
        args: Args,
        #[command(flatten)]
        run: RunArgs,
    },
}

/// What is rehearsed
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A name for it
    name: String,
    /// How long it lasts
    #[arg(long, value_name = "TIME", default_value = "1s")]
    length: Span,
    #[command(flatten)]
    gates: GateArgs,
}

impl Command {
    pub fn run(self, global: &Global) -> Result<Exit, Error> {
        block_on(async {
            match self {
                Self::Plan(args) => operation::plan(global, &args).await,
                Self::Run { args, run } => operation::run(global, &args, &run).await,
            }
        })
    }
}

impl Wanted for Args {
    async fn prepare(&self, session: Arc<Session>) -> Result<Prepared, Error> {
        let spec = Spec { name: self.name.clone(), length: self.length };
        Prepared::ask(session, Rehearsal::new(spec, app::clock()), self.gates.wishes()).await
    }
}
