//! What was typed, turned into what is meant; one file per command.

mod child;
mod config;
mod confirm;
mod context;
mod doctor;
#[cfg(feature = "sql")]
mod drill;
mod generate;
mod guardian;
#[cfg(feature = "lab")]
mod lab;
mod operation;
mod runs;
mod schema;
mod sequence;
mod slo;
mod switchover;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use context::Global;

use crate::{
    error::{Error, Exit},
    report,
};

/// Changes a running platform only while its SLOs hold, and puts it back when they don't
#[derive(Debug, Parser)]
#[command(
    name = "interlock",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 kept or passed; 1 rolled back, or the platform failed the check; 2 invalid input; \
                  3 refused by a gate; 4 platform or metrics unreachable; 5 stuck, a person is needed; 6 held; \
                  7 interrupted and put back. After 2, 3 and 4 nothing was touched."
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(subcommand)]
    Switchover(switchover::Command),
    #[cfg(feature = "sql")]
    #[command(subcommand)]
    Drill(drill::Command),
    #[command(subcommand)]
    Config(config::Command),
    Slo(slo::Args),
    #[command(subcommand)]
    Runs(runs::Command),
    #[cfg(feature = "lab")]
    Lab(lab::Args),
    #[command(subcommand)]
    Sequence(sequence::Command),
    Doctor(doctor::Args),
    Guardian(guardian::Args),
    Schema(schema::Args),
    Completions(generate::Completions),
    Man(generate::Man),
    #[command(hide = true)]
    Child(child::Args),
}

/// Does what was typed, and says how it ended.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    match dispatch(cli) {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(error) => {
            complain(&error);
            ExitCode::from(error.exit() as u8)
        }
    }
}

fn dispatch(cli: Cli) -> Result<Exit, Error> {
    let global = &cli.global;
    match cli.command {
        Command::Switchover(command) => command.run(global),
        #[cfg(feature = "sql")]
        Command::Drill(command) => command.run(global),
        Command::Config(command) => command.run(global),
        Command::Slo(args) => args.run(global),
        Command::Runs(command) => command.run(global),
        #[cfg(feature = "lab")]
        Command::Lab(args) => lab::run(args, global),
        Command::Sequence(command) => command.run(global),
        Command::Doctor(args) => args.run(global),
        Command::Guardian(args) => args.run(global),
        Command::Schema(args) => args.run(),
        Command::Completions(args) => args.run(),
        Command::Man(args) => args.run(),
        Command::Child(args) => match child::run(args)? {},
    }
}

fn complain(error: &Error) {
    report::remark(report::render(error, report::plain_wanted()).trim_end_matches('\n'));
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}
