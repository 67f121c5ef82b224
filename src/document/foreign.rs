//! SLOs in other formats: told by name, and those of Sloth and Pyrra written as OpenSLO.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Document, documents};
use crate::{error::Fault, slo::Problem};

/// How formats are told: the key, what its value begins with, whose format it is.
const FORMATS: &[(&str, &str, &str)] = &[
    ("version", "prometheus/", "Sloth"),
    ("apiVersion", "sloth.slok.dev/", "Sloth"),
    ("apiVersion", "pyrra.dev/", "Pyrra"),
    ("apiVersion", "openslo/v1alpha", "an earlier OpenSLO"),
    ("apiVersion", "openslo.com/", "a later OpenSLO"),
    ("apiVersion", "n9/", "Nobl9"),
    ("apiVersion", "sre.google.com/", "Google's SLO generator"),
    ("apiVersion", "monitoring.coreos.com/", "the Prometheus operator"),
    ("apiVersion", "lifecycle.keptn.sh/", "Keptn"),
    ("apiVersion", "metrics.keptn.sh/", "Keptn"),
    ("spec_version", "", "Keptn"),
    ("groups", "", "Prometheus, as a file of rules"),
];

/// What can be written as OpenSLO.
const IMPORTED: &[&str] = &["Sloth", "Pyrra"];

/// Whose format a document is in, where it is one that is known and not our own.
fn format(document: &Value) -> Option<(&'static str, &'static str)> {
    FORMATS.iter().find_map(|(key, begins, whose)| {
        let value = document.get(key)?;
        let fits = begins.is_empty() || value.as_str().is_some_and(|text| text.starts_with(begins));
        fits.then_some((*key, *whose))
    })
}

/// Why a document in another format is not read, and what to do with it.
pub(super) fn refusal(document: &Document<'_>) -> Option<Problem> {
    let value: Value = document.parse().ok()?;
    let (key, whose) = format(&value)?;
    let hint = if IMPORTED.contains(&whose) {
        "`interlock slo import FILE` prints it as OpenSLO; name that file instead"
    } else {
        "write it as OpenSLO (`apiVersion: openslo/v1`); `interlock schema slo` prints what that may hold"
    };
    Some(Problem::new(key, format!("this is the format of {whose}, and SLOs are read as OpenSLO"), hint))
}

/// The SLOs of a file of Sloth or Pyrra as OpenSLO documents, in YAML.
///
/// # Errors
/// Where a document is of another format, or says what OpenSLO with counters cannot.
pub fn import(file: &str, text: &str) -> Result<String, Fault> {
    let mut all = Vec::new();
    for document in documents(file, text) {
        let value: Value = document.parse()?;
        let slos = match format(&value).map(|(_, whose)| whose) {
            Some("Sloth") => sloth(&value),
            Some("Pyrra") => pyrra(&value).map(|slo| vec![slo]),
            _ => {
                let what = "this is neither Sloth's format nor Pyrra's";
                let hint = "give a file with `version: prometheus/v1`, `apiVersion: sloth.slok.dev/v1` or `apiVersion: pyrra.dev/...`";
                return Err(document.fault(&Problem::new("", what, hint)));
            }
        };
        for slo in slos.map_err(|problem| document.fault(&problem))? {
            all.push(written(&slo).map_err(|problem| document.fault(&problem))?);
        }
    }
    if all.is_empty() {
        return Err(super::only(file, text).err().unwrap_or_else(|| {
            Document::whole(file, text).fault(&Problem::new("", "the file holds no SLO", "give another one"))
        }));
    }
    Ok(all.join("---\n"))
}

/// An SLO on its way from one format to the other.
struct Slo<'a> {
    name: String,
    service: &'a str,
    description: Option<&'a str>,
    window: String,
    percent: f64,
    /// The side that is not the total, and its query.
    side: (&'static str, String),
    total: String,
}

