//! The `interlock` command: parse, wire, run, exit code.

use std::process::ExitCode;

use clap::Parser as _;
use interlock::cli::{Cli, run};

fn main() -> ExitCode {
    run(Cli::parse())
}
