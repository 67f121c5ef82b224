//! `interlock sequence verify`, `export` and `selftest` over files: a till that charges a card and prints a receipt.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{Said, folder, interlock};

const DOCUMENT: &str = "# Paying

<a id=\"paying\"></a>

```mermaid
sequenceDiagram
    actor Shopper
    participant Till
    participant Bank
    participant Printer
    Shopper->>Till: POST /payments
    Till->>Bank: charge the card
    Bank-->>Till: 200
    Till->>Printer: print the receipt
    Printer-->>Till: 200
    Till-->>Shopper: 200
```
";

const SCENARIO: &str = "apiVersion: interlock/v1alpha1
kind: Scenario
metadata: {name: paying}
diagram: {file: pay.md, anchor: paying}
participants:
  Shopper: stimulus
  Till: {service: till}
  Bank: {service: bank}
  Printer: {service: printer}
messages:
  - {at: POST /payments, operation: POST /payments}
  - {at: charge the card, operation: POST /charges}
  - {at: print the receipt, operation: POST /receipts}
";

/// A span as OTLP writes it in JSON.
fn span(id: u64, parent: u64, kind: u8, name: &str, times: (u64, u64), status: Option<u64>) -> Value {
    let second = 1_700_000_000_000_000_000_u64;
    let mut span = json!({
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
        "spanId": format!("{id:016x}"),
        "name": name,
        "kind": kind,
        "startTimeUnixNano": (second + times.0 * 1_000_000).to_string(),
        "endTimeUnixNano": (second + times.1 * 1_000_000).to_string(),
        "attributes": status.iter().map(|code| json!({
            "key": "http.response.status_code", "value": {"intValue": code.to_string()}
        })).collect::<Vec<_>>(),
    });
    if parent != 0 {
        span["parentSpanId"] = json!(format!("{parent:016x}"));
    }
    span
}

/// The spans of each service, as a collector would send them.
fn payment() -> Vec<(&'static str, Vec<Value>)> {
    const SERVER: u8 = 2;
    const CLIENT: u8 = 3;
    vec![
        (
            "till",
            vec![
                span(1, 0, SERVER, "POST /payments", (0, 90), Some(200)),
                span(2, 1, CLIENT, "POST /charges", (10, 40), Some(200)),
                span(4, 1, CLIENT, "POST /receipts", (50, 80), Some(200)),
            ],
        ),
        ("bank", vec![span(3, 2, SERVER, "POST /charges", (15, 35), Some(200))]),
        ("printer", vec![span(5, 4, SERVER, "POST /receipts", (55, 75), Some(200))]),
    ]
}

fn written(folder: &Path, services: &[(&str, Vec<Value>)]) {
    let lines: Vec<String> = services
        .iter()
        .map(|(service, spans)| {
            let name = json!({"key": "service.name", "value": {"stringValue": service}});
            json!({"resourceSpans": [{"resource": {"attributes": [name]}, "scopeSpans": [{"spans": spans}]}]})
                .to_string()
        })
        .collect();
    fs::write(folder.join("traces.json"), lines.join("\n")).unwrap();
}

fn verify(services: &[(&str, Vec<Value>)], more: &[&str]) -> (Said, String, tempfile::TempDir) {
    let (guard, folder) = folder();
    fs::write(folder.join("pay.md"), DOCUMENT).unwrap();
    fs::write(folder.join("pay.yaml"), SCENARIO).unwrap();
    written(&folder, services);
    let said = interlock(&folder, &[&["sequence", "verify", "pay.yaml", "--traces", "traces.json"], more].concat());
    let told = said.told(&folder);
    (said, told, guard)
}

#[test]
fn what_happened_as_drawn_passes() {
    let (_, told, _guard) = verify(&payment(), &[]);
    insta::assert_snapshot!(told);
}

