//! The tables: false rollbacks on healthy streams, delays and missed releases on faulty ones, beside the limits.

use std::time::Duration;

use interlock::stats::{BETS, ODDS, clopper_pearson_lower, clopper_pearson_upper, start_weight};

use crate::{
    Args,
    limits::{Price, block_yardstick, lorden_delay, reachable_yardstick, wald_delay},
    rules::{Rule, Tally, quantile},
    streams::{LOOK, LOOKS, P0, RATES, Stream},
};

/// The bound on false rollbacks.
pub const ALPHA: f64 = 0.01;
/// One block.
pub const BLOCK: Duration = Duration::from_secs(LOOK);

/// What each stream's runs came to, rule by rule.
pub type Results<'a> = [(&'a Stream, Vec<Tally>)];

/// The limits of one faulty stream, in seconds.
pub struct Limits {
    /// Wald's, start and size known.
    pub wald: f64,
    /// The reachable yardstick on independent requests, one block included.
    pub reachable: f64,
    /// The yardstick of a test on blocks, one block included.
    pub blocks: f64,
    /// Lorden's.
    pub lorden: f64,
}

/// Computes the limits of a fault.
pub fn limits(stream: &Stream, fault: f64, onset: usize) -> Limits {
    let rate = stream.rate as f64;
    let price = |grid| Price { alpha: ALPHA, objectives: 1, grid, start: start_weight(onset as u64 + 1) };
    Limits {
        wald: wald_delay(ALPHA, rate, fault, P0),
        reachable: reachable_yardstick(&price(ODDS.len()), rate, fault, P0, BLOCK),
        blocks: block_yardstick(&price(BETS.len()), stream.per_block(), fault, P0, BLOCK),
        lorden: lorden_delay(ALPHA, LOOKS as u64, rate, fault, P0),
    }
}

/// Prints all tables.
pub fn print(args: &Args, results: &Results<'_>) {
    let low = 100.0 * clopper_pearson_lower(0.01 * f64::from(args.runs), f64::from(args.runs), 0.025);
    let high = 100.0 * clopper_pearson_upper(0.01 * f64::from(args.runs), f64::from(args.runs), 0.025);
    let none = 100.0 * clopper_pearson_upper(0.0, f64::from(args.runs), 0.05);
    println!(
        "{} runs per stream, seed {}. A rate of 1 % is known to {low:.2} .. {high:.2} % (95 %);",
        args.runs, args.seed
    );
    println!("where none of the runs did it, the rate is below {none:.2} % (95 %).");
    println!(
        "Looks and blocks of {LOOK} s, horizon 30 min, p0 = {:.1} % for all, alpha = 1 %, healthy 0.2 %.",
        P0 * 100.0
    );
    println!(
        "Argo, Flagger: every 60 s, over 1 % in the last minute fails; limits and thresholds stand behind the names."
    );
    println!("Burn rate: pages at 14.4 (5m and 1h) and 6 (30m and 6h) of a budget rate of p0. All windows are warm.");
    println!("Delays in seconds from the fault to the decision; `-` where it was not reached within the horizon.\n");
    wrong(args, results);
    for rate in RATES {
        faults(args, results, rate);
    }
    bake(args, results);
}

fn wrong(args: &Args, results: &Results<'_>) {
    println!("{} False rollbacks of healthy releases, percent of runs\n", if args.markdown { "##" } else { "==" });
    let mut rows = vec![head(&["requests/s", "stream"])];
    for (stream, tallies) in results.iter().filter(|(stream, _)| stream.fault.is_none()) {
        let mut row = vec![stream.rate.to_string(), stream.name.clone()];
        row.extend(tallies.iter().map(|tally| format!("{:.2}", tally.wrong_share() * 100.0)));
        rows.push(row);
    }
    table(args, &rows);
}

fn faults(args: &Args, results: &Results<'_>, rate: u64) {
    println!(
        "{} {rate} requests/s: median delay / 95 % / missed in percent\n",
        if args.markdown { "##" } else { "==" }
    );
    let mut rows = vec![head(&["fault", "Wald", "yardstick", "blocks", "Lorden"])];
    for (stream, tallies) in results.iter().filter(|(stream, _)| stream.rate == rate) {
        let Some((fault, onset)) = stream.fault else { continue };
        let limits = limits(stream, fault, onset);
        let mut row = vec![stream.name.clone()];
        row.extend([limits.wald, limits.reachable, limits.blocks, limits.lorden].map(seconds));
        row.extend(tallies.iter().map(|tally| {
            let shown = |share| tally.delay(share).map_or_else(|| "-".to_owned(), |delay| delay.to_string());
            format!("{} / {} / {:.1}", shown(0.5), shown(0.95), tally.missed_share() * 100.0)
        }));
        rows.push(row);
    }
    table(args, &rows);
    println!("Wald: start and size known. Yardstick: independent requests, size and start unknown, plus a block.");
    println!(
        "Blocks: the same price where nothing is assumed within a block. Lorden: mean run to a false alarm of looks/alpha.\n"
    );
}

/// What a bake of ten minutes would have come to.
fn bake(args: &Args, results: &Results<'_>) {
    println!("{} A bake of 10 min, percent of runs\n", if args.markdown { "##" } else { "==" });
    let names =
        ["requests/s", "stream", "A found", "A' found", "A healthy in 30 min", "median s", "A' healthy", "median s"];
    let mut rows = vec![names.map(str::to_owned).to_vec()];
    for (stream, tallies) in results {
        let percent =
            |part: u32, tally: &Tally| format!("{:.1}", 100.0 * f64::from(part) / f64::from(tally.runs.max(1)));
        let mut row = vec![stream.rate.to_string(), stream.name.clone()];
        let own = || Rule::ALL.iter().zip(tallies).filter(|(rule, _)| matches!(rule, Rule::Blocks | Rule::Independent));
        row.extend(
            own().map(|(_, tally)| if stream.fault.is_some() { percent(tally.in_bake, tally) } else { String::new() }),
        );
        for (_, tally) in own() {
            row.push(percent(tally.healthy, tally));
            row.push(quantile(&tally.promoted, tally.promoted.len(), 0.5).map_or_else(String::new, |s| s.to_string()));
        }
        rows.push(row);
    }
    table(args, &rows);
}

fn head(first: &[&str]) -> Vec<String> {
    first.iter().map(|text| (*text).to_owned()).chain(Rule::ALL.iter().map(|rule| rule.name())).collect()
}

/// Seconds, with a digit behind the point where it counts.
pub fn seconds(value: f64) -> String {
    if value < 9.95 { format!("{value:.1}") } else { format!("{value:.0}") }
}

/// Prints rows with their columns aligned; the first row is the heading.
pub fn table(args: &Args, rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(String::len).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns).map(width).collect();
    for (at, row) in rows.iter().enumerate() {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        if args.markdown {
            println!("| {} |", cells.join(" | "));
            if at == 0 {
                println!("|{}", widths.iter().map(|width| format!("{}|", "-".repeat(width + 2))).collect::<String>());
            }
        } else {
            println!("{}", cells.join("  ").trim_end());
        }
    }
    println!();
}
