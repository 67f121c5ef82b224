//! What a stage leaves behind: processes, and files that name what they must not.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use interlock::process::Identity;

/// A process that has to do with a folder.
#[derive(Clone)]
pub struct Survivor {
    pub pid: i32,
    command: String,
    lab: Option<PathBuf>,
}

impl fmt::Debug for Survivor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pid, self.command)
    }
}

impl Survivor {
    /// Whether it is a part of the lab in `folder`.
    pub fn belongs_to(&self, folder: &Path) -> bool {
        self.lab.as_deref() == Some(folder)
    }
}

/// Processes whose arguments, environment or working directory name the folder.
pub fn survivors(folder: &Path) -> Vec<Survivor> {
    let needle = folder.to_str().unwrap();
    let of_process = |entry: fs::DirEntry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let text = |file| {
            fs::read(entry.path().join(file)).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
        };
        let here = fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        let (command, environ) = (text("cmdline"), text("environ"));
        let names = here || command.contains(needle) || environ.contains(needle);
        // One that has ended and was not waited for yet is gone.
        let lives = Identity::of(pid).is_ok_and(|identity| identity.is_alive());
        let other = i32::try_from(std::process::id()).is_ok_and(|own| own != pid);
        let lab = environ.split('\0').find_map(|one| one.strip_prefix("INTERLOCK_LAB=")).map(PathBuf::from);
        (names && lives && other).then(|| Survivor { pid, command: command.replace('\0', " "), lab })
    };
    fs::read_dir("/proc").unwrap().flatten().filter_map(of_process).collect()
}

/// The guardians that were posted for the runs of a store.
pub fn guardians(runs: &Path) -> Vec<Identity> {
    let of_run = |entry: fs::DirEntry| serde_json::from_slice(&fs::read(entry.path().join("guardian.json")).ok()?).ok();
    fs::read_dir(runs).into_iter().flatten().flatten().filter_map(of_run).collect()
}

/// All files below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let deeper = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    entries.flatten().flat_map(|entry| deeper(entry.path())).collect()
}

/// The files below `folder` that hold one of `secrets`.
pub fn naming(folder: &Path, secrets: &[String]) -> Vec<PathBuf> {
    let holds = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap_or_default();
        secrets.iter().any(|secret| bytes.windows(secret.len()).any(|part| part == secret.as_bytes()))
    };
    files(folder).into_iter().filter(holds).collect()
}

/// What commands and guardians have said, for whoever reads why a test failed.
pub fn outputs(folder: &Path) -> Vec<(String, String)> {
    let mut all = files(folder);
    all.sort();
    let told = |path: PathBuf| {
        let kind = path.extension()?.to_str()?;
        let told = ["out", "err", "jsonl"].contains(&kind) || path.ends_with("guardian.log");
        let text = fs::read_to_string(&path).ok().filter(|text| told && !text.is_empty())?;
        let brief = text.lines().map(|line| line.chars().take(400).collect::<String>()).collect::<Vec<_>>();
        Some((path.strip_prefix(folder).ok()?.display().to_string(), brief.join("\n")))
    };
    all.into_iter().filter_map(told).collect()
}
