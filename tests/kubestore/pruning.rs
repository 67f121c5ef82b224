//! Pruning in a cluster: under its role and nothing less, and finished by the next one where it was cut short.

use std::{fs, io::Write as _, path::Path, process::Stdio, time::Duration};

use interlock::{
    adapters::{Cluster, SystemClock, store::KubeStore},
    error::{Error, Exit},
    guard::{Entry, Outcome, Plan, Start, begin, prunable, prune},
    journal::Record,
    model::{RunId, Target, Timestamp},
    ports::Store as _,
};
use serde_json::{Value, json};

use crate::{server::Server, shelf::plan, store::run};

/// Writes a run that was kept, with a snapshot beside its journal.
async fn write(store: &KubeStore, run: &RunId) {
    let plan = Plan { target: Target::parse("tenant").unwrap(), ..plan() };
    let grant = begin(store, run, &plan, &Start::default()).await.unwrap();
    store.save_snapshot(&grant, 0, "where series stand").await.unwrap();
    let finished = Entry::Finished { outcome: Outcome::Kept { warning: None } };
    store.append(&grant, finished.draft().unwrap()).await.unwrap();
    store.release(&grant).await.unwrap();
}

/// The store as somebody else has it.
async fn store_of(server: &Server, namespace: &str, user: &str, folder: &Path) -> KubeStore {
    let text = fs::read_to_string(server.kubeconfig()).unwrap();
    let kubeconfig = folder.join(user.replace(':', "-"));
    fs::write(&kubeconfig, text.replace("    token:", &format!("    as: {user}\n    token:"))).unwrap();
    let mut reach = server.reach(namespace);
    reach.kubeconfig = Some(kubeconfig);
    KubeStore::new(Cluster::connect(&reach).await.unwrap(), std::sync::Arc::new(SystemClock))
}

/// Prunes all that is over, as the command does.
async fn prune_all(store: &KubeStore) -> Result<Vec<Record>, Error> {
    let now = Timestamp::now();
    let mut all = Vec::new();
    for summary in prunable(store, now).await? {
        all.push(prune(store, &summary.run, now).await?);
    }
    Ok(all)
}

/// The role of the manifests.
fn role() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/rbac/prune/role.yaml");
    let objects: Vec<Value> = serde_saphyr::from_multiple(&fs::read_to_string(file).unwrap()).unwrap();
    objects.into_iter().find(|object| object["kind"] == "Role").unwrap()
}

/// The same role without each of its verbs in turn: what is missing, and the role.
fn reduced(role: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for (at, rule) in role["rules"].as_array().unwrap().iter().enumerate() {
        for (index, verb) in rule["verbs"].as_array().unwrap().iter().enumerate() {
            let mut less = role.clone();
            less["rules"][at]["verbs"].as_array_mut().unwrap().remove(index);
            // A rule without verbs is none.
            less["rules"].as_array_mut().unwrap().retain(|rule| rule["verbs"] != json!([]));
            let resource = rule["resources"][0].as_str().unwrap();
            all.push((format!("cannot {} resource \"{resource}\"", verb.as_str().unwrap()), less));
        }
    }
    all
}

/// Gives a user a role.
fn grant(server: &Server, namespace: &str, user: &str, mut role: Value) {
    role["metadata"] = json!({ "name": user });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": { "name": user },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": user },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user }],
    });
    apply(server, namespace, "apply", &json!({ "apiVersion": "v1", "kind": "List", "items": [role, binding] }));
}

fn apply(server: &Server, namespace: &str, how: &str, object: &Value) {
    let mut kubectl = server.kubectl_command(&[how, "-n", namespace, "-f", "-"]);
    let mut kubectl = kubectl.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    kubectl.stdin.take().unwrap().write_all(object.to_string().as_bytes()).unwrap();
    assert!(kubectl.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn pruning_takes_its_role_and_nothing_less() {
    let Some(server) = Server::shared() else { return };
    server.namespace("pruning");
    let (own, folder) = (server.store("pruning").await, tempfile::tempdir().unwrap());
    write(&own, &run(1)).await;
    let records = own.load(&run(1)).await.unwrap();
    for (number, (missing, role)) in reduced(&role()).into_iter().enumerate() {
        let user = format!("less-{number}");
        grant(&server, "pruning", &user, role);
        let store = store_of(&server, "pruning", &user, folder.path()).await;
        let mut refused = prune_all(&store).await.unwrap_err();
        // Until the server goes by the role.
        for _ in 0..200 {
            if refused.to_string().contains(&missing) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
            refused = prune_all(&store).await.unwrap_err();
        }
        assert!(refused.to_string().contains(&missing), "{missing}: {refused}");
        assert_eq!(refused.exit(), Exit::Refused, "{refused}");
        assert!(refused.hint().contains("manifests/rbac/prune"), "{}", refused.hint());
        assert_eq!(own.load(&run(1)).await.unwrap(), records, "{missing}: something was changed");
    }
    grant(&server, "pruning", "whole", role());
    let store = store_of(&server, "pruning", "whole", folder.path()).await;
    let mut pruned = prune_all(&store).await;
    for _ in 0..200 {
        if pruned.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        pruned = prune_all(&store).await;
    }
    assert_eq!(own.load(&run(1)).await.unwrap(), pruned.unwrap());
    assert_eq!(server.kubectl(&["get", "cm", "-n", "pruning", "-l", "interlock/run", "-o", "name"]).lines().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn pruning_that_was_cut_short_in_a_cluster_is_finished_by_the_next() {
    let Some(server) = Server::shared() else { return };
    server.namespace("half");
    let store = server.store("half").await;
    for number in [1, 2] {
        write(&store, &run(number)).await;
    }
    let head = store.head(&run(1)).await.unwrap();
    let other = format!("interlock-run-{}-snapshot-1-0-0", run(1));
    let kept = server.kubectl(&["get", "cm", &other, "-n", "half", "-o", "json"]);
    assert_eq!(prune_all(&store).await.unwrap().len(), 2);
    assert_eq!(store.half_pruned().await.unwrap(), []);
    // As if the one before had ended before it came to this one.
    let mut kept: Value = serde_json::from_str(&kept).unwrap();
    for field in ["uid", "resourceVersion", "creationTimestamp"] {
        kept["metadata"].as_object_mut().unwrap().remove(field);
    }
    apply(&server, "half", "create", &kept);
    assert_eq!(store.half_pruned().await.unwrap(), [run(1)]);
    let finished = prune_all(&store).await.unwrap();
    assert_eq!((finished.len(), &finished[0].prev), (1, &head));
    assert_eq!(store.load(&run(1)).await.unwrap(), finished);
    assert_eq!(store.head(&run(1)).await.unwrap(), head);
    assert_eq!(prunable(&store, Timestamp::now()).await.unwrap().len(), 0);
    let left = server.kubectl(&["get", "cm", "-n", "half", "-l", "interlock/run", "-o", "name"]);
    assert_eq!(left.lines().count(), 2, "{left}");
}
