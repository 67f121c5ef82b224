//! How soon the command answers, how much memory it takes, how soon traffic is back after a verdict, and what a platform of
//! scripts costs.
//!
//! Everything is measured on the binary as it is shipped. The lab that it asks runs on the same machine.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod lab_runs;
mod list;
mod scripts;
mod times;

use std::process::ExitCode;

/// One figure against its bar.
pub struct Figure {
    /// What was measured.
    pub what: &'static str,
    /// The figure that has to stay below the bar.
    pub value: f64,
    /// The worst that was seen.
    pub worst: f64,
    /// The bar.
    pub bar: f64,
    /// The unit of all three.
    pub unit: &'static str,
}

fn main() -> anyhow::Result<ExitCode> {
    // The memory figures come first: the system keeps one maximum over all children that have ended.
    let mut figures = times::without_a_platform()?;
    figures.extend(list::figures()?);
    figures.extend(lab_runs::figures()?);
    figures.extend(scripts::figures()?);
    println!("\nload average {}", std::fs::read_to_string("/proc/loadavg")?.trim());
    println!("{:<44} {:>9} {:>9} {:>9}", "", "median", "worst", "bar");
    let mut missed = 0;
    for Figure { what, value, worst, bar, unit } in &figures {
        let word = if value < bar { "PASS" } else { "FAIL" };
        missed += usize::from(value >= bar);
        println!("{what:<44} {value:>9.1} {worst:>9.1} {bar:>9.1} {unit:<4} {word}");
    }
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The middle and the largest of some figures.
pub fn median_and_worst(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    (values.get(values.len() / 2).copied().unwrap_or(f64::NAN), values.last().copied().unwrap_or(f64::NAN))
}
