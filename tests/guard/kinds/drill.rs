//! The drill, on a database in memory: as planned handover, promoted by us, and left to a manager.

use std::{
    marker::PhantomData,
    path::Path,
    sync::{Arc, PoisonError},
    time::Duration,
};

use interlock::{
    guard::{Operation, Plan, Strength},
    model::{HumanDuration, Restore, Victim},
    operation::{
        self, FencedKey,
        drill::{Drill, Method, Ports, Require, Spec, Writer, ledger::Objectives, record::UrgentWriters},
        fenced_keys,
    },
    ports::Clock,
};

use super::{Effort, Subject};
use crate::database::{Failure, MemoryDatabase, OnlyAsked, Unasked};

/// One way to drill.
pub trait Way {
    const METHOD: Method;
    const MANAGED: bool;
    const RESTORE: Restore;
    /// The primary after a drill that was kept.
    const PRIMARY: &'static str;
    const NEEDS_PERSON: Option<&'static str> = None;
}

/// The role is handed over, and stays there.
pub struct Switchover;

impl Way for Switchover {
    const METHOD: Method = Method::Switchover;
    const MANAGED: bool = false;
    const RESTORE: Restore = Restore::Rejoined;
    const PRIMARY: &'static str = "b";
}

/// The primary's host is powered off, and a standby promoted.
pub struct Promote;

impl Way for Promote {
    const METHOD: Method = Method::Promote;
    const MANAGED: bool = false;
    const RESTORE: Restore = Restore::Original;
    const PRIMARY: &'static str = "a";
}

/// The primary's host is powered off, and the cluster's manager sees to the rest.
pub struct KillManaged;

impl Way for KillManaged {
    const METHOD: Method = Method::Fault("kill");
    const MANAGED: bool = true;
    const RESTORE: Restore = Restore::Original;
    const PRIMARY: &'static str = "a";
    // A manager that was asked for a switchover, and may not have heard it, may still do it.
    const NEEDS_PERSON: Option<&'static str> = Some("nothing tells whether it was taken");
}

pub struct Drilled<W> {
    database: MemoryDatabase,
    folder: tempfile::TempDir,
    ledger: tempfile::TempDir,
    unasked: Unasked,
    way: PhantomData<W>,
}

impl<W: Way> Drilled<W> {
    fn spec(&self) -> Spec {
        Spec {
            name: "small".to_owned(),
            database: "orders".to_owned(),
            method: W::METHOD,
            victim: Victim::Host,
            on: "a".to_owned(),
            primary: "a".to_owned(),
            candidate: (!W::MANAGED).then(|| "b".to_owned()),
            managed: W::MANAGED,
            length: HumanDuration::default(),
            frozen: HumanDuration::default(),
            writer: Writer { rate: 100, per_node: 0, workers: 2 },
            baseline: HumanDuration(Duration::from_millis(100)),
            // Longer than writers may pause and still count as steady: else those from before the fault would do.
            settle: HumanDuration(Duration::from_millis(250)),
            limit: HumanDuration::secs(2),
            objectives: Objectives {
                rto: Some(HumanDuration::secs(30)),
                rpo_rows: None,
                rpo_time: None,
                rows_at_risk: 0,
            },
            restore: W::RESTORE,
            repetitions: 1,
            cooldown: HumanDuration::default(),
            require: Require { synchronous: None, standbys: 1, lag: 1_000_000, free_bytes: 0 },
            users: None,
            adr: None,
            runbook: None,
            ledger: self.ledger.path().join("ledger.jsonl"),
        }
    }

    fn drill(&self) -> Drill {
        let database = Arc::new(self.database.clone());
        let ports = Ports {
            database: database.clone(),
            hosts: database.clone(),
            metrics: None,
            writers: Arc::new(UrgentWriters),
            clock: self.clock(),
        };
        // No order is ever given that the gate has not asked for.
        let asked = Drill::new(self.spec(), ports.clone()).orders();
        let hosts = Arc::new(OnlyAsked { hosts: self.database.clone(), asked, unasked: self.unasked.clone() });
        Drill::new(self.spec(), Ports { hosts, ..ports })
    }

    fn asked_for_all(&self) -> Result<(), String> {
        let unasked = self.unasked.lock().unwrap_or_else(PoisonError::into_inner);
        unasked.first().map_or(Ok(()), |order| Err(format!("no gate has asked for {order}")))
    }

    /// What comes by itself has come after a while.
    fn settled(&self) -> &MemoryDatabase {
        for _ in 0..3 {
            let _ = self.database.stand();
            self.database.clock().pass(Duration::from_mins(1));
        }
        &self.database
    }
}

impl<W: Way> Subject for Drilled<W> {
    const GONE: &'static str = "";
    const NEEDS_PERSON: Option<&'static str> = W::NEEDS_PERSON;
    const EFFORT: Effort = Effort { beside: 12, calls: 24, cuts: 36, pairs: 24, seconds: 6 };

    fn fresh() -> Self {
        let [folder, ledger] = [tempfile::tempdir(), tempfile::tempdir()].map(Result::unwrap);
        Self {
            database: MemoryDatabase::new(W::MANAGED),
            folder,
            ledger,
            unasked: Unasked::default(),
            way: PhantomData,
        }
    }

    fn plan(&self) -> Plan {
        operation::plan::<Drill>(&self.spec(), serde_json::Value::Null, Strength::None, HumanDuration::secs(10))
            .unwrap()
    }

    fn operation(&self) -> Arc<dyn Operation> {
        Arc::new(self.drill())
    }

    fn keys(&self) -> Option<Vec<FencedKey>> {
        Some(fenced_keys(&self.drill(), &self.plan()))
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.database.clock())
    }

    fn pass(&self, time: Duration) {
        self.database.clock().pass(time);
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn calls(&self) -> u64 {
        self.database.calls()
    }

    fn fail_after(&self, passing: u64, calls: u64, how: Failure) {
        self.database.fail_after(passing, calls, how);
    }

    fn lose_write(&self, after: u64) -> bool {
        self.database.lose_effect(after);
        true
    }

    fn answer_again(&self) {
        self.database.answer_again();
    }

    fn writes(&self) -> u64 {
        self.database.effects().len() as u64
    }

    fn stand(&self) -> String {
        self.asked_for_all().map_or_else(|unasked| unasked, |()| self.settled().stand())
    }

    fn is_as_before(&self) -> Result<(), String> {
        self.asked_for_all().and_then(|()| self.settled().is_whole("a"))
    }

    fn is_as_planned(&self, _: Option<&str>) -> Result<(), String> {
        self.asked_for_all().and_then(|()| self.settled().is_whole(W::PRIMARY))
    }
}
