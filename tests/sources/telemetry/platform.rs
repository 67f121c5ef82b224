//! A platform of four scripted services and a bus, with the lab's own Prometheus.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use interlock::lab::{
    Lab,
    http::{Answer, Ask, Client},
};
use serde_json::Value;
use tempfile::TempDir;

/// How long one question may take.
const WITHIN: Duration = Duration::from_secs(20);

pub struct Platform {
    dir: TempDir,
    lab: Lab,
    client: reqwest::Client,
}

impl Platform {
    /// Starts it, and waits until each service has found those that it calls.
    pub async fn up(otlp: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("interlock-telemetry-").tempdir().unwrap();
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sources/telemetry/services");
        let up = ["lab", "up", "--database", "none", "--replicas", "1", "--timeout", "120s", "--otlp", otlp];
        let done = Command::new(env!("CARGO_BIN_EXE_interlock"))
            .args(up)
            .arg("--services")
            .arg(scripts)
            .env("INTERLOCK_LOG", "interlock=debug")
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let lab = Lab::open(&dir.path().join(".interlock/lab")).unwrap();
        let Some(address) = lab.file.prometheus else {
            panic!("the lab has no Prometheus; `make install` brings its package")
        };
        let client = interlock::adapters::client(&format!("http://{address}").parse().unwrap(), WITHIN, None).unwrap();
        Self { dir, lab, client }
    }

    pub async fn ask(&self, replica: &str, ask: Ask<'_>) -> Answer {
        let status = self.lab.status().await.unwrap();
        let part = status.parts.iter().find(|part| part.name == replica).unwrap();
        Client::new(part.address, None).ask(ask, WITHIN).await.unwrap()
    }

    fn logs(&self) -> PathBuf {
        self.dir.path().join(".interlock/lab/logs")
    }

    /// The lines that a replica has logged with this text in them.
    pub fn logged(&self, replica: &str, text: &str) -> Vec<Value> {
        let all = fs::read_to_string(self.logs().join(format!("{replica}.log"))).unwrap();
        all.lines().filter(|line| line.contains(text)).map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The names and texts of all logs.
    pub fn all_logs(&self) -> Vec<(String, String)> {
        let logs = fs::read_dir(self.logs()).unwrap().map(|entry| entry.unwrap().path());
        let text = |log: PathBuf| (log.display().to_string(), fs::read_to_string(&log).unwrap());
        logs.filter(|log| log.extension().is_some_and(|kind| kind == "log")).map(text).collect()
    }

    /// What the lab's Prometheus answers.
    pub async fn prometheus(&self, path: &str, parameter: (&str, &str)) -> Value {
        let address = self.lab.file.prometheus.unwrap();
        let asked = self.client.get(format!("http://{address}{path}")).query(&[parameter]).send().await;
        serde_json::from_str(&asked.unwrap().text().await.unwrap()).unwrap()
    }

    /// The value of an expression that has one.
    pub async fn value(&self, expression: &str) -> Option<f64> {
        let answer = self.prometheus("/api/v1/query", ("query", expression)).await;
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }

    /// Ends it.
    pub fn down(self) {
        let left = interlock::lab::end(&self.dir.path().join(".interlock/lab")).unwrap();
        assert!(left.is_empty(), "{left:?}");
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = interlock::lab::end(&self.dir.path().join(".interlock/lab"));
        }
    }
}
