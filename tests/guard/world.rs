//! A switchover over the platform in memory, with counters that grow as time passes.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use interlock::{
    adapters::store::FolderStore,
    error::Error,
    guard::{
        Context, Events, Outcome, Plan, Role, Silent, Start, Strength, Verdict, begin, drive, load, milestone, recover,
    },
    model::{HumanDuration, Slot, Timestamp, Weights},
    operation::{
        self,
        switchover::{Fuses, Ports, Smoke, Spec, Switch},
    },
    ports::{Clock, Labels, Metrics, Point, PortError, Selector, Series, Store},
    slo::{Counting, Objective, ObjectiveRule, Period, Rules, Side, SlotNames},
};

use crate::{
    platform::{MemoryClock, MemoryPlatform},
    shelf::{context, run_id},
    told::told,
};

/// When the source's clock and the machine's stand at the same time.
const BEGIN: &str = "2026-11-21T09:30:00Z";

/// What the counters are fed with.
pub struct Feed {
    /// Requests per second at both slots together.
    pub rate: f64,
    /// The bad share of each slot's requests, blue first.
    pub bad: [f64; 2],
    /// The source does not answer.
    pub down: bool,
    /// The source answers, and its counters stand still.
    pub still: bool,
    /// By how much samples are late.
    pub late: Duration,
    /// How many series each slot's requests are spread over.
    pub series: usize,
    counted: [(f64, f64); 2],
    at: Duration,
    /// What was counted when, newest last.
    scrapes: VecDeque<(Duration, [(f64, f64); 2])>,
}

/// How many scrapes are kept.
const KEPT: usize = 200;

/// Counters over the platform in memory. Their timestamps are of a clock of their own, which never jumps.
pub struct Counters {
    platform: MemoryPlatform,
    clock: MemoryClock,
    begun: Duration,
    feed: Mutex<Feed>,
}

impl Counters {
    fn new(platform: MemoryPlatform, clock: MemoryClock) -> Self {
        let begun = clock.now().boot;
        let feed = Feed {
            rate: 200.0,
            bad: [0.0; 2],
            down: false,
            still: false,
            late: Duration::ZERO,
            series: 1,
            counted: [(0.0, 0.0); 2],
            at: begun,
            scrapes: VecDeque::new(),
        };
        Self { platform, clock, begun, feed: Mutex::new(feed) }
    }

    /// What the counters are fed with from now on.
    pub fn feed(&self) -> MutexGuard<'_, Feed> {
        self.grow();
        self.feed.lock().unwrap()
    }

    /// The requests that a slot's series have shown at a time of the source.
    pub fn requests_at(&self, slot: usize, time: Timestamp) -> u64 {
        let feed = self.feed.lock().unwrap();
        let begin = BEGIN.parse::<Timestamp>().unwrap();
        let then = feed.scrapes.iter().rev().find(|(at, _)| begin + at.saturating_sub(self.begun) <= time);
        then.map_or(0, |(_, counted)| (counted[slot].0 / feed.series as f64).floor() as u64 * feed.series as u64)
    }

    fn grow(&self) {
        let (weights, _) = self.platform.stand();
        let now = self.clock.now().boot;
        let mut feed = self.feed.lock().unwrap();
        if feed.still {
            return;
        }
        let requests = feed.rate * (now - feed.at).as_secs_f64();
        feed.at = now;
        for (at, slot) in Slot::ALL.into_iter().enumerate() {
            let grown = requests * f64::from(weights.of(slot)) / 100.0;
            let bad = grown * feed.bad[at];
            feed.counted[at].0 += grown;
            feed.counted[at].1 += bad;
        }
        if feed.scrapes.back().is_none_or(|(at, _)| *at < now) {
            let counted = feed.counted;
            feed.scrapes.push_back((now, counted));
        }
        if feed.scrapes.len() > KEPT {
            feed.scrapes.pop_front();
        }
    }
}

#[async_trait]
impl Metrics for Counters {
    async fn samples(&self, selector: &Selector, since: Timestamp) -> Result<Vec<Series>, PortError> {
        self.grow();
        let feed = self.feed.lock().unwrap();
        if feed.down {
            return Err(PortError::unreachable(self.name(), "connection refused"));
        }
        let until = self.clock.now().boot.saturating_sub(feed.late);
        let spread = feed.series;
        let of = |((index, slot), series): ((usize, Slot), usize)| {
            let gateway = format!("demo-shop-{slot}-80@kubernetesgateway");
            let labels = [("slot", slot.name()), ("service", gateway.as_str())];
            let mut labels = Labels::from(labels.map(|(label, value)| (label.to_owned(), value.to_owned())));
            if spread > 1 {
                labels.insert("instance".to_owned(), format!("10.42.{}.{}:9090", series / 250 % 250, series % 250));
                labels.insert("pod".to_owned(), format!("gateway-7d9c5b6f4-{series:05}"));
                labels.insert("route".to_owned(), "/api/v1/accounts/:account/invoices/:invoice".to_owned());
            }
            let point = |(at, counted): &(Duration, [(f64, f64); 2])| {
                let (total, bad) = counted[index];
                let value = (if selector.metric == "errors" { bad } else { total } / spread as f64).floor();
                let at = BEGIN.parse::<Timestamp>().unwrap() + at.saturating_sub(self.begun);
                // As with real programs, a series is born with its first event.
                (value > 0.0 && at > since).then_some(Point { at, value })
            };
            let points = feed.scrapes.iter().filter(|(at, _)| *at <= until).filter_map(point).collect();
            Series { labels, points }
        };
        let is_picked =
            |series: &Series| selector.matchers.iter().all(|m| series.labels.get(&m.label) == Some(&m.value));
        let all = Slot::ALL.into_iter().enumerate().flat_map(|slot| (0..spread).map(move |series| (slot, series)));
        Ok(all.map(of).filter(|series| is_picked(series) && !series.points.is_empty()).collect())
    }

