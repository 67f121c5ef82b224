//! `interlock runs` over stores that the library has written, and that somebody has tampered with.

use std::{
    fs,
    path::{Path, PathBuf},
};

use interlock::{
    adapters::store::FolderStore,
    app,
    guard::{Action, Entry, NoData, Outcome, Plan, Step, Strength, begin, milestone},
    model::{HumanDuration, RunId, Target},
    ports::Store as _,
};
use serde_json::{Value, json};

use crate::{interlock, platform};

const RUN: &str = "20261121-093000-1f2e";

fn plan() -> Plan {
    let change = Action::Change { key: "weights".to_owned(), to: json!(100), only_if_clean: None };
    Plan {
        operation: "switchover".to_owned(),
        target: Target::parse("tenant").unwrap(),
        title: "switchover tenant from blue to green".to_owned(),
        platform: Value::Null,
        spec: Value::Null,
        steps: vec![Step { name: "shift".to_owned(), action: change }],
        no_data: NoData::Hold,
        guard: Strength::None,
        ttl: HumanDuration::secs(10),
    }
}

/// Writes a run that was kept; names its journal.
async fn write_run(folder: &Path) -> PathBuf {
    let runs = folder.join(".interlock/runs");
    let store = FolderStore::new(&runs, app::clock(), milestone);
    let run = RunId::parse(RUN).unwrap();
    let grant = begin(&store, &run, &plan(), &[], &[]).await.unwrap();
    for entry in [
        Entry::Captured { step: 0, prior: json!(0) },
        Entry::Applied { step: 0 },
        Entry::Finished { outcome: Outcome::Kept { warning: None } },
    ] {
        store.append(&grant, entry.draft().unwrap()).await.unwrap();
    }
    store.release(&grant).await.unwrap();
    store.folder(&run).join("journal.jsonl")
}

#[test]
fn an_empty_store_says_so() {
    let (_guard, folder) = platform();
    insta::assert_snapshot!(interlock(&folder, &["runs", "list"]).told(&folder), @r"
    exit 0
    -- out
    -- err
    no runs in [folder]/.interlock/runs
    ");
    assert_eq!(interlock(&folder, &["runs", "list", "-o", "json"]).json(), json!([]));
    assert_eq!(interlock(&folder, &["runs", "verify", "-o", "json"]).json(), json!([]));
    assert!(!folder.join(".interlock").exists(), "reading made something");
}

#[tokio::test]
async fn a_whole_run_is_listed_shown_and_verified() {
    let (_guard, folder) = platform();
    write_run(&folder).await;
    let listed = interlock(&folder, &["runs", "list", "-o", "json"]);
    assert_eq!((listed.code, listed.err.as_str()), (0, ""));
    assert_eq!((&listed.json()[0]["run"], &listed.json()[0]["state"]), (&json!(RUN), &json!("kept")));
    assert!(interlock(&folder, &["runs", "list"]).out.contains(RUN));

    let shown = interlock(&folder, &["runs", "show", RUN, "-o", "json"]);
    assert_eq!((shown.code, shown.err.as_str()), (0, ""));
    assert_eq!(shown.json().as_array().unwrap().len(), 5);

    let verified = interlock(&folder, &["runs", "verify", "-o", "json"]);
    assert_eq!((verified.code, &verified.json()[0]["standing"]), (0, &json!("whole")));
    let head = verified.json()[0]["head"].as_str().unwrap().to_owned();
    assert_eq!(interlock(&folder, &["runs", "verify", RUN, "--head", &head[..12]]).code, 0);
    let other = interlock(&folder, &["runs", "verify", RUN, "--head", "0123456789ab"]);
    assert_eq!(other.code, 1, "{}", other.out);
    assert!(other.out.contains("REWRITTEN"), "{}", other.out);
}

#[tokio::test]
async fn a_tampered_journal_is_found() {
    let (_guard, folder) = platform();
    let journal = write_run(&folder).await;
    let text = fs::read_to_string(&journal).unwrap();
    assert!(text.contains("\"prior\":0"));
    fs::write(&journal, text.replace("\"prior\":0", "\"prior\":9")).unwrap();
    let told = interlock(&folder, &["runs", "verify"]).told(&folder);
    let hash = regex::Regex::new("[0-9a-f]{12}").unwrap();
    insta::assert_snapshot!(hash.replace_all(&told, "[hash]"), @r"
    exit 1
    -- out
    20261121-093000-1f2e  TAMPERED   [folder]/.interlock/runs/20261121-093000-1f2e/journal.jsonl record 2: its content has hash [hash], the line says [hash]
    -- err
    ");
    let said = interlock(&folder, &["runs", "verify", "-o", "json"]);
    assert_eq!((said.code, &said.json()[0]["standing"]), (1, &json!("tampered")));
    // The others read no farther than the journal can be trusted.
    // It is not said to be rolled back, which is what 1 means of a run.
    for args in [&["show", RUN][..], &["report", RUN], &["recover", RUN], &["abort", RUN], &["resume", RUN]] {
        assert_eq!(interlock(&folder, &[&["runs"], args].concat()).code, 5, "{args:?}");
    }
    let listed = interlock(&folder, &["runs", "list", "-o", "json"]);
    assert_eq!((listed.code, listed.json()), (0, json!([])));
    assert!(listed.err.contains(RUN), "{}", listed.err);
}

#[tokio::test]
async fn a_run_that_is_over_is_neither_recovered_nor_resolved() {
    let (_guard, folder) = platform();
    write_run(&folder).await;
    for args in [&["runs", "resolve", RUN, "--as", "kept", "--reason", "seen"][..], &["switchover", "abort", "tenant"]]
    {
        let said = interlock(&folder, args);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{args:?}: {}", said.err);
    }
}
