//! What sources of metrics do to counts on their way: users' requests through the real fold of counters, and then the decision.
//!
//! One gateway tells of both slots, by `slot` and `code`. It is scraped every 15 s, and each scrape is one look.

use std::time::Duration;

use interlock::{
    model::Timestamp,
    ports::{Labels, MatchOp, Matcher, Point, Selector, Series},
    slo::{
        Arms, Counting, Evidence, ObjectiveRule, ObserveContext, Rules, Side, Tally, Verdict, freeze_without_baseline,
        judge, observe,
    },
};
use jiff::SignedDuration;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use crate::{
    Args,
    outages::{draw, failing},
    report::{ALPHA, table},
    rules::quantile,
    streams::{HEALTHY, P0},
};

/// Seconds between two scrapes.
const SCRAPE: usize = 15;
/// Seconds before the switch, in which the old slot alone is seen.
const BEFORE: usize = 60;
/// Seconds after it, the horizon.
const HORIZON: usize = 1_800;

/// Requests per second to both slots together.
const RATES: [u64; 2] = [20, 200];
/// The new slot's share of traffic, in percent; at 100 it is alone.
const WEIGHTS: [u64; 3] = [10, 50, 100];
/// A bad release's share, from its first request on.
const FAULT: f64 = 0.05;

/// What a source does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Every sample comes with its scrape.
    Prompt,
    /// Samples come 40 s after they were taken.
    Late,
    /// Two replicas behind one name answer in turn, one of them 20 s behind.
    Pair,
    /// Two replicas, told apart by a label, with scrapes of their own.
    Labelled,
    /// Series of errors that were idle are hidden, and shown again with the total of their life.
    Reborn,
    /// A series is there from its first event on.
    Born,
    /// The source is down for a minute, every five minutes on average.
    Gaps,
    /// The gateway begins anew at zero, every five minutes on average.
    Restarts,
}

impl Source {
    const ALL: [(Self, &str); 8] = [
        (Self::Prompt, "each sample at once"),
        (Self::Late, "samples 40 s late"),
        (Self::Pair, "replicas in turn, 20 s apart"),
        (Self::Labelled, "replicas with a label"),
        (Self::Reborn, "hidden series of errors, shown again"),
        (Self::Born, "series born with their first event"),
        (Self::Gaps, "out for 1 min, every 5"),
        (Self::Restarts, "counters from zero, every 5 min"),
    ];
}

/// Good and bad requests of one slot since its gateway began, at the end of each second.
struct Counters(Vec<[u64; 2]>);

impl Counters {
    /// Those that stood when second `at` was over.
    fn at(&self, at: usize) -> [u64; 2] {
        self.0.get(at).copied().unwrap_or_default()
    }
}

/// One run: what both slots counted, and what happens to it.
struct Run {
    source: Source,
    /// The new slot, then the old one.
    slots: [Counters; 2],
    /// What each slot's errors came to before they were hidden.
    hidden: [u64; 2],
    /// Seconds at which the source begins to be down.
    gaps: Vec<usize>,
}

/// Random moments, every five minutes on average.
fn moments(rng: &mut SmallRng) -> Vec<usize> {
    let mut at = BEFORE as f64;
    let mut moments = Vec::new();
    loop {
        at -= rng.random_range(f64::EPSILON..1.0_f64).ln() * 300.0;
        if at >= (BEFORE + HORIZON) as f64 {
            return moments;
        }
        moments.push(at as usize);
    }
}

/// How requests fail: the share of each second, for one slot.
type Failing<'a> = &'a dyn Fn(&mut SmallRng, usize) -> Vec<f64>;