#[test]
fn a_call_that_did_not_happen_fails_with_its_line() {
    let mut services = payment();
    services[0].1.pop();
    services.pop();
    let (said, told, _guard) = verify(&services, &["--junit", "junit.xml", "--mermaid", "found.mmd"]);
    assert_eq!(said.code, 1);
    insta::assert_snapshot!(told);
    let folder = _guard.path();
    insta::assert_snapshot!("junit", without_ids(&fs::read_to_string(folder.join("junit.xml")).unwrap()));
    let drawn = fs::read_to_string(folder.join("found.mmd")).unwrap();
    insta::assert_snapshot!("annotated", drawn);
    let linted = interlock(folder, &["sequence", "lint", "--strict", "found.mmd"]);
    assert_eq!(linted.code, 0, "{}", linted.out);
}

/// Without the report's own id and times.
fn without_ids(xml: &str) -> String {
    let attributes = regex::Regex::new(r#" (uuid|timestamp)="[^"]*""#).unwrap();
    attributes.replace_all(xml, "").into_owned()
}

#[test]
fn a_service_without_spans_leaves_it_open() {
    let mut services = payment();
    services.remove(1);
    let (said, told, _guard) = verify(&services, &[]);
    assert_eq!(said.code, 6, "{told}");
    assert!(told.contains("INCONCLUSIVE") && told.contains("Bank"), "{told}");
}

#[test]
fn no_trace_at_all_is_vacuous() {
    let (said, told, _guard) = verify(&[("somebody", Vec::new())], &["--output", "json"]);
    assert_eq!((said.code, &said.json()["verdict"]), (6, &"VACUOUS".into()), "{told}");
}

#[test]
fn json_names_lines_and_spans() {
    let mut services = payment();
    services[0].1[1]["name"] = json!("POST /refunds");
    services[1].1[0]["name"] = json!("POST /refunds");
    let (said, told, _guard) = verify(&services, &["--output", "json"]);
    assert_eq!(said.code, 1, "{told}");
    let found = said.json();
    let deviations = found["instances"][0]["deviations"].as_array().unwrap();
    assert!(deviations.iter().any(|one| one["line"] == 12 && one["file"] == "pay.md"), "{deviations:#?}");
    assert!(deviations.iter().any(|one| one["spans"][0]["span"] == "0000000000000002"), "{deviations:#?}");
}

#[test]
fn a_diagram_alone_is_bound_by_names() {
    let (guard, folder) = folder();
    fs::write(folder.join("pay.md"), DOCUMENT).unwrap();
    written(&folder, &payment());
    let said = interlock(&folder, &["sequence", "verify", "pay.md#paying", "--traces", "traces.json"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let said = interlock(&folder, &["sequence", "verify", "pay.md#payin", "--traces", "traces.json"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("did you mean `paying`?"), "{}", said.err);
    drop(guard);
}

#[test]
fn a_scenario_that_does_not_fit_is_refused_with_its_place() {
    let (_guard, folder) = folder();
    fs::write(folder.join("pay.md"), DOCUMENT).unwrap();
    written(&folder, &payment());
    for (from, to, place, hint) in [
        ("Till: {", "Til: {", "pay.yaml:7:3", "did you mean `Till`?"),
        ("charge the card,", "charge the cart,", "pay.yaml:12:10", "did you mean `charge the card`?"),
        ("at: POST /payments", "at: '200'", "pay.yaml:11:10", "`nth`"),
        ("kind: Scenario", "kind: Scenery", "pay.yaml:2:", "Scenario"),
        ("anchor: paying", "ancor: paying", "pay.yaml:4:", "did you mean `anchor`?"),
    ] {
        fs::write(folder.join("pay.yaml"), SCENARIO.replace(from, to)).unwrap();
        let said = interlock(&folder, &["sequence", "verify", "pay.yaml", "--traces", "traces.json"]);
        assert_eq!(said.code, 2, "{from}: {}", said.err);
        assert!(said.err.contains(place) && said.err.contains(hint), "{from}: {}", said.err);
        if from.starts_with("kind") {
            continue;
        }
        let linted = interlock(&folder, &["sequence", "lint", "."]);
        assert_eq!(linted.code, 1, "{}", linted.out);
        assert!(linted.out.contains("IL-SEQ-050"), "{}", linted.out);
    }
}

#[test]
fn what_is_exported_verifies_and_is_lint_clean() {
    let (_guard, folder) = folder();
    written(&folder, &payment());
    let said = interlock(&folder, &["sequence", "export", "--traces", "traces.json", "--to", "seen.mmd"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let linted = interlock(&folder, &["sequence", "lint", "--deny", "notes", "seen.mmd"]);
    assert_eq!(linted.code, 0, "{}", linted.out);
    let said = interlock(&folder, &["sequence", "verify", "seen.mmd", "--traces", "traces.json"]);
    assert_eq!(said.code, 0, "{}{}{}", fs::read_to_string(folder.join("seen.mmd")).unwrap(), said.out, said.err);
}

#[test]
fn a_check_that_cannot_fail_is_called_weak() {
    let (_guard, folder) = folder();
    fs::write(folder.join("pay.md"), DOCUMENT).unwrap();
    fs::write(folder.join("pay.yaml"), SCENARIO).unwrap();
    written(&folder, &payment());
    let said = interlock(&folder, &["sequence", "selftest", "pay.yaml", "--traces", "traces.json"]);
    insta::assert_snapshot!("strong", said.told(&folder));
    // Names alone do not tell one call from another between the same two.
    let said = interlock(&folder, &["sequence", "selftest", "pay.md#paying", "--traces", "traces.json"]);
    assert_eq!(said.code, 1, "{}", said.out);
    insta::assert_snapshot!("weak", said.told(&folder));
}

const STATES: &str = "# Orders

```mermaid
stateDiagram-v2
    [*] --> Open
    Open --> Paid
    Paid --> Sent
    Open --> Dropped
    Sent --> [*]
```
";

/// One span for each state that an order came to.
fn orders(steps: &[(&str, &str, &str)]) -> Vec<Value> {
    let told = |(at, (order, from, to)): (usize, &(&str, &str, &str))| {
        let at = at as u64;
        let mut one = span(at + 1, 0, 1, "order", (at * 10, at * 10 + 5), None);
        let text = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
        one["attributes"] = json!([text("order.id", order), text("order.before", from), text("order.after", to)]);
        if from.is_empty() {
            one["attributes"].as_array_mut().unwrap().remove(1);
        }
        one
    };
    steps.iter().enumerate().map(told).collect()
}

#[test]
fn states_that_are_told_have_to_be_drawn() {
    let (_guard, folder) = folder();
    fs::write(folder.join("orders.md"), STATES).unwrap();
    let scenario = "apiVersion: interlock/v1alpha1
kind: Scenario
metadata: {name: orders}
diagram: {file: orders.md, anchor: orders}
states: {entity: order.id, from: order.before, to: order.after}
";
    fs::write(folder.join("orders.yaml"), scenario).unwrap();
    let good =
        [("a", "", "Open"), ("a", "Open", "Paid"), ("b", "", "Open"), ("a", "Paid", "Sent"), ("b", "Open", "Dropped")];
    written(&folder, &[("shop", orders(&good))]);
    let verify = |more: &[&str]| {
        interlock(&folder, &[&["sequence", "verify", "orders.yaml", "--traces", "traces.json"], more].concat())
    };
    assert_eq!(verify(&[]).code, 0, "{}", verify(&[]).out);
    written(&folder, &[("shop", orders(&[("a", "", "Open"), ("a", "Open", "Sent")]))]);
    insta::assert_snapshot!("states", verify(&[]).told(&folder));
    assert_eq!(verify(&["--output", "json"]).json()["strays"][0]["to"], "Sent");
    assert_eq!(verify(&["--junit", "x.xml"]).code, 2);
}
