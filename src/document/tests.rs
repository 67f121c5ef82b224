//! Tests of the platform file: examples, faults, overrides, schema.

use std::{fs, path::Path};

use serde_json::Value;

use super::*;

const FULL: &str = "\
apiVersion: interlock/v1alpha1
kind: Platform
metadata: {name: shop}
target:
  kubernetes: {context: prod, namespace: shop}
services:
  tenant:
    slots: {blue: {workload: deployment/tenant-blue}, green: {workload: deployment/tenant-green}}
    traffic: {selector: {service: tenant, preview: {blue: tenant-blue, green: tenant-green}}}
    pods: {port: 9090, inFlight: tenant_in_flight_age_seconds, draining: /draining}
    smoke: [{path: /version}, {path: /tenants/1, status: 200}]
    identity: {path: /version}
    selectors:
      blue: {service: tenant, slot: blue}
      green: {service: tenant, slot: green}
    slos: [tenant-availability, tenant-latency]
    freeze: []
metrics:
  prometheus: {url: \"http://127.0.0.1:9090\", bearerTokenEnv: PROM_TOKEN, timeout: 5s}
slos: [slo.yaml]
notify:
  webhook: {urlEnv: INTERLOCK_WEBHOOK}
  alertmanager: {url: \"http://127.0.0.1:9093\"}
freeze: [{from: 2026-12-24T00:00:00Z, to: 2026-12-27T00:00:00Z, reason: holidays}]
credentials: [{env: DEPLOY_TOKEN, expiresEnv: DEPLOY_TOKEN_EXPIRES}]
defaults:
  bake: 5m
  alpha: 0.01
  budgetFloor: 10%
";

fn folder(platform: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("interlock.yaml"), platform).unwrap();
    fs::write(folder.path().join("slo.yaml"), include_str!("../../scenarios/lab/slo.yaml")).unwrap();
    folder
}

fn loaded(platform: &str, sets: &[&str], environment: &[(&str, &str)]) -> Result<Loaded, String> {
    let folder = folder(platform);
    let sets: Vec<String> = sets.iter().map(|s| (*s).to_owned()).collect();
    load(&folder.path().join("interlock.yaml"), &sets, environment.iter().copied()).map_err(|e| {
        let prefix = format!("{}/", folder.path().display());
        format!("{e}\n  {}", e.hint()).replace(&prefix, "")
    })
}

fn said(from: &str, to: &str) -> String {
    assert!(FULL.contains(from), "{from}");
    loaded(&FULL.replacen(from, to, 1), &[], &[]).unwrap_err()
}

#[test]
fn a_full_platform_is_read_and_survives_a_journal() {
    let loaded = loaded(FULL, &[], &[]).unwrap();
    assert_eq!(loaded.platform.defaults.max_bake, crate::model::HumanDuration::secs(900));
    let names = loaded.platform.services["tenant"].slos.clone();
    assert_eq!(loaded.slos.objectives(&names).unwrap().len(), 2);
    let journalled = serde_json::to_value(&loaded.platform).unwrap();
    assert_eq!(serde_json::from_value::<Platform>(journalled).unwrap(), loaded.platform);
}

#[test]
fn the_lab_is_read_from_below_its_folder() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/lab");
    let file = locate(None, &root.join("deeper/still")).unwrap();
    let lab = load(&file, &[], []).unwrap();
    assert!(matches!(lab.platform.target, Target::Lab(_)));
    let labels = lab.platform.services["tenant"].labels("tenant", crate::model::Slot::Green);
    assert_eq!(labels["slot"], "green");
    assert_eq!(lab.slos.names().collect::<Vec<_>>(), ["tenant-availability", "tenant-latency"]);
    let missing = locate(None, Path::new("/proc")).unwrap_err();
    assert_eq!(missing.exit(), crate::error::Exit::Invalid);
}

