//! Releases that deviate from the steps of a request: users see nothing of it, and the traces tell each of them.

use std::fs;

use interlock::lab::http::Ask;

use super::{
    collector::Collector,
    user::{Asked, ask, token},
};
use crate::stage::{Setup, Stage, until};

/// Begins every trace here: the gateway checks no token.
const BEGINNING: &str = "\
gateway server GET /tenants/{id} 200
  gateway client GET /tenants/{id} -> tenant 200
    tenant server GET /tenants/{id} 200
";

/// What each release makes of a request; the store is without instrumentation.
const RELEASES: [(&str, &str); 5] = [
    (
        "skip-store",
        "
      tenant internal check authorization
      tenant internal construct response",
    ),
    (
        "late-authorization",
        "
      tenant client GET /tenants/{id} -> store 200
      tenant internal check authorization
      tenant internal construct response",
    ),
    (
        "double-query",
        "
      tenant internal check authorization
      tenant client GET /tenants/{id} -> store 200
      tenant client GET /tenants/{id} -> store 200
      tenant internal construct response",
    ),
    (
        "extra-log",
        "
      tenant internal check authorization
      tenant client GET /tenants/{id} -> store 200
      tenant client POST /logs -> alerts 202
        alerts server POST /logs 202
      tenant internal construct response",
    ),
    (
        "wrong-service",
        "
      tenant internal check authorization
      tenant client GET /tenants/{id} -> identity 404 error
        identity server GET 404
      tenant internal construct response",
    ),
];

fn tree(steps: &str) -> String {
    format!("{BEGINNING}{steps}")
}

fn preview(stage: &Stage, shown: &str, slot: &str) -> Asked {
    ask(stage, Some(shown), &[("x-lab-slot", slot)], Ask::get("/tenants/7"))
}

#[test]
fn every_deviation_shows_in_the_trace_and_nowhere_else() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let collector = Collector::start(&runtime);
    let otlp = format!("--otlp=http://{}", collector.address);
    let more = ["--full", &otlp, "--untraced=store", "--defect-gateway=skip-validation", "--replicas=1"];
    let stage =
        Stage::with(Setup { fault: Some("skip-store"), more: more.map(str::to_owned).to_vec(), ..Setup::default() });
    let fine = token(&stage, &[]);
    let (mut answers, mut trees) = (Vec::new(), Vec::new());
    for (number, (fault, steps)) in RELEASES.into_iter().enumerate() {
        let slot = if number == 0 { "blue" } else { "green" };
        let version = format!("2.0.{number}");
        if number > 0 {
            let deployed = stage.ask(&["lab", "deploy", slot, "--version", &version, "--fault", fault]);
            assert_eq!(deployed.code, Some(0), "{deployed:?}");
        }
        let asked = preview(&stage, &fine, slot);
        if number > 0 {
            assert_eq!(asked.answer.headers["x-lab-version"], version.as_str());
        }
        collector.expect(&asked.trace, &tree(steps));
        trees.push((asked.trace.clone(), tree(steps)));
        answers.push((asked.status(), asked.answer.body.clone()));
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(answers[0].0, 200);

    // Without validation a token for somebody else is as good as any.
    let elsewhere = token(&stage, &["--audience", "billing"]);
    assert_eq!(preview(&stage, &elsewhere, "blue").status(), 200);
    let unlogged = stage.ask(&["lab", "deploy", "blue", "--version", "3.0.0", "--fault", "skip-log"]);
    assert_eq!(unlogged.code, Some(0), "{unlogged:?}");
    assert_eq!(stage.ask(&["lab", "break", "store"]).code, Some(0));
    let failed = preview(&stage, &fine, "blue");
    assert_eq!((failed.status(), &failed.answer.headers["retry-after"]), (503, &"1".parse().unwrap()));
    collector.expect(
        &failed.trace,
        "\
gateway server GET /tenants/{id} 503 error
  gateway client GET /tenants/{id} -> tenant 503 error
    tenant server GET /tenants/{id} 503 error
      tenant internal check authorization
      tenant client GET /tenants/{id} -> store 503 error
      tenant internal retry 1
      tenant client GET /tenants/{id} -> store 503 error
      tenant internal retry 2
      tenant client GET /tenants/{id} -> store 503 error
      tenant internal retry 3
      tenant client GET /tenants/{id} -> store 503 error
      tenant internal construct response",
    );
    stage.close_keeping(|| {
        // The lab is down, and nothing more has come.
        trees.iter().for_each(|(trace, tree)| collector.expect(trace, tree));
        let of_store = collector.all().iter().filter(|seen| seen.resource["service.name"] == "store").count();
        assert_eq!(of_store, 0, "it is untraced");
    });
}

#[test]
fn a_lab_that_is_not_full_takes_no_deviations_and_gives_no_tokens() {
    // Nobody listens at that port, which changes nothing for users.
    let more = vec!["--otlp=http://127.0.0.1:9".to_owned()];
    let stage = Stage::with(Setup { more, ..Setup::default() });
    assert_eq!(ask(&stage, None, &[], Ask::get("/tenants/7")).status(), 200);
    let log = stage.lab_folder().join("logs/gateway.log");
    until("the loss is told", || fs::read_to_string(&log).unwrap().contains("spans are lost"));
    for args in [
        &["lab", "up", "--fault-green", "skip-store"][..],
        &["lab", "up", "--defect-gateway", "skip-validation"],
        &["lab", "up", "--untraced", "ledger"],
        &["lab", "up", "--otlp", "127.0.0.1:4318"],
        &["lab", "token"],
        &["lab", "alerts"],
        &["lab", "break", "store"],
    ] {
        let done = stage.ask(args);
        assert_eq!(done.code, Some(2), "{args:?}: {done:?}");
    }
    let deployed = stage.ask(&["lab", "deploy", "green", "--version", "2.0.0", "--fault", "skip-store"]);
    assert!(deployed.code != Some(0) && deployed.err.contains("full lab"), "{deployed:?}");
    assert_eq!(stage.part("tenant-green-0").version.as_deref(), Some("1.1.0"), "nothing has changed");
    stage.close();
}
