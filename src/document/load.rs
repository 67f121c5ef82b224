//! Finds the platform file, and reads it with everything that it names.

use std::{
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::{Document, Override, Platform, SloSet, checks, only, overrides};
use crate::{
    error::{Error, Fault},
    slo::Problem,
};

/// The name of the platform file.
const NAME: &str = "interlock.yaml";

/// A platform file, read and checked.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What it says, overrides included.
    pub platform: Platform,
    /// The file.
    pub file: PathBuf,
    /// The folder that its relative paths start from.
    pub folder: PathBuf,
    /// The SLOs that it names.
    pub slos: SloSet,
}

/// Looks for `interlock.yaml` in a folder and in those above it.
#[must_use]
pub fn find(start: &Path) -> Option<PathBuf> {
    start.ancestors().map(|folder| folder.join(NAME)).find(|file| file.is_file())
}

/// The platform file: the one that was named (by a flag or the environment), or the nearest one upward.
///
/// # Errors
/// Where none was named and none is found.
pub fn locate(named: Option<&Path>, start: &Path) -> Result<PathBuf, Error> {
    named.map(Path::to_owned).or_else(|| find(start)).ok_or_else(|| {
        Error::usage(
            format!("there is no {NAME} in {} or above it", start.display()),
            "write one, or name it with `--platform FILE` or INTERLOCK_PLATFORM",
        )
    })
}

/// Reads a platform file and the SLO files that it names, and checks all of it.
///
/// `sets` are the values of `--set`, `environment` the variables of the process.
///
/// # Errors
/// Where a file cannot be read or says what makes no sense.
pub fn load<'e>(
    file: &Path,
    sets: &[String],
    environment: impl IntoIterator<Item = (&'e str, &'e str)>,
) -> Result<Loaded, Error> {
    let name = file.display().to_string();
    let text = read(file, "`--platform` or INTERLOCK_PLATFORM names the platform file")?;
    let over = overrides(environment, sets)?;
    let document = only(&name, &text)?;
    let platform = understand(&document, &over)?;
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };

    let mut texts = Vec::new();
    for (i, path) in platform.slos.iter().enumerate() {
        let path = folder.join(path);
        let text = bounded(&path).map_err(|e| {
            let what = format!("cannot read {}: {e}", path.display());
            let problem = Problem::new(&format!("slos.{i}"), what, "paths are relative to the platform file");
            Error::from(placed(&document, &over, &problem))
        })?;
        texts.push((path.display().to_string(), text));
    }
    let slos = SloSet::read(texts.iter().map(|(file, text)| (file.as_str(), text.as_str())))?;
    checks::check_slos(&platform, slos.names()).map_err(|problem| placed(&document, &over, &problem))?;
    Ok(Loaded { platform, file: file.to_owned(), folder, slos })
}

/// Reads a document that was named.
///
/// # Errors
/// Where it is not there, or is no regular file: a device or a pipe may never end, and is not opened.
pub fn read(file: &Path, hint: &str) -> Result<String, Error> {
    bounded(file).map_err(|e| Error::usage(format!("cannot read {}: {e}", file.display()), hint))
}

/// Reads a file that people wrote; what is too large is cut, and then refused by its reader.
fn bounded(file: &Path) -> io::Result<String> {
    if !fs::metadata(file)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = String::new();
    fs::File::open(file)?.take(super::read::LARGEST as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

/// The file as it stands is read first, so that its faults have their places; then overrides, then the checks.
fn understand(document: &Document<'_>, over: &[Override]) -> Result<Platform, Fault> {
    let mut platform: Platform = document.parse()?;
    for one in over {
        platform = overrides::apply(&platform, one)?;
    }
    checks::check(&platform).map_err(|problem| placed(document, over, &problem))?;
    Ok(platform)
}

/// A problem with a value that was set from outside stands there, and not in the file.
fn placed(document: &Document<'_>, over: &[Override], problem: &Problem) -> Fault {
    match over.iter().rev().find(|o| o.path == problem.at) {
        Some(o) => overrides::fault(&o.given, problem.what.clone(), problem.hint.clone()),
        None => document.fault(problem),
    }
}
