//! What a switch costs on a real cluster, beside kubectl: lost requests, the way back, and the plan of a large namespace.
//!
//! `make bench-cluster` brings the cluster up and down. `INTERLOCK_BENCH_SWITCHES` sets another number than twenty.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a bench says what it has measured, or stops"
)]

#[path = "../../tests/cluster/api_server.rs"]
#[expect(dead_code, reason = "the bench breaks nothing")]
mod api_server;
#[path = "../../tests/lab/command.rs"]
mod command;
mod plan;
#[path = "../../tests/cluster/stage.rs"]
#[expect(dead_code, reason = "the bench uses a part of it")]
mod stage;
mod switches;
mod way_back;

fn main() {
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    if stage::cluster().is_none() {
        std::process::exit(1);
    }
    let met = [plan::measure(), way_back::measure(), switches::measure()];
    if met.contains(&false) {
        println!("\na bar was missed");
        std::process::exit(1);
    }
}
