//! Asking a person before anything is touched.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use crate::{error::Error, report};

/// Shows what is asked about, and asks for a yes. Without a terminal nobody can be asked, and only `--yes` lets it pass.
///
/// # Errors
/// Where the answer is no, or nobody can be asked.
pub async fn confirm(about: impl FnOnce() -> String, question: &'static str, yes: bool) -> Result<(), Error> {
    possible(yes)?;
    if yes {
        return Ok(());
    }
    let about = about();
    // A person takes minutes, and no thread of the runtime may be kept from its work for so long.
    let asked = tokio::task::spawn_blocking(move || {
        report::remark(&about);
        ask(question)
    });
    asked.await.unwrap_or_else(|_| Err(refused()))
}

fn ask(question: &str) -> Result<(), Error> {
    let mut stderr = std::io::stderr().lock();
    let mut answer = String::new();
    let asked = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
    let read = asked.and_then(|()| std::io::stdin().lock().read_line(&mut answer));
    match (read, answer.trim()) {
        (Ok(_), "y" | "Y" | "yes") => Ok(()),
        _ => Err(refused()),
    }
}

fn refused() -> Error {
    Error::usage("not confirmed; nothing was touched", "answer y, or run it with --yes")
}

/// Whether a yes is there or can be asked for; to be known before anybody is kept waiting for the platform.
///
/// # Errors
/// Where there is no terminal and no `--yes`.
pub fn possible(yes: bool) -> Result<(), Error> {
    if yes || (std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Ok(());
    }
    Err(Error::usage(
        "there is no terminal to confirm on",
        "read what it would do (`plan`, or --dry-run), then run it with --yes",
    ))
}
