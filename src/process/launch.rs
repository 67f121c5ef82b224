//! Starts a process, and ends it when its guard goes.

use std::{
    ffi::{OsStr, OsString},
    fs::OpenOptions,
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;

use super::{Account, Identity};

/// A log that has grown past this is moved aside when the next process starts to write to it.
const LOG_LIMIT: u64 = 16 << 20;

/// Where the output of a process goes.
#[derive(Debug, Clone, Default)]
pub enum Output {
    #[default]
    Null,
    /// To where ours goes.
    Inherit,
    /// To the end of a file (mode 0600); standard output and standard error together.
    File(PathBuf),
}

#[derive(Debug, Clone)]
pub struct Launch {
    interlock: PathBuf,
    program: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    bare: bool,
    account: Option<Account>,
    folder: Option<PathBuf>,
    output: Output,
    grace: Duration,
}

impl Launch {
    /// Prepares to start `program` by way of the binary `interlock` (in production [`std::env::current_exe`]).
    pub fn new(interlock: impl Into<PathBuf>, program: impl Into<OsString>) -> Self {
        Self {
            interlock: interlock.into(),
            program: vec![program.into()],
            env: Vec::new(),
            bare: false,
            account: None,
            folder: None,
            output: Output::Null,
            grace: Duration::from_secs(5),
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.program.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item: Into<OsString>>>(mut self, args: I) -> Self {
        self.program.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of the environment.
    #[must_use]
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((key.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Keeps our own environment from it, but for what [`Launch::env`] sets.
    #[must_use]
    pub const fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// Sets whom it runs as, if not as we do.
    #[must_use]
    pub fn account(mut self, account: Option<Account>) -> Self {
        self.account = account;
        self
    }

    /// Sets the folder that it works in.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Says where its output goes.
    #[must_use]
    pub fn output(mut self, output: Output) -> Self {
        self.output = output;
        self
    }

    /// Sets how long it may take to end after SIGTERM; 5 s unless set.
    #[must_use]
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Starts a child that ends when the returned guard is dropped, and is killed when this *thread* ends.
    ///
    /// Call it from a thread that lives as long as the process; in a tokio program from a current-thread runtime, or
    /// from a thread kept for it.
    ///
    /// # Errors
    /// Where the process cannot be started.
    pub fn start(&self) -> io::Result<Running> {
        let parent = nix::unistd::getpid().to_string();
        let child = self.command(&["--parent", &parent])?.spawn()?;
        Running::adopt(child, self.grace)
    }

    /// Starts a process that outlives this one, in a session of its own and with no way back to the terminal.
    ///
    /// While this process lives, the other's end leaves a zombie, which [`Identity::is_alive`] knows to be dead.
    ///
    /// # Errors
    /// Where the process cannot be started.
    pub fn start_detached(&self) -> io::Result<Identity> {
        let mut child = self.command(&["--detached"])?.spawn()?;
        match Identity::of(pid(&child)) {
            Ok(identity) => Ok(identity),
            Err(e) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(e)
            }
        }
    }

    fn command(&self, options: &[&str]) -> io::Result<Command> {
        let mut command = Command::new(&self.interlock);
        command.arg("child").args(options);
        if let Some(account) = &self.account {
            command.args(["--account", account.name()]);
        }
        command.arg("--").args(&self.program).stdin(Stdio::null());
        if self.bare {
            command.env_clear();
        }
        command.envs(self.env.iter().map(|(k, v)| (k, v)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        match &self.output {
            Output::Null => command.stdout(Stdio::null()).stderr(Stdio::null()),
            Output::Inherit => command.stdout(Stdio::inherit()).stderr(Stdio::inherit()),
            Output::File(path) => {
                if path.metadata().is_ok_and(|m| m.len() > LOG_LIMIT) {
                    std::fs::rename(path, path.with_extension("log.1"))?;
                }
                let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
                command.stdout(file.try_clone()?).stderr(file)
            }
        };
        Ok(command)
    }
}

fn pid(child: &Child) -> i32 {
    i32::try_from(child.id()).unwrap_or(i32::MAX)
}

/// A child that is running; dropping this ends it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    identity: Identity,
    grace: Duration,
    ended: Option<ExitStatus>,
}

impl Running {
    fn adopt(mut child: Child, grace: Duration) -> io::Result<Self> {
        // A child that has ended keeps its pid until it is waited for, so this names the right process.
        match Identity::of(pid(&child)) {
            Ok(identity) => Ok(Self { child, identity, grace, ended: None }),
            Err(e) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(e)
            }
        }
    }

    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// Where the system cannot say.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
        }
        Ok(self.ended)
    }

    /// Asks it to end, and does not wait.
    ///
    /// # Errors
    /// Where the system refuses the signal.
    pub fn ask_to_end(&mut self) -> io::Result<()> {
        if self.ended()?.is_none() {
            self.identity.signal(Signal::SIGTERM)?;
        }
        Ok(())
    }

    /// Ends it at once, and what it has started in its session's first group.
    ///
    /// # Errors
    /// Where the system refuses the signal.
    pub fn kill(&mut self) -> io::Result<()> {
        if self.ended()?.is_none() {
            self.identity.kill()?;
        }
        Ok(())
    }

    /// Ends it: SIGTERM, a wait bounded by the grace, SIGKILL. Blocks.
    ///
    /// # Errors
    /// Where the system refuses a signal or cannot say how it ended.
    pub fn end(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        self.ask_to_end()?;
        let deadline = Instant::now() + self.grace;
        while Instant::now() < deadline {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        self.kill()?;
        let status = self.child.wait()?;
        self.ended = Some(status);
        Ok(status)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nobody is left to tell; the kernel ends the child with us at the latest.
        let _ = self.end();
    }
}
