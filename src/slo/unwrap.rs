//! Takes a PromQL query apart until its counters are found, so that evidence can be added up series by series.

use promql_parser::{
    label::MatchOp as PromOp,
    parser::{self, Expr, LabelModifier, VectorSelector, token},
};

use super::Problem;
use crate::ports::{MatchOp, Matcher, Native, Selector};

/// A quantile of a histogram, as a query asks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// The quantile, such as 0.99.
    pub quantile: f64,
    /// The series of its buckets, or those of a native histogram.
    pub buckets: Selector,
}

/// The counters behind a query, and whether the query turned them into rates or increases.
///
/// # Errors
/// Where the query does something else than to add up, for then counters cannot be told from its value.
pub fn selectors(query: &str) -> Result<(Vec<Selector>, bool), Problem> {
    let expr = parse(query)?;
    let mut found = Found::default();
    found.unwrap(&expr)?;
    Ok((found.selectors, found.rated))
}

/// The quantile that a query of the form `histogram_quantile(q, sum by (le) (rate(X_bucket[5m])))` asks for. Of a native histogram
/// it is `histogram_quantile(q, sum(rate(X[5m])))`.
///
/// # Errors
/// Where the query has another form.
pub fn quantile(query: &str) -> Result<Histogram, Problem> {
    let form = "write it as `histogram_quantile(0.99, sum by (le) (rate(NAME_bucket[5m])))`, of a native histogram as \
                `histogram_quantile(0.99, sum(rate(NAME[5m])))`, or count with a ratioMetric";
    let refuse = |what: String| Problem::new("", what, form);
    let Expr::Call(call) = bare(&parse(query)?) else {
        return Err(refuse("a threshold is only understood on a quantile of a histogram".to_owned()));
    };
    let args = &call.args.args;
    let ("histogram_quantile", [q, inner]) = (call.func.name, args.as_slice()) else {
        return Err(refuse(format!("a threshold is understood on `histogram_quantile`, not on `{}`", call.func.name)));
    };
    let Expr::NumberLiteral(q) = bare(q) else {
        return Err(refuse("the quantile is no plain number".to_owned()));
    };
    if !(q.val > 0.0 && q.val < 1.0) {
        return Err(refuse(format!("the quantile {} is not between 0 and 1", q.val)));
    }
    let mut found = Found::default();
    found.unwrap(inner)?;
    let Ok([mut series]) = <[Selector; 1]>::try_from(found.selectors) else {
        return Err(refuse("the quantile is taken over several metrics".to_owned()));
    };
    if series.native.is_some() {
        return Err(refuse("a quantile of a count is none".to_owned()));
    }
    let keeps_le = match bare(inner) {
        Expr::Aggregate(sum) => {
            Some(matches!(&sum.modifier, Some(LabelModifier::Include(by)) if by.labels.iter().any(|l| l == "le")))
        }
        _ => None,
    };
    if series.metric.ends_with("_bucket") {
        if keeps_le == Some(false) {
            return Err(refuse("the sum inside of `histogram_quantile` does not keep the label `le`".to_owned()));
        }
    } else if keeps_le == Some(true) || COUNTERS.iter().any(|ending| series.metric.ends_with(ending)) {
        return Err(refuse(format!("`{}` is no series of histogram buckets", series.metric)));
    } else {
        series.native = Some(Native::Count);
    }
    Ok(Histogram { quantile: q.val, buckets: series })
}

/// How counters end that have no buckets, and no native histogram does.
const COUNTERS: [&str; 3] = ["_count", "_sum", "_total"];

fn parse(query: &str) -> Result<Expr, Problem> {
    parser::parse(query).map_err(|why| {
        let what = format!("this is no PromQL: {why}");
        Problem::new("", what, "write one query without templates, such as `sum(rate(requests_total[5m]))`")
    })
}

fn bare(expr: &Expr) -> Expr {
    match expr {
        Expr::Paren(paren) => bare(&paren.expr),
        other => other.clone(),
    }
}

#[derive(Default)]
struct Found {
    selectors: Vec<Selector>,
    rated: bool,
}

