//! Where one host's programs live and work: its folders, its account, and the programs that it runs.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, openat},
    sys::stat::Mode,
    unistd::{UnlinkatFlags, unlinkat},
};

use super::{
    cluster::{Cluster, HostPlan},
    disk::Disk,
    programs,
    sweep::sweep,
    tool::{Tool, Waited},
};
use crate::{
    lab::state::Folder,
    process::{Account, Launch, Output},
};

/// The environment of all programs, beside their home.
pub const ENVIRONMENT: [(&str, &str); 2] = [("PATH", "/usr/bin:/bin"), ("LANG", "C.UTF-8")];

/// One host's place.
pub struct Site {
    pub cluster: Cluster,
    pub plan: HostPlan,
    pub lab: Folder,
    /// Whom the programs run as, if not as we do.
    pub account: Option<Account>,
    /// The superuser of a fresh database: whoever made it.
    pub superuser: String,
    pub disk: Option<Disk>,
    /// The children that somebody waits for already.
    pub waited: Waited,
    interlock: PathBuf,
}

impl Site {
    /// Finds the place of a host.
    ///
    /// # Errors
    /// Where the cluster has no such host, or its account is gone.
    pub fn new(cluster: Cluster, lab: Folder, name: &str) -> io::Result<Self> {
        let missing = || io::Error::other(format!("the cluster has no host {name}"));
        let plan = cluster.host(name).ok_or_else(missing)?.clone();
        let account = cluster.account()?;
        let superuser = match &account {
            Some(account) => account.name().to_owned(),
            None => Account::own_name()?,
        };
        let interlock = std::env::current_exe()?;
        let own = cluster.settings.stallable && plan.runs.is_stallable();
        let waited = Waited::default();
        let disk = own.then(|| Disk::new(cluster.folder.join(&plan.name), waited.clone()));
        Ok(Self { disk, cluster, plan, lab, account, superuser, waited, interlock })
    }

    /// The folder of all that the host has.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.cluster.folder.join(&self.plan.name)
    }

    /// The folder of its data, in which its database works.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    /// The folder in which its manager works.
    #[must_use]
    pub fn manager(&self) -> PathBuf {
        self.root().join("manager")
    }

    /// The folder of sockets and passwords.
    #[must_use]
    pub fn run(&self) -> PathBuf {
        self.root().join("run")
    }

    /// The file in which tools find passwords.
    #[must_use]
    pub fn passwords(&self) -> PathBuf {
        self.run().join("passwords")
    }

    /// Begins anew: ends what runs there, and leaves the folders empty.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn clear(&self) -> io::Result<()> {
        sweep(&self.root())?;
        self.make_folder(&self.root())?;
        if let Some(disk) = &self.disk {
            disk.make()?;
            self.give(&self.root())?;
        }
        for folder in [self.data(), self.manager(), self.run()] {
            self.make_folder(&folder)?;
        }
        Ok(())
    }

    /// Empties the folder of the data.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn clear_data(&self) -> io::Result<()> {
        absent_is_fine(fs::remove_dir_all(self.data()))?;
        self.make_folder(&self.data())
    }

    fn make_folder(&self, folder: &Path) -> io::Result<()> {
        fs::DirBuilder::new().mode(0o700).create(folder)?;
        self.give(folder)
    }

    /// Writes a file (mode 0600) that belongs to the host's programs.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn write(&self, path: &Path, text: &str) -> io::Result<()> {
        write_for(self.account.as_ref(), path, text)
    }

    fn give(&self, path: &Path) -> io::Result<()> {
        self.account.as_ref().map_or(Ok(()), |account| account.give(path))
    }

    /// A program that is to go on in `folder` for as long as the agent lives; its log is the lab's.
    ///
    /// # Errors
    /// Where the program is missing.
    pub fn launch(&self, program: &str, folder: &Path) -> io::Result<Launch> {
        let launch = Launch::new(&self.interlock, self.find(program)?).bare().env("HOME", self.run()).folder(folder);
        let launch = ENVIRONMENT.into_iter().fold(launch, |launch, (key, value)| launch.env(key, value));
        let log = self.lab.log(&format!("{}-{program}", self.plan.name));
        Ok(launch.account(self.account.clone()).output(Output::File(log)))
    }

    /// A program that does one thing.
    ///
    /// # Errors
    /// Where the program is missing.
    pub fn tool(&self, program: &str) -> io::Result<Tool> {
        Ok(Tool::new(&self.find(program)?, self))
    }

    fn find(&self, program: &str) -> io::Result<PathBuf> {
        programs::find(program).ok_or_else(|| io::Error::other(format!("{program} is not installed any more")))
    }
}

/// Writes a file anew, so that neither mode nor owner stays from before, and gives it to an account. The folder may be that
/// account's own: neither it nor the file is reached through a link that the account has put there.
fn write_for(account: Option<&Account>, path: &Path, text: &str) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::other(format!("{} names no file", path.display())));
    };
    let only = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    let folder = fs::File::options().read(true).custom_flags(only.bits()).open(folder)?;
    match unlinkat(&folder, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => {}
        Err(e) => return Err(e.into()),
    }
    let fresh = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut file = fs::File::from(openat(&folder, name, fresh, Mode::S_IRUSR | Mode::S_IWUSR)?);
    file.write_all(text.as_bytes())?;
    account.map_or(Ok(()), |account| account.give_open(&file))
}

/// What is gone already needs no removing.
pub fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn no_link_leads_a_write_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir(at("run")).unwrap();
        fs::create_dir(at("elsewhere")).unwrap();
        fs::write(at("elsewhere/passwords"), "theirs").unwrap();
        symlink(at("elsewhere/passwords"), at("run/passwords")).unwrap();
        write_for(None, &at("run/passwords"), "ours").unwrap();
        assert_eq!(fs::read_to_string(at("elsewhere/passwords")).unwrap(), "theirs");
        let written = at("run/passwords").symlink_metadata().unwrap();
        assert!(written.is_file());
        assert_eq!((written.permissions().mode() & 0o777, written.nlink()), (0o600, 1));
        symlink(at("elsewhere"), at("linked")).unwrap();
        assert!(write_for(None, &at("linked/passwords"), "ours").is_err());
        assert_eq!(fs::read_to_string(at("elsewhere/passwords")).unwrap(), "theirs");
    }

    #[test]
    fn what_is_given_to_an_account_is_not_followed() {
        let Ok(account) = Account::named("nobody") else { panic!("this system has no account `nobody`") };
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("target"), dir.path().join("link"));
        fs::write(&target, "ours").unwrap();
        symlink(&target, &link).unwrap();
        let before = target.metadata().unwrap().uid();
        // Only root may give anything away; whoever may not is refused, and the target stays ours as well.
        let given = account.give(&link);
        assert_eq!(given.is_ok(), Account::is_ours_to_choose());
        assert_eq!(target.metadata().unwrap().uid(), before);
    }
}
