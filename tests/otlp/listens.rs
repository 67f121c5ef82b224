//! `interlock sequence verify --listen`: the real binary as the collector of a platform.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

/// Ended with the test, whatever becomes of that.
struct Listening {
    child: Child,
    url: String,
    folder: tempfile::TempDir,
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Listening {
    fn start(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let diagram = "sequenceDiagram\n  actor Shopper\n  participant Till\n  Shopper->>Till: POST /payments\n";
        fs::write(folder.path().join("pay.mmd"), diagram).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_interlock"))
            .args([
                "sequence",
                "verify",
                "pay.mmd",
                "--listen",
                "127.0.0.1:0",
                "--output",
                "json",
                "--save",
                "kept.json",
            ])
            .args(more)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}")).to_owned();
        Self { child, url, folder }
    }

    /// The exit code and the report.
    fn ended(mut self) -> (Option<i32>, Value, tempfile::TempDir) {
        let mut text = String::new();
        self.child.stdout.as_mut().unwrap().read_to_string(&mut text).unwrap();
        let code = self.child.wait().unwrap().code();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        (code, serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}")), folder)
    }
}

/// The status of the answer; 0 where nobody listens any more.
async fn send(url: &str, span: Value) -> u16 {
    interlock::adapters::install_crypto();
    let name = json!({"key": "service.name", "value": {"stringValue": "till"}});
    let body = json!({"resourceSpans": [{"resource": {"attributes": [name]}, "scopeSpans": [{"spans": [span]}]}]});
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    client.post(url).json(&body).send().await.map_or(0, |answer| answer.status().as_u16())
}

fn payment() -> Value {
    json!({
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
        "spanId": "00f067aa0ba902b7",
        "name": "POST /payments",
        "kind": 2,
        "startTimeUnixNano": "1700000000000000000",
        "endTimeUnixNano": "1700000000090000000",
    })
}

#[tokio::test]
async fn what_is_sent_is_judged_and_kept_once_it_is_quiet() {
    let listening = Listening::start(&["--quiet", "500ms"]);
    assert_eq!(send(&listening.url, payment()).await, 200);
    let (code, report, folder) = listening.ended();
    assert_eq!((code, &report["verdict"]), (Some(0), &json!("PASS")), "{report:#}");
    assert!(fs::read_to_string(folder.path().join("kept.json")).unwrap().contains("00f067aa0ba902b7"));
}

#[tokio::test]
async fn where_spans_come_all_the_time_only_the_last_traces_are_open() {
    let listening = Listening::start(&["--quiet", "1s", "--within", "6s"]);
    assert_eq!(send(&listening.url, payment()).await, 200);
    let (url, talking) = (listening.url.clone(), std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true)));
    let going_on = talking.clone();
    let other = tokio::spawn(async move {
        let mut span = payment();
        for number in 1_u64.. {
            if !going_on.load(std::sync::atomic::Ordering::Relaxed) {
                return;
            }
            span["traceId"] = json!("000000000000000000000000000000ff");
            span["spanId"] = json!(format!("{number:016x}"));
            span["parentSpanId"] = json!("00000000000000aa");
            send(&url, span.clone()).await;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    });
    let (code, report, _) = tokio::task::spawn_blocking(|| listening.ended()).await.unwrap();
    talking.store(false, std::sync::atomic::Ordering::Relaxed);
    other.abort();
    let of = |trace: &str| {
        let all = report["instances"].as_array().unwrap();
        all.iter().find(|one| one["traces"][0] == trace).unwrap_or_else(|| panic!("{report:#}"))["verdict"].clone()
    };
    assert_eq!(of("4bf92f3577b34da6a3ce929d0e0e4736"), json!("PASS"), "{report:#}");
    assert_eq!((code, of("000000000000000000000000000000ff")), (Some(6), json!("INCONCLUSIVE")), "{report:#}");
}

#[tokio::test]
async fn silence_is_vacuous() {
    let (code, report, _) = Listening::start(&["--within", "1s"]).ended();
    assert_eq!((code, &report["verdict"]), (Some(6), &json!("VACUOUS")), "{report:#}");
}