#[test]
fn faults_have_their_place_and_mend() {
    let all = [
        ("kind: Platform", "kind: Platfrom"),
        ("smoke:", "smokes:"),
        ("  kubernetes: {", "  kubernetess: {"),
        ("to: 2026-12-27", "to: 2026-12-20"),
        ("budgetFloor: 10%", "budgetFloor: 110%"),
        ("alpha: 0.01", "alpha: 0.7"),
        ("bake: 5m", "bake: 20m"),
        ("tenant-latency]", "tenant-latncy]"),
        ("slos: [slo.yaml]", "slos: [other.yaml]"),
        ("{urlEnv: INTERLOCK_WEBHOOK}", "{urlEnv: A, url: \"https://x.example/SECRET\"}"),
        ("path: /tenants/1", "path: tenants/1"),
        ("\"http://127.0.0.1:9090\"", "\"ftp://u:SECRET@h\""),
        ("slot: green", "slot: blue"),
        ("    slots: {blue: {workload: deployment/tenant-blue}, green: {workload: deployment/tenant-green}}\n", ""),
        ("    traffic: {selector: {service: tenant, preview: {blue: tenant-blue, green: tenant-green}}}\n", ""),
        ("deployment/tenant-blue", "tenant-blue"),
        ("blue: tenant-blue,", "blue: tenant-green,"),
        ("draining: /draining", "draining: draining"),
        ("kubernetes: {context: prod, namespace: shop}", "lab: {}"),
        ("env: DEPLOY_TOKEN,", "env: \"abc def\","),
        ("namespace: shop}", "namespace: shop, cluster: a}"),
    ];
    let said: Vec<String> = all.into_iter().map(|(from, to)| said(from, to)).collect();
    assert!(!said.join("").contains("SECRET"));
    insta::assert_snapshot!(said.join("\n"), @r"
interlock.yaml:2:7: `Platfrom` is not known as kind
  write `kind: Platform`
interlock.yaml:11:5: unknown key `smokes`
  did you mean `smoke`?
interlock.yaml:5:3: unknown value `kubernetess`
  did you mean `kubernetes`?
interlock.yaml:24:43: the window ends at 2026-12-20T00:00:00Z, which is not after it begins (2026-12-24T00:00:00Z)
  let `to` be later than `from`
interlock.yaml:29:16: `110%` is outside of 0% to 100%
  mend it here; `interlock schema` prints what a document may hold
interlock.yaml:28:10: alpha has to be above 0 and below 0.5
  write `alpha: 0.01`
interlock.yaml:26:1: `maxBake` (15m) is shorter than `bake` (20m)
  let it be at least as long
interlock.yaml:16:33: there is no SLO `tenant-latncy`
  did you mean `tenant-latency`?
interlock.yaml:20:8: cannot read other.yaml: No such file or directory (os error 2)
  paths are relative to the platform file
interlock.yaml:22:3: exactly one of `url` and `urlEnv` is needed
  prefer `urlEnv`: the URL often is a secret
interlock.yaml:11:38: `tenants/1` is no path
  let it start with `/` and hold no blanks
interlock.yaml:19:21: the address holds credentials
  leave them out; `bearerTokenEnv` and `urlEnv` name variables that hold secrets
interlock.yaml:13:5: both slots are picked by the same labels
  let at least one label differ, such as `slot`
interlock.yaml:7:3: the service has no slots
  add `slots: {blue: {workload: deployment/NAME}, green: {workload: deployment/NAME}}`
interlock.yaml:7:3: how traffic reaches the service is not said
  add `traffic: {selector: {service: NAME, preview: {blue: NAME, green: NAME}}}`
interlock.yaml:8:30: `tenant-blue` names no workload
  write `deployment/NAME`, `statefulset/NAME`, `replicaset/NAME` or `replicaset/LABEL=VALUE`
interlock.yaml:9:43: both slots are reached by the Service `tenant-green`
  name a Service for each slot
interlock.yaml:10:74: `draining` is no path
  let it start with `/` and hold no blanks
interlock.yaml:9:5: the target is a lab, which knows this by itself
  leave it out
interlock.yaml:25:21: this is no name of an environment variable
  write the name of the variable, such as `DEPLOY_TOKEN`, and never the secret itself
interlock.yaml:5:48: unknown key `cluster`
  one of `context`, `namespace`, `outage` may stand here
");
}

#[test]
fn overrides_come_over_the_file() {
    let environment = [("INTERLOCK_DEFAULTS_BAKE", "2m"), ("INTERLOCK_DEFAULTS_MAX_BAKE", "20m"), ("HOME", "/")];
    let sets = [
        "defaults.bake=1m",
        "metadata.name=007",
        "services.tenant.smoke.1.status=204",
        "metrics.prometheus.url=http://10.0.0.1:9090",
        "defaults.exits=5",
    ];
    let platform = loaded(FULL, &sets, &environment).unwrap().platform;
    assert_eq!(platform.defaults.bake, crate::model::HumanDuration::secs(60));
    assert_eq!(platform.defaults.max_bake, crate::model::HumanDuration::secs(1200));
    assert_eq!(platform.defaults.exits, 5);
    assert_eq!(platform.metadata.name, "007");
    assert_eq!(platform.services["tenant"].smoke[1].status, Some(204));
}

#[test]
fn wrong_overrides_are_named_as_they_were_given() {
    let sets = [
        "defaults.bakee=1m",
        "defaults.bake=5",
        "defaults.bake",
        "services.tennant.slos.0=x",
        "defaults.alpha=2",
        "services.tenant.smoke.7.status=1",
        "defaults.bake.x=1",
        "slos=[a]",
        "defaults..bake=1m",
        "notify.webhook.urll=x",
    ];
    let mut said: Vec<String> = sets.into_iter().map(|set| loaded(FULL, &[set], &[]).unwrap_err()).collect();
    said.push(loaded(FULL, &[], &[("INTERLOCK_DEFAULTS_MAXBAKE", "1m")]).unwrap_err());
    insta::assert_snapshot!(said.join("\n"), @r"
--set defaults.bakee:1:1: unknown key `bakee`
  did you mean `bake`?
--set defaults.bake:1:1: `5` is no duration such as 90s or 5m: time unit needed, for example 5sec or 5ms
  mend it here; `interlock schema` prints what a document may hold
--set defaults.bake:1:1: there is no `=`
  write `--set PATH=VALUE`, such as `--set defaults.bake=1m`
--set services.tennant.slos.0:1:1: there is no service `tennant`
  did you mean `tenant`?
--set defaults.alpha:1:1: alpha has to be above 0 and below 0.5
  write `alpha: 0.01`
--set services.tenant.smoke.7.status:1:1: `7` is none of the 2 entries here
  count entries from 0
--set defaults.bake.x:1:1: `defaults.bake` is a single value and has no `x`
  leave the rest of the path out
--set slos:1:1: only single values can be set
  write lists and maps in the platform file
--set defaults..bake:1:1: a part of the path is empty
  write it such as `defaults.bake`
--set notify.webhook.urll:1:1: unknown key `urll`
  did you mean `url`?
INTERLOCK_DEFAULTS_MAXBAKE:1:1: `INTERLOCK_DEFAULTS_MAXBAKE` sets no default that exists
  did you mean `INTERLOCK_DEFAULTS_MAX_BAKE`?
");
}

#[test]
fn the_schema_knows_every_key_of_the_example() {
    let schema = schema();
    for text in [FULL, include_str!("../../scenarios/lab/interlock.yaml")] {
        let example: Value = parse("a.yaml", text).unwrap();
        fits(&schema, &schema, &example, "$").unwrap();
    }
    let wrong: Value = parse("a.yaml", &FULL.replace("bake: 5m", "bakee: 5m")).unwrap();
    assert_eq!(fits(&schema, &schema, &wrong, "$").unwrap_err(), "$.defaults.bakee is unknown");
    let wrong: Value = parse("a.yaml", &FULL.replace("bake: 5m", "bake: 5")).unwrap();
    assert_eq!(fits(&schema, &schema, &wrong, "$").unwrap_err(), "$.defaults.bake is no string");
    assert!(schema["properties"]["services"]["description"].as_str().unwrap().contains("blue"));
}

/// As much of JSON Schema as the platform file's own schema uses.
fn fits(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        fits(root, root.pointer(reference.trim_start_matches('#')).ok_or("dangling reference")?, value, at)?;
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(options) = schema[choice].as_array() {
            let mut failed = options.iter().map(|o| fits(root, o, value, at)).collect::<Result<Vec<_>, _>>();
            if options.iter().any(|o| fits(root, o, value, at).is_ok()) {
                failed = Ok(vec![]);
            }
            failed?;
        }
    }
    if let Some(constant) = schema.get("const")
        && constant != value
    {
        return Err(format!("{at} is not {constant}"));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fitting = types.is_empty() || types.contains(&found) || (found == "integer" && types.contains(&"number"));
    if !fitting {
        return Err(format!("{at} is no {}", types[0]));
    }
    if let Value::Array(items) = value {
        for (i, item) in items.iter().enumerate() {
            fits(root, &schema["items"], item, &format!("{at}.{i}"))?;
        }
    }
    if let Value::Object(map) = value {
        for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !map.contains_key(required) {
                return Err(format!("{at}.{required} is missing"));
            }
        }
        for (key, item) in map {
            let here = format!("{at}.{key}");
            match (schema["properties"].get(key), &schema["additionalProperties"]) {
                (Some(known), _) => fits(root, known, item, &here)?,
                (None, Value::Bool(false)) => return Err(format!("{here} is unknown")),
                (None, rest @ Value::Object(_)) => fits(root, rest, item, &here)?,
                _ => {}
            }
        }
    }
    Ok(())
}