impl Found {
    fn unwrap(&mut self, expr: &Expr) -> Result<(), Problem> {
        match expr {
            Expr::Paren(paren) => self.unwrap(&paren.expr),
            Expr::Aggregate(sum) if sum.op.id() == token::T_SUM => self.unwrap(&sum.expr),
            Expr::Aggregate(other) => Err(Problem::new(
                "",
                format!("`{}` hides how many events there were", other.op),
                "use `sum`, or no aggregation at all",
            )),
            Expr::Call(call) if ["rate", "increase", "irate"].contains(&call.func.name) => {
                match call.args.args.first().map(AsRef::as_ref).map(bare) {
                    Some(Expr::MatrixSelector(matrix)) => {
                        self.rated = true;
                        self.take(&matrix.vs)
                    }
                    _ => Err(Problem::new(
                        "",
                        format!("`{}` is taken of something else than a counter", call.func.name),
                        format!("take it of a counter, such as `{}(requests_total[5m])`", call.func.name),
                    )),
                }
            }
            Expr::Call(call) if call.func.name == "histogram_count" => {
                call.args.args.iter().try_for_each(|of| self.count(of))
            }
            Expr::Call(call) => Err(Problem::new(
                "",
                format!("`{}` hides how many events there were", call.func.name),
                "leave it out: only `sum`, `rate`, `increase`, `irate` and `+` are understood",
            )),
            Expr::VectorSelector(selector) => self.take(selector),
            Expr::Binary(both) if both.op.id() == token::T_ADD => {
                self.unwrap(&both.lhs)?;
                self.unwrap(&both.rhs)
            }
            Expr::Binary(both) if both.op.id() == token::T_MUL => self.fraction(&both.lhs, &both.rhs),
            // `or vector(0)` only fills a gap that counting does not have.
            Expr::Binary(both) if both.op.id() == token::T_LOR && is_zero(&both.rhs) => self.unwrap(&both.lhs),
            Expr::Binary(both) => Err(Problem::new(
                "",
                format!("`{}` between counters is not understood", both.op),
                "give good, bad and total as queries of their own; only `+` joins counters",
            )),
            Expr::MatrixSelector(_) => Err(Problem::new(
                "",
                "the range has no function around it",
                "write `rate(...)`, or leave the range out",
            )),
            _ => Err(Problem::new("", "no counter is found here", "write one such as `sum(rate(requests_total[5m]))`")),
        }
    }

    /// Takes the series of an expression as native histograms, of which all observations are counted.
    fn count(&mut self, of: &Expr) -> Result<(), Problem> {
        let mut found = Self::default();
        found.unwrap(of)?;
        self.rated |= found.rated;
        for mut one in found.selectors {
            if one.native.replace(Native::Count).is_some() {
                let hint = "take it of a histogram, such as `histogram_count(rate(NAME[5m]))`";
                return Err(Problem::new("", "a count is taken of a count", hint));
            }
            self.add(one);
        }
        Ok(())
    }

    /// `histogram_fraction(0, T, X) * histogram_count(X)` counts the observations of a native histogram that are at most T.
    fn fraction(&mut self, lhs: &Expr, rhs: &Expr) -> Result<(), Problem> {
        let refuse = || {
            Problem::new(
                "",
                "`*` between counters is not understood",
                "give good, bad and total as queries of their own; only `+` joins counters, and \
                 `histogram_fraction(0, T, X) * histogram_count(X)` counts a part of a native histogram",
            )
        };
        let (share, count) = match (bare(lhs), bare(rhs)) {
            (Expr::Call(share), count) if share.func.name == "histogram_fraction" => (share, count),
            (count, Expr::Call(share)) if share.func.name == "histogram_fraction" => (share, count),
            _ => return Err(refuse()),
        };
        let [low, high, of] = share.args.args.as_slice() else { return Err(refuse()) };
        let (Some(low), Some(high)) = (constant(low), constant(high)) else { return Err(refuse()) };
        let (mut part, mut all) = (Self::default(), Self::default());
        part.count(of)?;
        all.unwrap(&count)?;
        let from_zero = low == 0.0 || low == f64::NEG_INFINITY;
        let same = part.selectors == all.selectors && part.rated == all.rated;
        if !(from_zero && same && high > 0.0 && high.is_finite()) {
            return Err(refuse());
        }
        self.rated |= part.rated;
        for mut one in part.selectors {
            one.native = Some(Native::UpTo(high.to_string()));
            self.add(one);
        }
        Ok(())
    }

