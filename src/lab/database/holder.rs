//! Holds processes of one sort for as long as it is told to, also those that come later.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::sync::watch;

use crate::process::{Identity, Signal, below};

/// How often it looks for new ones; a process of `PostgreSQL` needs longer than that to get to work.
const LOOK: Duration = Duration::from_millis(5);

/// A sort of processes: what the titles of `PostgreSQL`'s processes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort(pub &'static str);

impl Sort {
    /// Whether a process is of this sort; `None` while its title does not tell yet.
    fn has(self, title: &str) -> Option<bool> {
        let told = title.strip_prefix("postgres: ")?;
        // The first word may be the cluster's name.
        let mut words = told.split_ascii_whitespace().take(2).peekable();
        words.peek()?;
        Some(words.any(|word| word == self.0))
    }
}

/// Holds the processes of one sort that work in one folder.
#[derive(Clone)]
pub struct Holder {
    folder: PathBuf,
    sort: Sort,
    on: watch::Sender<bool>,
}

impl Holder {
    /// A holder that holds nothing yet; it works until the runtime ends.
    #[must_use]
    pub fn start(folder: PathBuf, sort: Sort) -> Self {
        let holder = Self { folder, sort, on: watch::Sender::new(false) };
        tokio::spawn(holder.clone().watch());
        holder
    }

    /// Whether it holds.
    #[must_use]
    pub fn is_on(&self) -> bool {
        *self.on.borrow()
    }

    /// Stops those that are there, and from now on each that comes.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn hold(&self) -> io::Result<()> {
        self.on.send_replace(true);
        self.signal(Signal::SIGSTOP)
    }

    /// Releases them.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn release(&self) -> io::Result<()> {
        self.on.send_replace(false);
        self.signal(Signal::SIGCONT)
    }

    /// Holds nobody any more, and releases nobody: those that it has stopped stay so for another reason.
    pub fn forget(&self) {
        self.on.send_replace(false);
    }

    /// Whether a process is one that this holds now.
    #[must_use]
    pub fn holds(&self, pid: i32) -> bool {
        self.is_on() && self.sort.has(&title(pid)) == Some(true)
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        for one in below(&self.folder)? {
            if self.sort.has(&title(one.identity.pid)) == Some(true) {
                one.identity.signal(signal)?;
            }
        }
        Ok(())
    }

    async fn watch(self) {
        let mut on = self.on.subscribe();
        while on.wait_for(|on| *on).await.is_ok() {
            let mut known = Known::default();
            while self.is_on() {
                for new in known.look(&self.folder, self.sort) {
                    if let Err(e) = new.signal(Signal::SIGSTOP) {
                        tracing::error!("{new} cannot be stopped: {e}");
                    }
                }
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}

/// The processes that were looked at already: a look at a machine with hundreds of them costs one listing.
#[derive(Default)]
struct Known(BTreeSet<i32>);

impl Known {
    /// Those that are new and of this sort.
    fn look(&mut self, folder: &Path, sort: Sort) -> Vec<Identity> {
        let listed = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids: Vec<i32> = listed.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        let before = std::mem::take(&mut self.0);
        let mut found = Vec::new();
        for pid in pids {
            if before.contains(&pid) {
                self.0.insert(pid);
                continue;
            }
            // A fork works where its parent does from the start; its title comes a little later.
            let ours = fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
            let Some(is_it) = (if ours { sort.has(&title(pid)) } else { Some(false) }) else { continue };
            if is_it && let Ok(identity) = Identity::of(pid) {
                found.push(identity);
            }
            self.0.insert(pid);
        }
        found
    }
}

/// The title of a process, which `PostgreSQL` writes over its arguments.
fn title(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_tell_the_sort() {
        let sort = Sort("walsender");
        let told = [
            "postgres: pg1: walsender replicator 127.0.0.1(41000) streaming 0/3000148",
            "postgres: walsender replicator 127.0.0.1(41000) streaming 0/3000148",
            "postgres: pg1: walsender interlock interlock 127.0.0.1(4) idle",
            "postgres: pg1: interlock walsender 127.0.0.1(41000) idle",
            "postgres: pg1: checkpointer ",
        ];
        assert_eq!(told.map(|title| sort.has(title)), [true, true, true, false, false].map(Some));
        let not_yet = ["/usr/lib/postgresql/15/bin/postgres -D data", "", "postgres: "];
        assert_eq!(not_yet.map(|title| sort.has(title)), [None; 3]);
    }
}
