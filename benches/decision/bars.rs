//! The bars that the default has to clear, checked on the results.

use crate::{
    Args,
    report::{ALPHA, BLOCK, Results, limits},
    rules::{Rule, Tally},
    streams::{RATES, Stream},
};

/// How much longer than a yardstick a median delay may be, before a block is added.
const SLACK: f64 = 1.5;

/// Prints every bar as PASS or FAIL, then what robustness costs and who is faster; says whether all were cleared.
pub fn print(args: &Args, results: &Results<'_>, both_kept: bool) -> bool {
    println!("{} Bars\n", if args.markdown { "##" } else { "==" });
    let mut all = true;
    let mut bar = |name: &str, failures: Vec<String>| {
        let lead = if args.markdown { "- " } else { "" };
        println!("{lead}{} {name}", if failures.is_empty() { "PASS" } else { "FAIL" });
        for failure in &failures {
            println!("{}  {failure}", if args.markdown { "  -" } else { "    " });
        }
        all &= failures.is_empty();
    };
    bar("false rollbacks of the default at most 1 % on every healthy stream", wrong(results));
    let both = if both_kept {
        Vec::new()
    } else {
        vec!["see the tables of both slots live, of outages and of sources".to_owned()]
    };
    bar(
        "false rollbacks of the default at most 1 % with both slots live, outages of their own, and every source",
        both,
    );
    bar("no fault of 2 % or more at 20 requests/s or more is missed within 30 min", missed(results));
    for (name, rule, late, on_blocks) in [
        (
            "default, from the start: median within 1.5 x the yardstick of independent requests plus a block",
            Rule::Blocks,
            false,
            false,
        ),
        ("default, late: the same with ln(1/w_m)", Rule::Blocks, true, false),
        (
            "default, from the start: median within 1.5 x the yardstick of blocks plus a block",
            Rule::Blocks,
            false,
            true,
        ),
        ("default, late: the same with ln(1/w_m)", Rule::Blocks, true, true),
        (
            "independent, from the start: median within 1.5 x the yardstick of independent requests plus a block",
            Rule::Independent,
            false,
            false,
        ),
        ("independent, late: the same with ln(1/w_m)", Rule::Independent, true, false),
    ] {
        bar(name, slow(results, rule, late, on_blocks));
    }
    println!();
    thin(results);
    cost(results);
    faster(results);
    all
}

fn of(tallies: &[Tally], rule: Rule) -> Tally {
    Rule::ALL.iter().zip(tallies).find(|(other, _)| **other == rule).map(|(_, tally)| tally.clone()).unwrap_or_default()
}

fn label(stream: &Stream) -> String {
    format!("{}/s, {}", stream.rate, stream.name)
}

fn wrong(results: &Results<'_>) -> Vec<String> {
    let healthy = results.iter().filter(|(stream, _)| stream.fault.is_none());
    healthy
        .map(|(stream, tallies)| (stream, of(tallies, Rule::Blocks)))
        .filter(|(_, tally)| tally.wrong_share() > ALPHA)
        .map(|(stream, tally)| format!("{}: {} of {}", label(stream), tally.wrong, tally.runs))
        .collect()
}

fn missed(results: &Results<'_>) -> Vec<String> {
    results
        .iter()
        .filter(|(stream, _)| stream.rate >= 20 && stream.fault.is_some_and(|(fault, _)| fault >= 0.02))
        .map(|(stream, tallies)| (stream, of(tallies, Rule::Blocks)))
        .filter(|(_, tally)| tally.missed > 0)
        .map(|(stream, tally)| format!("{}: {} of {}", label(stream), tally.missed, tally.runs - tally.wrong))
        .collect()
}