    fn add(&mut self, selector: Selector) {
        if !self.selectors.contains(&selector) {
            self.selectors.push(selector);
        }
    }

    fn take(&mut self, selector: &VectorSelector) -> Result<(), Problem> {
        if selector.offset.is_some() || selector.at.is_some() {
            let what = "`offset` and `@` move the query away from now";
            return Err(Problem::new("", what, "leave them out"));
        }
        if !selector.matchers.or_matchers.is_empty() {
            return Err(Problem::new("", "`or` between matchers is not understood", "add two selectors up with `+`"));
        }
        let mut metric = selector.name.clone();
        let mut matchers = Vec::new();
        for m in &selector.matchers.matchers {
            if m.name == "__name__" {
                if m.op != PromOp::Equal {
                    let what = "the metric's name is given by a pattern";
                    return Err(Problem::new("", what, "name one metric, and add others with `+`"));
                }
                metric = Some(m.value.clone());
                continue;
            }
            let op = match m.op {
                PromOp::Equal => MatchOp::Equal,
                PromOp::NotEqual => MatchOp::NotEqual,
                PromOp::Re(_) => MatchOp::Matches,
                PromOp::NotRe(_) => MatchOp::NotMatches,
            };
            matchers.push(Matcher { label: m.name.clone(), op, value: m.value.clone() });
        }
        let Some(metric) = metric else {
            return Err(Problem::new("", "the selector names no metric", "begin it with the metric's name"));
        };
        self.add(Selector::counters(metric, matchers));
        Ok(())
    }
}

fn constant(expr: &Expr) -> Option<f64> {
    match bare(expr) {
        Expr::NumberLiteral(number) => Some(number.val),
        Expr::Unary(negative) => constant(&negative.expr).map(|value| -value),
        _ => None,
    }
}

