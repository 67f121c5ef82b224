//! The streams of requests: traffic, faults and outages, drawn exactly and fast.

use std::{collections::HashMap, rc::Rc, sync::Arc};

use interlock::slo::Counts;
use rand::{RngExt, rngs::SmallRng};
use statrs::function::factorial::ln_binomial;

/// Seconds per look. A block is 5 s as well, so shorter looks could not make the default test any faster.
pub const LOOK: u64 = 5;
/// Looks in 30 minutes, the horizon.
pub const LOOKS: usize = 360;
/// Looks of the bake, 10 minutes.
pub const BAKE: usize = 120;
/// Looks before the first one, for the peers' windows of one minute.
pub const WARM: usize = 12;
/// The tolerated share, the same for all rules.
pub const P0: f64 = 0.004;
/// A healthy release's share.
pub const HEALTHY: f64 = 0.002;
/// The look at which a late fault begins.
pub const LATE: usize = 60;
/// Requests per second.
pub const RATES: [u64; 4] = [2, 20, 200, 2_000];
/// The faults' shares.
pub const FAULTS: [f64; 5] = [0.008, 0.02, 0.05, 0.3, 1.0];
/// interlock's own probes to the old slot in one look.
const PROBES: u64 = 5;

/// What one look brings.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// The candidate's requests.
    pub counts: Counts,
    /// The probes to the old slot.
    pub control: Counts,
    /// Whether the metrics answered.
    pub fresh: bool,
}

/// A binomial count times the size of a burst, drawn by inverting its distribution function.
#[derive(Debug)]
pub struct Sampler {
    lowest: u64,
    cumulated: Vec<f64>,
    burst: u64,
}

impl Sampler {
    fn new(total: u64, share: f64, burst: u64) -> Self {
        let trials = total / burst;
        if share <= 0.0 || trials == 0 {
            return Self { lowest: 0, cumulated: vec![1.0], burst };
        }
        if share >= 1.0 {
            return Self { lowest: trials, cumulated: vec![1.0], burst };
        }
        // Beyond twelve standard deviations nothing is left that a float would tell from 1.
        let size = trials as f64;
        let reach = 12.0 * (size * share * (1.0 - share)).sqrt() + 12.0;
        let (lowest, highest) = ((size * share - reach).max(0.0) as u64, ((size * share + reach) as u64).min(trials));
        let mut sum = 0.0;
        let mass =
            |k: u64| (ln_binomial(trials, k) + k as f64 * share.ln() + (size - k as f64) * (-share).ln_1p()).exp();
        let cumulated = (lowest..=highest)
            .map(|k| {
                sum += mass(k);
                sum
            })
            .collect();
        Self { lowest, cumulated, burst }
    }

    /// Draws one count.
    pub fn draw(&self, rng: &mut SmallRng) -> u64 {
        let chance: f64 = rng.random();
        let at = self.cumulated.partition_point(|sum| *sum <= chance).min(self.cumulated.len() - 1);
        (self.lowest + at as u64) * self.burst
    }
}

#[derive(Debug)]
struct Cell {
    total: u64,
    bad: Arc<Sampler>,
    control: Arc<Sampler>,
    fresh: bool,
}

/// A kind of traffic at one rate.
#[derive(Debug)]
pub struct Stream {
    /// What happens in it.
    pub name: String,
    /// Requests per second.
    pub rate: u64,
    /// The fault's share and the look at which it begins; `None` for a healthy release.
    pub fault: Option<(f64, usize)>,
    /// The share before the first look.
    pub before: f64,
    cells: Vec<Cell>,
}

impl Stream {
    /// Draws one run: [`WARM`] looks before the start, then [`LOOKS`].
    pub fn draw(&self, rng: &mut SmallRng, looks: &mut Vec<Seen>) {
        looks.clear();
        looks.extend(self.cells.iter().map(|cell| Seen {
            counts: Counts::new(cell.total, cell.bad.draw(rng)),
            control: Counts::new(PROBES, cell.control.draw(rng)),
            fresh: cell.fresh,
        }));
    }

    /// Requests in one block of steady traffic.
    pub const fn per_block(&self) -> u64 {
        self.rate * LOOK
    }
}

