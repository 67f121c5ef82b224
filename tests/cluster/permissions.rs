//! The roles of manifests/rbac: each suffices for what it is for, and that of the switchover has nothing that the gate does
//! not ask for.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use interlock::process::Signal;
use serde_json::{Value, json};

use crate::stage::{Cli, Done, Stage, until};

const PLAN: [&str; 7] =
    ["switchover", "plan", "tenant", "--to", "green", "--scale-down-old", "--accept-local-guardian"];
const RUN: [&str; 12] =
    ["switchover", "run", "tenant", "--to", "green", "--yes", "--bake", "3s", "--max-bake", "60s", "--baseline", "6s"];

/// The objects of a folder of manifests, as kubectl sees them.
fn built(folder: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/rbac").join(folder);
    let built = Command::new("kubectl").arg("kustomize").arg(folder).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    serde_saphyr::from_multiple(&String::from_utf8(built.stdout).unwrap()).unwrap()
}

fn apply(stage: &Stage, objects: &[Value]) {
    stage.apply(&json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string());
}

/// A kubeconfig of an account of the stage, which nobody else may read.
fn account(stage: &Stage, name: &str) -> PathBuf {
    let path = format!("/api/v1/namespaces/{}/serviceaccounts/{name}/token", stage.namespace);
    let request = r#"{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}"#;
    let mut kubectl = stage.kubectl_command(&["create", "--raw", &path, "-f", "-"]);
    let mut kubectl = kubectl.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    kubectl.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    let answer: Value = serde_json::from_slice(&kubectl.wait_with_output().unwrap().stdout).unwrap();
    let token = answer["status"]["token"].as_str().unwrap();

    let own = fs::read_to_string(&stage.kubeconfig).unwrap();
    let line = own.lines().find(|line| line.trim_start().starts_with("token:")).unwrap();
    let indent = &line[..line.len() - line.trim_start().len()];
    let file = stage.folder().join(format!("{name}.kubeconfig"));
    let mut open = fs::OpenOptions::new();
    let mut made = open.write(true).create_new(true).mode(0o600).open(&file).unwrap();
    made.write_all(own.replace(line, &format!("{indent}token: {token}")).as_bytes()).unwrap();
    file
}

/// Starts interlock under an account.
fn start(stage: &mut Stage, kubeconfig: &Path, args: &[&str]) -> Cli {
    let own = std::mem::replace(&mut stage.kubeconfig, kubeconfig.to_owned());
    let started = stage.start(args);
    stage.kubeconfig = own;
    started
}

fn ask(stage: &mut Stage, kubeconfig: &Path, args: &[&str]) -> Done {
    start(stage, kubeconfig, args).wait()
}

/// Waits until the server goes by a role that was just made.
fn granted(stage: &Stage, account: &str, verb: &str, resource: &str) {
    let whom = format!("--as=system:serviceaccount:{}:{account}", stage.namespace);
    until("the role to be known", || {
        let mut asked = stage.kubectl_command(&["auth", "can-i", verb, resource, &whom]);
        asked.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    });
}

/// One verb on one object, or on all of a kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Grant {
    group: String,
    resource: String,
    name: Option<String>,
    verb: String,
}

impl Grant {
    fn rule(&self) -> Value {
        let mut rule = json!({ "apiGroups": [self.group], "resources": [self.resource], "verbs": [self.verb] });
        if let Some(name) = &self.name {
            rule["resourceNames"] = json!([name]);
        }
        rule
    }

    /// As the gate calls what is missing.
    fn told(&self) -> String {
        let group = if self.group.is_empty() { String::new() } else { format!(".{}", self.group) };
        let name = self.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        format!("{} {}{group}{name} in namespace", self.verb, self.resource)
    }
}

/// All that a role grants, one by one.
fn grants(role: &Value) -> BTreeSet<Grant> {
    let strings = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().map(|one| one.as_str().unwrap().to_owned()).collect()
    };
    let mut all = BTreeSet::new();
    for rule in role["rules"].as_array().unwrap() {
        let names = strings(&rule["resourceNames"]);
        let names: Vec<_> = if names.is_empty() { vec![None] } else { names.into_iter().map(Some).collect() };
        for group in strings(&rule["apiGroups"]) {
            for resource in strings(&rule["resources"]) {
                for name in &names {
                    for verb in strings(&rule["verbs"]) {
                        let (group, resource, name) = (group.clone(), resource.clone(), name.clone());
                        all.insert(Grant { group, resource, name, verb });
                    }
                }
            }
        }
    }
    all
}

/// An account with a role of its own.
fn account_with(name: &str, rules: Vec<Value>) -> [Value; 3] {
    let meta = json!({ "name": name });
    [
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta }),
        json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": meta, "rules": rules }),
        json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta,
                "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
                "subjects": [{ "kind": "ServiceAccount", "name": name }] }),
    ]
}

fn version(stage: &Stage) -> String {
    stage.kubectl(&["get", "service", "tenant", "-o", "jsonpath={.metadata.resourceVersion}"])
}

#[test]
fn whoever_may_look_sees_everything_and_changes_nothing() {
    let Some(mut stage) = Stage::up("rbac-look") else { return };
    apply(&stage, &built("read-only"));
    granted(&stage, "interlock-read-only", "list", "pods");
    let looking = account(&stage, "interlock-read-only");
    for args in [&["switchover", "status", "tenant"][..], &["runs", "list"], &["doctor", "--for", "read"]] {
        let done = ask(&mut stage, &looking, args);
        assert_eq!(done.code, Some(0), "{args:?}: {done:?}");
    }
    // Burn rates look back, which pods cannot; that no permission is missing shows in the plan.
    let plan = ask(&mut stage, &looking, &PLAN);
    assert_eq!(plan.code, Some(3), "{plan:?}");
    let role = built("switchover");
    let switches = grants(role.iter().find(|object| object["kind"] == "Role").unwrap());
    let reads = built("read-only");
    let reads = grants(reads.iter().find(|object| object["kind"] == "Role").unwrap());
    let err = unfolded(&plan.err);
    for grant in switches.difference(&reads) {
        assert!(err.contains(&grant.told()), "{}: {err}", grant.told());
    }
    for grant in &reads {
        assert!(!err.contains(&grant.told()), "{}: {err}", grant.told());
    }
    let written: Vec<_> = reads.iter().filter(|g| !["get", "list", "watch"].contains(&&*g.verb)).collect();
    assert!(written.is_empty(), "{written:?}");
}

