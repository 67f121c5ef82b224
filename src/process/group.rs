//! A group of processes: a command, and what it has started that did not leave its group.

use std::{fs, io};

use nix::{
    errno::Errno,
    sys::signal::{self, Signal},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};

use super::{Identity, identity};

/// Where a process is, seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// Among the processes that we see.
    Here,
    /// It was on this machine, which has been started anew since.
    Gone,
    /// On another machine, or where we do not see its processes.
    Elsewhere,
}

/// A group of processes, named for good by the one that leads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Group {
    /// The machine's name.
    pub host: String,
    pub pid_namespace: Option<String>,
    /// Its first process, whose pid is the group's number.
    pub leader: Identity,
}

impl Group {
    /// The group that a child of ours leads.
    ///
    /// # Errors
    /// Where the system does not say when the child started.
    pub fn led_by(pid: i32) -> io::Result<Self> {
        Ok(Self { host: host(), pid_namespace: pid_namespace(), leader: Identity::of(pid)? })
    }

    #[must_use]
    pub fn whereabouts(&self) -> Whereabouts {
        let namespace = pid_namespace();
        if self.host != host() {
            return Whereabouts::Elsewhere;
        }
        match identity::boot_id() {
            Ok(boot) if boot != self.leader.boot_id => Whereabouts::Gone,
            Ok(_) if namespace.is_some() && namespace == self.pid_namespace => Whereabouts::Here,
            _ => Whereabouts::Elsewhere,
        }
    }

    /// Whether its first process still runs. What outlives that one, such as a service that it has started, is none of ours.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.leader.is_alive()
    }

    /// The names of the programs that run in it, as the kernel keeps them: at most 15 bytes each.
    #[must_use]
    pub fn programs(&self) -> Vec<String> {
        let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let ours = pids.filter(|pid| identity::stat(*pid).is_ok_and(|stat| stat.group == self.leader.pid));
        ours.filter_map(|pid| Some(fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim().to_owned())).collect()
    }

    /// Ends all of it at once, if its first process still runs.
    ///
    /// # Errors
    /// Where the system refuses the signal.
    pub fn kill(&self) -> io::Result<()> {
        if !self.is_alive() {
            return Ok(());
        }
        match signal::killpg(Pid::from_raw(self.leader.pid), Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}

/// This machine's name.
#[must_use]
pub fn host() -> String {
    nix::unistd::gethostname().map_or_else(|_| "unknown".into(), |host| host.to_string_lossy().into_owned())
}

/// The pid namespace that we are in, such as `pid:[4026531836]`.
#[must_use]
pub fn pid_namespace() -> Option<String> {
    fs::read_link("/proc/self/ns/pid").ok().map(|link| link.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::process::CommandExt as _,
        process::{Command, Stdio},
    };

    use super::*;

    #[test]
    fn all_of_a_group_ends_and_nothing_that_has_left_it() {
        let mut child = Command::new("sh")
            .args(["-c", "sleep 61 & sleep 61"])
            .process_group(0)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let group = Group::led_by(i32::try_from(child.id()).unwrap()).unwrap();
        let ready = (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            group.programs().iter().filter(|program| *program == "sleep").count() == 2
        });
        assert!(ready && group.is_alive() && group.whereabouts() == Whereabouts::Here, "{:?}", group.programs());
        group.kill().unwrap();
        child.wait().unwrap();
        assert!(!group.is_alive());
        let gone = (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(10));
            group.programs().is_empty()
        });
        assert!(gone, "{:?}", group.programs());
    }

    #[test]
    fn a_group_of_another_machine_or_boot_is_told_apart() {
        let own = Group::led_by(nix::unistd::getpid().as_raw()).unwrap();
        assert_eq!(Group { host: "another".to_owned(), ..own.clone() }.whereabouts(), Whereabouts::Elsewhere);
        assert_eq!(Group { pid_namespace: None, ..own.clone() }.whereabouts(), Whereabouts::Elsewhere);
        let leader = Identity { boot_id: "another".to_owned(), ..own.leader.clone() };
        assert_eq!(Group { leader, ..own }.whereabouts(), Whereabouts::Gone);
    }
}
