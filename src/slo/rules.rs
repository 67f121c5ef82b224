//! Recording and alerting rules for Prometheus, from objectives.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::{Counting, Objective, Problem, Severity, Side, burn_windows};
use crate::ports::{MatchOp, Matcher, Native, Selector};

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
    // Other services have objectives of the same name, and all rules may come together in one Prometheus.
    let picked: Vec<String> = labels
        .iter()
        .map(|(label, value)| Matcher { label: (*label).to_owned(), op: MatchOp::Equal, value: value.clone() })
        .map(|one| matcher(&one))
        .collect();
    let picked = format!("{{{}}}", picked.join(","));
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
    let rate = |side: Side| event_rate(counting, side, over);
    match [Side::Good, Side::Bad, Side::Total].map(rate) {
        [_, Some(bad), Some(total)] => format!("{bad} / {total}"),
        [good, None, Some(total)] => format!("clamp_min(1 - {} / {total}, 0)", good.unwrap_or_default()),
        [good, bad, None] => format!("{0} / ({1} + {0})", bad.unwrap_or_default(), good.unwrap_or_default()),
    }
}

/// The PromQL for the events of one side a second; `None` where no selector counts it.
#[must_use]
pub fn event_rate(counting: &Counting, side: Side, over: Duration) -> Option<String> {
    let one = |s: &Selector| {
        let sum = format!("sum(rate({}[{}]))", promql(s), prom_duration(over));
        let counted = match &s.native {
            None => sum,
            Some(Native::Count) => format!("histogram_count({sum})"),
            // Without observations the fraction is NaN: the comparison takes it out.
            Some(Native::UpTo(edge)) => {
                format!("histogram_fraction(-Inf, {edge}, {sum}) * histogram_count({sum}) >= 0")
            }
        };
        format!("({counted} or vector(0))")
    };
    let all: Vec<String> = counting.side(side).map(one).collect();
    (!all.is_empty()).then(|| format!("({})", all.join(" + ")))
}

/// The same share as that of [`bad_share`], from the events of the sides that are counted; `None` where there were none.
#[must_use]
pub fn share_of(events: &BTreeMap<Side, f64>) -> Option<f64> {
    let share = match [Side::Good, Side::Bad, Side::Total].map(|side| events.get(&side).copied()) {
        [_, Some(bad), Some(total)] => bad / total,
        [good, None, Some(total)] => (1.0 - good.unwrap_or_default() / total).max(0.0),
        [good, Some(bad), None] => bad / (good.unwrap_or_default() + bad),
        [_, None, None] => return None,
    };
    Some(share).filter(|share| share.is_finite())
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

pub(super) fn matcher(matcher: &Matcher) -> String {
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
        let selector = |metric: &str| Selector::counters(metric.to_owned(), vec![]);
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
