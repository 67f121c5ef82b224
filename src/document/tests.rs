//! Tests of the platform file: examples, faults, overrides.

use std::{fs, path::Path};

use serde_json::Value;

use super::*;

pub(super) const FULL: &str = "\
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

const DATABASE: &str = "\
databases:
  orders:
    patroni:
      login: {database: app, user: me, passwordEnv: PW, caFile: ca.pem}
      nodes:
        pg1: {sql: \"h1:5432\", rest: \"http://h1:8008\"}
        pg2: {sql: \"h2:5432\", rest: \"http://h2:8008\"}
      hosts:
        pg1: {kill: [ssh, root@h1, halt]}
";

fn folder(platform: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("interlock.yaml"), platform).unwrap();
    fs::write(folder.path().join("slo.yaml"), include_str!("../../scenarios/lab/slo.yaml")).unwrap();
    folder
}

pub(super) fn loaded(platform: &str, sets: &[&str], environment: &[(&str, &str)]) -> Result<Loaded, String> {
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

/// Nothing is taken that nobody would go by.
#[test]
fn a_lab_is_not_told_what_it_knows() {
    let lab = include_str!("../../scenarios/lab/interlock.yaml");
    let plain = "identity: {path: /version}";
    assert!(lab.contains(plain));
    for more in ["header: x-who", "body: /release"] {
        let own = lab.replace(plain, &format!("identity: {{path: /version, {more}}}"));
        let refused = loaded(&own, &[], &[]).unwrap_err();
        assert!(refused.contains("the target is a lab, which knows this by itself"), "{more}: {refused}");
    }
}

#[test]
fn the_lab_is_read_from_below_its_folder() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/lab");
    let file = locate(None, &root.join("deeper/still")).unwrap();
    let lab = load(&file, &[], []).unwrap();
    assert!(matches!(lab.platform.target, Target::Lab(_)));
    let picked = lab.platform.services["tenant"].matchers("tenant", crate::model::Slot::Green);
    assert_eq!(picked.to_string(), r#"service="tenant",slot="green""#);
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
        ("identity: {path: /version}", "identity: {path: /version, body: release}"),
        ("identity: {path: /version}", "identity: {path: /version, header: x-slot, body: /release}"),
        ("identity: {path: /version}", "identity: {path: /version, header: \"x slot\"}"),
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
  fix it here; `interlock schema` names what prints all that may stand here
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
  leave them out; `bearerTokenEnv`, `basicAuth`, `passwordEnv` and `urlEnv` name variables that hold secrets
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
interlock.yaml:12:38: `release` is no JSON pointer
  write one such as `/release`, or `/app/release`
interlock.yaml:12:5: `header` and `body` both say where the slot is named
  leave one of them out
interlock.yaml:12:40: `x slot` is no name of a header
  write one such as `x-slot`
");
}

/// Both forms pick series, and a platform in a journal says the same as its file.
#[test]
fn selectors_are_labels_or_matchers() {
    let green = |selector: &str| loaded(&FULL.replace("{service: tenant, slot: green}", selector), &[], &[]);
    for (selector, picks) in [
        ("{slot: green}", r#"slot="green""#),
        ("service=~\"shop-green-.*@kubernetesgateway\"", r#"service=~"shop-green-.*@kubernetesgateway""#),
        (
            "'{envoy_cluster_name=\"green\",code!=\"499\",host!~\"a|b\"}'",
            r#"code!="499",envoy_cluster_name="green",host!~"a|b""#,
        ),
    ] {
        let loaded = green(selector).unwrap();
        let service = &loaded.platform.services["tenant"];
        assert_eq!(service.matchers("tenant", crate::model::Slot::Green).to_string(), picks);
        let journalled = serde_json::to_value(&loaded.platform).unwrap();
        assert_eq!(serde_json::from_value::<Platform>(journalled).unwrap(), loaded.platform);
    }
    let wrong = [
        "shop-green",
        "up{slot=\"green\"}",
        "{slot=\"green\"}",
        "slot=~\"(\"",
        "7",
        "[]",
        "\"\"",
        "slot=\"blue\",service=\"tenant\"",
    ];
    let said: Vec<_> = wrong.into_iter().map(|selector| green(selector).unwrap_err()).collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
interlock.yaml:15:14: `shop-green` holds no label matchers
  write matchers as PromQL has them, without a metric: `service=~"shop-blue-.*",code!="499"`
interlock.yaml:15:14: `up{slot="green"}` holds no label matchers
  write matchers as PromQL has them, without a metric: `service=~"shop-blue-.*",code!="499"`
interlock.yaml:15:14: `slot="green"` has no value
  write `label: value`, or put matchers into quotes: 'service=~"shop-blue-.*"'
interlock.yaml:15:14: `slot=~"("` holds no label matchers
  write matchers as PromQL has them, without a metric: `service=~"shop-blue-.*",code!="499"`
interlock.yaml:15:7: this is not of the kind that is wanted here
  `interlock schema` names what prints all that may stand here
interlock.yaml:15:7: this is not of the kind that is wanted here
  `interlock schema` names what prints all that may stand here
interlock.yaml:15:14: no label picks this slot's series
  add one, such as `slot: green`
interlock.yaml:13:5: both slots are picked by the same labels
  let at least one label differ, such as `slot`
"#);
}

/// A platform is kept in journals, and commands are as well.
#[test]
fn no_text_of_a_platform_may_hold_credentials() {
    let whole = loaded(&format!("{FULL}{DATABASE}"), &[], &[]).unwrap().platform;
    let whole = serde_json::to_value(&whole).unwrap();
    let mut tried = 0;
    for at in texts(&whole) {
        for secret in [
            "http://me:SECRET@host/",
            "https://SECRET@host",
            "curl -d x ftp://me:SECRET@host/x",
            "postgres://me:SECRET@h",
        ] {
            let mut with = whole.clone();
            *with.pointer_mut(&at).unwrap() = secret.into();
            // What takes no text of any kind keeps no secret either.
            let Ok(platform) = serde_json::from_value::<Platform>(with) else { continue };
            let problem = checks::check(&platform).expect_err(&at);
            assert_eq!(problem.what, "the address holds credentials", "{at}: {secret}");
            assert_eq!(format!("/{}", problem.at.join("/")), at);
            tried += 1;
        }
    }
    assert!(tried > 100, "{tried}");
    for (node, wrong) in [("sql: \"h1:5432\"", "sql: \"me:SECRET@h1:5432\""), ("http://h1:8008", "ftp://h1")] {
        let text = format!("{FULL}{}", DATABASE.replace(node, wrong));
        let refused = loaded(&text, &[], &[]).unwrap_err().to_string();
        assert!(refused.contains("address") && !refused.contains("SECRET"), "{refused}");
    }
}

/// What a person reads where any value of a platform file is of another kind than it should be.
#[test]
fn no_fault_speaks_the_language_of_the_reader() {
    let whole: Value = parse("a.yaml", &format!("{FULL}{DATABASE}")).unwrap();
    let mut said = std::collections::BTreeSet::new();
    for at in nodes(&whole) {
        for other in ["null", "\"x\"", "7", "-7", "1.5", "true", "[]", "[7]", "{}", "{\"x\": 7}"] {
            let mut with = whole.clone();
            *with.pointer_mut(&at).unwrap() = serde_json::from_str(other).unwrap();
            let text = serde_json::to_string_pretty(&with).unwrap();
            if let Err(fault) = parse::<Platform>("a.yaml", &text) {
                said.insert(format!("{} -> {}", fault.what, fault.hint));
            }
        }
    }
    assert!(said.len() > 20, "{said:#?}");
    let jargon = [
        "tagged",
        "enum",
        "struct",
        "variant",
        "mapping",
        "scalar",
        "sequence",
        "deserialize",
        "Option<",
        "invalid type",
        "u16",
        "u32",
        "f64",
    ];
    for word in jargon {
        assert!(!said.iter().any(|said| said.contains(word)), "{word}: {said:#?}");
    }
}

fn nodes(value: &Value) -> Vec<String> {
    let below = |key: String, value| nodes(value).into_iter().map(move |at| format!("/{key}{at}"));
    let mut all = match value {
        Value::Array(items) => items.iter().enumerate().flat_map(|(i, item)| below(i.to_string(), item)).collect(),
        Value::Object(map) => map.iter().flat_map(|(key, value)| below(key.clone(), value)).collect(),
        _ => Vec::new(),
    };
    all.push(String::new());
    all
}

fn texts(value: &Value) -> Vec<String> {
    let below = |key: String, value| texts(value).into_iter().map(move |at| format!("/{key}{at}")).collect::<Vec<_>>();
    match value {
        Value::String(_) => vec![String::new()],
        Value::Array(items) => items.iter().enumerate().flat_map(|(i, item)| below(i.to_string(), item)).collect(),
        Value::Object(map) => map.iter().flat_map(|(key, value)| below(key.clone(), value)).collect(),
        _ => Vec::new(),
    }
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
  fix it here; `interlock schema` names what prints all that may stand here
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
