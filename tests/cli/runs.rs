//! `interlock runs` over stores that the library has written, and that somebody has tampered with.

use std::{
    fs,
    path::{Path, PathBuf},
};

use interlock::{
    adapters::store::FolderStore,
    app,
    guard::{Action, Entry, NoData, Outcome, Plan, Start, Step, Strength, begin, milestone},
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
    let grant = begin(&store, &run, &plan(), &Start::default()).await.unwrap();
    for entry in [
        Entry::Captured { step: 0, prior: json!(0), object: None },
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
    // A list looks at the ends of a journal, and neither is changed.
    let listed = interlock(&folder, &["runs", "list", "-o", "json"]);
    assert_eq!((listed.code, &listed.json()[0]["state"]), (0, &json!("kept")), "{}", listed.err);
}

/// A store that somebody has named and that is not there is no store without runs.
#[test]
fn a_named_store_that_is_not_there_is_refused() {
    let (_guard, folder) = platform();
    for args in [&["runs", "list", "--store", "gone"][..], &["runs", "verify", "--store", "gone"]] {
        let said = interlock(&folder, args);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{args:?}");
        assert!(said.err.contains("there is no folder gone"), "{}", said.err);
    }
}

/// A run whose operator is gone and whose journal is lost, in part or changed: the target is given free, and nothing else is done.
#[tokio::test]
async fn a_lost_journal_is_settled_by_hand() {
    type Lose = fn(&Path);
    let losses: [Lose; 2] = [
        |journal| fs::remove_file(journal).unwrap(),
        |journal| {
            fs::write(journal, fs::read_to_string(journal).unwrap().replace("\"prior\":0", "\"prior\":9")).unwrap()
        },
    ];
    for lose in losses {
        let (_guard, folder) = platform();
        let store = FolderStore::new(folder.join(".interlock/runs"), app::clock(), milestone);
        let run = RunId::parse(RUN).unwrap();
        let grant = begin(&store, &run, &plan(), &Start::default()).await.unwrap();
        store
            .append(&grant, Entry::Captured { step: 0, object: None, prior: json!(0) }.draft().unwrap())
            .await
            .unwrap();
        lose(&store.folder(&run).join("journal.jsonl"));
        let resolve = ["runs", "resolve", RUN, "--as", "undone", "--reason", "looked at it"];
        // Its owner is this very test, and alive.
        assert_eq!(interlock(&folder, &resolve).code, 3);
        make_owner_gone(&folder);
        let settled = interlock(&folder, &resolve);
        assert_eq!(settled.code, 0, "{}", settled.err);
        assert!(settled.out.contains("tenant is free; nothing on the platform was touched"), "{}", settled.out);
        let lock = store.lock(&plan().target).await.unwrap().unwrap();
        assert_eq!(lock.run, None);
        assert_ne!(interlock(&folder, &resolve).code, 0, "there is nothing left to settle");
    }
}

/// The claim of a process that has ended long ago.
fn make_owner_gone(folder: &Path) {
    let claims = folder.join(".interlock/runs/locks/tenant.claims");
    for entry in fs::read_dir(claims).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|kind| kind == "json") {
            let mut claim: Value = serde_json::from_slice(&fs::read(entry.path()).unwrap()).unwrap();
            claim["owner"]["process"]["start_ticks"] = json!(1);
            fs::write(entry.path(), claim.to_string()).unwrap();
        }
    }
}

/// The list goes by the ends of the journals, and says the same of each as the whole journal does.
#[tokio::test]
async fn many_runs_are_listed_by_their_ends() {
    let (_guard, folder) = platform();
    let journal = write_run(&folder).await;
    let (first, runs) = (journal.parent().unwrap(), folder.join(".interlock/runs"));
    for number in 0..300 {
        let copy = runs.join(format!("20260101-{number:06}-0000"));
        fs::create_dir(&copy).unwrap();
        for name in ["journal.jsonl", "head.json", "run.json"] {
            fs::copy(first.join(name), copy.join(name)).unwrap();
        }
    }
    let listed = interlock(&folder, &["runs", "list", "-o", "json"]);
    assert_eq!((listed.code, listed.err.as_str()), (0, ""));
    let all = listed.json();
    assert_eq!(all.as_array().unwrap().len(), 301);
    assert!(all.as_array().unwrap().iter().all(|run| run["state"] == "kept" && run["title"] == plan().title));
    // A last record that was changed shows all the same.
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text.replace("\"kept\":", "\"kept\" :")).unwrap();
    let listed = interlock(&folder, &["runs", "list", "-o", "json"]);
    assert_eq!(listed.json().as_array().unwrap().len(), 300);
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

/// Writes a run as far as these entries; whether it gives its target free.
async fn write_to(folder: &Path, (run, target): (&str, &str), entries: &[Entry], released: bool) -> PathBuf {
    let store = FolderStore::new(folder.join(".interlock/runs"), app::clock(), milestone);
    let (run, target) = (RunId::parse(run).unwrap(), Target::parse(target).unwrap());
    let grant = begin(&store, &run, &Plan { target, ..plan() }, &Start::default()).await.unwrap();
    for entry in entries {
        store.append(&grant, entry.draft().unwrap()).await.unwrap();
    }
    if released {
        store.release(&grant).await.unwrap();
    }
    store.folder(&run)
}

fn listing(folder: &Path) -> Vec<(String, u64)> {
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(Result::unwrap)
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.metadata().unwrap().len()))
        .collect();
    all.sort();
    all
}