    fn name(&self) -> String {
        "counters in memory".to_owned()
    }
}

/// A switchover of blue to green: 99 % of requests have to be good.
pub fn spec() -> Spec {
    let slot = |slot: Slot| Labels::from([("slot".to_owned(), slot.name().to_owned())]).into();
    let counter = |metric: &str| Selector::counters(metric.to_owned(), Vec::new());
    let rules = Rules {
        baseline: true,
        stale_after: HumanDuration::secs(10),
        ..Rules::new(vec![ObjectiveRule::new("availability", 0.99)])
    };
    Spec {
        service: "tenant".to_owned(),
        to: Slot::Green,
        shares: vec![100],
        bake: HumanDuration::secs(20),
        max_bake: HumanDuration::secs(60),
        keep_old: HumanDuration::secs(2),
        scale_down_old: true,
        drain: HumanDuration::secs(10),
        baseline: HumanDuration::secs(10),
        look: HumanDuration::secs(2),
        freshness: HumanDuration::secs(10),
        warm_up: 8,
        smoke: vec![Smoke { path: "/version".to_owned(), status: None }],
        identity: "/version".to_owned(),
        answer_within: HumanDuration::secs(1),
        fuses: Fuses {
            in_flight_age: HumanDuration::secs(5),
            hanging: 3,
            exits: 3,
            replicas_lost: 0.5,
            traffic_floor: 0.1,
        },
        objectives: vec![Objective {
            name: "availability".to_owned(),
            slo: "availability".to_owned(),
            service: "tenant".to_owned(),
            target: 0.99,
            burn: 1.0,
            period: Period::Rolling(HumanDuration::secs(86_400)),
            counting: Counting {
                selectors: vec![(Side::Bad, counter("errors")), (Side::Total, counter("requests"))],
                edge: None,
            },
        }],
        old_labels: slot(Slot::Blue),
        new_labels: slot(Slot::Green),
        names: SlotNames::default(),
        rules,
    }
}

/// A platform, its counters, its clock, and a folder for its runs.
pub struct World {
    pub platform: MemoryPlatform,
    pub clock: MemoryClock,
    pub counters: Arc<Counters>,
    pub spec: Spec,
    folder: tempfile::TempDir,
}

impl World {
    pub fn new(spec: Spec) -> Self {
        let (platform, clock) = (MemoryPlatform::new(), MemoryClock::new(BEGIN.parse().unwrap()));
        let counters = Arc::new(Counters::new(platform.clone(), clock.clone()));
        Self { platform, clock, counters, spec, folder: tempfile::tempdir().unwrap() }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn store(&self) -> Arc<FolderStore> {
        Arc::new(FolderStore::new(self.folder.path(), self.clock(), milestone))
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.clock.clone())
    }

    pub fn plan(&self) -> Plan {
        operation::plan::<Switch>(&self.spec, serde_json::Value::Null, Strength::None, HumanDuration::secs(10)).unwrap()
    }

    pub fn switch(&self) -> Switch {
        let (platform, clock) = (Arc::new(self.platform.afresh()), self.clock());
        let metrics = self.counters.clone();
        let ports = Ports {
            traffic: platform.clone(),
            workload: platform.clone(),
            requests: platform.clone(),
            preflight: platform,
            metrics,
            clock,
        };
        Switch::new(self.spec.clone(), ports)
    }

    pub fn context(&self, store: Arc<dyn Store>) -> Context {
        context(store, Arc::new(self.switch()), self.clock())
    }

    /// Runs it to its end.
    pub async fn run(&self) -> Outcome {
        self.run_with(Arc::new(Silent)).await
    }

    /// Runs it to its end, while something happens at an entry.
    pub async fn run_with(&self, events: Arc<dyn Events>) -> Outcome {
        let store = self.store();
        let grant = begin(&*store, &run_id(), &self.plan(), &Start::default()).await.unwrap();
        drive(&Context { events, ..self.context(store) }, &grant).await.unwrap()
    }

    /// Recovers it as the guardian does, an hour later; `None` where nothing was left to do.
    pub async fn heal(&self) -> Option<Outcome> {
        self.clock.advance(Duration::from_hours(1));
        let stored = load(&*self.store(), &run_id()).await.ok()?;
        stored.lock.as_ref()?;
        recover(&self.context(self.store()), &stored, Role::Guardian).await.ok()
    }

    /// What happened, one entry a line; of the looks only how many there were and what the last one said.
    pub async fn history(&self) -> Result<String, Error> {
        let stored = load(&*self.store(), &run_id()).await?;
        let mut lines: Vec<String> = Vec::new();
        let mut looks = 0;
        for entry in &stored.entries {
            if let interlock::guard::Entry::Observed { step, verdict, .. } = entry {
                looks += 1;
                if *verdict != Verdict::Wait {
                    lines.push(format!("{step} looked {looks} times: {verdict:?}"));
                    looks = 0;
                }
                continue;
            }
            looks = 0;
            lines.push(told(entry));
        }
        Ok(lines.join("\n"))
    }
}

/// How the platform stands before a switchover.
pub fn at_start() -> (Weights, [u32; 2]) {
    (Weights::all(Slot::Blue), [2, 2])
}

/// How it stands after one that was kept.
pub fn at_end() -> (Weights, [u32; 2]) {
    (Weights::all(Slot::Green), [0, 2])
}
