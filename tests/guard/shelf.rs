//! A platform that is a shelf of values, an operation on it, and a clock that never waits.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use interlock::{
    guard::{Action, Context, NoData, Observation, ObserveContext, Operation, Plan, Silent, Step, Strength, Verdict},
    model::{Epoch, HumanDuration, Moment, RunId, Target, Timestamp},
    ports::{Clock, Permit, PortError, Store},
};
use serde_json::{Value, json};

/// Moves only when it is told to, or slept on.
#[derive(Default)]
pub struct HandClock(AtomicU64, AtomicU64);

impl HandClock {
    /// Lets time pass on both clocks.
    pub fn pass(&self, time: Duration) {
        self.0.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// Sets the wall clock to another day, as a bad time server would.
    pub fn jump(&self, seconds: u64) {
        self.1.store(seconds, Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for HandClock {
    fn now(&self) -> Moment {
        let boot = Duration::from_millis(1_000_000 + self.0.load(Ordering::SeqCst));
        let seconds = i64::try_from(boot.as_secs() + self.1.load(Ordering::SeqCst)).unwrap();
        Moment { wall: Timestamp::from_second(1_700_000_000 + seconds).unwrap(), boot }
    }

    async fn sleep(&self, length: Duration) {
        self.pass(length);
        tokio::task::yield_now().await;
    }
}

/// What stands on the shelf, and who may write there.
#[derive(Default)]
pub struct Shelf {
    values: Mutex<BTreeMap<String, Value>>,
    highest: Mutex<BTreeMap<String, u64>>,
    /// How often it was looked at.
    pub looks: AtomicU64,
    /// Every effective write, oldest first.
    pub writes: Mutex<Vec<String>>,
    /// Writes to this key fail.
    pub broken: Mutex<Option<String>>,
    /// Going back at this key would do harm.
    pub dead: Mutex<Option<String>>,
    /// Somebody writes this as soon as it was looked at whether this key can go back.
    pub meddling: Mutex<Option<(String, Value)>>,
    /// How many calls there were.
    pub calls: AtomicU64,
    /// The calls of these numbers fail: before they do anything, or where so said after they did it.
    pub failing: Mutex<(Range<u64>, bool)>,
    /// What the looks say, by the name in the step; `pass` where nothing is said.
    pub verdicts: Mutex<BTreeMap<String, Verdict>>,
}

impl Shelf {
    pub fn with(values: &[(&str, Value)]) -> Arc<Self> {
        let shelf = Self::default();
        *shelf.values.lock().unwrap() = values.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        Arc::new(shelf)
    }

    pub fn values(&self) -> BTreeMap<String, Value> {
        self.values.lock().unwrap().clone()
    }

    /// Writes behind interlock's back.
    pub fn meddle(&self, key: &str, value: Value) {
        self.values.lock().unwrap().insert(key.to_owned(), value);
    }

    /// Each key fences for itself, as the objects of real platforms do.
    fn raise(&self, key: &str, epoch: Epoch) -> Result<(), PortError> {
        let mut highest = self.highest.lock().unwrap();
        let highest = highest.entry(key.to_owned()).or_insert(0);
        if *highest > epoch.0 {
            return Err(PortError::Superseded { ours: epoch.0, theirs: *highest });
        }
        *highest = epoch.0;
        Ok(())
    }

    fn found(&self, key: &str) -> Result<Value, PortError> {
        self.values.lock().unwrap().get(key).cloned().ok_or_else(|| PortError::NotFound { what: key.to_owned() })
    }

    /// Begins a call; says what its answer is.
    fn call(&self) -> Result<Result<(), PortError>, PortError> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let (failing, unanswered) = self.failing.lock().unwrap().clone();
        let gone = || Err(PortError::unreachable("the shelf", "gone"));
        match failing.contains(&number) {
            true if unanswered => Ok(gone()),
            true => gone().map(Ok),
            false => Ok(Ok(())),
        }
    }

    pub fn say(&self, watch: &str, verdict: Verdict) {
        self.verdicts.lock().unwrap().insert(watch.to_owned(), verdict);
    }
}

#[async_trait]
impl Operation for Shelf {
    async fn read(&self, key: &str) -> Result<Value, PortError> {
        self.call()??;
        self.found(key)
    }

    async fn fence(&self, key: &str, epoch: Epoch) -> Result<Value, PortError> {
        let answer = self.call()?;
        self.raise(key, epoch)?;
        answer.and(self.found(key))
    }

    async fn write(&self, key: &str, from: &Value, to: &Value, permit: &dyn Permit) -> Result<(), PortError> {
        let answer = self.call()?;
        self.raise(key, permit.epoch())?;
        if self.broken.lock().unwrap().as_deref() == Some(key) {
            return Err(PortError::unreachable(key, "broken"));
        }
        let mut values = self.values.lock().unwrap();
        let found = values.get(key).cloned().unwrap_or(Value::Null);
        if found == *to {
            return answer;
        }
        if found != *from {
            return Err(PortError::Conflict { found, expected: from.clone() });
        }
        self.writes.lock().unwrap().push(format!("{key}={to}"));
        values.insert(key.to_owned(), to.clone());
        answer
    }

    async fn can_return(&self, key: &str, _: &Value) -> bool {
        let meddling = self.meddling.lock().unwrap().take_if(|(at, _)| at == key);
        if let Some((at, value)) = meddling {
            self.meddle(&at, value);
        }
        false
    }

    async fn prepare_return(&self, key: &str, _: &Value, _: &dyn Permit) -> Result<(), String> {
        match self.dead.lock().unwrap().as_deref() {
            Some(dead) if dead == key => Err("the old side is dead".to_owned()),
            _ => Ok(()),
        }
    }

    async fn observe(&self, look: ObserveContext<'_>) -> Observation {
        tokio::task::yield_now().await;
        self.looks.fetch_add(1, Ordering::SeqCst);
        let seen = look.evidence.and_then(Value::as_u64).unwrap_or(0) + 1;
        let name = look.what.as_str().unwrap_or_default();
        let said = self.verdicts.lock().unwrap().get(name).cloned();
        // Two looks before a watch passes, so that there are checkpoints to be cut between.
        let verdict = match said {
            Some(verdict) => verdict,
            None if look.held || seen % 2 == 1 => Verdict::Wait,
            None => Verdict::Pass { warning: None },
        };
        Observation { evidence: json!(seen), verdict, line: format!("look {seen} at {name}") }
    }

    fn say(&self, _: &str, value: &Value) -> String {
        value.to_string()
    }
}

/// Three writes at two keys, watched.
pub fn plan() -> Plan {
    let change = |name: &str, key: &str, to: Value| Step {
        name: name.to_owned(),
        action: Action::Change { key: key.to_owned(), to, only_if_clean: None },
    };
    let watch = |name: &str| Step { name: name.to_owned(), action: Action::Watch { what: json!(name) } };
    Plan {
        operation: "shelf".to_owned(),
        target: Target::parse("shelf").unwrap(),
        title: "put things on the shelf".to_owned(),
        platform: Value::Null,
        spec: Value::Null,
        steps: vec![
            watch("before"),
            change("half", "weights", json!(50)),
            watch("middle"),
            change("all", "weights", json!(100)),
            change("small", "scale", json!(0)),
            watch("after"),
        ],
        no_data: NoData::Hold,
        guard: Strength::None,
        ttl: HumanDuration::secs(10),
    }
}

pub fn start() -> Arc<Shelf> {
    Shelf::with(&[("weights", json!(0)), ("scale", json!(2)), ("other", json!("untouched"))])
}

/// A context that renders nothing and tells nobody.
pub fn context(store: Arc<dyn Store>, operation: Arc<dyn Operation>, clock: Arc<dyn Clock>) -> Context {
    let (_, stop) = tokio::sync::watch::channel(None);
    Context { store, operation, clock, events: Arc::new(Silent), notify: Vec::new(), stop }
}

pub fn run_id() -> RunId {
    RunId::parse("20261121-093000-1f2e").unwrap()
}