/// Faults at 20 requests/s and more whose median delay is beyond the bar.
fn slow(results: &Results<'_>, rule: Rule, late: bool, on_blocks: bool) -> Vec<String> {
    let mut failures = Vec::new();
    for (stream, tallies) in results.iter().filter(|(stream, _)| stream.rate >= 20) {
        let Some((fault, onset)) = stream.fault else { continue };
        if (onset > 0) != late {
            continue;
        }
        let limits = limits(stream, fault, onset);
        let block = BLOCK.as_secs_f64();
        let yardstick = if on_blocks { limits.blocks } else { limits.reachable } - block;
        let bar = SLACK * yardstick + block;
        let median = of(tallies, rule).delay(0.5);
        if median.is_none_or(|median| f64::from(median) > bar) {
            let shown = median.map_or_else(|| "not within 30 min".to_owned(), |median| format!("{median} s"));
            failures.push(format!("{}: {shown}, bar {bar:.1} s (yardstick {yardstick:.1} s)", label(stream)));
        }
    }
    failures
}

/// What thin traffic lets the default see within the bake.
fn thin(results: &Results<'_>) {
    println!("At 2 requests/s, found by the default within the bake of 10 min:");
    for (stream, tallies) in results.iter().filter(|(stream, _)| stream.rate == 2 && stream.fault.is_some()) {
        let tally = of(tallies, Rule::Blocks);
        println!("  {}: {:.1} %", stream.name, 100.0 * f64::from(tally.in_bake) / f64::from(tally.runs.max(1)));
    }
    println!();
}

/// What it costs not to take requests as independent.
fn cost(results: &Results<'_>) {
    println!("What robustness costs: median delay of the default and of `assume: independent`, in seconds");
    for (stream, tallies) in results.iter().filter(|(stream, _)| stream.fault.is_some()) {
        let shown = |rule| of(tallies, rule).delay(0.5).map_or_else(|| "-".to_owned(), |delay| delay.to_string());
        println!("  {}: {} and {}", label(stream), shown(Rule::Blocks), shown(Rule::Independent));
    }
    println!("and what it buys: false rollbacks with bursts of 10 at p0, in percent");
    for (stream, tallies) in results.iter().filter(|(stream, _)| stream.name == "p0, bursts of 10") {
        let shown = |rule| 100.0 * of(tallies, rule).wrong_share();
        println!("  {}/s: {:.2} and {:.2}", stream.rate, shown(Rule::Blocks), shown(Rule::Independent));
    }
    println!();
}

/// Rules that keep to 1 % at p = p0 and find a fault sooner than the default.
fn faster(results: &Results<'_>) {
    println!("Faster than the default, with at most 1 % false rollbacks at p exactly p0 and no more missed:");
    let mut none = true;
    for rate in RATES {
        let at_rate = || results.iter().filter(move |(stream, _)| stream.rate == rate);
        for rule in Rule::ALL.into_iter().filter(|rule| *rule != Rule::Blocks) {
            let wrong_on = |name: &str| {
                at_rate()
                    .find(|(stream, _)| stream.name == name)
                    .map_or(1.0, |(_, tallies)| of(tallies, rule).wrong_share())
            };
            if wrong_on("p exactly p0") > ALPHA {
                continue;
            }
            let sooner: Vec<_> = at_rate()
                .filter_map(|(stream, tallies)| {
                    let (ours, theirs) = (of(tallies, Rule::Blocks), of(tallies, rule));
                    let (median, other) = (ours.delay(0.5).unwrap_or(u32::MAX), theirs.delay(0.5)?);
                    let faster = stream.fault.is_some() && other < median && theirs.missed <= ours.missed;
                    let shown = ours.delay(0.5).map_or_else(|| "-".to_owned(), |delay| delay.to_string());
                    faster.then(|| format!("{} ({other} s, ours {shown})", stream.name))
                })
                .collect();
            if sooner.is_empty() {
                continue;
            }
            none = false;
            let bursts = 100.0 * wrong_on("p0, bursts of 10");
            let why = match rule {
                Rule::Independent => "it counts every request as evidence of its own",
                Rule::Argo(_) | Rule::Flagger(_) => {
                    "its threshold and window are fixed, so nothing is spent on unknown sizes and starts"
                }
                _ => "its windows are warm",
            };
            println!("  {}/s, {}: {}", rate, rule.name(), sooner.join(", "));
            println!("      because {why}; with bursts of 10 at p0 it rolls back {bursts:.1} % of healthy releases");
        }
    }
    if none {
        println!("  none");
    }
    println!();
}
