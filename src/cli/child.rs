//! `interlock child`: the hidden step by which every process of ours is started.

use std::{convert::Infallible, ffi::OsString};

use crate::{
    error::Error,
    ports::PortError,
    process::{Account, ChildOptions, become_program},
};

/// Become another program, in a session of its own and with a bond to the parent's life
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Outlive the parent
    #[arg(long, conflicts_with = "parent")]
    detached: bool,
    /// The process that the parent has to be
    #[arg(long, value_name = "PID")]
    parent: Option<i32>,
    /// The account of the system that it is to run as
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// The program and its arguments
    #[arg(required = true, last = true)]
    program: Vec<OsString>,
}

/// Becomes the program; returns only where that fails.
///
/// # Errors
/// Where the parent is gone or the program cannot be started.
pub fn run(args: Args) -> Result<Infallible, Error> {
    let Args { detached, parent, account, program } = args;
    let name = program.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let failed = |e| Error::port(PortError::unreachable(name.clone(), e), "see whether the program is installed");
    let account = account.as_deref().map(Account::named).transpose().map_err(failed)?;
    become_program(&ChildOptions { detached, parent, account, program }).map_err(failed)
}
