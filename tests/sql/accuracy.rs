//! Outages of known length before a real server: the interval holds the truth of a clock that is not the ledger's.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use interlock::{
    adapters::postgres_cluster,
    app,
    lab::LabDatabase,
    model::Epoch,
    operation::drill::{
        ledger::{Mark, Measurement, Micros, Outage, measure},
        record::{Recorder, WriterSpec, read_back},
    },
    ports::{ByHand, Database},
};
use thread_priority::{
    RealtimeThreadSchedulePolicy::RoundRobin, ThreadPriority, ThreadSchedulePolicy::Realtime,
    set_thread_priority_and_policy, thread_native_id,
};
use tokio::{
    runtime::{Builder, Runtime},
    time::sleep,
};

use crate::{door::Door, stage::Stage};

/// Slots a second, of the writer that looks for the primary and of each that is pinned to a node.
const RATE: f64 = 500.0;
/// How long everything is as it should be, before and after an outage.
const CALM: Duration = Duration::from_millis(1_500);
/// What an interval is wider than two periods and this run's worst gap without a fault: a connection is made anew.
const SLACK: Micros = Micros(10_000);
/// How much wider than expected an interval may be on a machine that is busy with something else; how narrow it is on a quiet
/// one is measured by the benchmark.
const BUSY: u64 = 10;
/// So often an outage is looked at again in which the machine was silent for longer than the door was shut.
const TRIES: usize = 5;

/// An outage as the door's own clock has it: it began and ended within these.
struct Truth {
    shut: (Micros, Micros),
    open: (Micros, Micros),
}

impl Truth {
    fn shortest(&self) -> Micros {
        self.open.0.since(self.shut.1)
    }

    fn longest(&self) -> Micros {
        self.open.1.since(self.shut.0)
    }
}

/// The lab's PostgreSQL, whose primary is reached through a door.
fn through(lab: &LabDatabase, door: &Door) -> Arc<dyn Database> {
    let nodes = [("pg1".to_owned(), door.address.to_string())];
    postgres_cluster(&nodes, app::lab_login(lab)).unwrap()
}

async fn outage(folder: &Path, lab: &LabDatabase, door: &mut Door, length: Duration) -> (Measurement, Truth) {
    let database = through(lab, door);
    database.set_ledger("pg1", true, &ByHand(Epoch(0))).await.unwrap();
    let ledger = folder.join("accuracy.jsonl");
    let recorder = Recorder::start(database.clone(), WriterSpec::new(RATE), &ledger, 1).await.unwrap();
    let zero = Instant::now().checked_sub(recorder.now().into()).unwrap();
    let at = |instant: Instant| Micros::from(instant.saturating_duration_since(zero));
    sleep(CALM).await;
    recorder.mark(Mark::BaselineEnded);
    recorder.mark(Mark::Fault);
    let (before, after, cut) = door.shut().await;
    assert!(cut > 0, "no connection was there to be cut");
    let shut = (at(before), at(after));
    sleep(length).await;
    let (before, after) = door.open().await;
    recorder.mark(Mark::Released);
    sleep(CALM).await;
    let mut records = recorder.stop().await;
    read_back(&*database, &mut records, Duration::from_secs(5)).await;
    database.set_ledger("pg1", false, &ByHand(Epoch(0))).await.unwrap();
    (measure(&records).unwrap(), Truth { shut, open: (at(before), at(after)) })
}

/// Whether it was the door that was the longest silence; then the interval has to hold the truth, and not much more.
fn holds(measured: &Measurement, truth: &Truth) -> bool {
    let Outage::Seen { lower, upper, from, until } = measured.outage else {
        panic!("{:?} of {}", measured.outage, truth.shortest())
    };
    let limit = measured.resolution.periods + measured.resolution.baseline + SLACK;
    let wide = upper.since(lower);
    println!(
        "| {} to {} | {lower} to {upper} | {wide} | {limit} | {} | {:.2} % |",
        truth.shortest(),
        truth.longest(),
        measured.resolution.baseline,
        measured.slots[0].share() * 100.0,
    );
    if truth.shut.1 < from || until < truth.open.0 {
        println!("this machine was silent for longer than the door was shut");
        return false;
    }
    assert!(lower <= truth.longest() && truth.shortest() <= upper, "the interval does not hold the truth");
    assert!(wide.0 <= limit.0 * BUSY, "the interval is far wider than {limit}");
    true
}

/// The door's clock has to be read when the door moves, so its threads go before others like the writers'.
fn urgent() -> Runtime {
    let first = || {
        let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, Realtime(RoundRobin));
    };
    Builder::new_multi_thread().worker_threads(2).on_thread_start(first).enable_all().build().unwrap()
}

async fn all_lengths(folder: PathBuf, lab: LabDatabase) {
    let mut door = Door::to(lab.nodes[0].sql).await;
    println!("\n| truth, by the door's clock | interval | wide | allowed | worst gap before | slots missed |");
    println!("|---|---|---|---|---|---|");
    for millis in [50, 200, 1_000] {
        let mut told = false;
        for _ in 0..TRIES {
            let (measured, truth) = outage(&folder, &lab, &mut door, Duration::from_millis(millis)).await;
            let fate = measured.fate.as_ref().unwrap();
            assert_eq!((fate.lost.count, fate.duplicates.count, fate.phantoms.count), (0, 0, 0));
            told = holds(&measured, &truth);
            if told {
                break;
            }
        }
        assert!(told, "this machine was silent for longer than {millis} ms in each of {TRIES} outages");
    }
}

#[test]
fn outages_of_known_length() {
    let stage = Stage::up("postgres", &[]);
    let runtime = urgent();
    runtime.block_on(runtime.spawn(all_lengths(stage.folder().to_owned(), stage.known()))).unwrap();
    stage.down();
}
