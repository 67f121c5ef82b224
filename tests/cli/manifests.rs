//! The manifests that are shipped: read by kubectl, by Prometheus, and by interlock itself.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{folder, interlock};

/// What is used of a kustomization: nothing that kubectl calls deprecated.
const FIELDS: [&str; 4] = ["apiVersion", "kind", "resources", "configMapGenerator"];

/// Folders that are applied as they are.
const KUSTOMIZATIONS: [&str; 10] = [
    "lab",
    "lab-httproute",
    "site",
    "site-selector",
    "jobs",
    "guardian",
    "rbac",
    "rbac/read-only",
    "rbac/switchover",
    "rbac/guardian",
];

fn manifests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn strings(value: Option<&Value>) -> Vec<&str> {
    value.and_then(Value::as_array).into_iter().flatten().map(|one| one.as_str().unwrap()).collect()
}

#[test]
fn kustomizations_have_no_deprecated_field() {
    for name in KUSTOMIZATIONS {
        let folder = manifests().join(name);
        let file = folder.join("kustomization.yaml");
        let kustomization: Value = serde_saphyr::from_str(&read(&file)).unwrap();
        for field in kustomization.as_object().unwrap().keys() {
            assert!(FIELDS.contains(&field.as_str()), "{}: `{field}`", file.display());
        }
        for resource in strings(kustomization.get("resources")) {
            if folder.join(resource).is_dir() {
                assert!(folder.join(resource).join("kustomization.yaml").is_file(), "{}: {resource}", file.display());
                continue;
            }
            assert!(folder.join(resource).is_file(), "{}: {resource}", file.display());
            serde_saphyr::from_multiple::<Value>(&read(&folder.join(resource))).unwrap();
        }
    }
}

#[test]
fn the_slots_differ_in_their_colour_alone() {
    let slot = |colour: &str| {
        let text = read(&manifests().join(format!("lab/tenant-{colour}.yaml")));
        text.lines()
            .filter(|line| !line.starts_with("# The") && !line.starts_with("# the"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(slot("blue").replace("blue", "green"), slot("green"));
}

#[test]
fn the_scrape_configuration_is_accepted_by_promtool() {
    let text = read(&manifests().join("prometheus/scrape.yaml"));
    // Debian builds Prometheus without the discovery of pods; all else of the file is checked with targets in its place.
    let discovery = "  kubernetes_sd_configs:\n  - role: pod\n    selectors:\n    - {role: pod, label: app.kubernetes.io/name=tenant}\n";
    assert!(text.contains(discovery));
    let (_guard, folder) = folder();
    let file = folder.join("scrape.yaml");
    fs::write(&file, text.replace(discovery, "  static_configs:\n  - targets: [\"10.244.0.9:9090\"]\n")).unwrap();
    let checked = Command::new("promtool").args(["check", "config"]).arg(&file).output();
    let checked = checked.expect("promtool is missing: install the package `prometheus`");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn the_platform_of_the_jobs_is_one() {
    let (_guard, folder) = folder();
    let platform = manifests().join("jobs/interlock.yaml");
    let said = interlock(&folder, &["--platform", platform.to_str().unwrap(), "slo", "rules"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(said.out.contains("tenant_requests_total"), "{}", said.out);
}

#[test]
fn roles_grant_nothing_by_wildcard_and_nothing_beyond_the_namespace() {
    let strings = |value: &Value| strings(Some(value)).into_iter().map(str::to_owned).collect::<Vec<_>>();
    for role in ["read-only", "switchover", "guardian"] {
        let text = read(&manifests().join("rbac").join(role).join("role.yaml"));
        let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        assert!(objects.iter().all(|object| !object["kind"].as_str().unwrap().starts_with("Cluster")), "{role}");
        for rule in objects.iter().filter_map(|object| object["rules"].as_array()).flatten() {
            for part in ["apiGroups", "resources", "verbs", "resourceNames"] {
                assert!(!strings(&rule[part]).contains(&"*".to_owned()), "{role}: {rule}");
            }
            assert!(!strings(&rule["resources"]).iter().any(|one| one == "secrets"), "{role}: {rule}");
            assert!(!strings(&rule["verbs"]).iter().any(|one| one == "delete"), "{role}: {rule}");
        }
    }
}
