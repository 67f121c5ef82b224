//! What a drill refuses before it touches anything, with where, what, and how to fix it.

use crate::stage::{Done, Stage, scenario};

const DRILL: &str = "apiVersion: interlock/v1alpha1
kind: Drill
metadata: {name: small}
database: orders
fault: {method: promote}
objectives: {rto: 10s}
";

fn small_file(stage: &Stage) -> String {
    stage.write("small", DRILL)
}

fn plan(stage: &Stage, name: &str, text: &str) -> Done {
    let file = stage.write(name, text);
    stage.run(&["drill", "plan", &file])
}

/// The exit code, and what is said.
fn says(done: &Done, code: i32, words: &[&str]) {
    assert_eq!(done.code, Some(code), "{}\n{}", done.out, done.err);
    for word in words {
        assert!(done.err.contains(word), "`{word}` is missing in: {}", done.err);
    }
}

#[test]
fn documents_that_make_no_sense() {
    let stage = Stage::up("postgres", &[]);
    let cases: [(&str, &str, i32, &[&str]); 8] = [
        ("rto: 10s", "rto: 1ms", 2, &["objectives", "finer", ":6:19"]),
        ("rto: 10s", "rto: 10m", 2, &["longer than `limit`"]),
        ("{rto: 10s}", "{}", 2, &["nothing is promised"]),
        ("method: promote", "method: promot", 2, &["did you mean", "promote", ":5:"]),
        ("method: promote", "method: pause", 2, &["for: 9s"]),
        ("method: promote", "method: promote, candidate: pg9", 2, &["there is no node `pg9`", "pg2"]),
        ("database: orders", "database: order", 2, &["no database `order`", "orders"]),
        ("method: promote", "method: kill", 3, &["nothing promotes a standby", "promote"]),
    ];
    for (what, instead, code, words) in cases {
        let done = plan(&stage, "small", &DRILL.replace(what, instead));
        says(&done, code, words);
    }
    stage.down();
}

#[test]
fn clusters_that_are_not_fit() {
    let stage = Stage::up("postgres", &[]);
    let small = |stage: &Stage| plan(stage, "small", DRILL);
    assert_eq!(small(&stage).code, Some(0));

    let wants = format!("{DRILL}require: {{synchronous: true}}\n");
    says(&plan(&stage, "small", &wants), 3, &["synchronous"]);
    let wants = format!("{DRILL}require: {{standbys: 2}}\n");
    says(&plan(&stage, "small", &wants), 3, &["standbys"]);

    // A standby that is gone, and one that is there and gets nothing.
    assert_eq!(stage.run(&["lab", "host", "pg2", "down"]).code, Some(0));
    says(&small(&stage), 3, &["pg2"]);
    assert_eq!(stage.run(&["lab", "host", "pg2", "running"]).code, Some(0));
    stage.until_open(&small_file(&stage));

    // Nobody takes writes.
    assert_eq!(stage.run(&["lab", "host", "pg1", "down"]).code, Some(0));
    says(&small(&stage), 3, &["no node takes writes", "pg1"]);
    assert_eq!(stage.run(&["lab", "host", "pg2", "down"]).code, Some(0));
    says(&small(&stage), 4, &["pg1", "pg2"]);
    assert_eq!(stage.run(&["lab", "host", "pg1", "running"]).code, Some(0));
    assert_eq!(stage.run(&["lab", "host", "pg2", "running"]).code, Some(0));
    stage.until_open(&small_file(&stage));
    stage.down();
}

/// A slot whose log is gone: whoever it was for cannot follow any more.
#[test]
fn a_slot_that_is_lost() {
    let stage = Stage::up("postgres", &[]);
    stage.psql("pg1", "select pg_create_physical_replication_slot('away', true)");
    stage.psql("pg1", "alter system set max_slot_wal_keep_size = '1MB'");
    stage.psql("pg1", "alter system set wal_keep_size = '0'");
    stage.psql("pg1", "select pg_reload_conf()");
    let status = "select wal_status from pg_replication_slots where slot_name = 'away'";
    for _ in 0..20 {
        if stage.psql("pg1", status) == "lost" {
            break;
        }
        stage.psql("pg1", "create table if not exists filler(); drop table filler; select pg_switch_wal()");
        stage.psql("pg1", "checkpoint");
    }
    assert_eq!(stage.psql("pg1", status), "lost");
    let done = plan(&stage, "small", DRILL);
    says(&done, 3, &["slots", "slot away at pg1 is lost", "drop the slot"]);
    assert_eq!(stage.run(&["runs", "list", "--output", "json"]).out.trim(), "[]");
    stage.psql("pg1", "select pg_drop_replication_slot('away')");
    stage.until_open(&small_file(&stage));
    stage.down();
}

