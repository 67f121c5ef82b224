//! From an SLO document to objectives that can be decided on.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    BudgetingMethod, Counting, Goal, Indicator, Op, Problem, Query, RatioMetric, Side, Slo, TimeWindow,
    counting::edge_matcher, quantile, selectors,
};
use crate::{
    model::HumanDuration,
    ports::{MatchOp, Native, Selector},
};

/// One promise with the counters that tell whether it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// The SLO's name, with the objective's own after a slash where the SLO has several.
    pub name: String,
    /// The SLO.
    pub slo: String,
    /// The service that it is about.
    pub service: String,
    /// The share of good events that is promised; between 0 and 1.
    pub target: f64,
    /// The burn rate that is tolerated during a change; 1 unless the document says otherwise.
    pub burn: f64,
    /// The time that the promise is about.
    pub period: Period,
    /// What is added up.
    pub counting: Counting,
}

/// The time that a promise is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Period {
    /// It moves with the clock.
    Rolling(HumanDuration),
    /// It begins at fixed times.
    Calendar(HumanDuration),
}

impl Objective {
    /// The share of bad events that the promise leaves.
    #[must_use]
    pub fn budget(&self) -> f64 {
        1.0 - self.target
    }

    /// The length of the rolling window that the budget is counted over.
    ///
    /// # Errors
    /// Where the window follows the calendar.
    pub fn window(&self) -> Result<Duration, Problem> {
        match self.period {
            Period::Rolling(span) => Ok(span.0),
            Period::Calendar(_) => Err(Problem::new(
                "spec.timeWindow.0",
                format!("the window of `{}` follows the calendar, and its budget is not counted here", self.slo),
                "use a rolling window: `{duration: 30d, isRolling: true}`",
            )),
        }
    }
}

/// Resolves an SLO; `lookup` gives the indicator of an SLI by name, and `known` holds the names that there are.
///
/// # Errors
/// Where interlock cannot decide on it: another budgeting method, a query that hides its counters, a missing SLI.
pub fn resolve(
    slo: &Slo,
    lookup: &dyn Fn(&str) -> Option<Indicator>,
    known: &[&str],
) -> Result<Vec<Objective>, Problem> {
    if slo.spec.budgeting_method != BudgetingMethod::Occurrences {
        return Err(Problem::new(
            "spec.budgetingMethod",
            format!("{:?} counts slices of time, and a decision needs counts of events", slo.spec.budgeting_method),
            "use `budgetingMethod: Occurrences` for the SLOs that decide",
        ));
    }
    let period = period(&slo.spec.time_window)?;
    let burn = tolerated(slo)?;
    if slo.spec.objectives.is_empty() {
        return Err(Problem::new("spec.objectives", "there is no objective", "add one with a `target`"));
    }
    let mut all = Vec::new();
    for (i, goal) in slo.spec.objectives.iter().enumerate() {
        let here = format!("spec.objectives.{i}");
        let (indicator, of, at) = indicator(slo, goal, i, lookup, known)?;
        let placed = |problem: Problem| match &of {
            Some(sli) => problem.under(&at).inside(sli),
            None => problem.under(&at),
        };
        let (counting, target) = match (&indicator.ratio_metric, &indicator.threshold_metric) {
            (Some(ratio), None) => (counting(ratio).map_err(placed)?, target(goal, &here)?),
            (None, Some(threshold)) => slower_than(threshold, goal, &here, &placed)?,
            _ => {
                let what = "exactly one of `ratioMetric` and `thresholdMetric` is needed";
                return Err(placed(Problem::new("", what, "keep the one that is meant")));
            }
        };
        let name = match (&goal.display_name, slo.spec.objectives.len()) {
            (_, 1) => slo.metadata.name.clone(),
            (Some(own), _) => format!("{}/{own}", slo.metadata.name),
            (None, _) => format!("{}/{}", slo.metadata.name, i + 1),
        };
        // Rules, and what is said of an objective, know it by its name.
        if all.iter().any(|other: &Objective| other.name == name) {
            let at = if goal.display_name.is_some() { format!("{here}.displayName") } else { here };
            let what = format!("there is another objective `{name}`");
            return Err(Problem::new(&at, what, "give each a `displayName` of its own"));
        }
        let (slo, service) = (slo.metadata.name.clone(), slo.spec.service.clone());
        all.push(Objective { name, slo, service, target, burn, period, counting });
    }
    Ok(all)
}

