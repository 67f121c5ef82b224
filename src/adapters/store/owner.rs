//! What this machine can tell of owners: who we are as one, and whether another one can be seen from here.

use crate::{
    error::Error,
    journal::Owner,
    process::{Identity, host, pid_namespace},
};

impl Owner {
    /// This process.
    ///
    /// # Errors
    /// Where the system does not say when it started, so that nobody could tell it from a later one.
    pub fn current() -> Result<Self, Error> {
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid())
            .ok()
            .flatten()
            .map_or_else(|| nix::unistd::geteuid().to_string(), |user| user.name);
        let process = Identity::current().map_err(|e| Error::Store {
            place: "/proc/self".to_owned(),
            why: e.to_string(),
            hint: "interlock needs /proc to tell whether an owner is alive".to_owned(),
        })?;
        Ok(Self { host: host(), process, user, pid_namespace: pid_namespace() })
    }

    /// Whether its process can be asked from here: on this machine, since this boot, and among the processes that we see.
    #[must_use]
    pub fn is_here(&self) -> bool {
        let namespace = pid_namespace();
        self.is_of_this_host() && namespace.is_some() && self.pid_namespace == namespace && self.is_of_this_boot()
    }

    /// Whether its boot clock is ours.
    pub(super) fn is_of_this_boot(&self) -> bool {
        Identity::current().is_ok_and(|own| own.boot_id == self.process.boot_id)
    }

    /// Whether its machine has our name.
    pub(super) fn is_of_this_host(&self) -> bool {
        self.host == host()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn here_is_this_machine_this_boot_and_these_processes() {
        let own = Owner::current().unwrap();
        assert!(own.is_here());
        assert!(!Owner { host: "another".to_owned(), ..own.clone() }.is_here());
        assert!(!Owner { pid_namespace: Some("pid:[1]".to_owned()), ..own.clone() }.is_here());
        assert!(!Owner { pid_namespace: None, ..own.clone() }.is_here(), "as locks of older releases have it");
        let rebooted = Identity { boot_id: "another".to_owned(), ..own.process.clone() };
        assert!(!Owner { process: rebooted, ..own.clone() }.is_here());
    }
}
