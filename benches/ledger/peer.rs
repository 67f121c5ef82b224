//! The same writes at the same rate by pgbench, on the same server.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, ensure};
use interlock::lab::LabDatabase;

use crate::{LENGTH, RATE, WORKERS};

/// Where Debian keeps it.
const FOLDERS: &str = "/usr/lib/postgresql";
const WRITE: &str =
    "\\set id random(1000000000000, 9000000000000000000)\ninsert into interlock_ledger (id) values (:id);\n";

/// Percent of its transactions that pgbench skipped, since they were late by more than what a slot may be late; and the same
/// with those that took longer.
///
/// # Errors
/// Where it is not there, or fails.
pub fn pgbench(folder: &Path, lab: &LabDatabase) -> anyhow::Result<(f64, f64)> {
    let script = folder.join("write.sql");
    fs::write(&script, WRITE)?;
    let node = lab.nodes.first().context("the lab has no database")?.sql;
    let output = Command::new(program()?)
        .args(["-n", "-M", "prepared", "-L", "10", "-j", "1"])
        .args(["-c", &WORKERS.to_string(), "-T", &LENGTH.as_secs().to_string(), "-R", &RATE.to_string()])
        .arg("-f")
        .arg(&script)
        .args(["-h", &node.ip().to_string(), "-p", &node.port().to_string(), "-U", &lab.user, &lab.database])
        .env("PGPASSWORD", &lab.password)
        .output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
    let share = |what: &str| {
        let line = said.lines().find(|line| line.contains(what)).with_context(|| format!("no `{what}` in: {said}"))?;
        let percent = line.split(['(', '%']).nth(1).context("no share")?;
        percent.trim().parse::<f64>().context("a share that is none")
    };
    Ok((share("transactions skipped")?, share("latency limit")?))
}

fn program() -> anyhow::Result<std::path::PathBuf> {
    let versions = fs::read_dir(FOLDERS).context("PostgreSQL is not installed")?;
    let mut found: Vec<_> =
        versions.flatten().map(|version| version.path().join("bin/pgbench")).filter(|path| path.exists()).collect();
    found.sort();
    found.pop().context("pgbench is not installed")
}
