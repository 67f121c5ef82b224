//! An account of the system: for programs that refuse to run as root.

use std::{
    ffi::CString,
    fs::File,
    io,
    os::unix::fs::{fchown, lchown},
    path::Path,
    process::Command,
};

use nix::unistd::{self, Gid, Uid, User};

/// An account that a process can run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    name: String,
    uid: Uid,
    gid: Gid,
}

impl Account {
    /// Looks an account up.
    ///
    /// # Errors
    /// Where there is none of that name.
    pub fn named(name: &str) -> io::Result<Self> {
        let user = User::from_name(name)?.ok_or_else(|| io::Error::other(format!("there is no account {name}")))?;
        Ok(Self { name: user.name, uid: user.uid, gid: user.gid })
    }

    /// The name of the account that we run as.
    ///
    /// # Errors
    /// Where the system does not know it.
    pub fn own_name() -> io::Result<String> {
        let uid = unistd::geteuid();
        User::from_uid(uid)?.map(|user| user.name).ok_or_else(|| io::Error::other(format!("user {uid} has no name")))
    }

    /// Whether we may become any account.
    #[must_use]
    pub fn is_ours_to_choose() -> bool {
        unistd::geteuid().is_root()
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives it a file or folder. A link that somebody has put there meanwhile is not followed.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn give(&self, path: &Path) -> io::Result<()> {
        lchown(path, Some(self.uid.as_raw()), Some(self.gid.as_raw()))
    }

    /// Gives it a file that is open.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn give_open(&self, file: &File) -> io::Result<()> {
        fchown(file, Some(self.uid.as_raw()), Some(self.gid.as_raw()))
    }

    /// Lets a command run as this account, without further groups.
    pub fn run(&self, command: &mut Command) {
        use std::os::unix::process::CommandExt as _;
        command.uid(self.uid.as_raw()).gid(self.gid.as_raw());
    }

    /// Turns this process into one of the account, for good.
    pub(super) fn become_it(&self) -> io::Result<()> {
        let name = CString::new(self.name.as_str()).map_err(io::Error::other)?;
        unistd::initgroups(&name, self.gid)?;
        unistd::setgid(self.gid)?;
        unistd::setuid(self.uid)?;
        Ok(())
    }
}