impl Run {
    fn draw(rng: &mut SmallRng, source: Source, (rate, weight): (u64, u64), failing: Failing<'_>) -> Self {
        let restarts = if source == Source::Restarts { moments(rng) } else { Vec::new() };
        let gaps = if source == Source::Gaps { moments(rng) } else { Vec::new() };
        // Anything from a handful of errors to more than the whole run brings.
        let hidden = [(); 2].map(|()| 10_f64.powf(rng.random_range(1.0..5.0)) as u64);
        let slots = [0, 1].map(|slot| {
            let failing = failing(rng, slot);
            let mut sum = [0, 0];
            let seconds = (0..BEFORE + HORIZON).map(|second| {
                let weight = if second < BEFORE { 0 } else { weight };
                let total = rate * if slot == 0 { weight } else { 100 - weight } / 100;
                let bad = draw(rng, total, failing.get(second).copied().unwrap_or_default());
                if restarts.contains(&second) {
                    sum = [0, 0];
                }
                sum = [sum[0] + total - bad, sum[1] + bad];
                sum
            });
            Counters(seconds.collect())
        });
        Self { source, slots, hidden, gaps }
    }

    /// What the source has of one slot at the look of second `now`: the series of good and of bad requests.
    fn answer(&self, slot: usize, now: usize) -> Vec<Series> {
        match self.source {
            Source::Late if now < 40 => Vec::new(),
            Source::Late => self.series(slot, now - 40, now - 40, None),
            Source::Pair if (now / SCRAPE) % 2 == 1 => self.series(slot, now, now.saturating_sub(20), None),
            Source::Labelled => {
                let mut both = self.series(slot, now, now, Some("a"));
                both.extend(self.series(slot, now - 7, now - 7, Some("b")));
                both
            }
            _ => self.series(slot, now, now, None),
        }
    }

    /// Samples that are said to be of `stamp`, and were taken at `taken`, with those of the scrape before: a look reads the last
    /// sample that it counted again.
    fn series(&self, slot: usize, stamp: usize, taken: usize, replica: Option<&str>) -> Vec<Series> {
        let own = if self.source == Source::Reborn { self.hidden[slot] } else { 0 };
        let born = matches!(self.source, Source::Born | Source::Reborn);
        let scrapes =
            [SCRAPE, 0].into_iter().filter_map(|ago| Some((stamp.checked_sub(ago)?, taken.checked_sub(ago)?)));
        let scrapes: Vec<_> = scrapes.filter(|(stamp, _)| !self.is_down(*stamp)).collect();
        let shown = ["200", "500"].into_iter().enumerate().map(|(i, code)| {
            let counts = scrapes.iter().map(|(stamp, taken)| (*stamp, self.slots[slot].at(*taken)[i]));
            let points = counts.filter(|(_, count)| *count > 0 || !born).map(|(stamp, count)| Point {
                at: moment(stamp),
                value: (count + if i == 1 { own } else { 0 }) as f64,
            });
            Series { labels: labels(slot, code, replica), points: points.collect() }
        });
        shown.filter(|series| !series.points.is_empty()).collect()
    }

    fn is_down(&self, now: usize) -> bool {
        self.gaps.iter().any(|gap| (*gap..gap + 60).contains(&now))
    }

    /// The seconds after the switch at which the shipped code rolls back, if it does.
    fn decide(&self, weight: u64) -> Option<usize> {
        let both_live = weight < 100;
        let rules = Rules { both_live, ..Rules::new(vec![ObjectiveRule::new("availability", 1.0 - P0)]) };
        let mut evidence = Evidence::new(&rules);
        freeze_without_baseline(&rules, &mut evidence);
        let [mut new, mut old] = [(); 2].map(|()| Tally::new(counting(), moment(0)));
        let mut seen = 0;
        for now in (SCRAPE..BEFORE + HORIZON).step_by(SCRAPE).filter(|now| !self.is_down(*now)) {
            let [of_new, of_old] = [0, 1].map(|slot| answers(&self.answer(slot, now)));
            old.look(&of_old);
            new.look_beside(&of_new, &of_old);
            let elapsed = Duration::from_secs((now - std::mem::replace(&mut seen, now)) as u64);
            let objectives = vec![Arms { candidate: new.take(), baseline: old.take() }];
            if now < BEFORE {
                continue;
            }
            let look = ObserveContext {
                elapsed,
                served: elapsed,
                objectives,
                both_live,
                fresh: true,
                ..ObserveContext::default()
            };
            observe(&rules, &mut evidence, &look);
            if matches!(judge(&rules, &evidence, Duration::MAX), Verdict::Breach { .. }) {
                return Some(now - BEFORE);
            }
        }
        None
    }
}

