//! Recording and alerting rules for Prometheus, from objectives.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::{Counting, Objective, Problem, Severity, Side, burn_windows};
use crate::ports::{MatchOp, Matcher, Selector};

#[derive(Serialize)]
struct File {
    groups: Vec<Group>,
}

#[derive(Serialize)]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

#[derive(Serialize, Default)]
struct Rule {
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<String>,
    expr: String,
    labels: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<&'static str, String>,
}

/// The rules for these objectives, as the YAML of a Prometheus rule file.
///
/// # Errors
/// Where an objective's window follows the calendar.
pub fn rules(objectives: &[Objective]) -> Result<String, Problem> {
    let groups = objectives.iter().map(group).collect::<Result<Vec<_>, _>>()?;
    serde_saphyr::to_string(&File { groups }).map_err(|e| {
        Problem::new("", format!("the rules cannot be written as YAML: {e}"), "report this with the SLO document")
    })
}

fn group(objective: &Objective) -> Result<Group, Problem> {
    let window = objective.window()?;
    let pairs = burn_windows(window);
    let labels: BTreeMap<&str, String> =
        [("slo", objective.slo.clone()), ("objective", objective.name.clone()), ("service", objective.service.clone())]
            .into();
    let mut lengths: Vec<Duration> = pairs.iter().flat_map(|p| [p.short.0, p.long.0]).chain([window]).collect();
    lengths.sort();
    lengths.dedup();
    let mut rules: Vec<Rule> = lengths
        .iter()
        .map(|length| Rule {
            record: Some(recorded(*length)),
            expr: bad_share(&objective.counting, *length),
            labels: labels.clone(),
            ..Rule::default()
        })
        .collect();
    let picked = format!("{{objective={:?}}}", objective.name);
    let budget = number(objective.budget());
    rules.push(Rule {
        record: Some("slo:error_budget:left_ratio".to_owned()),
        expr: format!("1 - {}{picked} / {budget}", recorded(window)),
        labels: labels.clone(),
        ..Rule::default()
    });
    for severity in [Severity::Page, Severity::Ticket] {
        let burns: Vec<String> = pairs
            .iter()
            .filter(|p| p.severity == severity)
            .map(|p| {
                let over = |length| format!("{}{picked} > {} * {budget}", recorded(length), p.factor);
                format!("({} and {})", over(p.short.0), over(p.long.0))
            })
            .collect();
        let (alert, pace) = match severity {
            Severity::Page => ("ErrorBudgetBurnsFast", "so fast that it has to be looked at now"),
            Severity::Ticket => ("ErrorBudgetBurns", "faster than it lasts"),
        };
        let mut labels = labels.clone();
        labels.insert("severity", severity.name().to_owned());
        let summary = format!("{} burns its error budget {pace}", objective.name);
        rules.push(Rule {
            alert: Some(alert.to_owned()),
            expr: burns.join(" or "),
            labels,
            annotations: [("summary", summary)].into(),
            ..Rule::default()
        });
    }
    Ok(Group { name: format!("slo-{}", objective.name), rules })
}

fn recorded(length: Duration) -> String {
    format!("slo:bad_events:ratio_rate{}", prom_duration(length))
}

/// The PromQL for the share of bad events over a time; empty or NaN where there were no events.
#[must_use]
pub fn bad_share(counting: &Counting, over: Duration) -> String {
    let has = |side: Side| counting.side(side).next().is_some();
    let rate = |side: Side| {
        let one = |s: &Selector| format!("(sum(rate({}[{}])) or vector(0))", promql(s), prom_duration(over));
        format!("({})", counting.side(side).map(one).collect::<Vec<_>>().join(" + "))
    };
    match (has(Side::Total), has(Side::Bad)) {
        (true, true) => format!("{} / {}", rate(Side::Bad), rate(Side::Total)),
        (true, false) => format!("clamp_min(1 - {} / {}, 0)", rate(Side::Good), rate(Side::Total)),
        (false, _) => format!("{0} / ({1} + {0})", rate(Side::Bad), rate(Side::Good)),
    }
}

/// A selector as PromQL.
#[must_use]
pub fn promql(selector: &Selector) -> String {
    let matchers: Vec<String> = selector.matchers.iter().map(matcher).collect();
    if matchers.is_empty() {
        return selector.metric.clone();
    }
    format!("{}{{{}}}", selector.metric, matchers.join(","))
}

fn matcher(matcher: &Matcher) -> String {
    let op = match matcher.op {
        MatchOp::Equal => "=",
        MatchOp::NotEqual => "!=",
        MatchOp::Matches => "=~",
        MatchOp::NotMatches => "!~",
    };
    // PromQL's text has Go's escapes.
    let value = matcher.value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{}{op}\"{value}\"", matcher.label)
}

/// A duration as PromQL writes it: one number and the largest unit that divides it.
#[must_use]
pub fn prom_duration(length: Duration) -> String {
    let seconds = length.as_secs().max(1);
    let (unit, size) = [("d", 86_400), ("h", 3600), ("m", 60)]
        .into_iter()
        .find(|(_, s)| seconds.is_multiple_of(*s))
        .unwrap_or(("s", 1));
    format!("{}{unit}", seconds / size)
}

/// A number without the noise of binary fractions, such as 0.001 and not 0.0010000000000000009.
fn number(value: f64) -> String {
    let text = format!("{value:.12}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_from_what_is_counted() {
        let selector = |metric: &str| Selector { metric: metric.to_owned(), matchers: vec![] };
        let shown = |sides: [Side; 2]| {
            let selectors = sides.map(|side| (side, selector(&format!("{side:?}").to_lowercase()))).into();
            bad_share(&Counting { selectors, edge: None }, Duration::from_secs(300))
        };
        let all = [[Side::Bad, Side::Total], [Side::Good, Side::Total], [Side::Good, Side::Bad]].map(shown);
        insta::assert_snapshot!(all.join("\n"), @r"
((sum(rate(bad[5m])) or vector(0))) / ((sum(rate(total[5m])) or vector(0)))
clamp_min(1 - ((sum(rate(good[5m])) or vector(0))) / ((sum(rate(total[5m])) or vector(0))), 0)
((sum(rate(bad[5m])) or vector(0))) / (((sum(rate(good[5m])) or vector(0))) + ((sum(rate(bad[5m])) or vector(0))))
");
    }
}
