//! The benchmark of sequence validation: how many traces and diagrams a second, each figure beside its bar.
//!
//! `cargo bench --bench sequence -- [PART ...]`; all parts where none is named. It exits 1 where a bar is not reached.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark's output is what it prints")]

mod conformance;
mod figures;
mod parser;
#[cfg(feature = "otlp")]
mod receiver;
#[path = "../../tests/support/variants.rs"]
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
mod variants;

use std::process::ExitCode;

/// A part by its name; it prints its figures and says whether all bars were reached.
type Part = (&'static str, fn() -> bool);

const PARTS: &[Part] = &[
    ("parser", parser::run),
    #[cfg(feature = "otlp")]
    ("receiver", receiver::run),
    ("conformance", conformance::run),
];

fn main() -> ExitCode {
    // Cargo adds `--bench` to every benchmark.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let Some(unknown) = words.iter().find(|word| !PARTS.iter().any(|(name, _)| name == word)) {
        let names: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
        eprintln!("`{unknown}` is no part; there are {}", names.join(", "));
        return ExitCode::from(2);
    }
    let mut reached = true;
    for (name, run) in PARTS.iter().filter(|(name, _)| words.is_empty() || words.iter().any(|word| word == name)) {
        println!("== {name}\n");
        reached &= run();
        println!();
    }
    println!("load average {}", std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim());
    if reached { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
