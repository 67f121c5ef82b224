//! Figures beside their bars, as the median of five runs.

use std::time::{Duration, Instant};

/// How often everything is measured.
const RUNS: usize = 5;

/// The middle of five runs.
pub fn median(mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let begun = Instant::now();
            run();
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[RUNS / 2]
}

/// So many things in that time, a second.
pub fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// The head of a table of figures.
pub fn head() {
    println!("{:<56} {:>12} {:>12}", "", "median of 5", "bar");
}

/// Prints a figure that has to be at least as large as its bar; says whether it is.
pub fn at_least(what: &str, value: f64, bar: f64, unit: &str) -> bool {
    row(what, value, bar, unit, value >= bar)
}

/// Prints a figure that must not be larger than its bar; says whether it is not.
pub fn at_most(what: &str, value: f64, bar: f64, unit: &str) -> bool {
    row(what, value, bar, unit, value <= bar)
}

/// Prints a figure that has no bar.
pub fn plain(what: &str, value: f64, unit: &str) {
    println!("{what:<56} {value:>12.1} {:>12} {unit}", "-");
}

fn row(what: &str, value: f64, bar: f64, unit: &str, reached: bool) -> bool {
    let word = if reached { "PASS" } else { "FAIL" };
    println!("{what:<56} {value:>12.1} {bar:>12.1} {unit:<10} {word}");
    reached
}