/// Only what is over is pruned, and of that only what the store has made; all the rest stays byte for byte.
#[tokio::test]
async fn pruning_leaves_what_is_not_over_and_what_is_not_ours() {
    let (_guard, folder) = platform();
    let finished = |outcome: Outcome| [Entry::Applied { step: 0 }, Entry::Finished { outcome }];
    let why = || "half of it".to_owned();
    let kept = write_run(&folder).await.parent().unwrap().to_owned();
    fs::write(kept.join("notes.txt"), "of a person").unwrap();
    fs::write(kept.join("journal-of-mine.md"), "of a person").unwrap();
    let back = ("20261121-093001-1f2e", "other");
    let back = write_to(&folder, back, &finished(Outcome::RolledBack { why: why() }), true).await;
    let stays = [
        write_to(&folder, ("20261121-093002-1f2e", "a"), &finished(Outcome::Stuck { why: why() }), false).await,
        write_to(&folder, ("20261121-093003-1f2e", "b"), &[Entry::Held { why: why() }], false).await,
        write_to(&folder, ("20261121-093004-1f2e", "c"), &[Entry::Applied { step: 0 }], false).await,
        // Over, as far as its journal goes, and its target is not given free yet.
        write_to(&folder, ("20261121-093005-1f2e", "d"), &finished(Outcome::Kept { warning: None }), false).await,
    ];
    let before: Vec<_> = stays.iter().map(|folder| listing(folder)).collect();
    let heads = interlock(&folder, &["runs", "verify", "-o", "json"]).json();

    // Nothing is old enough; nobody confirms; only looked at.
    let all = listing(&kept);
    assert_eq!(interlock(&folder, &["runs", "prune", "--older", "1h", "--yes"]).code, 0);
    assert_eq!(interlock(&folder, &["runs", "prune", "--older", "0s"]).code, 2);
    let told = interlock(&folder, &["runs", "prune", "--older", "0s", "--dry-run", "-o", "json"]);
    assert_eq!(told.json(), json!([RUN, "20261121-093001-1f2e"]));
    assert_eq!(listing(&kept), all);

    let pruned = interlock(&folder, &["runs", "prune", "--older", "0s", "--yes", "-o", "json"]);
    assert_eq!(pruned.code, 0, "{}", pruned.err);
    let names: Vec<_> = listing(&kept).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["closed-0000000001", "journal-of-mine.md", "notes.txt", "pruned.jsonl", "run.json"]);
    assert_eq!(listing(&back).len(), 3);
    assert_eq!(stays.iter().map(|folder| listing(folder)).collect::<Vec<_>>(), before);

    // What was noted of it still tells that it was this one.
    let noted = heads[0]["head"].as_str().unwrap();
    assert_eq!(pruned.json()[0]["head"], noted);
    let verified = interlock(&folder, &["runs", "verify", RUN, "--head", noted, "-o", "json"]);
    assert_eq!((verified.code, &verified.json()[0]["standing"]), (0, &json!("pruned")));
    assert_eq!(interlock(&folder, &["runs", "verify", RUN, "--head", "0123456789ab"]).code, 1);
    assert_eq!(interlock(&folder, &["runs", "verify"]).code, 0);
    let listed = interlock(&folder, &["runs", "list", "-o", "json"]).json();
    assert_eq!((&listed[0]["state"], &listed[0]["pruned"]), (&json!("kept"), &json!(true)));
    assert_eq!(listed[0]["title"], plan().title);
    assert!(listed[2].get("pruned").is_none());
    let shown = interlock(&folder, &["runs", "show", RUN]);
    assert!(shown.out.contains(&format!("journal: pruned, head {noted}")), "{}", shown.out);
    for args in [
        &["report", RUN][..],
        &["recover", RUN],
        &["resume", RUN],
        &["resolve", RUN, "--as", "kept", "--reason", "seen"],
    ] {
        let said = interlock(&folder, &[&["runs"], args].concat());
        assert_eq!(said.code, 2, "{args:?}: {}", said.err);
    }
    // There is nothing left to prune, and the line is as tamper-evident as what it stands for.
    assert_eq!(interlock(&folder, &["runs", "prune", "--older", "0s", "--dry-run", "-o", "json"]).json(), json!([]));
    let line = kept.join("pruned.jsonl");
    fs::write(&line, fs::read_to_string(&line).unwrap().replace("\"kept\"", "\"Kept\"")).unwrap();
    assert_eq!(interlock(&folder, &["runs", "verify", RUN]).code, 1);
}

/// A journal that is not what was written is evidence, and stays.
#[tokio::test]
async fn a_tampered_journal_is_not_pruned() {
    let (_guard, folder) = platform();
    // Changed where a list does not look.
    let mut entries = vec![Entry::Captured { step: 0, prior: json!(0), object: None }];
    entries.extend(vec![Entry::Applied { step: 0 }; 5]);
    entries.push(Entry::Finished { outcome: Outcome::Kept { warning: None } });
    let journal = write_to(&folder, (RUN, "tenant"), &entries, true).await.join("journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap().replace("\"prior\":0", "\"prior\":9");
    fs::write(&journal, &text).unwrap();
    let said = interlock(&folder, &["runs", "prune", "--older", "0s", "--yes"]);
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(said.out.contains("LEFT"), "{}", said.out);
    assert_eq!(fs::read_to_string(&journal).unwrap(), text);
}
