//! The programs of databases: where they lie, which packages bring them, and as whom they run.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::kind::DatabaseKind;
use crate::process::Account;

/// Where Debian keeps the programs of each version of `PostgreSQL`.
const VERSIONS: &str = "/usr/lib/postgresql";

struct Package {
    name: &'static str,
    programs: &'static [&'static str],
}

const POSTGRES: Package = Package {
    name: "postgresql",
    programs: &["postgres", "initdb", "psql", "pg_basebackup", "pg_rewind", "pg_controldata"],
};
const PATRONI: Package = Package { name: "patroni python3-psycopg2 python3-etcd", programs: &["patroni"] };
const ETCD: Package = Package { name: "etcd-server", programs: &["etcd"] };
const MARIADB: Package =
    Package { name: "mariadb-server", programs: &["mariadbd", "mariadb", "mariadb-install-db", "mariadb-dump"] };

/// The packages that are missing for a kind; none where it can run here.
#[must_use]
pub fn missing(kind: DatabaseKind) -> Vec<&'static str> {
    let wanted: &[Package] = match kind {
        DatabaseKind::Postgres => &[POSTGRES],
        DatabaseKind::Patroni => &[PATRONI, ETCD, POSTGRES],
        DatabaseKind::MariaDb => &[MARIADB],
    };
    let account = account(kind);
    let is_there =
        |package: &&Package| package.programs.iter().all(|program| find(program).is_some()) && account.is_ok();
    wanted.iter().filter(|package| !is_there(package)).map(|package| package.name).collect()
}

/// Whom the programs of a kind run as: root gives itself up, for they refuse to run as root.
///
/// # Errors
/// Where the account that the package brings is missing.
pub fn account(kind: DatabaseKind) -> std::io::Result<Option<Account>> {
    if !Account::is_ours_to_choose() {
        return Ok(None);
    }
    let name = match kind {
        DatabaseKind::Postgres | DatabaseKind::Patroni => "postgres",
        DatabaseKind::MariaDb => "mysql",
    };
    Account::named(name).map(Some)
}

/// Finds a program: those of the newest `PostgreSQL` that Debian has put aside, then those on `PATH`, then the system's.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let newest = newest().into_iter();
    let folders = newest.chain(env::split_paths(&path)).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

fn newest() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).ok()?.flatten().filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        let folder = entry.path().join("bin");
        is_program(&folder.join("postgres")).then_some((version, folder))
    });
    versions.max().map(|(_, folder)| folder)
}