fn moment(second: usize) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_000_000 + second as i64)
}

fn labels(slot: usize, code: &str, replica: Option<&str>) -> Labels {
    let named = [("instance", "gateway"), ("slot", if slot == 0 { "green" } else { "blue" }), ("code", code)];
    let replica = replica.map(|name| ("prometheus_replica", name));
    named.into_iter().chain(replica).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// All requests, and those of code 500.
fn counting() -> Counting {
    let failed = Matcher { label: "code".to_owned(), op: MatchOp::Equal, value: "500".to_owned() };
    let selector = |matchers| Selector::counters("requests_total".to_owned(), matchers);
    Counting { selectors: vec![(Side::Total, selector(Vec::new())), (Side::Bad, selector(vec![failed]))], edge: None }
}

/// The answers to the selectors of [`counting`].
fn answers(series: &[Series]) -> Vec<Vec<Series>> {
    let failed = series.iter().filter(|one| one.labels.get("code").is_some_and(|code| code == "500"));
    vec![series.to_vec(), failed.cloned().collect()]
}

/// How healthy releases fail: exactly as often as is tolerated.
const HEALTHY_KINDS: [(&str, f64, f64); 2] = [("independent", 0.0, 0.0), ("outages of 3 s", 3.0, 1.0)];

/// One row of the table, with whether the default kept to alpha in it.
fn row(args: &Args, rate: u64, at: usize) -> (Vec<String>, bool) {
    let (source, name) = Source::ALL[at];
    let mut cells = vec![rate.to_string(), name.to_owned()];
    let mut kept = true;
    for weight in WEIGHTS {
        let seed = args.seed.wrapping_mul(15_485_863) + rate * 1_009 + at as u64 * 211 + weight;
        let mut rng = SmallRng::seed_from_u64(seed);
        for (_, length, severity) in HEALTHY_KINDS {
            let wrong = (0..args.runs).filter(|_| {
                let run = Run::draw(&mut rng, source, (rate, weight), &|rng, _| {
                    failing(rng, BEFORE + HORIZON, length, severity)
                });
                run.decide(weight).is_some()
            });
            let share = wrong.count() as f64 / f64::from(args.runs);
            kept &= share <= ALPHA;
            cells.push(format!("{:.2}", 100.0 * share));
        }
        let faulty: Failing<'_> = &|_, slot| vec![if slot == 0 { FAULT } else { HEALTHY }; BEFORE + HORIZON];
        let of = args.runs as usize;
        let found = (0..of).filter_map(|_| Run::draw(&mut rng, source, (rate, weight), faulty).decide(weight));
        let delays: Vec<u32> = found.map(|seconds| seconds as u32).collect();
        let median = quantile(&delays, of, 0.5).map_or_else(|| "-".to_owned(), |s| s.to_string());
        cells.push(format!("{median} ({:.1})", 100.0 * (of - delays.len()) as f64 / of as f64));
    }
    (cells, kept)
}

/// Measures and prints the table; says whether the default kept to alpha with every source.
pub fn print(args: &Args) -> bool {
    println!(
        "{} What sources do to the counts, scraped every {SCRAPE} s, by the candidate's weight\n",
        if args.markdown { "##" } else { "==" }
    );
    println!(
        "Of releases at p0, false rollbacks in percent; of one with a share of {FAULT} bad, the median in s (and % missed).\n"
    );
    let mut rows = vec![["requests/s", "source"].map(str::to_owned).to_vec()];
    for weight in WEIGHTS {
        let kinds = HEALTHY_KINDS.map(|(kind, ..)| format!("{weight} %: {kind}"));
        rows.iter_mut().for_each(|head| {
            head.extend(kinds.clone());
            head.push(format!("{weight} %: found"));
        });
    }
    let mut kept = true;
    for rate in RATES {
        for at in 0..Source::ALL.len() {
            let (cells, within) = row(args, rate, at);
            rows.push(cells);
            kept &= within;
        }
    }
    table(args, &rows);
    kept
}
