//! `config verify` on a cluster: pods that take a ConfigMap or a Secret, and which of them have seen its last change.

use std::fs;

use serde_json::Value;

use crate::{
    api_server::shared,
    stage::{Stage, until},
};

const OBJECTS: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: server}
data:
  nginx.conf: |
    daemon off;
    pid /tmp/nginx.pid;
    events {}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {limit: '3'}
---
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: hunter-two}
";

/// A Deployment whose only pod takes `settings` in some way.
fn deployment(name: &str, takes: &str) -> String {
    format!(
        "---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: nginx
        image: site/nginx:1
        imagePullPolicy: Never
        args: [-c, /etc/server/nginx.conf]
{takes}
      securityContext: {{runAsUser: 65534, runAsGroup: 65534}}
      volumes:
      - {{name: server, configMap: {{name: server}}}}
      - {{name: settings, configMap: {{name: settings}}}}
"
    )
}

fn platform(namespace: &str) -> String {
    format!(
        "apiVersion: interlock/v1alpha1\nkind: Platform\nmetadata: {{name: shop}}\ntarget: {{kubernetes: {{namespace: \
         {namespace}}}}}\nconfigs:\n  settings: {{instances: {{configMap: {{name: settings}}}}}}\n  login: {{instances: \
         {{secret: {{name: login}}}}}}\n"
    )
}

/// How the command ended, and how the pod of each Deployment stands.
fn verify(stage: &Stage, config: &str) -> (Option<i32>, Vec<String>) {
    let done = stage.ask(&["config", "verify", config, "-o", "json"]);
    let all: Value = serde_json::from_str(&done.out).unwrap_or_else(|e| panic!("{e}: {done:?}"));
    assert!(!done.out.contains("hunter"), "{}", done.out);
    let stands = |one: &Value| {
        let name = one["name"].as_str().unwrap().split('-').next().unwrap().to_owned();
        format!("{name} {}", one["standing"].as_str().unwrap())
    };
    let mut all: Vec<_> = all[0]["instances"].as_array().unwrap().iter().map(stands).collect();
    all.sort();
    (done.code, all)
}

#[test]
fn pods_that_have_not_seen_a_change_are_named() {
    let Some(stage) = Stage::bare("configs", shared) else { return };
    let server = "        volumeMounts:\n        - {name: server, mountPath: /etc/server}";
    let environment = format!(
        "        env: [{{name: LIMIT, valueFrom: {{configMapKeyRef: {{name: settings, key: limit}}}}}}]\n        envFrom: \
         [{{secretRef: {{name: login}}}}]\n{server}"
    );
    let part = format!("{server}\n        - {{name: settings, mountPath: /etc/limit, subPath: limit}}");
    let whole = format!("{server}\n        - {{name: settings, mountPath: /etc/settings}}");
    let deployments = [("environment", environment), ("part", part), ("whole", whole)];
    let manifests = deployments.iter().map(|(name, takes)| deployment(name, takes)).collect::<String>();
    stage.apply(&format!("{OBJECTS}{manifests}"));
    let restarted = || {
        for (name, _) in &deployments {
            stage.kubectl(&["rollout", "status", &format!("deployment/{name}"), "--timeout=300s"]);
            stage.kubectl(&[
                "wait",
                "--for=jsonpath={.status.replicas}=1",
                &format!("deployment/{name}"),
                "--timeout=300s",
            ]);
        }
    };
    restarted();
    fs::write(stage.folder().join("interlock.yaml"), platform(&stage.namespace)).unwrap();
    let all = |environment: &str, part: &str, whole: &str| {
        vec![format!("environment {environment}"), format!("part {part}"), format!("whole {whole}")]
    };
    until("all have seen it", || verify(&stage, "settings") == (Some(0), all("current", "current", "current")));
    assert_eq!(verify(&stage, "login"), (Some(0), vec!["environment current".to_owned()]));

    stage.kubectl(&["patch", "configmap", "settings", "-p", "{\"data\":{\"limit\":\"4\"}}"]);
    assert_eq!(verify(&stage, "settings"), (Some(1), all("stale", "stale", "unclear")));
    let said = stage.ask(&["config", "verify", "settings"]).out;
    for why in [
        "taken as environment, it follows no change",
        "mounted by subPath, it follows no change",
        "not yet: its kubelet",
    ] {
        assert!(said.contains(why), "{why}: {said}");
    }
    // A label is no change of what it holds.
    stage.kubectl(&["label", "secret", "login", "team=shop"]);
    assert_eq!(verify(&stage, "login").0, Some(0));
    stage.kubectl(&["patch", "secret", "login", "-p", "{\"stringData\":{\"password\":\"hunter-three\"}}"]);
    assert_eq!(verify(&stage, "login"), (Some(1), vec!["environment stale".to_owned()]));

    stage.kubectl(&["rollout", "restart", "deployment"]);
    restarted();
    until("the new pods have seen it", || {
        verify(&stage, "settings") == (Some(0), all("current", "current", "current"))
    });
    assert_eq!(verify(&stage, "login").0, Some(0));

    fs::write(stage.folder().join("interlock.yaml"), platform(&stage.namespace).replace("name: login", "name: gone"))
        .unwrap();
    let gone = stage.ask(&["config", "verify", "login"]);
    assert_eq!(gone.code, Some(4), "{gone:?}");
    assert!(gone.err.contains("secret/gone") || gone.err.contains("\"gone\""), "{gone:?}");
}
