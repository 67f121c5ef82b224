//! Options that every command takes, and what they lead to: the platform file, the run store, a runtime.

use std::{future::Future, path::PathBuf, sync::Arc};

use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::{
    app::{Location, Session, Snapshot},
    document::{Loaded, Target, find, load, locate},
    error::Error,
    ports::Store,
    report::Format,
};

/// Where a lab keeps a platform file of its own, for folders that have none.
const LAB_FILE: &str = ".interlock/lab/interlock.yaml";

/// Keeps what every command takes apart from what one command takes.
const EVERYWHERE: &str = "Options of every command";

/// Options that every command takes
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// Platform file; by default the nearest interlock.yaml upward
    #[arg(long, global = true, help_heading = EVERYWHERE, env = "INTERLOCK_PLATFORM", value_name = "FILE", value_parser = path())]
    pub platform: Option<PathBuf>,
    /// Set a value of the platform file, such as defaults.bake=1m
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// Folder that keeps the runs; by default .interlock/runs beside the platform file
    #[arg(long, global = true, help_heading = EVERYWHERE, env = "INTERLOCK_STORE", value_name = "FOLDER", value_parser = path())]
    pub store: Option<PathBuf>,
    /// How output is written
    #[arg(long, short, global = true, help_heading = EVERYWHERE, value_enum, default_value_t)]
    pub output: Format,
}

impl Global {
    /// Finds the platform file.
    ///
    /// # Errors
    /// Where there is none.
    pub fn locate(&self) -> Result<PathBuf, Error> {
        let here = here()?;
        // A lab that was started where there is no platform file brings one.
        let of_lab = || here.ancestors().map(|folder| folder.join(LAB_FILE)).find(|file| file.is_file());
        let named = self.platform().cloned().or_else(|| find(&here).is_none().then(of_lab).flatten());
        locate(named.as_deref(), &here)
    }

    /// Reads the platform file with all that it names.
    ///
    /// # Errors
    /// Where there is none, or it says what makes no sense.
    pub fn load(&self) -> Result<Loaded, Error> {
        let file = self.locate()?;
        let environment: Vec<(String, String)> =
            std::env::vars().filter(|(key, value)| key.starts_with("INTERLOCK_") && !value.is_empty()).collect();
        let environment = environment.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let mut loaded = load(&file, &self.set, environment)?;
        if let Some(root) = file.ends_with(LAB_FILE).then(|| file.ancestors().nth(3)).flatten() {
            loaded.folder = root.to_owned();
        }
        Ok(loaded)
    }

    /// Where the runs are kept.
    ///
    /// # Errors
    /// Where it was not named and there is no platform file to say it, or where a folder was named for a platform that
    /// keeps its runs in its cluster.
    pub fn place(&self) -> Result<Location, Error> {
        match (self.store_folder(), self.load()) {
            (_, Ok(loaded)) => self.place_of(&loaded),
            // A folder that is named needs no platform file; one that is there and cannot be read is not asked either.
            (Some(folder), Err(_)) => Ok(Location::Folder(folder.clone())),
            (None, Err(e)) => Err(e),
        }
    }

    fn place_of(&self, loaded: &Loaded) -> Result<Location, Error> {
        match (self.store_folder(), &loaded.platform.target) {
            (None, _) => Ok(Snapshot::of(loaded)?.place()),
            (Some(folder), Target::Lab(_) | Target::Hosts(_)) => Ok(Location::Folder(folder.clone())),
            (Some(folder), Target::Kubernetes(_)) => Err(Error::usage(
                format!("--store {}: a cluster keeps its runs itself, and in one place only", folder.display()),
                "leave out --store and INTERLOCK_STORE",
            )),
        }
    }

    /// The platform file, read once, and the store of its runs.
    ///
    /// # Errors
    /// As [`Global::load`] and [`Global::place`], and where a cluster cannot be found.
    pub async fn session(&self) -> Result<Session, Error> {
        let loaded = self.load()?;
        let place = self.place_of(&loaded)?;
        Session::open(loaded, place).await
    }

    /// The folder of what belongs to this machine alone: beside the platform file, else in the working directory.
    ///
    /// # Errors
    /// Where the working directory is gone.
    pub fn home(&self) -> Result<PathBuf, Error> {
        Ok(self.load().map_or_else(|_| here(), |loaded| Ok(loaded.folder))?.join(".interlock"))
    }

    /// Whether there is a platform file beside the one that a lab brings.
    ///
    /// # Errors
    /// Where the working directory is gone.
    #[cfg(feature = "lab")]
    pub fn has_platform(&self) -> Result<bool, Error> {
        Ok(self.platform().is_some() || find(&here()?).is_some())
    }

    /// The folder of the lab: the platform file's, or the usual one in the working directory.
    ///
    /// # Errors
    /// Where there is a platform file and it makes no sense, or is not about a lab.
    #[cfg(feature = "lab")]
    pub fn lab_folder(&self) -> Result<PathBuf, Error> {
        let here = here()?;
        if !self.has_platform()? {
            return Ok(here.join(crate::lab::DEFAULT_FOLDER));
        }
        let loaded = self.load()?;
        match &loaded.platform.target {
            Target::Lab(lab) => Ok(loaded.folder.join(lab.folder())),
            other => Err(Error::usage(
                format!(
                    "{} is about {}, not about a lab",
                    loaded.file.display(),
                    match other {
                        Target::Hosts(_) => "hosts",
                        _ => "a cluster",
                    }
                ),
                "name the lab's folder with --folder",
            )),
        }
    }

    /// The folder of services that are scripts, where the platform file names one.
    ///
    /// # Errors
    /// Where there is a platform file and it makes no sense.
    #[cfg(feature = "lab")]
    pub fn lab_services(&self) -> Result<Option<PathBuf>, Error> {
        if !self.has_platform()? {
            return Ok(None);
        }
        let loaded = self.load()?;
        Ok(match &loaded.platform.target {
            Target::Lab(lab) => lab.services.as_ref().map(|services| loaded.folder.join(services)),
            _ => None,
        })
    }

    /// The platform file that was named. A variable that is empty names nothing, as in a pipeline that leaves it so.
    fn platform(&self) -> Option<&PathBuf> {
        self.platform.as_ref().filter(|file| !file.as_os_str().is_empty())
    }

    /// The folder of runs that was named.
    pub fn store_folder(&self) -> Option<&PathBuf> {
        self.store.as_ref().filter(|folder| !folder.as_os_str().is_empty())
    }

    /// The run store.
    ///
    /// # Errors
    /// As [`Global::place`], and where a cluster cannot be found.
    pub async fn store(&self) -> Result<Arc<dyn Store>, Error> {
        self.place()?.open().await
    }
}

/// A path as it was given, which a variable may leave empty.
pub fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// The working directory.
///
/// # Errors
/// Where it is gone.
pub fn here() -> Result<PathBuf, Error> {
    std::env::current_dir()
        .map_err(|e| Error::usage(format!("the working directory: {e}"), "change to one that exists"))
}

/// Runs a future to its end, with timers, sockets and signals.
///
/// # Errors
/// What the future says, or where the system gives no runtime.
pub fn block_on<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    // Two threads: signs of life go on while the other waits for the disk.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|e| Error::Store {
        place: "runtime".to_owned(),
        why: e.to_string(),
        hint: "are there too many processes or open files?".to_owned(),
    })?;
    let result = runtime.block_on(future);
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    result
}
