//! Takes a PromQL query apart until its counters are found, so that evidence can be added up series by series.

use promql_parser::{
    label::MatchOp as PromOp,
    parser::{self, Expr, LabelModifier, VectorSelector, token},
};

use super::Problem;
use crate::ports::{MatchOp, Matcher, Selector};

/// A quantile of a histogram, as a query asks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// The quantile, such as 0.99.
    pub quantile: f64,
    /// The series of its buckets.
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

/// The quantile that a query of the form `histogram_quantile(q, sum by (le) (rate(X_bucket[5m])))` asks for.
///
/// # Errors
/// Where the query has another form.
pub fn quantile(query: &str) -> Result<Histogram, Problem> {
    let form =
        "write it as `histogram_quantile(0.99, sum by (le) (rate(NAME_bucket[5m])))`, or count with a ratioMetric";
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
    if let Expr::Aggregate(sum) = bare(inner)
        && !matches!(&sum.modifier, Some(LabelModifier::Include(by)) if by.labels.iter().any(|l| l == "le"))
    {
        return Err(refuse("the sum inside of `histogram_quantile` does not keep the label `le`".to_owned()));
    }
    let mut found = Found::default();
    found.unwrap(inner)?;
    match <[Selector; 1]>::try_from(found.selectors) {
        Ok([buckets]) if buckets.metric.ends_with("_bucket") => Ok(Histogram { quantile: q.val, buckets }),
        Ok([other]) => Err(refuse(format!("`{}` is no series of histogram buckets", other.metric))),
        Err(_) => Err(refuse("the quantile is taken over several metrics".to_owned())),
    }
}

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
        let selector = Selector { metric, matchers };
        if !self.selectors.contains(&selector) {
            self.selectors.push(selector);
        }
        Ok(())
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
`*` between counters is not understood -> give good, bad and total as queries of their own; only `+` joins counters
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
    fn quantiles_are_understood() {
        let found = quantile(r#"histogram_quantile(0.99, sum by (le) (rate(d_bucket{path="live"}[5m])))"#).unwrap();
        assert_eq!(found.quantile, 0.99);
        assert_eq!(found.buckets.metric, "d_bucket");
        let said: Vec<String> = [
            "histogram_quantile(0.99, sum(rate(d_bucket[5m])))",
            "histogram_quantile(99, rate(d_bucket[5m]))",
            "avg(latency)",
            "histogram_quantile(0.9, rate(d_sum[5m]))",
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
a threshold is understood on `histogram_quantile`, not on `max_over_time`
");
    }
}
