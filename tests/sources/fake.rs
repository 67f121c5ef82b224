//! A fake Prometheus that fails in every way a real one does.

use std::time::{Duration, Instant};

use axum::{
    Json, Router,
    http::StatusCode,
    response::{Html, IntoResponse, Response},
    routing::post,
};
use interlock::{
    adapters::Prometheus,
    error::Exit,
    model::Timestamp,
    ports::{Metrics, PortError, Selector, Series},
    slo::{Counting, Side, Tally},
};
use serde_json::{Value, json};

use crate::serve;

fn matrix(points: Value) -> Response {
    let result = json!([{"metric": {"__name__": "m", "instance": "a"}, "values": points}]);
    Json(json!({"status": "success", "data": {"resultType": "matrix", "result": result}})).into_response()
}

async fn answer(body: String) -> Response {
    let now = Timestamp::now().as_millisecond() as f64 / 1000.0;
    let asked = |what: &str| body.contains(&format!("query={what}%"));
    let error = |status: StatusCode, kind: &str, words: &str| {
        (status, Json(json!({"status": "error", "errorType": kind, "error": words}))).into_response()
    };
    if asked("nan") {
        matrix(json!([[now - 3.0, "10"], [now - 2.0, "NaN"], [now - 1.0, "15"], [now, "+Inf"]]))
    } else if asked("unordered") {
        matrix(json!([[now - 1.0, "15"], [now - 3.0, "10"], [now - 1.0, "15"], [now, "18"]]))
    } else if asked("stale") {
        matrix(json!([[now - 100.0, "10"], [now - 90.0, "11"]]))
    } else if asked("broken") {
        (StatusCode::INTERNAL_SERVER_ERROR, "the disk\nis full").into_response()
    } else if asked("late") {
        error(StatusCode::SERVICE_UNAVAILABLE, "timeout", "query timed out in expression evaluation")
    } else if asked("forbidden") {
        (StatusCode::FORBIDDEN, "not for you").into_response()
    } else if asked("stranger") {
        (StatusCode::UNAUTHORIZED, "who are you").into_response()
    } else if asked("bad") {
        error(StatusCode::BAD_REQUEST, "bad_data", "parse error")
    } else if asked("page") {
        Html("<html>log in").into_response()
    } else if asked("partial") {
        let data = json!({"resultType": "matrix", "result": []});
        Json(json!({"status": "success", "data": data, "warnings": ["store s-1 is down"]})).into_response()
    } else if asked("remark") {
        let result = json!([{"metric": {"instance": "a"}, "values": [[now, "7"]]}]);
        let remark =
            r#"PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "m""#;
        let data = json!({"resultType": "matrix", "result": result});
        Json(json!({"status": "success", "data": data, "warnings": [remark]})).into_response()
    } else if asked("both") {
        let data = json!({"resultType": "matrix", "result": []});
        let warnings = ["PromQL info: a remark", "store s-2 is down"];
        Json(json!({"status": "success", "data": data, "warnings": warnings})).into_response()
    } else if asked("native") {
        let result = json!([{"metric": {}, "histograms": [[now, {"count": "1"}]]}]);
        Json(json!({"status": "success", "data": {"resultType": "matrix", "result": result}})).into_response()
    } else if asked("slow") {
        tokio::time::sleep(Duration::from_secs(5)).await;
        StatusCode::OK.into_response()
    } else {
        Json(json!({"status": "success", "data": {"resultType": "matrix", "result": []}})).into_response()
    }
}

async fn prometheus() -> Prometheus {
    let address = serve(Router::new().route("/api/v1/query", post(answer))).await;
    Prometheus::new(&format!("http://{address}"), Some("token"), Duration::from_millis(500)).unwrap()
}

async fn ask(source: &Prometheus, metric: &str) -> Result<Vec<Series>, PortError> {
    let selector = Selector::counters(metric.to_owned(), vec![]);
    source.samples(&selector, Timestamp::now() - Duration::from_secs(30)).await
}

