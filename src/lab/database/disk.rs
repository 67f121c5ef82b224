//! A disk of a host's own: a file system in a file, which can be kept from taking writes.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    mount::{MntFlags, umount2},
};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Child,
};

use super::{
    programs,
    tool::{Noted, Waited},
};
use crate::process::Account;

/// How large the file system is, in bytes; the file takes only what was written.
const SIZE: u64 = 2 << 30;
/// How long a tool may take; stalling a disk brings first onto it what was written.
const TOOL: Duration = Duration::from_secs(60);
/// How long a file system may be busy once all that worked there was killed.
const BUSY: Duration = Duration::from_secs(5);
/// Stalls a disk until its input ends, which it does with whoever has given the order, however that ends.
const STALL: &str = r#""$1" --freeze "$2" && echo stalled && read -r _; "$1" --unfreeze "$2""#;

/// The programs that it takes.
const PROGRAMS: [&str; 3] = ["mkfs.ext4", "mount", "fsfreeze"];

/// Why no disk can be stalled here, if so.
#[must_use]
pub fn impossible() -> Option<String> {
    if !Account::is_ours_to_choose() {
        return Some("it takes root to give a host a disk of its own".to_owned());
    }
    if !Path::new("/dev/loop-control").exists() {
        return Some("there are no loop devices here".to_owned());
    }
    let missing = PROGRAMS.into_iter().find(|program| programs::find(program).is_none());
    missing.map(|program| format!("{program} is not installed"))
}

/// A disk, mounted where the host's folder is.
pub struct Disk {
    image: PathBuf,
    root: PathBuf,
    stalled: Mutex<Option<(Child, Option<Noted>)>>,
    waited: Waited,
}

impl Disk {
    /// The disk of the host whose folder is `root`; nothing is touched yet.
    #[must_use]
    pub fn new(root: PathBuf, waited: Waited) -> Self {
        Self { image: root.with_extension("disk"), root, stalled: Mutex::default(), waited }
    }

    fn stalled(&self) -> MutexGuard<'_, Option<(Child, Option<Noted>)>> {
        self.stalled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes it anew and mounts it. Nothing may work there.
    ///
    /// # Errors
    /// What the tools said.
    pub fn make(&self) -> io::Result<()> {
        unmount(&self.root)?;
        File::create(&self.image)?.set_len(SIZE)?;
        run("mkfs.ext4", &["-q".as_ref(), "-F".as_ref(), "-m".as_ref(), "0".as_ref(), &self.image])?;
        self.mount()
    }

    fn mount(&self) -> io::Result<()> {
        // The loop device goes by itself with the last who uses it.
        run("mount", &["-o".as_ref(), "loop,nosuid,nodev".as_ref(), &self.image, &self.root])
    }

    /// Lets writes through that an agent before this one may have held.
    pub fn recover(&self) {
        thaw(&self.root);
    }

    /// Whether it takes no writes.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.stalled().as_mut().is_some_and(|(holder, _)| matches!(holder.try_wait(), Ok(None)))
    }

    /// Lets it take no writes until [`Disk::release`], or this process ends; returns once what was written is on it.
    ///
    /// # Errors
    /// What the tool said, or that it took too long.
    pub async fn stall(&self) -> io::Result<()> {
        if self.is_stalled() {
            return Ok(());
        }
        let mut command = tokio::process::Command::new("/bin/sh");
        command.args(["-c", STALL, "stall"]).args([&find("fsfreeze")?, &self.root]).current_dir("/");
        // Whoever kills the agent with its group leaves this one to undo what it does.
        let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0).spawn()?;
        let noted = holder.id().and_then(|pid| i32::try_from(pid).ok()).map(|pid| self.waited.note(pid));
        let output = holder.stdout.take();
        // From here on its input ends with whatever happens, and the stall with that.
        *self.stalled() = Some((holder, noted));
        let mut told = String::new();
        if let Some(output) = output {
            let line = tokio::time::timeout(TOOL, BufReader::new(output).read_line(&mut told)).await;
            line.map_err(|_| late("fsfreeze"))??;
        }
        if told.trim() == "stalled" {
            return Ok(());
        }
        self.release().await?;
        Err(io::Error::other("its disk cannot be stalled; the agent's log says why"))
    }

    /// Lets it take writes again.
    ///
    /// # Errors
    /// Where that takes too long.
    pub async fn release(&self) -> io::Result<()> {
        let Some((mut holder, _noted)) = self.stalled().take() else { return Ok(()) };
        drop(holder.stdin.take());
        tokio::time::timeout(TOOL, holder.wait()).await.map_err(|_| late("fsfreeze"))?.map(drop)
    }
}

fn late(tool: &str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("{tool} took longer than {} s", TOOL.as_secs()))
}

fn find(program: &str) -> io::Result<PathBuf> {
    programs::find(program).ok_or_else(|| io::Error::other(format!("{program} is not installed")))
}

/// Runs a tool as we are. Blocks.
fn run(program: &str, args: &[&Path]) -> io::Result<()> {
    let mut command = Command::new(find(program)?);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let begun = Instant::now();
    let mut tool = command.spawn()?;
    while tool.try_wait()?.is_none() {
        if begun.elapsed() >= TOOL {
            tool.kill()?;
            tool.wait()?;
            return Err(late(program));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = tool.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(format!("{program}: {said}")))
}

/// One that is not stalled complains, and stays as it is.
fn thaw(mounted: &Path) {
    let _ = run("fsfreeze", &["--unfreeze".as_ref(), mounted]);
}

/// The file systems that are mounted at or below a folder.
fn mounted(folder: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let places = text.lines().filter_map(|line| line.split(' ').nth(1)).map(PathBuf::from);
    places.filter(|place| place.starts_with(folder)).collect()
}

/// Lets all disks at or below a folder take writes again: what waits for one cannot even be killed.
pub fn thaw_below(folder: &Path) {
    mounted(folder).iter().for_each(|place| thaw(place));
}

/// Unmounts all disks at or below a folder. Nothing may work there.
///
/// # Errors
/// Where the system refuses.
pub fn unmount_below(folder: &Path) -> io::Result<()> {
    // The last one mounted first.
    mounted(folder).iter().rev().try_for_each(|place| unmount(place))
}

fn unmount(place: &Path) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        let flags = if begun.elapsed() < BUSY { MntFlags::empty() } else { MntFlags::MNT_DETACH };
        match umount2(place, flags) {
            Err(Errno::EBUSY) if !flags.contains(MntFlags::MNT_DETACH) => std::thread::sleep(Duration::from_millis(20)),
            // Nothing is mounted there.
            Ok(()) | Err(Errno::EINVAL | Errno::ENOENT) => return Ok(()),
            Err(e) => return Err(e.into()),
        }
    }
}
