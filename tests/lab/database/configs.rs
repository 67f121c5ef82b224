//! `config verify` of real PostgreSQL: files that were changed and not read, settings that wait for a restart, and files with a fault.

use std::{fs, path::PathBuf, process::Command};

use interlock::{
    lab::DatabaseKind,
    ports::HostState,
    process::{Identity, Signal},
};
use serde_json::Value;

use super::stage::Stage;
use crate::command::until;

struct Cluster {
    stage: Stage,
    /// Where the nodes keep their data.
    data: PathBuf,
}

impl Cluster {
    fn up() -> Self {
        let stage = Stage::up(DatabaseKind::Postgres, &[]);
        let cluster: Value = serde_json::from_slice(&fs::read(stage.folder.join("cluster.json")).unwrap()).unwrap();
        let data = PathBuf::from(cluster["folder"].as_str().unwrap());
        let platform = "apiVersion: interlock/v1alpha1\nkind: Platform\nmetadata: {name: shop}\ntarget: {lab: {folder: lab}}\n\
                        databases: {orders: {lab: {}}}\nconfigs: {settings: {instances: {database: orders}}}\n";
        fs::write(stage.folder.with_file_name("interlock.yaml"), platform).unwrap();
        Self { stage, data }
    }

    /// How the command ended, and how each node stands, with the reason.
    fn verify(&self) -> (Option<i32>, Vec<String>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_interlock"));
        for key in ["INTERLOCK_LAB", "INTERLOCK_PLATFORM", "INTERLOCK_STORE"] {
            command.env_remove(key);
        }
        let folder = self.stage.folder.parent().unwrap();
        let output = command.args(["config", "verify", "-o", "json"]).current_dir(folder).output().unwrap();
        let all: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
        let text = |one: &Value, key: &str| one[key].as_str().unwrap_or_default().to_owned();
        let told = |one: &Value| format!("{} {} {}", text(one, "name"), text(one, "standing"), text(one, "why"));
        let told = all[0]["instances"].as_array().unwrap().iter().map(|one| told(one).trim_end().to_owned());
        (output.status.code(), told.collect())
    }

    fn until(&self, code: i32, pg1: &str, pg2: &str) {
        let mut last = None;
        until(&format!("{pg1}, {pg2}"), || {
            let (exit, told) = self.verify();
            let so = exit == Some(code) && told[0].contains(pg1) && told[1].contains(pg2);
            if !so && last.as_ref() != Some(&told) {
                println!("{exit:?} {told:?}");
                last = Some(told);
            }
            so
        });
    }

    fn file(&self) -> PathBuf {
        self.data.join("pg1/data/postgresql.conf")
    }

    fn add(&self, line: &str) {
        let file = self.file();
        fs::write(&file, format!("{}{line}\n", fs::read_to_string(&file).unwrap())).unwrap();
    }

    /// Makes the first node read its files, as `pg_ctl reload` does.
    fn reload(&self) {
        let pid = fs::read_to_string(self.data.join("pg1/data/postmaster.pid")).unwrap();
        let postmaster = Identity::of(pid.lines().next().unwrap().parse().unwrap()).unwrap();
        assert!(postmaster.signal(Signal::SIGHUP).unwrap());
    }
}

#[test]
fn servers_are_held_against_their_own_files() {
    let cluster = Cluster::up();
    cluster.until(0, "pg1 current", "pg2 current");
    let before = fs::read_to_string(cluster.file()).unwrap();

    cluster.add("max_connections = 77");
    cluster.until(1, "pg1 stale its files were changed since it read them", "pg2 current");
    cluster.reload();
    cluster.until(1, "pg1 stale a restart is pending for max_connections", "pg2 current");
    fs::write(cluster.file(), &before).unwrap();
    cluster.reload();
    cluster.until(0, "pg1 current", "pg2 current");

    // Within one second, as scripts do it: what the files say is in force, whatever the time.
    for megabytes in [3, 5, 7] {
        cluster.add(&format!("work_mem = {megabytes}MB\nlog_checkpoints = no"));
        cluster.reload();
        cluster.until(0, "pg1 current", "pg2 current");
    }
    cluster.add("nonsense = 1");
    cluster.reload();
    cluster.until(1, "postgresql.conf:", "pg2 current");
    fs::write(cluster.file(), &before).unwrap();
    cluster.reload();
    cluster.until(0, "pg1 current", "pg2 current");

    cluster.stage.bring("pg2", HostState::Down);
    cluster.until(6, "pg1 current", "pg2 silent");
    cluster.stage.bring("pg1", HostState::Down);
    cluster.until(4, "pg1 silent", "pg2 silent");
    cluster.stage.close();
}
