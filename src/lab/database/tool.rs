//! Programs that do one thing and end: their input, their time, and what they said when they failed.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{io::AsyncWriteExt as _, process::Command};

use super::{
    site::{ENVIRONMENT, Site},
    sweep,
};

/// How much of a complaint is passed on, in characters.
const COMPLAINT: usize = 600;

/// The children that somebody waits for, so that nobody else does.
#[derive(Debug, Clone, Default)]
pub struct Waited(Arc<Mutex<BTreeSet<i32>>>);

impl Waited {
    /// Whether somebody waits for it.
    #[must_use]
    pub fn has(&self, pid: i32) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&pid)
    }

    /// Notes a child until the guard goes.
    #[must_use]
    pub fn note(&self, pid: i32) -> Noted {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(pid);
        Noted { waited: self.clone(), pid }
    }
}

/// A child that somebody waits for.
pub struct Noted {
    waited: Waited,
    pid: i32,
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.waited.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.pid);
    }
}

/// One run of a program.
pub struct Tool {
    command: Command,
    name: String,
    root: PathBuf,
    input: String,
    waited: Waited,
}

impl Tool {
    /// Prepares a program to work in the root of a host's folder, with an environment of its own.
    pub fn new(program: &Path, site: &Site) -> Self {
        let mut command = std::process::Command::new(program);
        command.env_clear().envs(ENVIRONMENT).env("HOME", site.run()).env("PGPASSFILE", site.passwords());
        command.current_dir(site.root()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(account) = &site.account {
            account.run(&mut command);
        }
        let mut command = Command::from(command);
        command.kill_on_drop(true);
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { command, name, root: site.root(), input: String::new(), waited: site.waited.clone() }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, args: I) -> Self {
        self.command.args(args);
        self
    }

    /// What it reads; where secrets belong, for everybody sees arguments.
    #[must_use]
    pub fn input(mut self, text: impl Into<String>) -> Self {
        self.input = text.into();
        self
    }

    /// Runs it; gives what it printed.
    ///
    /// # Errors
    /// Where it cannot be started, fails, or takes longer than `within`: what it said.
    pub async fn run(mut self, within: Duration) -> io::Result<String> {
        let mut child = self.command.spawn().map_err(|e| io::Error::other(format!("{}: {e}", self.name)))?;
        let _noted = child.id().and_then(|pid| i32::try_from(pid).ok()).map(|pid| self.waited.note(pid));
        let mut stdin = child.stdin.take();
        let input = std::mem::take(&mut self.input);
        let work = async {
            if let Some(stdin) = &mut stdin {
                // One that does not read to the end says itself why.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
            drop(stdin.take());
            child.wait_with_output().await
        };
        let Ok(output) = tokio::time::timeout(within, work).await else {
            // What it has started as well.
            sweep::end_at(&self.root, |place| place.as_os_str().is_empty())?;
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                format!("{} took longer than {} s", self.name, within.as_secs()),
            ));
        };
        let output = output?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        }
        let said = if output.stderr.is_empty() { output.stdout } else { output.stderr };
        Err(io::Error::other(format!("{}: {}", self.name, brief(&String::from_utf8_lossy(&said)))))
    }
}

/// The end of what a program said, on one line.
fn brief(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let from = line.chars().count().saturating_sub(COMPLAINT);
    line.chars().skip(from).collect()
}
