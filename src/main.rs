//! The `interlock` command.

use std::process::ExitCode;

use clap::Parser;
use interlock::cli;

#[derive(Parser)]
#[command(version, about)]
enum Command {
    #[command(hide = true)]
    Child(cli::child::Args),
    /// The embedded platform
    #[cfg(feature = "lab")]
    Lab(cli::lab::Args),
}

fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Child(args) => cli::child::run(args).map(|never| match never {}),
        #[cfg(feature = "lab")]
        Command::Lab(args) => cli::lab::run(args),
    };
    match result {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(e) => {
            #[expect(clippy::print_stderr, reason = "until the reporters are here")]
            {
                eprintln!("error: {e}\n  help: {}", e.mend());
            }
            ExitCode::from(e.exit() as u8)
        }
    }
}