fn written(slo: &Slo<'_>) -> Result<String, Problem> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Written {
        api_version: &'static str,
        kind: &'static str,
        metadata: Value,
        spec: Value,
    }
    let query = |text: &str| json!({ "metricSource": { "type": "Prometheus", "spec": { "query": text } } });
    let mut ratio = json!({ "counter": true, "total": query(&slo.total) });
    ratio[slo.side.0] = query(&slo.side.1);
    let mut spec = json!({
        "service": slo.service,
        "indicator": { "metadata": { "name": slo.name }, "spec": { "ratioMetric": ratio } },
        "timeWindow": [{ "duration": slo.window, "isRolling": true }],
        "budgetingMethod": "Occurrences",
        "objectives": [{ "targetPercent": slo.percent }],
    });
    if let Some(description) = slo.description {
        spec["description"] = description.into();
    }
    let document = Written { api_version: "openslo/v1", kind: "SLO", metadata: json!({ "name": slo.name }), spec };
    serde_saphyr::to_string(&document)
        .map_err(|e| Problem::new("", format!("it cannot be written as YAML: {e}"), "report this with the document"))
}

/// Sloth, as a file of its own or as a resource of Kubernetes, which differ in how keys are written.
fn sloth(document: &Value) -> Result<Vec<Slo<'_>>, Problem> {
    let resource = document.get("apiVersion").is_some();
    let (root, at) = if resource { (&document["spec"], "spec.") } else { (document, "") };
    let service = root["service"].as_str().ok_or_else(|| missing(&format!("{at}service")))?;
    let slos = root["slos"].as_array().ok_or_else(|| missing(&format!("{at}slos")))?;
    let mut all = Vec::new();
    for (i, slo) in slos.iter().enumerate() {
        let at = format!("{at}slos.{i}");
        let name = slo["name"].as_str().ok_or_else(|| missing(&format!("{at}.name")))?;
        let percent = number(&slo["objective"]).ok_or_else(|| missing(&format!("{at}.objective")))?;
        let events = slo["sli"].get("events").ok_or_else(|| {
            let what = "only `sli.events` counts events; a ratio or a plugin hides how many there were";
            Problem::new(&format!("{at}.sli"), what, "give `error_query` and `total_query` under `sli.events`")
        })?;
        let query = |plain: &str, camel: &str| {
            let key = if resource { camel } else { plain };
            let text = events[key].as_str().ok_or_else(|| missing(&format!("{at}.sli.events.{key}")));
            text.map(|text| text.trim().replace("{{.window}}", "5m").replace("{{ .window }}", "5m"))
        };
        all.push(Slo {
            name: format!("{service}-{name}"),
            service,
            description: slo["description"].as_str(),
            window: "30d".to_owned(),
            percent,
            side: ("bad", query("error_query", "errorQuery")?),
            total: query("total_query", "totalQuery")?,
        });
    }
    Ok(all)
}

fn pyrra(document: &Value) -> Result<Slo<'_>, Problem> {
    let name = document["metadata"]["name"].as_str().ok_or_else(|| missing("metadata.name"))?;
    let spec = &document["spec"];
    let percent = number(&spec["target"]).ok_or_else(|| missing("spec.target"))?;
    let window = spec["window"].as_str().unwrap_or("4w").to_owned();
    let indicator = &spec["indicator"];
    let metric = |kind: &str, side: &str| {
        let at = format!("spec.indicator.{kind}.{side}.metric");
        indicator[kind][side]["metric"].as_str().map(|text| text.trim().to_owned()).ok_or_else(|| missing(&at))
    };
    let (side, total) = if indicator.get("ratio").is_some() {
        (("bad", metric("ratio", "errors")?), metric("ratio", "total")?)
    } else if indicator.get("latency").is_some() {
        (("good", metric("latency", "success")?), metric("latency", "total")?)
    } else {
        let what = "only `ratio` and `latency` count events of classic counters";
        return Err(Problem::new("spec.indicator", what, "write the SLO as OpenSLO by hand"));
    };
    let labels = &document["metadata"]["labels"];
    let service =
        ["pyrra.dev/service", "service", "app.kubernetes.io/name", "app"].iter().find_map(|key| labels[*key].as_str());
    let description = spec["description"].as_str();
    Ok(Slo { name: name.to_owned(), service: service.unwrap_or(name), description, window, percent, side, total })
}

