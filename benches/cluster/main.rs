//! What a switch costs on a real cluster, beside kubectl: lost requests, the way back, and the plan of a large namespace.
//!
//! `make bench-cluster` brings the cluster up and down. `INTERLOCK_BENCH_SWITCHES` sets another number than twenty; `way-back`, `switches` and `plan`
//! as arguments run only these.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a bench says what it has measured, or stops")]

#[path = "../../tests/cluster/api_server.rs"]
#[expect(dead_code, reason = "the bench breaks nothing")]
mod api_server;
#[path = "../../tests/lab/command.rs"]
#[expect(dead_code, reason = "the bench kills nothing")]
mod command;
mod plan;
#[path = "../../tests/cluster/stage.rs"]
#[expect(dead_code, reason = "the bench uses a part of it")]
mod stage;
mod switches;
mod way_back;

/// A part of the bench, by name; says whether its bar was met.
type Part = (&'static str, fn() -> bool);

fn main() {
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    if stage::cluster().is_none() {
        std::process::exit(1);
    }
    let named: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let parts: [Part; 3] = [("way-back", way_back::measure), ("switches", switches::measure), ("plan", plan::measure)];
    let chosen = parts.iter().filter(|(name, _)| named.is_empty() || named.iter().any(|one| one == name));
    let met: Vec<bool> = chosen.map(|(_, measure)| measure()).collect();
    if met.contains(&false) {
        println!("\na bar was missed");
        std::process::exit(1);
    }
}
