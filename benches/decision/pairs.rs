//! Both slots live: the candidate beside the old slot, which the rules with one stream cannot tell apart.

use std::{sync::Arc, time::Duration};

use interlock::slo::{
    Arms, Assume, Counts, Evidence, ObjectiveRule, ObserveContext, Rules, Verdict, freeze_without_baseline, judge,
    observe,
};
use rand::{SeedableRng, rngs::SmallRng};

use crate::{
    Args,
    limits::two_sample_delay,
    report::{ALPHA, seconds, table},
    rules::quantile,
    streams::{Builder, HEALTHY, LATE, LOOK, LOOKS, P0, Sampler},
};

/// Requests per second to both slots together.
const RATE: u64 = 200;

/// One look: requests and errors of candidate and old slot.
struct Cell {
    totals: [u64; 2],
    bad: [Arc<Sampler>; 2],
}

struct Case {
    name: String,
    /// The candidate's share of traffic and of errors, and the look at which the fault begins.
    fault: Option<(f64, f64, usize)>,
    cells: Vec<Cell>,
}

/// The candidate's share of requests, and the bad shares of candidate and old slot, at a look.
type Shape<'a> = &'a dyn Fn(usize) -> (f64, f64, f64);

fn cases() -> Vec<Case> {
    let mut build = Builder::default();
    let mut cases = Vec::new();
    let mut case = |name: String, fault, burst: u64, shape: Shape<'_>| {
        let cells = (0..LOOKS).map(|at| {
            let (weight, candidate, old) = shape(at);
            let to_candidate = ((RATE * LOOK) as f64 * weight).round() as u64;
            let totals = [to_candidate, RATE * LOOK - to_candidate].map(|total| total.next_multiple_of(burst));
            let bad = [build.sampler(totals[0], candidate, burst), build.sampler(totals[1], old, burst)];
            Cell { totals, bad }
        });
        cases.push(Case { name, fault, cells: cells.collect() });
    };
    for weight in [0.1, 0.5, 0.75, 0.95] {
        let percent = weight * 100.0;
        for burst in [1, 5, 10] {
            case(format!("{percent} %: both at p0, bursts of {burst}"), None, burst, &|_| (weight, P0, P0));
            let twice = P0 * 2.0;
            case(format!("{percent} %: both at 2 p0, bursts of {burst}"), None, burst, &|_| (weight, twice, twice));
        }
        case(format!("{percent} %: half fails on both for 2 min"), None, 1, &|at| {
            let share = if (60..84).contains(&at) { 0.5 } else { HEALTHY };
            (weight, share, share)
        });
        for (onset, when) in [(0, "from the start"), (LATE, "late")] {
            for fault in [0.02, 0.05, 0.3] {
                let name = format!("{percent} %: {} % {when}", fault * 100.0);
                case(name, Some((weight, fault, onset)), 1, &|at| {
                    (weight, if at < onset { HEALTHY } else { fault }, HEALTHY)
                });
            }
        }
    }
    case("weights step with the level".into(), None, 1, &|at| match at {
        0..60 => (0.05, HEALTHY, HEALTHY),
        60..120 => (0.25, 0.02, 0.02),
        _ => (0.75, 0.1, 0.1),
    });
    cases
}

/// The look at which the shipped code rolls back, if it does.
fn decide(assume: Assume, looks: &[Arms]) -> Option<usize> {
    let objective = ObjectiveRule::new("availability", 1.0 - P0);
    let rules = Rules { assume, both_live: true, ..Rules::new(vec![objective]) };
    let mut evidence = Evidence::new(&rules);
    freeze_without_baseline(&rules, &mut evidence);
    let elapsed = Duration::from_secs(LOOK);
    let mut look =
        ObserveContext { elapsed, served: elapsed, both_live: true, fresh: true, ..ObserveContext::default() };
    looks.iter().position(|arms| {
        look.objectives = vec![*arms];
        observe(&rules, &mut evidence, &look);
        matches!(judge(&rules, &evidence, Duration::MAX), Verdict::Breach { .. })
    })
}

/// Measures and prints the table; says whether the default kept to alpha.
pub fn print(args: &Args) -> bool {
    let mut kept = true;
    println!(
        "{} Both slots live, {RATE} requests/s, by the candidate's weight: false in percent, or median / 95 % / missed\n",
        if args.markdown { "##" } else { "==" }
    );
    let names = ["candidate", "two-sample limit", "interlock (A, B)", "independent (A', Lindon and Malek)"];
    let mut rows = vec![names.map(str::to_owned).to_vec()];
    for (at, case) in cases().iter().enumerate() {
        let mut rng = SmallRng::seed_from_u64(args.seed.wrapping_mul(7_919).wrapping_add(at as u64));
        let (mut wrong, mut missed, mut delays) = ([0u32; 2], [0u32; 2], [Vec::new(), Vec::new()]);
        let onset = case.fault.map_or(LOOKS, |(_, _, onset)| onset);
        for _ in 0..args.runs {
            let mut arm = |cell: &Cell, slot: usize| Counts::new(cell.totals[slot], cell.bad[slot].draw(&mut rng));
            let draw = |cell| Arms { candidate: arm(cell, 0), baseline: arm(cell, 1) };
            let looks: Vec<_> = case.cells.iter().map(draw).collect();
            for (slot, assume) in [Assume::Blocks, Assume::Independent].into_iter().enumerate() {
                match decide(assume, &looks) {
                    Some(at) if at < onset => wrong[slot] += 1,
                    Some(at) => delays[slot].push((at + 1 - onset) as u32 * LOOK as u32),
                    None => missed[slot] += 1,
                }
            }
        }
        kept &= f64::from(wrong[0]) <= ALPHA * f64::from(args.runs);
        let mut row = vec![case.name.clone()];
        row.push(case.fault.map_or_else(String::new, |(weight, fault, _)| {
            let (rate, tolerated) = (RATE as f64, Rules::new(Vec::new()).tolerated_risk);
            seconds(two_sample_delay(ALPHA, rate * weight, rate * (1.0 - weight), fault, HEALTHY, tolerated))
        }));
        for slot in 0..2 {
            let percent = |part: u32| 100.0 * f64::from(part) / f64::from(args.runs);
            let of = delays[slot].len() + missed[slot] as usize;
            let shown = |share| quantile(&delays[slot], of, share).map_or_else(|| "-".to_owned(), |s| s.to_string());
            row.push(match case.fault {
                None => format!("{:.2}", percent(wrong[slot])),
                Some(_) => format!("{} / {} / {:.1}", shown(0.5), shown(0.95), percent(missed[slot])),
            });
        }
        rows.push(row);
    }
    table(args, &rows);
    println!("The limit knows the fault, not the level of errors, and spends the whole of alpha on test B.\n");
    kept
}