/// A number, or the text of one: Pyrra writes targets so.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn missing(at: &str) -> Problem {
    let key = at.rsplit('.').next().unwrap_or(at);
    Problem::new(at, format!("`{key}` is missing, or is of another type"), format!("add `{key}:` here"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::SloSet;

    const SLOTH: &str = "\
version: \"prometheus/v1\"
service: till
slos:
  - name: requests-availability
    objective: 99.9
    description: Most are answered.
    sli:
      events:
        error_query: sum(rate(till_total{code=~\"5..\"}[{{.window}}]))
        total_query: sum(rate(till_total[{{.window}}]))
    alerting: {name: TillHighErrorRate}
";

    const PYRRA: &str = "\
apiVersion: pyrra.dev/v1alpha1
kind: ServiceLevelObjective
metadata: {name: press-latency, labels: {pyrra.dev/service: press}}
spec:
  target: \"99\"
  window: 2w
  indicator:
    latency:
      success: {metric: 'press_seconds_bucket{le=\"0.25\"}'}
      total: {metric: press_seconds_count}
";

    #[test]
    fn what_is_imported_can_be_decided_on() {
        let resource = SLOTH
            .lines()
            .skip(1)
            .map(|line| format!("  {line}\n"))
            .collect::<String>()
            .replace("error_query", "errorQuery")
            .replace("total_query", "totalQuery");
        let resource = format!(
            "apiVersion: sloth.slok.dev/v1\nkind: PrometheusServiceLevel\nmetadata: {{name: a}}\nspec:\n{resource}"
        );
        for (text, name, target, days) in [
            (SLOTH, "till-requests-availability", 0.999, 30),
            (&resource, "till-requests-availability", 0.999, 30),
            (PYRRA, "press-latency", 0.99, 14),
        ] {
            let openslo = import("slo.yaml", text).unwrap();
            let set = SloSet::read([("slo.yaml", openslo.as_str())]).unwrap();
            let objective = set.objectives(&[name.to_owned()]).unwrap().remove(0);
            assert!((objective.target - target).abs() < 1e-9, "{openslo}");
            assert_eq!(objective.window().unwrap().as_secs(), days * 86_400, "{openslo}");
        }
        let both = import("slo.yaml", &format!("{SLOTH}---\n{PYRRA}")).unwrap();
        assert_eq!(SloSet::read([("slo.yaml", both.as_str())]).unwrap().names().count(), 2);
    }

    #[test]
    fn what_cannot_be_imported_says_where_and_why() {
        for (text, said) in [
            (
                "version: prometheus/v1\nservice: a\nslos:\n  - {name: b, objective: 99, sli: {raw: {error_ratio_query: x}}}\n",
                "slo.yaml:4:30: only `sli.events` counts events",
            ),
            ("version: prometheus/v1\nslos: []\n", "slo.yaml:1:1: `service` is missing"),
            ("apiVersion: openslo/v1\nkind: SLO\n", "slo.yaml:1:1: this is neither Sloth's format nor Pyrra's"),
        ] {
            let fault = import("slo.yaml", text).unwrap_err();
            assert!(fault.to_string().starts_with(said), "{fault}");
        }
    }

    #[test]
    fn other_formats_are_told_by_name() {
        for (text, whose) in [
            (SLOTH, "Sloth"),
            (PYRRA, "Pyrra"),
            ("apiVersion: openslo/v1alpha\nkind: SLO\n", "an earlier OpenSLO"),
            ("apiVersion: n9/v1alpha\nkind: SLO\n", "Nobl9"),
            ("groups:\n- name: a\n  rules: []\n", "Prometheus, as a file of rules"),
            ("spec_version: '0.1.1'\n", "Keptn"),
        ] {
            let fault = SloSet::read([("slo.yaml", text)]).unwrap_err();
            assert!(fault.what.contains(&format!("this is the format of {whose}, and")), "{fault}");
            assert_eq!(fault.hint.contains("slo import"), IMPORTED.contains(&whose), "{}", fault.hint);
        }
    }
}