#[tokio::test]
async fn faults_are_told_apart() {
    let source = prometheus().await;
    let place = source.name();
    let mut said = Vec::new();
    for metric in ["broken", "late", "forbidden", "stranger", "bad", "page", "partial", "native", "slow"] {
        let error = ask(&source, metric).await.unwrap_err();
        let kind = match &error {
            PortError::Unreachable { .. } => "unreachable",
            PortError::Forbidden { .. } => "forbidden",
            PortError::UnexpectedResponse { .. } => "odd",
            _ => "other",
        };
        said.push(format!("{metric}: {kind}: {error}").replace(&place, "PROMETHEUS"));
    }
    insta::assert_snapshot!(said.join("\n"), @r"
broken: unreachable: cannot reach PROMETHEUS: HTTP 500 Internal Server Error: the disk is full
late: unreachable: cannot reach PROMETHEUS: HTTP 503 Service Unavailable: query timed out in expression evaluation
forbidden: forbidden: not allowed to ask PROMETHEUS: HTTP 403 Forbidden: not for you
stranger: unreachable: cannot reach PROMETHEUS: it does not know us (HTTP 401 Unauthorized: who are you)
bad: odd: PROMETHEUS answered with something else than expected: HTTP 400 Bad Request: parse error
page: odd: PROMETHEUS answered with something else than expected: this is no answer of its API: expected value at line 1 column 1
partial: odd: PROMETHEUS answered with something else than expected: the answer may be incomplete: store s-1 is down
native: odd: PROMETHEUS answered with something else than expected: a native histogram is no counter: count it by `histogram_count(...)`, and a part of it by `histogram_fraction(0, T, X) * histogram_count(X)`
slow: unreachable: cannot reach PROMETHEUS: no answer within 500ms
");
}

#[tokio::test]
async fn remarks_on_the_query_are_no_warnings_about_the_data() {
    let source = prometheus().await;
    assert_eq!(ask(&source, "remark").await.unwrap().len(), 1);
    let why = ask(&source, "both").await.unwrap_err().to_string();
    assert!(why.ends_with("the answer may be incomplete: store s-2 is down"), "{why}");
}

#[tokio::test]
async fn an_address_may_have_a_path_and_end_in_a_slash() {
    let router = Router::new().route("/behind/a/proxy/api/v1/query", post(answer));
    let address = serve(router).await;
    for end in ["", "/", "//"] {
        let url = format!("http://{address}/behind/a/proxy{end}");
        let source = Prometheus::new(&url, None, Duration::from_millis(500)).unwrap();
        assert_eq!(ask(&source, "nan").await.unwrap().len(), 1, "{url}");
    }
}

#[tokio::test]
async fn slow_sources_are_given_up_in_time() {
    let source = prometheus().await;
    let began = Instant::now();
    ask(&source, "slow").await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn nothing_and_only_old_samples_are_empty_answers() {
    let source = prometheus().await;
    assert_eq!(ask(&source, "empty").await.unwrap(), vec![]);
    assert_eq!(ask(&source, "stale").await.unwrap(), vec![]);
}

#[tokio::test]
async fn noise_does_not_reach_the_counts() {
    let source = prometheus().await;
    for (metric, expected) in [("nan", 5), ("unordered", 3)] {
        let selector = Selector::counters(metric.to_owned(), vec![]);
        let counting = Counting { selectors: vec![(Side::Total, selector)], edge: None };
        let mut tally = Tally::new(counting, Timestamp::now() - Duration::from_secs(20));
        let answer = ask(&source, metric).await.unwrap();
        tally.look(&[answer]);
        assert_eq!(tally.counts().total, expected, "{metric}");
    }
}

#[tokio::test]
async fn a_source_that_is_not_there_is_unreachable() {
    let source = Prometheus::new("http://user:SECRET@127.0.0.1:9", None, Duration::from_millis(300)).unwrap();
    let error = ask(&source, "m").await.unwrap_err();
    assert!(matches!(error, PortError::Unreachable { .. }), "{error}");
    assert!(!error.to_string().contains("SECRET"), "{error}");
}

async fn share(body: String, bad: &str) -> Response {
    assert!(body.contains("query="));
    let now = Timestamp::now().as_second();
    let result = if bad == "none" { json!([]) } else { json!([{"metric": {}, "value": [now, bad]}]) };
    Json(json!({"status": "success", "data": {"resultType": "vector", "result": result}})).into_response()
}

/// Runs the real binary against a Prometheus that always gives one answer; says its exit code.
async fn checked(args: &[&str], bad: &'static str) -> i32 {
    let router = Router::new().route("/api/v1/query", post(move |body: String| share(body, bad)));
    let url = if bad == "down" { "http://127.0.0.1:9".to_owned() } else { format!("http://{}", serve(router).await) };
    let folder = tempfile::tempdir().unwrap();
    let slos = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/lab/slo.yaml");
    let platform = format!(
        "apiVersion: interlock/v1alpha1\nkind: Platform\nmetadata: {{name: fake}}\ntarget: {{lab: {{}}}}\n\
         metrics: {{prometheus: {{url: '{url}', timeout: 500ms}}}}\nslos: ['{slos}']\n"
    );
    std::fs::write(folder.path().join("interlock.yaml"), platform).unwrap();
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_interlock"))
        .arg("slo")
        .args(args)
        .current_dir(&folder)
        .output()
        .await
        .unwrap();
    output.status.code().unwrap()
}

#[tokio::test]
async fn checks_end_in_the_documented_codes() {
    assert_eq!(checked(&["check"], "0.0001").await, Exit::Kept as i32);
    assert_eq!(checked(&["check"], "0.5").await, Exit::RolledBack as i32);
    assert_eq!(checked(&["check", "tenant-latency", "--max-burn", "0.001"], "0.0001").await, Exit::RolledBack as i32);
    assert_eq!(checked(&["check", "--min-budget", "95%"], "0.0001").await, Exit::RolledBack as i32);
    assert_eq!(checked(&["check"], "none").await, Exit::Unreachable as i32);
    assert_eq!(checked(&["check"], "NaN").await, Exit::Unreachable as i32);
    assert_eq!(checked(&["check"], "down").await, Exit::Unreachable as i32);
    assert_eq!(checked(&["check", "tenant"], "0").await, Exit::Invalid as i32);
    assert_eq!(checked(&["status", "--output", "json"], "NaN").await, Exit::Kept as i32);
    assert_eq!(checked(&["rules"], "down").await, Exit::Kept as i32);
}
