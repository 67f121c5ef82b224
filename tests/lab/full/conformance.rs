//! Traces of real processes against the diagrams of `scenarios/lab`: what passes, and how each deviation is found.

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use interlock::{
    adapters::otlp::{Limits, Receiver, write_json_lines},
    lab::http::Ask,
    model::trace::TraceId,
    ports::{Traces as _, Wanted},
};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use super::user::{ask, token};
use crate::stage::{Done, Setup, Stage, until};

/// A lab whose processes send their traces to a receiver of ours.
struct Watched {
    stage: Stage,
    receiver: Receiver,
    token: String,
    _serving: Runtime,
}

impl Watched {
    fn up(more: &[&str]) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let receiver = runtime.block_on(Receiver::start("127.0.0.1:0".parse().unwrap(), Limits::default())).unwrap();
        let otlp = format!("--otlp=http://{}", receiver.address());
        let all = [&["--full", &otlp, "--replicas=1"], more].concat();
        let stage = Stage::with(Setup { more: all.into_iter().map(str::to_owned).collect(), ..Setup::default() });
        let token = token(&stage, &[]);
        Self { stage, receiver, token, _serving: runtime }
    }

    /// One request to a slot, and the verdict on its trace alone.
    fn verdict(&self, scenario: &str, slot: &str, request: Ask<'_>, spans: usize) -> Done {
        let asked = ask(&self.stage, Some(&self.token), &[("x-lab-slot", slot)], request);
        self.verified(scenario, &asked.trace, spans)
    }

    fn verified(&self, scenario: &str, trace: &str, spans: usize) -> Done {
        let wanted = Wanted { traces: vec![TraceId::parse(trace).unwrap()], most: 1000 };
        let collect = || self.stage.runtime.block_on(self.receiver.collect(&wanted)).unwrap().spans;
        until("the trace to be whole", || collect().len() >= spans);
        // More than was expected comes with the same flush, or the next.
        until("quiet", || self.receiver.quiet() >= Duration::from_millis(600));
        let mut file = Vec::new();
        write_json_lines(&collect(), &mut file).unwrap();
        fs::write(self.stage.folder.join("trace.json"), file).unwrap();
        let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/lab").join(scenario);
        self.stage.ask(&["sequence", "verify", scenario.to_str().unwrap(), "--traces", "trace.json", "-o", "json"])
    }
}

/// The kinds of differences and the lines that they cite.
fn differences(done: &Done) -> BTreeSet<(String, u64)> {
    let report: Value = serde_json::from_str(&done.out).unwrap_or_else(|e| panic!("{e}: {done:?}"));
    let all = report["instances"].as_array().unwrap().iter().flat_map(|one| one["deviations"].as_array().unwrap());
    all.map(|one| (one["kind"].as_str().unwrap().to_owned(), one["line"].as_u64().unwrap())).collect()
}

/// The line of a message in the document of both diagrams.
fn line(message: &str) -> u64 {
    let text = include_str!("../../../scenarios/lab/flows.md");
    let at = text.lines().position(|line| line.trim() == message).unwrap_or_else(|| panic!("no `{message}`"));
    at as u64 + 1
}

const READING: &str = "reading-a-tenant.yaml";
const FAILING: &str = "store-out-of-order.yaml";

#[test]
fn both_flows_pass_and_every_deviation_fails_with_its_line() {
    let watched = Watched::up(&[]);
    let stage = &watched.stage;
    let reading = || Ask::get("/tenants/7");
    let done = watched.verdict(READING, "blue", reading(), 8);
    assert_eq!(done.code, Some(0), "{done:?}");

    let query = line("Tenants->>Store: GET /tenants/{id}");
    let check = line("Tenants->>Tenants: check role and scope");
    let alerts = line("participant Alerts as Logs and alerts");
    for (number, (fault, spans, wanted)) in [
        ("skip-store", 6, &[("missing", query)][..]),
        // It stands behind the answer to the first.
        ("double-query", 10, &[("unexpected", query + 1)]),
        ("late-authorization", 8, &[("reordered", check), ("reordered", query)]),
        ("wrong-service", 8, &[("wrong-participant", query)]),
        ("extra-log", 10, &[("forbidden", alerts)]),
    ]
    .into_iter()
    .enumerate()
    {
        let version = format!("2.0.{number}");
        let deployed = stage.ask(&["lab", "deploy", "green", "--version", &version, "--fault", fault]);
        assert_eq!(deployed.code, Some(0), "{deployed:?}");
        let done = watched.verdict(READING, "green", reading(), spans);
        assert_eq!(done.code, Some(1), "{fault}: {done:?}");
        let found = differences(&done);
        let one_of = |kind: &str, line: u64| found.contains(&(kind.to_owned(), line));
        assert!(wanted.iter().any(|(kind, line)| one_of(kind, *line)), "{fault}: {found:?}");
        assert!(found.len() <= 2, "{fault}: {found:?}");
    }

    assert_eq!(stage.ask(&["lab", "break", "store"]).code, Some(0));
    let writing = || Ask::post("/tenants", serde_json::json!({"id": "acme", "name": "Acme"}));
    let done = watched.verdict(FAILING, "blue", writing(), 17);
    assert_eq!(done.code, Some(0), "{done:?}");
    let deployed = stage.ask(&["lab", "deploy", "green", "--version", "3.0.0", "--fault", "skip-log"]);
    assert_eq!(deployed.code, Some(0), "{deployed:?}");
    let done = watched.verdict(FAILING, "green", writing(), 14);
    assert_eq!(done.code, Some(1), "{done:?}");
    let found = differences(&done);
    assert!(found.contains(&("missing".to_owned(), line("Tenants->>Alerts: POST /logs"))), "{found:?}");

    // Of the other flow nothing was seen.
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/lab").join(READING);
    let done = stage.ask(&["sequence", "verify", scenario.to_str().unwrap(), "--traces", "trace.json"]);
    assert!(done.code == Some(6) && done.out.ends_with("VACUOUS\n"), "{done:?}");
    watched.stage.close();
}

#[test]
fn without_instrumentation_nothing_is_certain() {
    for (untraced, spans) in [("store", 7), ("tenant", 3)] {
        let watched = Watched::up(&["--untraced", untraced]);
        let done = watched.verdict(READING, "blue", Ask::get("/tenants/7"), spans);
        assert_eq!(done.code, Some(6), "{untraced}: {done:?}");
        assert_eq!(differences(&done), BTreeSet::new(), "{untraced}");
        watched.stage.close();
    }
}
