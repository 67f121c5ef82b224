//! Lists of runs and their pruning, over a disk that counts what is read and whose power fails.

use std::{path::Path, sync::Arc, time::Duration};

use interlock::{
    adapters::store::FolderStore,
    guard::{Entry, Mode, Outcome, Start, Verdict, begin, milestone, prunable, prune, summaries},
    journal::Owner,
    model::RunId,
    ports::{Clock as _, IsEnough, LAST, Store as _},
};
use serde_json::json;

use crate::{
    memory_disk::{LEFT, Left, MemoryDisk},
    shelf::{HandClock, plan, run_id},
};

const ROOT: &str = "/home/runs";
/// What is read of a run at most: both ends of its journal and the first line of its newest part, 8 KiB of each, and small things.
const OF_A_RUN: u64 = 4 * 8 * 1024;

fn store(disk: &MemoryDisk, clock: &Arc<HandClock>) -> FolderStore {
    FolderStore::on(Arc::new(disk.clone()), ROOT, clock.clone(), milestone)
}

/// Writes a run that was kept after so many observations with 16 KiB of evidence each.
async fn write(store: &FolderStore, run: &RunId, observations: u64, taken_over: bool) {
    let mut grant = begin(store, run, &plan(), &Start::default()).await.unwrap();
    if taken_over {
        let lock = store.lock(&plan().target).await.unwrap().unwrap();
        grant = store.take_over(&lock, &Owner::current().unwrap()).await.unwrap();
    }
    store.save_snapshot(&grant, 0, "where series stand").await.unwrap();
    let evidence = json!("e".repeat(16 * 1024));
    let (verdict, line) = (Verdict::Wait, String::new());
    let observed = Entry::Observed { step: 0, ms: 1_000, verdict, line, evidence, snapshot: None };
    let finished = Entry::Finished { outcome: Outcome::Kept { warning: None } };
    let notified = Entry::Notified { receiver: "pager".to_owned(), failed: None };
    for entry in (0..observations).map(|_| &observed).chain([&finished, &notified]) {
        store.append(&grant, entry.draft().unwrap()).await.unwrap();
    }
    store.release(&grant).await.unwrap();
}

#[tokio::test]
async fn what_a_list_reads_of_a_run_does_not_grow_with_its_journal() {
    for (observations, taken_over) in [(0, false), (40, false), (40, true)] {
        let (disk, clock) = (MemoryDisk::default(), Arc::new(HandClock::default()));
        let store = store(&disk, &clock);
        let mut run = run_id();
        for _ in 0..10 {
            write(&store, &run, observations, taken_over).await;
            run = run.another();
        }
        let before = disk.bytes_read();
        let all = summaries(&store).await.unwrap();
        let read = (disk.bytes_read() - before) / 10;
        let kept = all.iter().flatten().filter(|run| matches!(run.mode, Mode::Finished(Outcome::Kept { .. })));
        assert_eq!((kept.count(), all.len()), (10, 10));
        assert!(read <= OF_A_RUN, "{read} bytes of a run with {observations} observations");
    }
}

/// Records are read back to one that is enough, and no further.
#[tokio::test]
async fn no_more_records_are_kept_than_are_asked_for() {
    let (disk, clock) = (MemoryDisk::default(), Arc::new(HandClock::default()));
    let store = store(&disk, &clock);
    write(&store, &run_id(), 5, false).await;
    let records = store.load(&run_id()).await.unwrap();
    for (enough, count) in
        [((|_| true) as IsEnough, 1), (|record| record.entry.get("notified").is_none(), 2), (|_| false, LAST)]
    {
        let ends = store.ends(&[run_id()], enough).await.remove(0).unwrap();
        assert_eq!((ends.first.as_ref(), &ends.last[..]), (records.first(), &records[records.len() - count..]));
    }
}

/// The power fails at every call that pruning makes of the disk: the journal is whole, or the next pruning ends it.
#[tokio::test]
async fn pruning_that_was_cut_short_is_finished_by_the_next() {
    let (disk, clock) = (MemoryDisk::default(), Arc::new(HandClock::default()));
    let run = run_id();
    write(&store(&disk, &clock), &run, 2, true).await;
    let head = store(&disk, &clock).head(&run).await.unwrap();
    clock.pass(Duration::from_hours(1));
    let now = clock.now().wall;
    let (mut cuts, mut halves) = (0, 0);
    for at in 1.. {
        let mut is_over = false;
        for left in LEFT {
            let cut = disk.after_power_cut(Left::All);
            cut.cut_at(at);
            is_over = prune(&store(&cut, &clock), &run, now).await.is_ok();
            let cut = cut.after_power_cut(left);
            let store = store(&cut, &clock);
            let told = format!("power cut before call {at}, {left:?}");
            assert_eq!(store.head(&run).await.unwrap(), head, "{told}");
            let half = store.half_pruned().await.unwrap();
            halves += half.len();
            let again = prunable(&store, now).await.unwrap();
            for summary in &again {
                let record = prune(&store, &summary.run, now).await.unwrap();
                assert_eq!(record.prev, head, "{told}");
            }
            assert!(prunable(&store, now).await.unwrap().is_empty(), "{told}");
            let files = cut.files(&Path::new(ROOT).join(run.as_str()));
            let mut names: Vec<_> = files.iter().map(|path| path.file_name().unwrap().to_string_lossy()).collect();
            names.retain(|name| !name.starts_with("closed-"));
            assert_eq!(names, ["pruned.jsonl", "run.json"], "{told}");
            cuts += 1;
        }
        if is_over {
            break;
        }
    }
    assert!(cuts > 20 && halves > 4, "{cuts} cuts, {halves} of them in the middle");
}