fn is_zero(expr: &Expr) -> bool {
    match bare(expr) {
        Expr::Call(call) if call.func.name == "vector" => {
            matches!(call.args.args.first().map(|e| bare(e)), Some(Expr::NumberLiteral(n)) if n.val == 0.0)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_rates_are_unwrapped() {
        let (found, rated) = selectors(
            r#"sum by (a) (rate(x_total{code=~"5..",path!="p"}[5m])) + (increase(y_total[1m])) or vector(0)"#,
        )
        .unwrap();
        assert!(rated);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].metric, "x_total");
        assert_eq!(found[0].matchers[0].op, MatchOp::Matches);
        assert_eq!(found[0].matchers[0].value, "5..");
        assert_eq!(found[0].matchers[1].op, MatchOp::NotEqual);
        let (found, rated) = selectors("sum(x_total)").unwrap();
        assert!(!rated && found.len() == 1);
    }

    #[test]
    fn what_cannot_be_unwrapped_is_refused_with_a_mend() {
        let said: Vec<String> = [
            "avg(rate(x_total[5m]))",
            "rate(x_total[5m]) / rate(y_total[5m])",
            "rate(x_total[5m]) * 60",
            "x_total offset 5m",
            "absent(x_total)",
            "rate(x_total[5m:1m])",
            "{__name__=~\"x.*\"}",
            "x_total[5m]",
            "42",
            "sum(rate(x_total[{{.window}}]))",
        ]
        .iter()
        .map(|query| {
            let problem = selectors(query).unwrap_err();
            format!("{} -> {}", problem.what, problem.hint)
        })
        .collect();
        insta::assert_snapshot!(said.join("\n"), @r"
`avg` hides how many events there were -> use `sum`, or no aggregation at all
`/` between counters is not understood -> give good, bad and total as queries of their own; only `+` joins counters
`*` between counters is not understood -> give good, bad and total as queries of their own; only `+` joins counters, and `histogram_fraction(0, T, X) * histogram_count(X)` counts a part of a native histogram
`offset` and `@` move the query away from now -> leave them out
`absent` hides how many events there were -> leave it out: only `sum`, `rate`, `increase`, `irate` and `+` are understood
`rate` is taken of something else than a counter -> take it of a counter, such as `rate(requests_total[5m])`
the metric's name is given by a pattern -> name one metric, and add others with `+`
the range has no function around it -> write `rate(...)`, or leave the range out
no counter is found here -> write one such as `sum(rate(requests_total[5m]))`
this is no PromQL: unexpected character inside brackets: '{' -> write one query without templates, such as `sum(rate(requests_total[5m]))`
");
    }

    #[test]
    fn parts_of_native_histograms_are_understood() {
        let shown = |query: &str| {
            let (found, rated) = selectors(query).map_err(|problem| problem.what)?;
            assert!(rated);
            Ok::<_, String>(found.into_iter().map(|one| (one.metric, one.native)).collect::<Vec<_>>())
        };
        let count = Ok(vec![("d".to_owned(), Some(Native::Count))]);
        assert_eq!(shown("sum(histogram_count(rate(d[5m])))"), count);
        assert_eq!(shown("histogram_count(sum by (a) (rate(d[5m])))"), count);
        let part = Ok(vec![("d".to_owned(), Some(Native::UpTo("0.25".to_owned())))]);
        assert_eq!(shown("histogram_fraction(0, 0.25, sum(rate(d[5m]))) * histogram_count(sum(rate(d[5m])))"), part);
        assert_eq!(shown("sum(histogram_count(rate(d[5m])) * histogram_fraction(-Inf, 0.25, rate(d[5m])))"), part);
        for wrong in [
            "histogram_fraction(0, 0.25, rate(d[5m]))",
            "histogram_fraction(0, 0.25, rate(d[5m])) * histogram_count(rate(e[5m]))",
            "histogram_fraction(0.1, 0.25, rate(d[5m])) * histogram_count(rate(d[5m]))",
            "histogram_fraction(0, 0.25, rate(d[5m])) * histogram_count(d)",
            "histogram_fraction(0, 0, rate(d[5m])) * histogram_count(rate(d[5m]))",
            "histogram_fraction(0, 0.25, rate(d[5m])) * rate(d[5m])",
            "histogram_fraction(0, 0.25, rate(d[5m])) * 60",
            // The sum of the shares of several series is no share.
            "sum(histogram_fraction(0, 0.25, rate(d[5m]))) * sum(histogram_count(rate(d[5m])))",
            "histogram_count(histogram_count(rate(d[5m])))",
        ] {
            assert!(shown(wrong).is_err(), "{wrong}");
        }
        let found = quantile("histogram_quantile(0.99, sum(rate(d[5m])))").unwrap();
        assert_eq!((found.buckets.metric.as_str(), found.buckets.native.is_some()), ("d", true));
    }

    #[test]
    fn quantiles_are_understood() {
        let found = quantile(r#"histogram_quantile(0.99, sum by (le) (rate(d_bucket{path="live"}[5m])))"#).unwrap();
        assert_eq!(found.quantile, 0.99);
        assert_eq!(found.buckets.metric, "d_bucket");
        let said: Vec<String> = [
            "histogram_quantile(0.99, sum(rate(d_bucket[5m])))",
            "histogram_quantile(99, rate(d_bucket[5m]))",
            "avg(latency)",
            "histogram_quantile(0.9, rate(d_sum[5m]))",
            "histogram_quantile(0.9, sum by (le) (rate(d[5m])))",
            "histogram_quantile(0.9, histogram_count(rate(d[5m])))",
            "max_over_time(d[5m])",
        ]
        .iter()
        .map(|query| quantile(query).unwrap_err().what)
        .collect();
        insta::assert_snapshot!(said.join("\n"), @r"
the sum inside of `histogram_quantile` does not keep the label `le`
the quantile 99 is not between 0 and 1
a threshold is only understood on a quantile of a histogram
`d_sum` is no series of histogram buckets
`d` is no series of histogram buckets
a quantile of a count is none
a threshold is understood on `histogram_quantile`, not on `max_over_time`
");
    }
}