/// A disk with next to no room: what asks for more is refused, and said with what there is.
#[test]
fn a_disk_that_is_nearly_full() {
    let stage = Stage::up("postgres", &["stallable=on"]);
    let file = stage.known().folder.join("pg1/filler");
    // The file system has two GiB.
    nix::fcntl::posix_fallocate(std::fs::File::create(&file).unwrap(), 0, 1_700 << 20).unwrap();
    let done = plan(&stage, "small", DRILL);
    says(&done, 3, &["disk", "pg1 has ", "256 MiB are wanted", "require.freeBytes"]);
    let lower = format!("{DRILL}require: {{freeBytes: 1048576}}\n");
    assert_eq!(plan(&stage, "small", &lower).code, Some(0));
    std::fs::remove_file(&file).unwrap();
    stage.until_open(&small_file(&stage));
    stage.down();
}

/// A password that is wrong, and one that is right: neither is ever said.
#[test]
fn passwords_are_not_told() {
    let stage = Stage::up("postgres", &[]);
    let lab = std::fs::read_to_string(stage.folder().join(".interlock/lab/lab.json")).unwrap();
    let lab: serde_json::Value = serde_json::from_str(&lab).unwrap();
    let nodes: String = lab["database"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| format!("{}: \"{}\", ", node["name"].as_str().unwrap(), node["sql"].as_str().unwrap()))
        .collect();
    let text = format!(
        "apiVersion: interlock/v1alpha1\nkind: Platform\nmetadata: {{name: named}}\ntarget: {{lab: {{}}}}\ndatabases:\n  orders:\n    postgres:\n      nodes: {{{nodes}}}\n      login: {{database: interlock, user: interlock, passwordEnv: DB_PASSWORD, tls: disable}}\n"
    );
    let platform = stage.write("named", &text);
    let file = stage.write("small", DRILL);
    let right = lab["database"]["password"].as_str().unwrap().to_owned();
    for (password, words) in [("not-the-password-7711", "password"), (right.as_str(), "")] {
        let done: Done = stage
            .command(&["--platform", &platform, "drill", "plan", &file])
            .env("DB_PASSWORD", password)
            .output()
            .unwrap()
            .into();
        assert!(done.err.contains(words), "{}", done.err);
        assert!(!done.err.contains(password) && !done.out.contains(password), "it was told");
        assert_ne!(done.code, Some(0), "no host of it can be touched, and its user may not look at replication");
    }
    // Nor is it in what a whole drill leaves behind.
    let run = stage.drill("postgres-switchover");
    // 6: a machine that is too busy for a verdict; the drill went through all the same.
    assert!(matches!(run.code, Some(0 | 6)), "{run:?}");
    let secrets = [right, lab["database"]["admin_password"].as_str().unwrap().to_owned()];
    for folder in ["runs", "ledgers"] {
        for path in files(&stage.folder().join(".interlock").join(folder)) {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert!(secrets.iter().all(|secret| !text.contains(secret)), "{} tells a password", path.display());
        }
    }
    assert!(secrets.iter().all(|secret| !run.out.contains(secret) && !run.err.contains(secret)));
    stage.down();
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn documents_of_the_scenarios_are_sound() {
    for entry in std::fs::read_dir(scenario("interlock").parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        let (name, text) = (path.display().to_string(), std::fs::read_to_string(&path).unwrap());
        if path.file_stem().is_some_and(|stem| stem == "interlock") {
            continue;
        }
        let document = interlock::document::only(&name, &text).unwrap();
        let drill: interlock::document::Drill = document.parse().unwrap();
        drill.check(&document).unwrap();
        assert_eq!(Some(drill.metadata.name.as_str()), path.file_stem().and_then(|stem| stem.to_str()));
    }
}
