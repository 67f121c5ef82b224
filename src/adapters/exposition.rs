//! The Prometheus text format: pages of samples.
//!
//! Format: <https://prometheus.io/docs/instrumenting/exposition_formats/>, with OpenMetrics' exemplars passed over.

use crate::ports::Labels;

/// One line of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric's name.
    pub metric: String,
    pub labels: Labels,
    pub value: f64,
    /// When it was taken, in milliseconds since 1970, where the page says so.
    pub at: Option<i64>,
}

/// Reads a page.
///
/// # Errors
/// Where a line is no sample; as with Prometheus the whole page is then refused, for a part of it would mislead.
pub fn parse(page: &str) -> Result<Vec<Sample>, String> {
    let mut samples = Vec::new();
    for (i, line) in page.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        samples.push(sample(line).map_err(|why| format!("line {}: {why}", i + 1))?);
    }
    Ok(samples)
}

fn sample(line: &str) -> Result<Sample, String> {
    let end = line.find(|c: char| c == '{' || c.is_whitespace()).ok_or("there is no value")?;
    let (name, rest) = line.split_at(end);
    let mut metric = name.to_owned();
    let mut labels = Labels::new();
    let rest = rest.trim_start();
    let rest = match rest.strip_prefix('{') {
        Some(inside) => braces(inside, &mut metric, &mut labels)?,
        None => rest,
    };
    if metric.is_empty() {
        return Err("there is no metric name".to_owned());
    }
    let mut words = rest.split('#').next().unwrap_or_default().split_whitespace();
    let value = words.next().ok_or("there is no value")?;
    let value = value.parse().map_err(|_| format!("`{}` is no value", short(value)))?;
    let at = match words.next() {
        None => None,
        Some(word) => Some(word.parse::<f64>().map_err(|_| format!("`{}` is no time", short(word)))? as i64),
    };
    if words.next().is_some() {
        return Err("there is more than a value and a time".to_owned());
    }
    Ok(Sample { metric, labels, value, at })
}

/// Reads labels up to the closing brace; the name may stand among them in quotes.
fn braces<'l>(mut rest: &'l str, metric: &mut String, labels: &mut Labels) -> Result<&'l str, String> {
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            return Ok(after);
        }
        let name;
        if let Some(quoted) = rest.strip_prefix('"') {
            (name, rest) = text(quoted)?;
        } else {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':' || c == '.'));
            let end = end.ok_or("the labels do not end")?;
            name = rest[..end].to_owned();
            rest = &rest[end..];
            if name.is_empty() {
                return Err("a label has no name".to_owned());
            }
        }
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('=') {
            let quoted = after.trim_start().strip_prefix('"').ok_or("a label's value has no quotes")?;
            let value;
            (value, rest) = text(quoted)?;
            if labels.insert(name, value).is_some() {
                return Err("a label stands there twice".to_owned());
            }
        } else if metric.is_empty() {
            *metric = name;
        } else {
            return Err("a label has no value".to_owned());
        }
        rest = rest.trim_start();
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.starts_with('}') => {}
            None => return Err("the labels do not end".to_owned()),
        }
    }
}

/// Reads quoted text up to its closing quote.
fn text(rest: &str) -> Result<(String, &str), String> {
    let mut read = String::new();
    let mut chars = rest.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return Ok((read, &rest[i + 1..])),
            '\\' => match chars.next() {
                Some((_, 'n')) => read.push('\n'),
                Some((_, c @ ('\\' | '"'))) => read.push(c),
                Some((_, c)) => read.extend(['\\', c]),
                None => break,
            },
            c => read.push(c),
        }
    }
    Err("a quote is not closed".to_owned())
}

fn short(word: &str) -> String {
    word.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAGE: &str = "# HELP lab_requests_total Requests.\n# TYPE lab_requests_total counter\n\
        lab_requests_total{service=\"tenant\",code=\"200\",} 1027 1395066363000\n\
        lab_requests_total{ path = \"C:\\\\a\\\"b\\nc\" } 3e2\nup 1\nx_bucket{le=\"+Inf\"} +Inf # {trace=\"a\"} 0.5 1.5\n\
        {\"my.metric\",a=\"}\"} NaN\n# EOF\n";

    #[test]
    fn pages_are_read() {
        let all = parse(PAGE).unwrap();
        assert_eq!(all.len(), 5);
        assert_eq!(all[0].labels["service"], "tenant");
        assert_eq!(all[0].at, Some(1_395_066_363_000));
        assert_eq!(all[1].labels["path"], "C:\\a\"b\nc");
        assert_eq!(all[1].value, 300.0);
        assert_eq!(all[3].value, f64::INFINITY);
        assert_eq!((all[4].metric.as_str(), all[4].labels["a"].as_str()), ("my.metric", "}"));
        assert!(all[4].value.is_nan());
    }

    #[test]
    fn what_is_no_page_is_refused_with_its_line() {
        let said: Vec<String> = [
            "up 1\n<html>",
            "up",
            "up{a=\"b} 1",
            "up{a=b} 1",
            "up{a=\"b\" 1",
            "up x",
            "up 1 y",
            "up 1 2 3",
            "{} 1",
            "up{a=\"1\",a=\"2\"} 1",
        ]
        .iter()
        .map(|page| parse(page).unwrap_err())
        .collect();
        insta::assert_snapshot!(said.join("\n"), @r"
line 2: there is no value
line 1: there is no value
line 1: a quote is not closed
line 1: a label's value has no quotes
line 1: the labels do not end
line 1: `x` is no value
line 1: `y` is no time
line 1: there is more than a value and a time
line 1: there is no metric name
line 1: a label stands there twice
");
    }

    proptest! {
        #[test]
        fn the_parser_never_panics(at in 0usize..400, gone in 0usize..8, with in "\\PC{0,5}|[{}\",=\\\\#\n ]{0,5}") {
            let chars: Vec<char> = PAGE.chars().collect();
            let at = at.min(chars.len());
            let mutated: String =
                chars[..at].iter().copied().chain(with.chars()).chain(chars[at..].iter().skip(gone).copied()).collect();
            let _ = parse(&mutated);
            let _ = parse(&with);
        }
    }
}
