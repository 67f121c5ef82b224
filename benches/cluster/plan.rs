//! The plan of a switchover in a namespace with many pods and Services.

use std::{
    fmt::Write as _,
    process::{Command, Stdio},
    time::Instant,
};

use crate::stage::Stage;

const PODS: usize = 2000;
const SERVICES: usize = 500;

/// Measures and prints; says whether the bars were met.
pub fn measure() -> bool {
    let stage = Stage::up("bench-plan").unwrap();
    // Pods without a node, which nobody runs; they are as much work to list as others.
    let mut objects = String::new();
    for number in 0..PODS {
        let _ = write!(
            objects,
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: idle-{number}, labels: {{app: idle}}}}\nspec: {{schedulerName: \
             none, containers: [{{name: idle, image: interlock/interlock:1}}]}}\n"
        );
    }
    for number in 0..SERVICES {
        let _ = write!(
            objects,
            "---\napiVersion: v1\nkind: Service\nmetadata: {{name: idle-{number}}}\nspec: {{selector: {{app: \
             idle-{number}}}, ports: [{{port: 80}}]}}\n"
        );
    }
    let file = stage.folder().join("objects.yaml");
    std::fs::write(&file, objects).unwrap();
    stage.kubectl(&["create", "-f", file.to_str().unwrap()]);
    println!("\n`switchover plan` in a namespace with {PODS} more pods and {SERVICES} more Services");
    println!("{:<12}  {:>10}  {:>10}  {:>9}", "", "seconds", "memory", "requests");
    let mut met = true;
    for turn in 1..=5 {
        let (seconds, memory, requests) = plan(&stage);
        println!("{turn:<12}  {seconds:>10.2}  {memory:>7.1} MB  {requests:>9}");
        met &= seconds < 1.0 && memory < 60.0;
    }
    println!("{:<12}  {:>10}  {:>10}", "bar", "1.00", "60.0 MB");
    met
}

/// Seconds, megabytes at most, and requests to the API server.
fn plan(stage: &Stage) -> (f64, f64, u64) {
    let begun = Instant::now();
    // The shell is the parent of one process only, whose peak it reports in kilobytes.
    let output = Command::new("python3")
        .args(["-c", PEAK])
        .arg(env!("CARGO_BIN_EXE_interlock"))
        .args(["switchover", "plan", "tenant", "--to", "green", "-o", "json", "--accept-local-guardian"])
        .current_dir(stage.folder())
        .env("KUBECONFIG", &stage.kubeconfig)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let seconds = begun.elapsed().as_secs_f64();
    let text = String::from_utf8(output.stdout).unwrap();
    let (plan, peak) = text.trim().rsplit_once('\n').unwrap();
    let plan: serde_json::Value = serde_json::from_str(plan).unwrap();
    (seconds, peak.parse::<f64>().unwrap() / 1024.0, plan["requests"].as_u64().unwrap())
}

const PEAK: &str = "
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, flush=True)
sys.exit(code)
";
