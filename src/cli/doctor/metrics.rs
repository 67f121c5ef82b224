//! The Prometheus servers that decide: each answers for itself, since none can stand in for another.

use super::asked::{Row, asked, failed};
use crate::{
    adapters::Prometheus,
    app::Snapshot,
    error::Error,
    model::{HumanDuration, Timestamp},
    report::Finding,
};

/// A clock that differs from ours by less is not worth a word, in seconds.
const SKEW: f64 = 2.0;

/// One row for each server that the platform names, or that its lab runs.
pub fn servers(snapshot: &Snapshot) -> Vec<Row> {
    match snapshot.prometheus() {
        Ok(servers) => servers.map(|servers| servers.each().map(server).collect()).unwrap_or_default(),
        Err(e) => {
            let finding = failed("metrics", &e);
            vec![asked("metrics", async move { vec![finding] })]
        }
    }
}

fn server(server: Prometheus) -> Row {
    let part = format!("metrics of {}", server.place());
    asked(&part.clone(), async move {
        vec![match server.instant("time()").await {
            Ok(answer) => Finding::fine(part, clock(answer.first().map(|(_, value)| *value))),
            Err(e) => {
                failed(&part, &Error::port(e, "no run decides without it: does it run, and may this machine reach it?"))
            }
        }]
    })
}

/// How a server's clock stands to ours: bakes are counted by the times of samples.
fn clock(theirs: Option<f64>) -> String {
    let ahead = theirs.map_or(0.0, |theirs| theirs - Timestamp::now().as_millisecond() as f64 / 1e3);
    let apart = HumanDuration(std::time::Duration::from_secs_f64(ahead.abs().round()));
    match ahead {
        ahead if ahead.abs() < SKEW => "answers".to_owned(),
        ahead if ahead > 0.0 => format!("answers; its clock is {apart} ahead of this machine's"),
        _ => format!("answers; its clock is {apart} behind this machine's"),
    }
}
