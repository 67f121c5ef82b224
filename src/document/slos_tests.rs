//! Tests of reading OpenSLO files: what decides, what is kept, what is refused and where.

use std::{io::Write as _, process::Command};

use super::*;
use crate::slo::rules;

const SLO: &str = "\
apiVersion: openslo/v1
kind: SLO
metadata: {name: checkout, annotations: {interlock/burn: \"2\"}}
spec:
  service: shop
  indicatorRef: latency
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives:
    - {displayName: fast, op: lte, value: 0.25, target: 0.9}
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: latency}
spec:
  thresholdMetric:
    metricSource:
      metricSourceRef: prometheus
      spec:
        query: histogram_quantile(0.99, sum by (le) (rate(shop_seconds_bucket{job=\"shop\"}[5m])))
---
apiVersion: openslo/v1
kind: DataSource
metadata: {name: prometheus}
spec: {type: Prometheus, connectionDetails: {url: \"http://localhost:9090\"}}
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: page, labels: {team: [a, b]}}
spec: {alertWhenBreaching: true}
";

fn refused(from: &str, to: &str) -> String {
    assert!(SLO.contains(from), "{from}");
    let text = SLO.replacen(from, to, 1);
    let fault = match SloSet::read([("slo.yaml", text.as_str())]) {
        Ok(set) => set.objectives(&["checkout".to_owned()]).unwrap_err(),
        Err(fault) => fault,
    };
    format!("{fault}\n  {}", fault.hint)
}

#[test]
fn quantiles_become_counts_of_buckets() {
    let set = SloSet::read([("slo.yaml", SLO)]).unwrap();
    assert_eq!(set.unused(), ["DataSource prometheus", "AlertPolicy page"]);
    let objective = set.objectives(&["checkout".to_owned()]).unwrap().remove(0);
    assert_eq!((objective.target, objective.burn), (0.99, 2.0));
    assert_eq!(objective.window().unwrap().as_secs(), 28 * 86_400);
    let shown: Vec<String> =
        objective.counting.selectors.iter().map(|(side, s)| format!("{side:?} {}", crate::slo::promql(s))).collect();
    assert_eq!(shown, ["Good shop_seconds_bucket{job=\"shop\",le=\"0.25\"}", "Total shop_seconds_count{job=\"shop\"}"]);
    assert_eq!(crate::slo::promql(&objective.counting.buckets().unwrap()), "shop_seconds_bucket{job=\"shop\"}");
}

#[test]
fn what_cannot_decide_is_refused_where_it_is_needed() {
    // It is kept all the same: only the decision refuses it.
    let text = SLO.replace("Occurrences", "Timeslices");
    assert!(SloSet::read([("slo.yaml", text.as_str())]).unwrap().entries().next().unwrap().1.objectives.is_err());
    let all = [
        ("Occurrences", "Timeslices"),
        ("Occurrences", "Occurences"),
        ("indicatorRef: latency", "indicatorRef: latncy"),
        ("op: lte", "op: gt"),
        ("value: 0.25, ", ""),
        ("sum by (le) ", "avg by (le) "),
        ("{duration: 28d, isRolling: true}", "{duration: 28x, isRolling: true}"),
        ("kind: SLI", "kind: SLA"),
        ("apiVersion: openslo/v1\nkind: SLI", "apiVersion: openslo/v2\nkind: SLI"),
        ("\"2\"", "\"-2\""),
        ("kind: AlertPolicy\nmetadata: {name: page", "kind: SLI\nspecc: {}\nmetadata: {name: page"),
        ("thresholdMetric", "ratioMetric"),
    ];
    let said: Vec<String> = all.into_iter().map(|(from, to)| refused(from, to)).collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
slo.yaml:8:20: Timeslices counts slices of time, and a decision needs counts of events
  use `budgetingMethod: Occurrences` for the SLOs that decide
slo.yaml:8:20: unknown value `Occurences`
  did you mean `Occurrences`?
slo.yaml:6:17: there is no SLI `latncy`
  the SLIs that were read are latency
slo.yaml:10:31: a quantile has to stay below its threshold: `op` has to be `lte` or `lt`
  write `op: lte`
slo.yaml:10:7: the threshold is missing, or not above 0
  write it in the unit of the buckets, such as 0.25
slo.yaml:20:16: `avg` hides how many events there were
  use `sum`, or no aggregation at all
slo.yaml:7:27: `28x` is no length of a window
  write one such as `30d` or `4w`
slo.yaml:13:7: unknown kind `SLA`
  did you mean `SLI`?
slo.yaml:12:13: `openslo/v2` is not known as apiVersion
  write `apiVersion: openslo/v1`
slo.yaml:3:58: `-2` is no burn rate
  write a number above 0, such as "2"
slo.yaml:29:1: unknown key `specc`
  did you mean `spec`?
slo.yaml:17:5: unknown key `metricSource`
  one of `counter`, `good`, `bad`, `total`, `rawType`, `raw` may stand here
"#);
}

#[test]
fn ratios_over_buckets_have_an_edge_as_well() {
    let lab = include_str!("../../scenarios/lab/slo.yaml");
    let set = SloSet::read([("slo.yaml", lab)]).unwrap();
    let objective = set.objectives(&["tenant-latency".to_owned()]).unwrap().remove(0);
    assert_eq!((objective.target, objective.counting.edge), (0.99, Some(0.25)));
    let whole = lab.replace("le=\"0.25\"", "le=\"1\"");
    let set = SloSet::read([("slo.yaml", whole.as_str())]).unwrap();
    let objective = set.objectives(&["tenant-latency".to_owned()]).unwrap().remove(0);
    let good = crate::slo::promql(&objective.counting.selectors[0].1);
    assert!(good.ends_with(r#"le=~"1|1\\.0"}"#), "{good}");
}

#[test]
fn calendar_windows_are_refused_only_for_budgets() {
    let text =
        SLO.replace("{duration: 28d, isRolling: true}", "{duration: 1M, calendar: {startTime: x, timeZone: UTC}}");
    let set = SloSet::read([("slo.yaml", text.as_str())]).unwrap();
    let objective = set.objectives(&["checkout".to_owned()]).unwrap().remove(0);
    assert!(objective.window().unwrap_err().what.contains("follows the calendar"));
}

#[test]
fn ratios_need_two_of_three_and_counters() {
    let lab = include_str!("../../scenarios/lab/slo.yaml");
    let said = |from: &str, to: &str| {
        let text = lab.replacen(from, to, 1);
        let set = SloSet::read([("slo.yaml", text.as_str())]).unwrap();
        let fault = set.objectives(&["tenant-availability".to_owned(), "tenant-latency".to_owned()]).unwrap_err();
        format!("{fault}\n  {}", fault.hint)
    };
    let all = [
        said("        bad:\n", "        raw:\n"),
        said("counter: true", "counter: false"),
        said("target: 0.999", "target: 99.9"),
        said("target: 0.999", "target: 0.999, targetPercent: 99"),
        said("type: Prometheus", "type: Datadog"),
        said("query: lab_requests_total{service=\"tenant\",path=\"live\"}", "query: max(lab_requests_total)"),
    ];
    insta::assert_snapshot!(all.join("\n"), @r"
slo.yaml:15:9: a ready ratio hides how many events there were
  give two of `good`, `bad` and `total` instead
slo.yaml:14:18: with `counter: false` the query of `bad` gives no counter
  write `counter: true` if it only grows; a gauge cannot be added up
slo.yaml:29:39: the target leaves no room, or is no share
  write a share between 0 and 1 as `target`, or between 0 and 100 as `targetPercent`
slo.yaml:29:61: both `target` and `targetPercent` are given
  keep one of them
slo.yaml:17:19: `Datadog` is not asked here
  only `type: Prometheus` is understood
slo.yaml:24:22: `max` hides how many events there were
  use `sum`, or no aggregation at all
");
}

fn lab() -> Vec<Objective> {
    let text = include_str!("../../scenarios/lab/slo.yaml");
    let set = SloSet::read([("slo.yaml", text)]).unwrap();
    set.objectives(&set.names().map(str::to_owned).collect::<Vec<_>>()).unwrap()
}

#[test]
fn rules_are_accepted_by_promtool() {
    let text = rules(&lab()).unwrap();
    let mut file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let checked = Command::new("promtool").args(["check", "rules"]).arg(file.path()).output();
    let checked = checked.expect("promtool is missing: install the package `prometheus`");
    let said =
        String::from_utf8_lossy(&checked.stdout).into_owned() + String::from_utf8_lossy(&checked.stderr).as_ref();
    assert!(checked.status.success() && said.contains("SUCCESS: 22 rules found"), "{said}\n{text}");
}

/// The rules of one SLO of a service that counts its requests as `SERVICE_total`.
fn rules_of(service: &str, name: &str, target: f64) -> String {
    let text = format!(
        "apiVersion: openslo/v1\nkind: SLO\nmetadata: {{name: {name}}}\nspec:\n  service: {service}\n  \
         indicator: {{metadata: {{name: i}}, spec: {{ratioMetric: {{counter: true,\n    \
         bad: {{metricSource: {{type: Prometheus, spec: {{query: '{service}_total{{code=~\"5..\"}}'}}}}}},\n    \
         total: {{metricSource: {{type: Prometheus, spec: {{query: '{service}_total'}}}}}}}}}}}}\n  \
         timeWindow: [{{duration: 30d, isRolling: true}}]\n  budgetingMethod: Occurrences\n  \
         objectives: [{{target: {target}}}]\n"
    );
    let set = SloSet::read([("slo.yaml", text.as_str())]).unwrap();
    rules(&set.objectives(&[name.to_owned()]).unwrap()).unwrap()
}

/// In one Prometheus each service's rules speak of that service, whatever its SLOs are called.
#[test]
fn rules_of_several_services_and_files_do_not_meet() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    // The same names for two services, and another SLO of one of them in another file.
    write("till.yml", &rules_of("till", "availability", 0.999));
    write("press.yml", &rules_of("press", "availability", 0.999));
    write("till-strict.yml", &rules_of("till", "strict", 0.9999));
    let alert = |slo: &str| {
        format!(
            "    - exp_labels: {{objective: {slo}, service: till, slo: {slo}, severity: page}}\n      exp_annotations: \
             {{summary: \"{slo} burns its error budget so fast that it has to be looked at now\"}}\n"
        )
    };
    let left = |slo: &str, service: &str, value: f64| {
        let labels = format!("objective=\"{slo}\", service=\"{service}\", slo=\"{slo}\"");
        format!("    - {{labels: 'slo:error_budget:left_ratio{{{labels}}}', value: {value}}}\n")
    };
    write(
        "test.yml",
        &format!(
            "rule_files: [till.yml, press.yml, till-strict.yml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  \
             input_series:\n  - {{series: 'till_total{{code=\"500\"}}', values: '0+60x600'}}\n  \
             - {{series: 'till_total{{code=\"200\"}}', values: '0+60x600'}}\n  \
             - {{series: 'press_total{{code=\"500\"}}', values: '0+0x600'}}\n  \
             - {{series: 'press_total{{code=\"200\"}}', values: '0+60x600'}}\n  \
             alert_rule_test:\n  - eval_time: 500m\n    alertname: ErrorBudgetBurnsFast\n    exp_alerts:\n{}{}  \
             promql_expr_test:\n  - expr: slo:error_budget:left_ratio\n    eval_time: 500m\n    exp_samples:\n{}{}{}",
            alert("availability"),
            alert("strict"),
            left("availability", "till", -499.0),
            left("strict", "till", -4999.0),
            left("availability", "press", 1.0),
        ),
    );
    let run = Command::new("promtool").args(["test", "rules", "test.yml"]).current_dir(folder.path()).output();
    let run = run.expect("promtool is missing: install the package `prometheus`");
    let said = String::from_utf8_lossy(&run.stdout).into_owned() + String::from_utf8_lossy(&run.stderr).as_ref();
    assert!(run.status.success() && said.contains("SUCCESS"), "{said}");
}

#[test]
fn objectives_of_one_name_are_refused_where_they_stand() {
    let twice =
        "    - {displayName: fast, op: lte, value: 0.25, target: 0.9}\n    - {displayName: fast, op: lte, value: 1}\n";
    insta::assert_snapshot!(refused("    - {displayName: fast, op: lte, value: 0.25, target: 0.9}\n", twice), @r"
    slo.yaml:11:21: there is another objective `checkout/fast`
      give each a `displayName` of its own
    ");
}

#[test]
fn a_list_of_documents_is_read_as_its_documents() {
    let listed: Vec<String> = documents("slo.yaml", SLO)
        .iter()
        .enumerate()
        .map(|(at, _)| {
            SLO.split("---\n").nth(at).unwrap().lines().map(|line| format!("  {line}\n")).collect::<String>()
        })
        .map(|element| format!("-{}", &element[1..]))
        .collect();
    let listed = format!("# ours\n{}", listed.concat());
    let set = SloSet::read([("slo.yaml", listed.as_str())]).unwrap();
    assert_eq!(set.unused(), ["DataSource prometheus", "AlertPolicy page"]);
    assert_eq!(set.objectives(&["checkout".to_owned()]).unwrap().len(), 1);
    // Faults have their places in the file.
    for (from, to, place) in
        [("value: 0.25", "value: -1", "slo.yaml:11:45"), ("budgetingMethod", "budgetting", "slo.yaml:9:5")]
    {
        let text = listed.replacen(from, to, 1);
        let fault =
            SloSet::read([("slo.yaml", text.as_str())]).and_then(|set| set.objectives(&["checkout".to_owned()]));
        assert_eq!(fault.unwrap_err().place.to_string(), place);
    }
}

#[test]
fn rules_of_one_objective() {
    let text = rules(&lab()[..1]).unwrap();
    let shown: Vec<&str> = text.lines().filter(|l| l.contains("expr:") || l.contains("record:")).collect();
    assert!(shown.len() >= 11, "{text}");
    insta::assert_snapshot!(text.lines().take(18).collect::<Vec<_>>().join("\n"), @r#"
groups:
- name: slo-tenant-availability
  rules:
  - record: slo:bad_events:ratio_rate5m
    expr: >-
      ((sum(rate(lab_requests_total{service="tenant",path="live",code=~"5.."}[5m]))
      or vector(0))) / ((sum(rate(lab_requests_total{service="tenant",path="live"}[5m]))
      or vector(0)))
    labels:
      objective: tenant-availability
      service: tenant
      slo: tenant-availability
  - record: slo:bad_events:ratio_rate30m
    expr: >-
      ((sum(rate(lab_requests_total{service="tenant",path="live",code=~"5.."}[30m]))
      or vector(0))) /
      ((sum(rate(lab_requests_total{service="tenant",path="live"}[30m])) or vector(0)))
    labels:
"#);
}
