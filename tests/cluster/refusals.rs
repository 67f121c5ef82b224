//! Clusters in which a switchover cannot begin: the word says what was found and what to do, and nothing is touched.

use std::time::{Duration, Instant};

use crate::stage::{Done, Stage, until};

/// What was said, whatever the width of its lines.
pub fn words(text: &str) -> String {
    text.split_whitespace().filter(|word| *word != "|").collect::<Vec<_>>().join(" ")
}

/// Plans, which has to end soon.
fn refused(stage: &Stage) -> Done {
    let begun = Instant::now();
    let plan = stage.ask(&["switchover", "plan", "tenant", "--to", "green", "--accept-local-guardian"]);
    assert!(begun.elapsed() < Duration::from_secs(120), "{plan:?}");
    plan
}

#[test]
fn a_selector_that_names_no_slot_is_refused_with_the_mend() {
    let Some(stage) = Stage::up("unnamed") else { return };
    let selector = |slot: &str| {
        stage.kubectl(&["patch", "service", "tenant", "-p", &format!(r#"{{"spec":{{"selector":{{"slot":{slot}}}}}}}"#)])
    };
    selector("null");
    let plan = refused(&stage);
    assert_eq!(plan.code, Some(3), "{plan:?}");
    assert!(words(&plan.err).contains("its selector has no `slot`: give it one, `blue` or `green`"), "{plan:?}");
    assert_eq!(stage.serving(), "");
    selector(r#""canary""#);
    let plan = refused(&stage);
    assert_eq!(plan.code, Some(3), "{plan:?}");
    assert!(
        words(&plan.err).contains("`slot=canary`, which names neither slot: make it `blue` or `green`"),
        "{plan:?}"
    );
    assert_eq!(stage.serving(), "canary");
    selector(r#""blue""#);

    // Nobody answers where users are said to go.
    let file = stage.folder().join("interlock.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let named = "        service: tenant\n";
    assert!(text.contains(named));
    std::fs::write(&file, text.replace(named, &format!("{named}        address: http://127.0.0.1:1\n"))).unwrap();
    let plan = refused(&stage);
    assert_eq!(plan.code, Some(4), "{plan:?}");
    assert!(words(&plan.err).contains("smoke: cannot reach http://127.0.0.1:1"), "{plan:?}");
    assert!(words(&plan.err).contains("the live path has to answer"), "{plan:?}");

    // A kind that the cluster does not have.
    let begin = text.find("      selector:\n").unwrap();
    let end = text.find("    # The pods tell").unwrap();
    let routed = "      httpRoute: {route: nowhere, address: \"http://127.0.0.1:1\", \
                  backends: {blue: tenant-blue, green: tenant-green}}\n";
    std::fs::write(&file, [&text[..begin], routed, &text[end..]].concat()).unwrap();
    let plan = refused(&stage);
    assert_eq!(plan.code, Some(3), "{plan:?}");
    assert!(words(&plan.err).contains("no httproutes/nowhere"), "{plan:?}");
    assert_eq!(stage.serving(), "blue");
}

/// Keeps a namespace that is being deleted, for as long as this is kept.
struct Kept<'a>(&'a Stage);

impl<'a> Kept<'a> {
    fn new(stage: &'a Stage) -> Self {
        stage.apply(
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"kept","finalizers":["interlock/test"]}}"#,
        );
        Self(stage)
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        for kept in ["configmap/kept", "service/tenant"] {
            let patch = ["patch", kept, "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#];
            let _ = self.0.kubectl_command(&patch).output();
        }
    }
}

#[test]
fn a_namespace_that_is_being_deleted_is_refused() {
    let Some(stage) = Stage::up("leaving") else { return };
    // A Service that is kept as well: all that is read is still there.
    stage.kubectl(&["patch", "service", "tenant", "-p", r#"{"metadata":{"finalizers":["interlock/test"]}}"#]);
    let _kept = Kept::new(&stage);
    let before = stage.kubectl(&["get", "service", "tenant", "-o", "jsonpath={.spec}"]);
    stage.kubectl(&["delete", "namespace", &stage.namespace, "--wait=false"]);
    until("the pods to go", || stage.kubectl(&["get", "pods", "-o", "name"]).is_empty());
    let plan = refused(&stage);
    assert_eq!(plan.code, Some(3), "{plan:?}");
    let leaving = format!("the namespace {} is being deleted with everything in it", stage.namespace);
    assert!(words(&plan.err).contains(&leaving), "{plan:?}");
    assert!(words(&plan.err).contains("help: wait until it is gone"), "{plan:?}");
    // Nothing is left behind the Services, which the server says in their name: it was reached itself.
    assert!(words(&plan.err).contains("no endpoints available"), "{plan:?}");
    assert!(!words(&plan.err).contains("cannot reach the API server"), "{plan:?}");
    assert_eq!(stage.kubectl(&["get", "service", "tenant", "-o", "jsonpath={.spec}"]), before);
    stage.kubectl(&["patch", "service", "tenant", "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#]);
    let gone = ["get", "service", "tenant", "--ignore-not-found", "-o", "name"];
    until("the Service to go", || stage.kubectl(&gone).is_empty());
    let plan = refused(&stage);
    assert_eq!(plan.code, Some(3), "{plan:?}");
    assert!(words(&plan.err).contains(&leaving), "{plan:?}");
}
