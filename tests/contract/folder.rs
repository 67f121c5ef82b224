//! The contract of the run store over a folder.

use std::sync::Arc;

use interlock::{
    adapters::{SystemClock, store::FolderStore},
    guard::milestone,
    journal::Owner,
    ports::{Opening, Store as _},
};

use crate::store;

fn open(folder: &tempfile::TempDir) -> FolderStore {
    FolderStore::new(folder.path(), Arc::new(SystemClock), milestone)
}

#[tokio::test]
async fn a_folder_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    store::keeps_the_contract(&open(&folder)).await;
}

#[tokio::test]
async fn two_stores_in_a_folder_are_one_place() {
    // Again and again: whoever is faster differs.
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        store::two_stores_are_one_place(&open(&folder), &open(&folder)).await;
    }
}

#[tokio::test]
async fn a_folder_shows_what_was_tampered_with() {
    let folder = tempfile::tempdir().unwrap();
    let kept = open(&folder);
    let change = |edit: fn(Vec<&str>) -> String| {
        let kept = &kept;
        async move |run: &interlock::model::RunId| {
            let path = kept.folder(run).join("journal.jsonl");
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, edit(text.split_inclusive('\n').collect())).unwrap();
        }
    };
    store::tampering_shows(&kept, 1, change(|lines| lines.concat().replace("\"step\":2", "\"step\":3"))).await;
    store::tampering_shows(&kept, 2, change(|lines| [lines[0], lines[2], lines[3]].concat())).await;
    store::tampering_shows(&kept, 3, change(|lines| [lines[0], lines[2], lines[1], lines[3]].concat())).await;
    store::tampering_shows(&kept, 4, change(|lines| lines[..3].concat())).await;
}

/// A folder of a run is lost as a whole, in part, or to a restored disk; nobody is locked out by it.
#[tokio::test]
async fn a_lost_journal_locks_nobody_out() {
    for (number, lose) in (51..).zip([
        (|folder: &std::path::Path| std::fs::remove_dir_all(folder).unwrap()) as fn(&std::path::Path),
        |folder| std::fs::remove_file(folder.join("journal.jsonl")).unwrap(),
        |folder| std::fs::write(folder.join("journal.jsonl"), "").unwrap(),
        |folder| {
            std::fs::remove_dir_all(folder).unwrap();
            std::fs::create_dir(folder).unwrap();
        },
    ]) {
        let folder = tempfile::tempdir().unwrap();
        let kept = open(&folder);
        let (owner, ttl) = (Owner::current().unwrap(), std::time::Duration::from_secs(10));
        let grant = kept.open(&Opening::new(&store::run(number), &store::target("lost"), &owner, ttl)).await.unwrap();
        kept.append(&grant, serde_json::json!({ "applied": { "step": 0 } }).into()).await.unwrap();
        lose(&kept.folder(&grant.run));
        store::a_target_is_freed(&kept, &grant).await;
    }
}
