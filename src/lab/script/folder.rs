//! The folder of a platform's services: one script each, named after its file.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{check::check, faults::ServiceFaults, program::Program};
use crate::{
    error::Error,
    lab::{Service, backing::Backing, state::fault},
};

/// The ending of a script's name.
const ENDING: &str = "rhai";
/// The most services of a platform.
const MOST: usize = 64;
/// Names that something else in the lab has.
const TAKEN: [&str; 4] = ["supervisor", "prometheus", "blue", "green"];

/// A service that is a script.
#[derive(Debug, Clone)]
pub struct ScriptedService {
    pub name: String,
    pub file: PathBuf,
    pub replicas: u32,
    /// Whether it stands behind the gateway, in two slots.
    pub in_slots: bool,
    /// Whether it keeps its rows in the lab's PostgreSQL.
    pub in_postgres: bool,
    /// The processes behind its doors.
    pub backings: BTreeSet<Backing>,
    /// Whether one of its routes requires a token.
    pub requires_tokens: bool,
}

impl ScriptedService {
    /// Whether a release can have these faults, as its script stands now.
    ///
    /// # Errors
    /// Where it cannot, or the script cannot be read.
    pub fn accepts(&self, faults: &[String]) -> Result<(), String> {
        let program = Program::read(&self.file).map_err(|e| e.to_string())?;
        ServiceFaults::read(faults, &program.declared.defects).map(|_| ())
    }
}

/// The services in a folder, if there is nothing wrong with any of them.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn scripted(folder: &Path) -> Result<Vec<ScriptedService>, Error> {
    let checked = check(folder)?;
    match checked.findings.into_iter().next() {
        Some(first) => Err(first.into()),
        None => Ok(checked.services),
    }
}

/// The scripts in a folder by the names of their services, in the order of these.
///
/// # Errors
/// Where the folder cannot be read, or holds none or too many.
pub fn files(folder: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| fault(folder, &e))? {
        let path = entry.map_err(|e| fault(folder, &e))?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) && path.is_file() {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            found.push((name, path));
        }
    }
    found.sort();
    let count = found.len();
    let what = format!("{} has {count} services", folder.display());
    match count {
        0 => Err(Error::usage(what, format!("a service is a script there, such as orders.{ENDING}"))),
        1..=MOST => Ok(found),
        _ => Err(Error::usage(what, format!("a lab takes {MOST} of them"))),
    }
}

/// Why no service can have this name, if so; and what to do.
#[must_use]
pub fn misnamed(name: &str) -> Option<(String, &'static str)> {
    let is_taken = Service::ALL.iter().any(|service| service.name() == name) || TAKEN.contains(&name);
    if is_taken || Backing::behind(name).is_some() {
        return Some((format!("the lab itself has something by the name `{name}`"), "call the file otherwise"));
    }
    let fits = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 40
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let hint = "call the file otherwise: small letters, digits and hyphens, 40 at most";
    (!fits).then(|| (format!("`{name}` is no name of a service"), hint))
}
