//! The examples of a database of one's own: hosts alone, and the scripts of their folder.

use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::stage::{Done, alone};

/// How long a new cluster may take until a plan finds every gate open.
const WHOLE: Duration = Duration::from_secs(300);

/// A copy of one example, on ports that are free, and up.
struct Own {
    dir: TempDir,
}

impl Own {
    fn up(kind: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("interlock-own-").tempdir().unwrap();
        // The account of the database goes in as well.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut ports = BTreeMap::new();
        for name in ["interlock.yaml", "drill.yaml", "node", "up"] {
            let (from, to) = (example(kind).join(name), dir.path().join(name));
            let mut text = fs::read_to_string(&from).unwrap();
            for at in ports_in(&text) {
                // Held until all are known, so that none is given twice.
                let listener = ports.entry(at.clone()).or_insert_with(|| TcpListener::bind("127.0.0.1:0").unwrap());
                text = text.replace(&at, &listener.local_addr().unwrap().port().to_string());
            }
            fs::write(&to, text).unwrap();
            fs::set_permissions(&to, fs::metadata(&from).unwrap().permissions()).unwrap();
        }
        drop(ports);
        let own = Self { dir };
        let up: Done = own.command("./up", &[]).output().unwrap().into();
        assert_eq!(up.code, Some(0), "{kind}: {up:?}");
        own
    }

    fn command(&self, program: impl AsRef<Path>, arguments: &[&str]) -> Command {
        let program = program.as_ref();
        let program = if program.starts_with(".") { self.dir.path().join(program) } else { program.to_owned() };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .envs([("DRILL_PASSWORD", "one-4711"), ("DRILL_ADMIN_PASSWORD", "another-4711")])
            .env_remove("INTERLOCK_PLATFORM")
            .env_remove("INTERLOCK_STORE");
        command
    }

    fn interlock(&self, arguments: &[&str]) -> Done {
        self.command(env!("CARGO_BIN_EXE_interlock"), arguments).output().unwrap().into()
    }

    /// A plan that finds every gate open; a replica takes a moment to follow.
    fn plan(&self, file: &str) -> Done {
        let begun = Instant::now();
        loop {
            let plan = self.interlock(&["drill", "plan", file]);
            if plan.code == Some(0) {
                return plan;
            }
            assert!(begun.elapsed() < WHOLE, "{plan:?}");
            thread::sleep(Duration::from_millis(250));
        }
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let down: Done = self.command("./up", &["down"]).output().unwrap().into();
        assert!(down.code == Some(0) || thread::panicking(), "{down:?}");
    }
}

fn example(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/own-database").join(kind)
}

/// The ports of the examples, each once: they begin with 154.
fn ports_in(text: &str) -> Vec<String> {
    let mut ports: Vec<_> = text.match_indices("154").filter_map(|(at, _)| text.get(at..at + 5)).collect();
    ports.retain(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    ports.sort_unstable();
    ports.dedup();
    ports.into_iter().map(str::to_owned).collect()
}

/// Without any command that a step or its way back calls nothing is begun, and the gate says which is missing, and for whom.
fn refuses_without_any_of_its_commands(own: &Own, kind: &str) {
    let text = fs::read_to_string(own.dir.path().join("interlock.yaml")).unwrap();
    let managed = kind == "patroni";
    let names = if kind == "mariadb" { ["db1", "db2"] } else { ["pg1", "pg2"] };
    for command in ["state", "kill", "run", "stop", "follow"] {
        let line = format!("          {command}: [./node, {command}]\n");
        let Some((before, after)) = text.split_once(&line) else {
            assert!(managed && ["stop", "follow"].contains(&command), "{kind}: {command}");
            continue;
        };
        fs::write(own.dir.path().join("without.yaml"), before.to_owned() + after).unwrap();
        let plan = own.interlock(&["--platform", "without.yaml", "--output", "json", "drill", "plan", "drill.yaml"]);
        assert_eq!(plan.code, Some(3), "{kind} without {command}: {plan:?}");
        // Only the primary's host is killed; without a manager each node may have to be ended and started again.
        let asked = if managed || command == "kill" { &names[..1] } else { &names[..] };
        for host in asked {
            let wanted = format!("`{command}` for {host}");
            assert!(plan.out.contains(&wanted), "{kind}: {wanted} is missing in {}", plan.out);
        }
    }
}

fn is_drilled_and_put_back(kind: &str) {
    let own = Own::up(kind);
    let before = own.plan("drill.yaml");
    assert!(before.out.contains("2 set, and valid for long enough"), "both passwords count: {}", before.out);
    refuses_without_any_of_its_commands(&own, kind);
    let run = own.interlock(&["drill", "run", "drill.yaml", "--yes"]);
    // 6: a machine that is too busy for a verdict; the drill went through all the same.
    assert!(matches!(run.code, Some(0 | 6)), "{kind}: {run:?}");
    assert!(![&run.out, &run.err].iter().any(|told| told.contains("4711")), "a password was told: {run:?}");
    // The role is where it was, every host runs, and all follow.
    let again = fs::read_to_string(own.dir.path().join("drill.yaml")).unwrap() + "cooldown: 0s\n";
    fs::write(own.dir.path().join("again.yaml"), again).unwrap();
    let primary = |plan: &Done| {
        let before = plan.out.split(" alone takes writes").next().unwrap();
        before.split_whitespace().next_back().unwrap().to_owned()
    };
    assert_eq!(primary(&own.plan("again.yaml")), primary(&before), "{kind}");
}

/// Two at a time: what counts is that each goes through. Patroni's nodes have etcd beside them, and take a machine of their own.
#[test]
fn a_database_of_ones_own_is_drilled_with_the_scripts_of_its_example() {
    let _alone = alone();
    for kinds in [&["postgres", "mariadb"][..], &["patroni"]] {
        let drills: Vec<_> = kinds.iter().map(|kind| thread::spawn(move || is_drilled_and_put_back(kind))).collect();
        let ended: Vec<_> = drills.into_iter().map(thread::JoinHandle::join).collect();
        ended.into_iter().for_each(|end| end.unwrap());
    }
}
