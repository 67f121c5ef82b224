//! From the verdict to the selector changed back, beside one PATCH of the same object.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use crate::stage::{Setup, Stage};

const TIMES: usize = 5;

/// A kubectl that goes on until it is dropped.
struct Kubectl(Child);

impl Kubectl {
    fn start(stage: &Stage, args: &[&str]) -> Self {
        Self(stage.kubectl_command(args).stdout(Stdio::piped()).spawn().unwrap())
    }
}

impl Drop for Kubectl {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Measures and prints; says whether the bar was met.
pub fn measure() -> bool {
    println!("\nfrom the verdict, durable in the journal, to the selector changed back");
    println!("{:<12}  {:>12}  {:>12}  {:>6}", "", "way back", "one PATCH", "ratio");
    let setup = Setup { faults: "error-rate=50%:after=300", ..Setup::default() };
    let mut ratios = Vec::new();
    for turn in 1..=TIMES {
        let stage = Stage::with("bench-back", &setup).unwrap();
        let patch = patches(&stage);
        let back = way_back(&stage);
        let ratio = back.as_secs_f64() / patch.as_secs_f64();
        println!("{turn:<12}  {:>9.1} ms  {:>9.1} ms  {ratio:>6.2}", ms(back), ms(patch));
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    println!("{:<12}  {:>12}  {:>12}  {:>6.2}  (bar: 2)", "median", "", "", ratios[TIMES / 2]);
    ratios[TIMES / 2] <= 2.0
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The median of PATCHes of the Service over one kept connection, by kubectl's proxy.
fn patches(stage: &Stage) -> Duration {
    let mut proxy = Kubectl::start(stage, &["proxy", "--port=0"]);
    let mut line = String::new();
    BufReader::new(proxy.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().rsplit(' ').next().unwrap().to_owned();
    let url = format!("http://{address}/api/v1/namespaces/{}/services/tenant", stage.namespace);
    let mut times = stage.runtime.block_on(async {
        interlock::adapters::install_crypto();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut times = Vec::new();
        for turn in 0..50 {
            let body = format!(r#"{{"metadata":{{"annotations":{{"bench":"{turn}"}}}}}}"#);
            let request = client.patch(&url).header("content-type", "application/merge-patch+json").body(body);
            let begun = Instant::now();
            let answer = request.send().await.unwrap();
            assert!(answer.status().is_success());
            answer.bytes().await.unwrap();
            times.push(begun.elapsed());
        }
        times
    });
    times.sort();
    times[times.len() / 2]
}

fn way_back(stage: &Stage) -> Duration {
    let load = stage.offer(300, true);
    // As tables, in which every event is a short line: both are then printed equally fast.
    let (journal, _first) = watch(stage, &["get", "configmap", "-w", "--no-headers"], |_| true);
    let mut seen_green = false;
    let (selector, _second) = watch(
        stage,
        &["get", "service", "tenant", "-w", "-o", "jsonpath={.spec.selector.slot}{\"\\n\"}"],
        move |line| {
            seen_green |= line == "green";
            seen_green && line == "blue"
        },
    );
    let done = stage.ask(&[
        "switchover",
        "run",
        "tenant",
        "--to",
        "green",
        "--yes",
        "--bake",
        "20s",
        "--max-bake",
        "60s",
        "--baseline",
        "8s",
        "--accept-local-guardian",
    ]);
    assert_eq!(done.code, Some(1), "{}\n{}", done.out, done.err);
    let back = selector.recv_timeout(Duration::from_secs(10)).unwrap();
    // The last record before the selector changed is the verdict.
    let verdict = journal.try_iter().take_while(|recorded| *recorded < back).last().unwrap();
    load.end();
    back.duration_since(verdict)
}

/// Follows what kubectl prints, and sends the moments in which a line is one that is waited for.
fn watch(
    stage: &Stage,
    args: &[&str],
    mut is_it: impl FnMut(&str) -> bool + Send + 'static,
) -> (mpsc::Receiver<Instant>, Kubectl) {
    let mut kubectl = Kubectl::start(stage, args);
    let lines = BufReader::new(kubectl.0.stdout.take().unwrap()).lines();
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if is_it(line.trim()) && send.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    (receive, kubectl)
}
