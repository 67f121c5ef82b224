//! The decision benchmark: how soon and how wrongly different rules roll a release back, beside what is possible at all.
//!
//! `cargo bench --bench decision -- [--runs N] [--seed S] [--quick] [--markdown]`, and one of `--both-live`,
//! `--outages` and `--sources` for that table alone. It exits 1 where a bar is not reached.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark's output is what it prints")]

mod bars;
#[path = "../../tests/support/limits.rs"]
mod limits;
mod outages;
mod pairs;
mod peers;
mod report;
mod rules;
mod scrapes;
mod streams;

use std::{
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use rand::{SeedableRng, rngs::SmallRng};

use crate::{
    rules::{Rule, Tally},
    streams::Stream,
};

/// What was typed.
pub struct Args {
    /// Runs of every stream.
    pub runs: u32,
    /// Seed of the first stream; the others follow from it.
    pub seed: u64,
    /// Whether tables are to be Markdown.
    pub markdown: bool,
    /// The only table that is wanted, if not all are.
    pub only: Option<fn(&Args) -> bool>,
}

fn args() -> Result<Args, String> {
    let mut args = Args { runs: 2_000, seed: 1, markdown: false, only: None };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || {
            let text = words.next().ok_or_else(|| format!("{word} takes a number"))?;
            text.parse::<u64>().map_err(|e| format!("{word} {text}: {e}"))
        };
        match word.as_str() {
            "--runs" => args.runs = u32::try_from(number()?.max(1)).map_err(|e| e.to_string())?,
            "--seed" => args.seed = number()?,
            "--quick" => args.runs = 200,
            "--markdown" => args.markdown = true,
            "--both-live" => args.only = Some(pairs::print),
            "--outages" => args.only = Some(outages::print),
            "--sources" => args.only = Some(scrapes::print),
            // Cargo adds it to every benchmark.
            "--bench" => {}
            other => {
                return Err(format!(
                    "`{other}` is unknown; there are --runs, --seed, --quick, --markdown, --both-live, --outages, --sources"
                ));
            }
        }
    }
    Ok(args)
}

/// Runs all rules on one stream.
fn measure(stream: &Stream, args: &Args, seed: u64) -> Vec<Tally> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut tallies = vec![Tally::default(); Rule::ALL.len()];
    let mut looks = Vec::new();
    for _ in 0..args.runs {
        stream.draw(&mut rng, &mut looks);
        for (rule, tally) in Rule::ALL.iter().zip(&mut tallies) {
            tally.note(stream, &rule.decide(stream, &looks));
        }
    }
    tallies
}

fn main() -> ExitCode {
    let args = match args() {
        Ok(args) => args,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::from(2);
        }
    };
    let began = Instant::now();
    if let Some(print) = args.only {
        let kept = print(&args);
        eprintln!("{:.0} s", began.elapsed().as_secs_f64());
        return if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let streams = streams::all();
    let next = AtomicUsize::new(0);
    // Two threads take streams in turn; each stream has a seed of its own, so the result does not depend on who took it.
    let work = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(stream) = streams.get(at) else { return done };
            done.push((at, measure(stream, &args, args.seed.wrapping_mul(1_000_003).wrapping_add(at as u64))));
        }
    };
    let measured: Result<Vec<_>, _> = std::thread::scope(|scope| {
        let workers = [scope.spawn(work), scope.spawn(work)];
        workers.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    let Ok(parts) = measured else {
        eprintln!("a worker failed");
        return ExitCode::from(2);
    };
    let mut results: Vec<_> = parts.into_iter().flatten().collect();
    results.sort_by_key(|(at, _)| *at);
    let results: Vec<_> = streams.iter().zip(results.into_iter().map(|(_, tallies)| tallies)).collect();
    report::print(&args, &results);
    let both_kept = pairs::print(&args) & outages::print(&args) & scrapes::print(&args);
    let reached = bars::print(&args, &results, both_kept);
    eprintln!("{:.0} s", began.elapsed().as_secs_f64());
    if reached { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