/// The shape of one look, from -WARM on.
struct Shape {
    load: f64,
    share: f64,
    control: f64,
    fresh: bool,
}

impl Shape {
    const fn steady(share: f64) -> Self {
        Self { load: 1.0, share, control: HEALTHY, fresh: true }
    }
}

/// Keeps one sampler for each distribution.
#[derive(Default)]
pub struct Builder(HashMap<(u64, u64, u64), Arc<Sampler>>);

impl Builder {
    /// The sampler of `total` requests with this bad share, in bursts.
    pub fn sampler(&mut self, total: u64, share: f64, burst: u64) -> Arc<Sampler> {
        let key = (total, share.to_bits(), burst);
        Arc::clone(self.0.entry(key).or_insert_with(|| Arc::new(Sampler::new(total, share, burst))))
    }

    fn stream(
        &mut self,
        rate: u64,
        name: &str,
        fault: Option<(f64, usize)>,
        burst: u64,
        shape: &dyn Fn(i64) -> Shape,
    ) -> Stream {
        let cells = (0..WARM + LOOKS)
            .map(|at| {
                let shape = shape(at as i64 - WARM as i64);
                let total = (shape.load * (rate * LOOK) as f64).round() as u64;
                // Bursts come whole, so a look has a whole number of them.
                let total = total.next_multiple_of(burst);
                Cell {
                    total,
                    bad: self.sampler(total, shape.share, burst),
                    control: self.sampler(PROBES, shape.control, 1),
                    fresh: shape.fresh,
                }
            })
            .collect();
        Stream { name: name.to_owned(), rate, fault, before: shape(-1).share, cells }
    }
}

/// All streams, by rate.
pub fn all() -> Vec<Stream> {
    let mut build = Builder::default();
    let mut streams = Vec::new();
    for rate in RATES {
        let mut healthy = |name: &str, burst, shape: Rc<dyn Fn(i64) -> Shape>| {
            streams.push(build.stream(rate, name, None, burst, &*shape));
        };
        healthy("healthy 0.2 %", 1, Rc::new(|_| Shape::steady(HEALTHY)));
        healthy("p exactly p0", 1, Rc::new(|_| Shape::steady(P0)));
        healthy("0.2 %, bursts of 5", 5, Rc::new(|_| Shape::steady(HEALTHY)));
        healthy("0.2 %, bursts of 10", 10, Rc::new(|_| Shape::steady(HEALTHY)));
        healthy("p0, bursts of 5", 5, Rc::new(|_| Shape::steady(P0)));
        healthy("p0, bursts of 10", 10, Rc::new(|_| Shape::steady(P0)));
        healthy(
            "diurnal, 0.1 to 0.3 %",
            1,
            Rc::new(|at| {
                // One slow wave over the horizon, with errors highest where traffic is.
                let wave = (at as f64 / LOOKS as f64 * std::f64::consts::TAU).sin();
                Shape { load: 1.0 + 0.7 * wave, share: HEALTHY * (1.0 + 0.5 * wave), ..Shape::steady(HEALTHY) }
            }),
        );
        healthy(
            "cold start at p0",
            1,
            Rc::new(|at| {
                // Nothing for 15 s, then a ramp over a minute with as many errors as are tolerated.
                let load = ((at - 2) as f64 / 12.0).clamp(0.0, 1.0);
                Shape { load, ..Shape::steady(if at < 15 { P0 } else { HEALTHY }) }
            }),
        );
        healthy(
            "metrics out for 5 min",
            1,
            Rc::new(|at| Shape { fresh: !(60..120).contains(&at), ..Shape::steady(HEALTHY) }),
        );
        healthy(
            "both slots out, half fails",
            1,
            Rc::new(|at| {
                // Two minutes in which half of everything fails, on the old slot too.
                let share = if (60..84).contains(&at) { 0.5 } else { HEALTHY };
                Shape { control: share, ..Shape::steady(share) }
            }),
        );
        for (onset, when) in [(0, "from the start"), (LATE, "late")] {
            for fault in FAULTS {
                let name = format!("{} % {when}", fault * 100.0);
                let shape = |at: i64| Shape::steady(if at < onset as i64 { HEALTHY } else { fault });
                streams.push(build.stream(rate, &name, Some((fault, onset)), 1, &shape));
            }
        }
    }
    streams
}