/// The indicator of one objective, the SLI that it stands in, and the path to it there.
fn indicator(
    slo: &Slo,
    goal: &Goal,
    i: usize,
    lookup: &dyn Fn(&str) -> Option<Indicator>,
    known: &[&str],
) -> Result<(Indicator, Option<String>, String), Problem> {
    let own = (&goal.indicator, &goal.indicator_ref, format!("spec.objectives.{i}."));
    let shared = (&slo.spec.indicator, &slo.spec.indicator_ref, "spec.".to_owned());
    let (inline, named, at) = if own.0.is_some() || own.1.is_some() { own } else { shared };
    match (inline, named) {
        (Some(inline), None) => Ok((inline.spec.clone(), None, format!("{at}indicator.spec"))),
        (None, Some(name)) => match lookup(name) {
            Some(indicator) => Ok((indicator, Some(name.clone()), "spec".to_owned())),
            None => {
                let hint = if known.is_empty() {
                    "no SLI was read; write it as a document of its own".to_owned()
                } else {
                    format!("the SLIs that were read are {}", known.join(", "))
                };
                Err(Problem::new(&format!("{at}indicatorRef"), format!("there is no SLI `{name}`"), hint))
            }
        },
        (Some(_), Some(_)) => {
            let what = "both `indicator` and `indicatorRef` are given";
            Err(Problem::new(&format!("{at}indicatorRef"), what, "keep one of them"))
        }
        (None, None) => Err(Problem::new("spec", "nothing is measured", "add an `indicator` or an `indicatorRef`")),
    }
}

fn counting(ratio: &RatioMetric) -> Result<Counting, Problem> {
    if ratio.raw.is_some() {
        return Err(Problem::new(
            "ratioMetric.raw",
            "a ready ratio hides how many events there were",
            "give two of `good`, `bad` and `total` instead",
        ));
    }
    let sides = match (&ratio.good, &ratio.bad, &ratio.total) {
        (good, Some(bad), Some(total)) if good.is_none() => [("bad", Side::Bad, bad), ("total", Side::Total, total)],
        (Some(good), None, Some(total)) => [("good", Side::Good, good), ("total", Side::Total, total)],
        (Some(good), Some(bad), None) => [("good", Side::Good, good), ("bad", Side::Bad, bad)],
        _ => {
            let what = "exactly two of `good`, `bad` and `total` are needed";
            return Err(Problem::new("ratioMetric", what, "keep two of them; the third follows"));
        }
    };
    let mut all = Vec::new();
    for (name, side, query) in sides {
        let at = format!("ratioMetric.{name}.metricSource.spec");
        let (text, key) = promql(query, &at)?;
        let (found, rated) = selectors(text).map_err(|p| p.under(&format!("{at}.{key}")))?;
        if ratio.counter == Some(false) && !rated {
            return Err(Problem::new(
                "ratioMetric.counter",
                format!("with `counter: false` the query of `{name}` gives no counter"),
                "write `counter: true` if it only grows; a gauge cannot be added up",
            ));
        }
        all.extend(found.into_iter().map(|selector| (side, selector)));
    }
    Ok(Counting { edge: own_edge(&mut all), selectors: all })
}

/// The edge that good events are picked by with `le="..."`; a bucket that does not exist would make all events bad.
fn own_edge(selectors: &mut [(Side, Selector)]) -> Option<f64> {
    let mut edge = None;
    for (_, selector) in selectors.iter_mut().filter(|(side, s)| *side == Side::Good && s.metric.ends_with("_bucket")) {
        for matcher in selector.matchers.iter_mut().filter(|m| m.label == "le" && m.op == MatchOp::Equal) {
            if let Some(le) = matcher.value.parse().ok().filter(|le: &f64| le.is_finite()) {
                *matcher = edge_matcher(le);
                edge = Some(le);
            }
        }
    }
    edge
}

