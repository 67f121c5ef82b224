//! The real binary, without a lab: what it prints, where it prints it, and the exit codes it ends in.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod config;
mod doctor;
mod documents;
mod earlier;
mod generated;
mod help;
mod manifests;
mod runs;
mod sequence;
mod switchover;
#[cfg(feature = "otlp")]
mod verify;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// How a command ended, and what it said.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    /// All of it as one text, with the test's own folder left out.
    fn told(&self, folder: &Path) -> String {
        let told = format!("exit {}\n-- out\n{}-- err\n{}", self.code, self.out, self.err);
        let lines = told.replace(folder.to_str().unwrap(), "[folder]");
        lines.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}:\n{}\n{}", self.out, self.err))
    }
}

/// Runs the binary in a folder, with no terminal and nothing of this test's environment.
fn interlock(folder: &Path, args: &[&str]) -> Said {
    interlock_with(folder, args, &[])
}

fn interlock_with(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_interlock"))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// An empty folder, by the name that the binary will call it.
fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
    let guard = tempfile::tempdir().unwrap();
    let folder = guard.path().canonicalize().unwrap();
    (guard, folder)
}

/// A folder with the platform file and the SLOs of the lab, and no lab.
fn platform() -> (tempfile::TempDir, std::path::PathBuf) {
    let (guard, folder) = folder();
    for file in ["interlock.yaml", "slo.yaml"] {
        fs::copy(scenarios().join("lab").join(file), folder.join(file)).unwrap();
    }
    (guard, folder)
}

fn scenarios() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}
