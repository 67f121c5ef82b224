//! Outages of each slot's own, that begin anywhere: releases that fail exactly as often as is tolerated, at every weight.

use std::time::Duration;

use interlock::slo::{
    Arms, Counts, Evidence, ObjectiveRule, ObserveContext, Rules, Verdict, freeze_without_baseline, judge, observe,
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use crate::{
    Args,
    report::{ALPHA, table},
    streams::{LOOK, LOOKS, P0},
};

/// Requests per second to both slots together.
const RATES: [u64; 2] = [20, 200];

/// The candidate's share of traffic, in percent; at 100 it is alone.
const WEIGHTS: [u64; 7] = [5, 10, 25, 50, 75, 95, 100];

/// How long an outage is in seconds, and the share of requests that fail in it. The last ones are longer than a block, which no bound
/// covers; they are printed beside the others.
const KINDS: [(&str, f64, f64); 7] = [
    ("independent", 0.0, 0.0),
    ("1 s, all fail", 1.0, 1.0),
    ("1 s, 20 %", 1.0, 0.2),
    ("3 s, all fail", 3.0, 1.0),
    ("3 s, 20 %", 3.0, 0.2),
    ("10 s, 20 % (longer than a block)", 10.0, 0.2),
    ("20 s, 20 % (longer than a block)", 20.0, 0.2),
];

/// The failing share of each of `count` seconds of one slot; on average what is tolerated.
pub fn failing(rng: &mut SmallRng, count: usize, length: f64, severity: f64) -> Vec<f64> {
    if length <= 0.0 {
        return vec![P0; count];
    }
    let often = P0 / (length * severity);
    let mut failing = vec![0.0_f64; count];
    let mut at = -length;
    loop {
        at -= rng.random_range(f64::EPSILON..1.0).ln() / often;
        if at >= count as f64 {
            return failing;
        }
        for (second, share) in failing.iter_mut().enumerate().skip(at.max(0.0) as usize).take(length as usize + 2) {
            let covered = ((at + length).min(second as f64 + 1.0) - at.max(second as f64)).max(0.0);
            *share = (*share + covered * severity).min(1.0);
        }
    }
}

/// How many of `total` fail: the distance from one to the next is geometric.
pub fn draw(rng: &mut SmallRng, total: u64, share: f64) -> u64 {
    if share <= 0.0 {
        return 0;
    }
    if share >= 1.0 {
        return total;
    }
    let (mut at, mut bad, step) = (0.0, 0, (-share).ln_1p());
    loop {
        at += (rng.random_range(f64::EPSILON..1.0).ln() / step).floor() + 1.0;
        if at > total as f64 {
            return bad;
        }
        bad += 1;
    }
}

fn looks(rng: &mut SmallRng, rate: u64, kind: (&str, f64, f64)) -> Vec<Counts> {
    let seconds = failing(rng, LOOKS * LOOK as usize, kind.1, kind.2);
    let look = |share: &[f64]| {
        share.iter().fold(Counts::default(), |mut sum, share| {
            sum.add(Counts::new(rate, draw(rng, rate, *share)));
            sum
        })
    };
    seconds.chunks(LOOK as usize).map(look).collect()
}

fn is_rolled_back(rng: &mut SmallRng, rate: u64, weight: u64, kind: (&str, f64, f64)) -> bool {
    let both_live = weight < 100;
    let rules = Rules { both_live, ..Rules::new(vec![ObjectiveRule::new("availability", 1.0 - P0)]) };
    let mut evidence = Evidence::new(&rules);
    freeze_without_baseline(&rules, &mut evidence);
    let elapsed = Duration::from_secs(LOOK);
    let mut look = ObserveContext { elapsed, served: elapsed, both_live, fresh: true, ..ObserveContext::default() };
    let to_candidate = rate * weight / 100;
    let (candidate, baseline) = (looks(rng, to_candidate, kind), looks(rng, rate - to_candidate, kind));
    candidate.into_iter().zip(baseline).any(|(candidate, baseline)| {
        look.objectives = vec![Arms { candidate, baseline }];
        observe(&rules, &mut evidence, &look);
        matches!(judge(&rules, &evidence, Duration::MAX), Verdict::Breach { .. })
    })
}

/// Measures and prints the table; says whether the default kept to alpha where its bound holds.
pub fn print(args: &Args) -> bool {
    let mut kept = true;
    println!(
        "{} Outages of each slot's own at p0: false rollbacks in percent, by the candidate's weight\n",
        if args.markdown { "##" } else { "==" }
    );
    let mut rows = vec![["requests/s", "outages"].map(str::to_owned).to_vec()];
    rows.iter_mut().for_each(|head| head.extend(WEIGHTS.map(|weight| format!("{weight} %"))));
    for (at, rate) in RATES.into_iter().enumerate() {
        for (kind_at, kind) in KINDS.into_iter().enumerate() {
            let mut row = vec![rate.to_string(), kind.0.to_owned()];
            for weight in WEIGHTS {
                let seed = args.seed.wrapping_mul(104_729) + (at * KINDS.len() + kind_at) as u64 * 101 + weight;
                let mut rng = SmallRng::seed_from_u64(seed);
                let wrong = (0..args.runs).filter(|_| is_rolled_back(&mut rng, rate, weight, kind)).count();
                let share = wrong as f64 / f64::from(args.runs);
                kept &= share <= ALPHA || kind.1 > LOOK as f64;
                row.push(format!("{:.2}", 100.0 * share));
            }
            rows.push(row);
        }
    }
    table(args, &rows);
    kept
}