/// `histogram_quantile(q, ...) <= T` says that a share of q is at most T, which buckets count.
fn slower_than(
    threshold: &Query,
    goal: &Goal,
    here: &str,
    placed: &dyn Fn(Problem) -> Problem,
) -> Result<(Counting, f64), Problem> {
    let at = "thresholdMetric.metricSource.spec";
    let (text, key) = promql(threshold, at).map_err(placed)?;
    let histogram = quantile(text).map_err(|p| placed(p.under(&format!("{at}.{key}"))))?;
    if !matches!(goal.op, Some(Op::Lte | Op::Lt)) {
        let what = "a quantile has to stay below its threshold: `op` has to be `lte` or `lt`";
        return Err(Problem::new(&format!("{here}.op"), what, "write `op: lte`"));
    }
    let Some(edge) = goal.value.filter(|v| v.is_finite() && *v > 0.0) else {
        let what = "the threshold is missing, or not above 0";
        return Err(Problem::new(&format!("{here}.value"), what, "write it in the unit of the buckets, such as 0.25"));
    };
    if histogram.buckets.native.is_some() {
        let part = |native: Native| Selector { native: Some(native), ..histogram.buckets.clone() };
        let selectors = vec![(Side::Good, part(Native::UpTo(edge.to_string()))), (Side::Total, part(Native::Count))];
        return Ok((Counting { selectors, edge: None }, histogram.quantile));
    }
    let mut good = histogram.buckets.clone();
    good.matchers.retain(|m| m.label != "le");
    let stem = good.metric.trim_end_matches("_bucket");
    let total = Selector::counters(format!("{stem}_count"), good.matchers.clone());
    good.matchers.push(edge_matcher(edge));
    Ok((Counting { selectors: vec![(Side::Good, good), (Side::Total, total)], edge: Some(edge) }, histogram.quantile))
}

fn promql<'q>(query: &'q Query, at: &str) -> Result<(&'q str, &'static str), Problem> {
    let source = &query.metric_source;
    if let Some(kind) = source.kind.as_deref().filter(|kind| !kind.eq_ignore_ascii_case("prometheus")) {
        let at = at.trim_end_matches("spec").to_owned() + "type";
        return Err(Problem::new(&at, format!("`{kind}` is not asked here"), "only `type: Prometheus` is understood"));
    }
    for key in ["query", "promql"] {
        if let Some(text) = source.spec.get(key).and_then(|v| v.as_str()) {
            return Ok((text, key));
        }
    }
    Err(Problem::new(at, "there is no `query`", "write the PromQL under `query`"))
}

fn target(goal: &Goal, here: &str) -> Result<f64, Problem> {
    let (at, target) = match (goal.target, goal.target_percent) {
        (Some(target), None) => ("target", target),
        (None, Some(percent)) => ("targetPercent", percent / 100.0),
        (Some(_), Some(_)) => {
            let at = format!("{here}.targetPercent");
            return Err(Problem::new(&at, "both `target` and `targetPercent` are given", "keep one of them"));
        }
        (None, None) => return Err(Problem::new(here, "there is no target", "add one such as `target: 0.999`")),
    };
    if target > 0.0 && target < 1.0 {
        return Ok(target);
    }
    let hint = "write a share between 0 and 1 as `target`, or between 0 and 100 as `targetPercent`";
    Err(Problem::new(&format!("{here}.{at}"), "the target leaves no room, or is no share", hint))
}

fn period(windows: &[TimeWindow]) -> Result<Period, Problem> {
    let [window] = windows else {
        let hint = "write `timeWindow: [{duration: 30d, isRolling: true}]`";
        return Err(Problem::new("spec.timeWindow", format!("{} windows are given, not one", windows.len()), hint));
    };
    let length = length(&window.duration).ok_or_else(|| {
        let what = format!("`{}` is no length of a window", window.duration);
        Problem::new("spec.timeWindow.0.duration", what, "write one such as `30d` or `4w`")
    })?;
    let rolling = window.is_rolling.unwrap_or(window.calendar.is_none()) && window.calendar.is_none();
    Ok(if rolling { Period::Rolling(HumanDuration(length)) } else { Period::Calendar(HumanDuration(length)) })
}

/// OpenSLO's durations: one number and m, h, d, w, M (30 days), Q (90 days) or Y (365 days).
fn length(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok().filter(|n| *n > 0)?;
    let minutes = match unit {
        'm' => 1,
        'h' => 60,
        'd' => 24 * 60,
        'w' => 7 * 24 * 60,
        'M' => 30 * 24 * 60,
        'Q' => 90 * 24 * 60,
        'Y' => 365 * 24 * 60,
        _ => return None,
    };
    // Ten years bound whatever is computed from it.
    number.checked_mul(minutes * 60).filter(|s| *s <= 3650 * 86_400).map(Duration::from_secs)
}

fn tolerated(slo: &Slo) -> Result<f64, Problem> {
    let Some(text) = slo.metadata.annotations.get("interlock/burn") else { return Ok(1.0) };
    text.parse().ok().filter(|b: &f64| b.is_finite() && *b > 0.0).ok_or_else(|| {
        let mut problem =
            Problem::new("", format!("`{text}` is no burn rate"), "write a number above 0, such as \"2\"");
        problem.at = ["metadata", "annotations", "interlock/burn"].map(str::to_owned).into();
        problem
    })
}
