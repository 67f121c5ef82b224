//! `runs list` over ten thousand runs that are over.

use std::{fs, path::Path};

use interlock::{
    adapters::store::FolderStore,
    app,
    guard::{Action, Entry, NoData, Outcome, Plan, Start, Step, Strength, Verdict, begin, milestone},
    model::{HumanDuration, RunId, Target},
    ports::Store as _,
};
use serde_json::json;

use crate::{
    Figure,
    times::{measure, peak_of_children},
};

/// How many runs the store has.
const RUNS: usize = 10_000;
/// How many observations each run has recorded, of 3 KiB each.
const OBSERVATIONS: usize = 10;

/// The time of a list, and its memory at most.
///
/// # Errors
/// Where the runs cannot be written, or the list does not end well.
pub fn figures() -> anyhow::Result<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    write(&folder.path().join("runs"))?;
    let (value, worst) = measure(folder.path(), &["runs", "list", "--store", "runs"])?;
    let peak = peak_of_children()?;
    Ok(vec![
        Figure { what: "interlock runs list, 10,000 runs", value, worst, bar: 1000.0, unit: "ms" },
        Figure { what: "memory of that at most", value: peak, worst: peak, bar: 50.0, unit: "MB" },
    ])
}

fn plan() -> anyhow::Result<Plan> {
    let change = Action::Change { key: "weights".to_owned(), to: json!(100), only_if_clean: None };
    Ok(Plan {
        operation: "switchover".to_owned(),
        target: Target::parse("tenant").map_err(anyhow::Error::msg)?,
        title: "switchover tenant from blue to green".to_owned(),
        platform: json!("p".repeat(4 * 1024)),
        spec: json!(null),
        steps: vec![Step { name: "shift".to_owned(), action: change }],
        no_data: NoData::Hold,
        guard: Strength::None,
        ttl: HumanDuration::secs(10),
    })
}

/// Writes one run as an operator does, and copies it.
fn write(root: &Path) -> anyhow::Result<()> {
    let store = FolderStore::new(root, app::clock(), milestone);
    let run = RunId::parse("20260101-000000-0000").map_err(anyhow::Error::msg)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let plan = plan()?;
    runtime.block_on(async {
        let grant = begin(&store, &run, &plan, &Start::default()).await?;
        let evidence = json!("e".repeat(3 * 1024));
        let (verdict, line) = (Verdict::Wait, String::new());
        let observed = Entry::Observed { step: 0, ms: 1_000, verdict, line, evidence, snapshot: None };
        let finished = Entry::Finished { outcome: Outcome::Kept { warning: None } };
        for entry in std::iter::repeat_n(&observed, OBSERVATIONS).chain([&finished]) {
            store.append(&grant, entry.draft()?).await?;
        }
        store.release(&grant).await?;
        anyhow::Ok(())
    })?;
    let first = store.folder(&run);
    let names: Vec<_> = fs::read_dir(&first)?.map(|file| Ok(file?.file_name())).collect::<std::io::Result<_>>()?;
    for number in 1..RUNS {
        let copy = root.join(format!("20260101-{number:06}-0000"));
        fs::create_dir(&copy)?;
        for name in &names {
            fs::copy(first.join(name), copy.join(name))?;
        }
    }
    Ok(())
}