#[test]
fn a_switchover_runs_under_its_role_there_and_back() {
    let Some(mut stage) = Stage::up("rbac-run") else { return };
    apply(&stage, &built("switchover"));
    granted(&stage, "interlock-switchover", "list", "pods");
    let switching = account(&stage, "interlock-switchover");
    let load = stage.offer(100, true);

    let args = [&RUN[..], &["--accept-local-guardian", "--scale-down-old"]].concat();
    let mut run = start(&mut stage, &switching, &args);
    until("green to get traffic", || run.has_ended() || stage.serving() == "green");
    run.signal(Signal::SIGINT);
    let done = run.wait();
    assert_eq!(done.code, Some(7), "{}\n{}", done.out, done.err);
    assert_eq!(stage.serving(), "blue");

    let done = ask(&mut stage, &switching, &args);
    assert_eq!(done.code, Some(0), "{}\n{}", done.out, done.err);
    assert_eq!(stage.serving(), "green");
    assert_eq!(stage.kubectl(&["get", "deployment", "tenant-blue", "-o", "jsonpath={.spec.replicas}"]), "0");
    let status = ask(&mut stage, &switching, &["switchover", "status", "tenant"]);
    assert_eq!(status.code, Some(0), "{status:?}");
    // A run never fails for want of an Event, so that they are there says that they were allowed.
    let events = stage.kubectl(&["get", "events", "-o", "jsonpath={.items[*].reason}"]);
    for reason in ["TrafficMoved", "Scaled"] {
        assert!(events.contains(reason), "{events}");
    }
    load.end();
}

#[test]
fn a_guardian_puts_back_under_its_role() {
    let Some(mut stage) = Stage::up("rbac-guard") else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/guardian/account.yaml");
    stage.apply(&fs::read_to_string(folder).unwrap());
    apply(&stage, &[built("switchover"), built("guardian")].concat());
    granted(&stage, "interlock-guardian", "list", "leases");
    let (switching, guarding) = (account(&stage, "interlock-switchover"), account(&stage, "interlock-guardian"));
    let namespace = stage.namespace.clone();
    let guardian = start(&mut stage, &guarding, &["guardian", "--cluster", "--namespace", &namespace]);
    until("the guardian to act", || {
        let asked = stage.kubectl_command(&["get", "lease", "interlock-guardian"]).output().unwrap();
        asked.status.success()
    });
    let seen = ask(&mut stage, &switching, &["doctor", "--for", "switchover"]);
    assert_eq!(seen.code, Some(0), "{seen:?}");
    assert!(seen.out.contains("in the cluster: "), "{}", seen.out);
    let load = stage.offer(100, true);
    // Longer than it takes to find out that the operator has gone.
    let args: Vec<_> = RUN.iter().map(|arg| if *arg == "3s" { "20s" } else { arg }).collect();
    let mut run = start(&mut stage, &switching, &args);
    until("green to get traffic", || run.has_ended() || stage.serving() == "green");
    assert!(!run.has_ended(), "{:?}", run.wait());
    run.kill_group();
    until("the guardian to put it back", || stage.serving() == "blue");
    let state = "jsonpath={.items[*].metadata.labels.interlock/state}";
    until("the run to be over", || !stage.kubectl(&["get", "configmaps", "-o", state]).contains("running"));
    guardian.signal(Signal::SIGTERM);
    let done = guardian.wait();
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(!unfolded(&done.err).contains("not allowed"), "{}", done.err);
    load.end();
}

#[test]
fn nothing_can_be_taken_from_the_switchovers_role() {
    let Some(mut stage) = Stage::up("rbac-least") else { return };
    let objects = built("switchover");
    let all = grants(objects.iter().find(|object| object["kind"] == "Role").unwrap());
    let reduced: Vec<_> = all.iter().enumerate().map(|(at, without)| (format!("without-{at}"), without)).collect();
    let mut accounts = objects.clone();
    for (name, without) in &reduced {
        let rules = all.iter().filter(|grant| grant != without).map(Grant::rule).collect();
        accounts.extend(account_with(name, rules));
    }
    apply(&stage, &accounts);
    granted(&stage, &reduced.last().unwrap().0, "list", "pods");

    let before = version(&stage);
    let whole = account(&stage, "interlock-switchover");
    let plan = ask(&mut stage, &whole, &PLAN);
    assert_eq!(plan.code, Some(0), "{plan:?}");
    for (name, without) in &reduced {
        let less = account(&stage, name);
        let plan = ask(&mut stage, &less, &PLAN);
        let err = unfolded(&plan.err);
        assert_eq!(plan.code, Some(3), "without {without:?}: {plan:?}");
        assert!(err.contains("permissions: not allowed: "), "without {without:?}: {err}");
        assert!(err.contains(&without.told()), "without {without:?}: {err}");
    }
    assert_eq!(version(&stage), before);
}

/// What was broken into lines for people.
fn unfolded(text: &str) -> String {
    text.split_whitespace().filter(|word| *word != "|").collect::<Vec<_>>().join(" ")
}
